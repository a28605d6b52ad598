"""The emulator's memory: rows in dictionaries, each written through to a SQLite file."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .answers import not_found

Row = dict[str, Any]
"""One thing that AIHub knows of, with its ``id``. Keys with a leading underscore are the emulator's own."""


class Table:
    """All rows of one kind, by id. Ids count up from 1 and are never used again."""

    def __init__(self, name: str, what: str, write: Callable[[str, Row], None]) -> None:
        self.rows: dict[int, Row] = {}
        self._name = name
        self._what = what
        self._write = write

    def add(self, row: Row) -> Row:
        row = {"id": len(self.rows) + 1, **row}
        self.rows[row["id"]] = row
        self._write(self._name, row)
        return row

    def save(self, row: Row, **changes: Any) -> None:
        row.update(changes)
        self._write(self._name, row)

    def get(self, row_id: int) -> Row:
        """:raises Refused: There is no such row (code 2)."""
        if row_id not in self.rows:
            raise not_found(f"{self._what} {row_id}")
        return self.rows[row_id]

    def newest(self) -> Iterator[Row]:
        return reversed(self.rows.values())

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows.values())


class Store:
    """Everything the emulator keeps. To be used from the thread of the event loop alone.

    Reading never touches the disk. A write is handed to the operating system before it returns, so it survives the
    death of the emulator, though perhaps not that of the machine.
    """

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute("CREATE TABLE IF NOT EXISTS row (kind TEXT, id INTEGER, body TEXT, PRIMARY KEY (kind, id))")
        self.trainings = self._table("training", "training")
        self.quota_tasks = self._table("quota_task", "quota task")
        self.pods = self._table("pod", "pod")
        self.searches = self._table("search", "search")
        self.datasets = self._table("dataset", "dataset")
        self.versions = self._table("dataset_version", "dataset version")
        self.runs = self._table("run", "workflow run")
        self.evaluations = self._table("evaluation", "evaluation")

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

    def _table(self, name: str, what: str) -> Table:
        table = Table(name, what, self._write)
        for row_id, body in self._db.execute("SELECT id, body FROM row WHERE kind = ? ORDER BY id", (name,)):
            table.rows[row_id] = json.loads(body)
        return table

    def _write(self, kind: str, row: Row) -> None:
        self._db.execute("INSERT OR REPLACE INTO row VALUES (?, ?, ?)", (kind, row["id"], json.dumps(row)))
