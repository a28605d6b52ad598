"""Searches, done one or two at a time in threads of their own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...files import Home
from ..store import AIHubStore, Row
from . import warehouse
from .background import Background

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

log = logging.getLogger(__name__)

WAITING, RUNNING, SUCCEEDED, FAILED = 1, 2, 3, 4
SQL, IMAGES, TEXT = 1, 2, 3


class Searches:
    """Runs what is in the table of searches over the files of the data folder."""

    def __init__(self, store: AIHubStore, home: Home, data: Path | None, pool: Executor) -> None:
        self._store = store
        self._home = home
        self._data = data
        self._pool = pool
        self._slots = asyncio.Semaphore(2)
        self._work = Background()
        self._at_work: set[Future[list[dict[str, Any]] | None]] = set()
        self._connections: dict[int, DuckDBPyConnection] = {}

    def submit(self, row: Row) -> Row:
        row = self._store.searches.add(row)
        self._begin(row)
        return row

    def recover(self) -> None:
        """Search again where an earlier start ended before the result was there; reading twice does no harm."""
        for row in self._store.searches:
            if row["status"] in (WAITING, RUNNING):
                self._store.searches.save(row, status=WAITING)
                self._begin(row)

    async def close(self) -> None:
        await self._work.close()
        # More than once: a search may have no connection yet, and an interrupt before its query does nothing.
        while self._at_work:
            for con in list(self._connections.values()):
                # One that has just been closed refuses.
                with contextlib.suppress(Exception):
                    con.interrupt()
            await asyncio.sleep(0.02)

    def _begin(self, row: Row) -> None:
        self._work.begin(self._run(row))

    async def _run(self, row: Row) -> None:
        async with self._slots:
            self._store.searches.save(row, status=RUNNING)
            result = self._home.folder("results") / f"search-{row['id']}.csv"
            future = self._pool.submit(self._search, dict(row), result)
            self._at_work.add(future)
            future.add_done_callback(self._at_work.discard)
            try:
                results = await asyncio.wrap_future(future)
            except warehouse.SearchError as error:
                self._store.searches.save(row, status=FAILED, message=str(error))
            except Exception as error:
                log.exception("Search %s failed within the emulator", row["id"])
                self._store.searches.save(row, status=FAILED, message=f"{type(error).__name__}: {error}")
            else:
                self._store.searches.save(row, status=SUCCEEDED, results=results, _result=self._home.relative(result))

    def _search(self, row: Row, result: Path) -> list[dict[str, Any]] | None:
        files = warehouse.tables(self._data)
        if row["type"] == SQL:
            try:
                warehouse.run_sql(files, row["sql"], result, lambda con: self._connections.__setitem__(row["id"], con))
            finally:
                self._connections.pop(row["id"], None)
            return None
        if row["type"] == TEXT:
            found = warehouse.search_text(files, row["feature_lib_id"], row["keywords"], row["top_k"])
        else:
            urls = [image["url"] for image in row["images"]]
            found = warehouse.search_images(files, row["feature_lib_id"], urls, row["top_k"])
        warehouse.write_results(found, result)
        return found
