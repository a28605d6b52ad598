"""Models: their files are taken in once they are in the object store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path

from ...files import Home
from ..object_store import ObjectStore, StoreError
from ..store import AIHubStore, Row
from .background import Background
from .unpack import write_rows

INIT, UPLOADING, READY, FAILED = "init", "uploading", "ready", "failed"


class Models:
    """Takes in the files of the models in the table.

    :param clock: Gives the time in Unix milliseconds.
    """

    def __init__(
        self, store: AIHubStore, home: Home, objects: ObjectStore, clock: Callable[[], int], pool: Executor
    ) -> None:
        self._store = store
        self._home = home
        self._objects = objects
        self._clock = clock
        self._pool = pool
        self._work = Background()

    def place(self, row: Row) -> str:
        """What all keys of a model begin with."""
        return f"models/{row['id']}"

    def take_in(self, row: Row, count: int, size: int) -> None:
        """Begin to take in the files of a model."""
        self._store.models.save(row, status=UPLOADING, updated_at=self._clock())
        self._work.begin(self._run(row, count, size))

    def recover(self) -> None:
        """Give up what an earlier start of the emulator did not finish: its object store is gone."""
        for row in self._store.models:
            if row["status"] == UPLOADING:
                self._store.models.save(row, status=FAILED, updated_at=self._clock())

    async def close(self) -> None:
        await self._work.close()

    async def _run(self, row: Row, count: int, size: int) -> None:
        index = self._home.folder("index") / f"model-{row['id']}.parquet"
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._pool, self._index, self.place(row), index)
        except StoreError:
            found = (-1, -1)
        status = READY if found == (count, size) else FAILED
        done = {"object_cnt": count, "data_size": size, "_index": self._home.relative(index)} if status == READY else {}
        self._store.models.save(row, status=status, updated_at=self._clock(), **done)

    def _index(self, place: str, index: Path) -> tuple[int, int]:
        rows = list(self._objects.sheet(f"{place}/files.csv", f"{place}/files/"))
        return write_rows([(row.path, f"s3://{self._objects.bucket}/{row.key}", row.size) for row in rows], index)
