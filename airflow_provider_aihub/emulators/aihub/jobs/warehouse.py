"""The data warehouse: DuckDB over the CSV and Parquet files of one folder.

Each file is a table by the stem of its name. A feature library with the id ``n`` is the table ``feature_lib_<n>`` with
the columns ``image_url`` and ``label`` and, if it likes, ``box`` (``[x1, y1, x2, y2]``).

A text search ranks by the words that keywords and label share, an image search by the words that the two addresses
share: the emulator has no model that could look at the pixels, and says so here.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

READERS = {".parquet": "read_parquet", ".csv": "read_csv"}


class SearchError(Exception):
    """The search cannot be done; the message says why."""


def tables(folder: Path | None) -> dict[str, Path]:
    """The files that are tables. Where two have the same stem, Parquet goes before CSV."""
    if folder is None:
        return {}
    found: dict[str, Path] = {}
    for suffix in READERS:
        for path in sorted(folder.resolve().glob(f"*{suffix}")):
            found.setdefault(path.stem.lower(), path)
    return found


def connect(files: dict[str, Path], result: Path | None = None) -> DuckDBPyConnection:
    """A database that sees the given files as tables and nothing else of the machine, and cannot be told otherwise.

    :param result: One more file, which may be written.
    """
    import duckdb

    con = duckdb.connect(":memory:")
    allowed = [*files.values(), *([result] if result else [])]
    con.execute("SET temp_directory = ''")
    con.execute(f"SET allowed_paths = [{', '.join(_quote(str(path)) for path in allowed)}]")
    for path in files.values():
        name = path.stem.replace('"', '""')
        try:
            con.execute(f'CREATE VIEW "{name}" AS SELECT * FROM {READERS[path.suffix]}({_quote(str(path))})')  # noqa: S608
        except duckdb.Error as error:
            con.close()
            raise SearchError(f"{path.name} is no table: {error}".strip()) from None
    # This also hides the variables of this very program, which DuckDB would otherwise take for tables.
    con.execute("SET enable_external_access = false")
    con.execute("SET lock_configuration = true")
    return con


def run_sql(files: dict[str, Path], sql: str, result: Path, running: Callable[[DuckDBPyConnection], None]) -> None:
    """Write the result of one SELECT as CSV.

    :param running: Is given the connection, to interrupt it.
    :raises SearchError: The SQL is wrong or is not one SELECT.
    """
    import duckdb

    con = connect(files, result)
    running(con)
    try:
        statements = con.extract_statements(sql)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise SearchError("Only a single SELECT can be run.")
        # DuckDB's own writer: the types keep their DuckDB spelling, and a large result never passes through Python.
        con.sql(sql).write_csv(str(result), header=True)
    except duckdb.Error as error:
        raise SearchError(str(error).strip()) from None
    finally:
        con.close()


def search_text(files: dict[str, Path], lib: int, keywords: str, top_k: int) -> list[dict[str, Any]]:
    """The items of a feature library whose labels share most words with the keywords, best first."""
    wanted = _words(keywords)
    return _best(((item, _overlap(wanted, _words(item["label"]))) for item in _feature_lib(files, lib)), top_k)


def search_images(files: dict[str, Path], lib: int, urls: list[str], top_k: int) -> list[dict[str, Any]]:
    """The items of a feature library whose addresses are most like any of the given ones, best first."""
    wanted = [(url, _words(url)) for url in urls]

    def score(address: str) -> float:
        words = _words(address)
        return max(1.0 if url == address else 0.99 * _overlap(parts, words) for url, parts in wanted)

    return _best(((item, score(item["image_url"])) for item in _feature_lib(files, lib)), top_k)


def write_results(results: list[dict[str, Any]], path: Path) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["image_url", "label", "score", "box"])
        writer.writeheader()
        writer.writerows({**item, "box": json.dumps(item["box"])} for item in results)


def feature_lib_name(lib: int) -> str:
    return f"feature_lib_{lib}"


def _feature_lib(files: dict[str, Path], lib: int) -> list[dict[str, Any]]:
    import duckdb

    name = feature_lib_name(lib)
    if name not in files:
        raise SearchError(f"Feature library {lib} does not exist: there is no table {name}.")
    with connect({name: files[name]}) as con:
        try:
            rows = con.execute(f"SELECT * FROM {name}")  # noqa: S608 - a name made of digits
            columns = [column[0] for column in rows.description or ()]
            items = [dict(zip(columns, row, strict=True)) for row in rows.fetchall()]
        except duckdb.Error as error:
            raise SearchError(str(error).strip()) from None
    if not {"image_url", "label"} <= set(columns):
        raise SearchError(f"The table {name} must have the columns image_url and label.")
    return [
        {"image_url": str(item["image_url"]), "label": str(item["label"]), "box": _box(item.get("box"))}
        for item in items
    ]


def _box(value: Any) -> list[float]:
    try:
        box = json.loads(value) if isinstance(value, str) else value
        return [float(number) for number in box] if box and len(box) == 4 else []
    except (TypeError, ValueError):
        return []


def _best(scored: Iterable[tuple[dict[str, Any], float]], top_k: int) -> list[dict[str, Any]]:
    found = [{**item, "score": round(score, 6)} for item, score in scored if score > 0]
    return sorted(found, key=lambda item: -item["score"])[:top_k]


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


def _overlap(left: set[str], right: set[str]) -> float:
    return len(left & right) / len(left | right) if left and right else 0.0


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
