"""An emulator's memory: rows in dictionaries, each written through to a SQLite file."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from .refused import Refused

Row = dict[str, Any]
"""One thing that the platform knows of, with its ``id``. Keys with a leading underscore are the emulator's own."""


class _Write(Protocol):
    def __call__(self, kind: str, row: Row, *, gone: bool = False) -> None: ...


class Table:
    """All rows of one kind, by id, the oldest first.

    :param missing: The refusal where there is no row with an id.
    """

    def __init__(self, name: str, missing: Callable[[Any], Refused], write: _Write) -> None:
        self.rows: dict[Any, Row] = {}
        self._name = name
        self._missing = missing
        self._write = write

    def add(self, row: Row) -> Row:
        """Add a row; without an id it gets the next number."""
        row = {"id": len(self.rows) + 1, **row}
        self.rows[row["id"]] = row
        self._write(self._name, row)
        return row

    def save(self, row: Row, **changes: Any) -> None:
        row.update(changes)
        self._write(self._name, row)

    def remove(self, row: Row) -> None:
        """Forget a row; for rows that have an id of their own."""
        del self.rows[row["id"]]
        self._write(self._name, row, gone=True)

    def get(self, row_id: Any) -> Row:
        """:raises Refused: There is no such row."""
        if row_id not in self.rows:
            raise self._missing(row_id)
        return self.rows[row_id]

    def newest(self) -> Iterator[Row]:
        return reversed(self.rows.values())

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows.values())


class Store:
    """Everything an emulator keeps. To be used from the thread of the event loop alone.

    Reading never touches the disk. A write is handed to the operating system before it returns, so it survives the
    death of the emulator, though perhaps not that of the machine.
    """

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        # No type for the id, which would make a number of a text that looks like one.
        self._db.execute("CREATE TABLE IF NOT EXISTS row (kind TEXT, id, body TEXT, PRIMARY KEY (kind, id))")

    @contextmanager
    def together(self) -> Iterator[None]:
        """Write all or nothing of what is written within; within another such block, that one decides."""
        if self._db.in_transaction:
            yield
            return
        self._db.execute("BEGIN")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def close(self) -> None:
        self._db.close()

    def table(self, name: str, missing: Callable[[Any], Refused]) -> Table:
        """The rows of one kind, with those that were kept."""
        table = Table(name, missing, self._write)
        # Numbers by size, since earlier versions wrote a row that changed anew.
        kept = "SELECT id, body FROM row WHERE kind = ? ORDER BY CASE typeof(id) WHEN 'integer' THEN id END, rowid"
        for row_id, body in self._db.execute(kept, (name,)):
            table.rows[row_id] = json.loads(body)
        return table

    def _write(self, kind: str, row: Row, *, gone: bool = False) -> None:
        if gone:
            self._db.execute("DELETE FROM row WHERE kind = ? AND id = ?", (kind, row["id"]))
            return
        self._db.execute(
            "INSERT INTO row VALUES (?, ?, ?) ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body",
            (kind, row["id"], json.dumps(row)),
        )
