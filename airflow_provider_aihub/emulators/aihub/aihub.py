"""Everything that the emulated AIHub consists of, put together."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from .auth import Credentials, Tokens
from .clock import Clock
from .faults import Faults
from .files import Buckets, Home, Links
from .guard import Guesses
from .jobs.searches import Searches
from .jobs.trainings import Trainings
from .jobs.versions import Versions
from .jobs.workflows import Workflows
from .journal import Journal
from .settings import Settings
from .store import Row, Store


class AIHub:
    """The state and the work of one emulator. Made, used and closed on its event loop."""

    def __init__(self, settings: Settings, clock: Clock, faults: Faults, journal: Journal) -> None:
        self.settings = settings
        self.clock = clock
        self.faults = faults
        self.journal = journal
        self.port = 0
        self.service_ports: dict[int, str] = {}
        self.home = Home(settings.home.resolve())
        self._lock = self.home.lock()
        self.credentials = Credentials(self.home.credentials, settings.users)
        self.tokens = Tokens(self.credentials, clock, settings.token_lifetime)
        self.guesses = Guesses()
        self.links = Links(self.home, self.credentials.secret)
        self.buckets = Buckets(self.home.folder("relay"))
        self.store = Store(self.home.database)
        self.storages = self._storages()
        self._pool = ThreadPoolExecutor(4, thread_name_prefix="aihub-work")
        self.trainings = Trainings(self.store, self.home, clock, settings.clusters)
        self.workflows = Workflows(self.store, self.home, clock, self.tokens.issue)
        self.searches = Searches(self.store, self.home, settings.data, self._pool)
        folders = [Path(storage["path"]) for storage in self.storages.values()]
        self.versions = Versions(
            self.store,
            self.home,
            self.buckets,
            self.links,
            datasets=folders[0],
            roots=[*folders, *([settings.data] if settings.data else [])],
            pool=self._pool,
            lenient=self.platform,
        )

    @property
    def platform(self) -> bool:
        """Whether the newer platform is served, and not the OpenAPI document alone."""
        return self.settings.api == "platform"

    def recover(self) -> None:
        """Go on with what an earlier start in the same home left behind."""
        with self.store.together():
            self.trainings.recover()
            self.workflows.recover()
            self.searches.recover()
            self.versions.recover()

    async def close(self) -> None:
        """End all work; everything else is on disk already."""
        await self.searches.close()
        await self.versions.close()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self.trainings.close)
        await loop.run_in_executor(None, self.workflows.close)
        await loop.run_in_executor(None, partial(self._pool.shutdown, cancel_futures=True))
        self.store.close()
        self._lock.close()

    def _storages(self) -> dict[int, Row]:
        folders = {name: self.home.folder("storage", name) for name in ("datasets", "shared")}
        folders.update({name: path.resolve() for name, path in self.settings.storages.items()})
        return {
            number: {
                "id": number,
                "name": name,
                "path": str(path),
                "server_path": str(path),
                "server_host": "127.0.0.1",
                "server_type": "hostpath",
                "permission": "rw",
                "description": "",
            }
            for number, (name, path) in enumerate(folders.items(), start=1)
        }
