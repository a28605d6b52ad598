"""Everything that the emulated AIHub consists of, put together."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from aiohttp import BasicAuth, web

from ..clock import Clock
from ..faults import Faults
from ..files import Links
from ..journal import Journal
from ..platform import Platform
from ..refused import Refused
from ..tokens import Tokens
from . import answers
from .answers import UNAUTHORIZED, refusal
from .auth import Credentials, User
from .buckets import Buckets
from .jobs.deployments import Deployments
from .jobs.models import Models
from .jobs.searches import Searches
from .jobs.trainings import Trainings
from .jobs.versions import Versions
from .jobs.workflows import Workflows
from .object_store import ObjectStore
from .settings import Settings
from .store import AIHubStore, Row

ADMIN = 1
"""Id of the first user, who may look at the emulator itself."""


class AIHub(Platform):
    """The state and the work of one emulator. Made, used and closed on its event loop."""

    settings: Settings

    def __init__(self, settings: Settings, clock: Clock, faults: Faults, journal: Journal) -> None:
        super().__init__(settings, clock, faults, journal, "aihub.sqlite")
        self.port = 0
        self.service_ports: dict[int, str] = {}
        self.certificate = self.home.path / "relay-ca.pem"
        self.certificate_key = self.home.path / "relay-key.pem"
        self.credentials = Credentials(self.home.credentials, settings.users)
        self.tokens = Tokens(self.credentials.secret, clock, settings.token_lifetime, self.unauthorised)
        self.links = Links(self.home, self.credentials.secret)
        self.buckets = Buckets(self.home.folder("relay"))
        self.store = AIHubStore(self.home.database)
        self.storages = self._storages()
        self._pool = ThreadPoolExecutor(4, thread_name_prefix="aihub-work")
        self.trainings = Trainings(self.store, self.home, clock, settings.clusters)
        self.workflows = Workflows(self.store, self.home, clock, self.issue)
        self.searches = Searches(self.store, self.home, settings.data, self._pool)
        self.objects = ObjectStore()
        self.models = Models(self.store, self.home, self.objects, clock.ms, self._pool)
        self.deployments = Deployments(self.store, self.home, clock, self.objects, self.models, self._pool)
        folders = [Path(storage["path"]) for storage in self.storages.values()]
        self.versions = Versions(
            self.store,
            self.home,
            self.buckets,
            self.links,
            self.objects,
            datasets=folders[0],
            roots=[*folders, *([settings.data] if settings.data else [])],
            pool=self._pool,
            lenient=self.platform,
        )

    @property
    def platform(self) -> bool:
        """Whether the newer platform is served, and not the OpenAPI document alone."""
        return self.settings.api == "platform"

    def issue(self, user: User) -> str:
        """A token for a user."""
        return self.tokens.issue({"uid": user.id})

    def user(self, request: web.Request) -> User:
        """Whose token a request carries.

        :raises Refused: HTTP 401: no token, or one that is invalid, expired or revoked.
        """
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise self.unauthorised("token is missing")
        number = self.tokens.read(token.strip()).get("uid")
        if number not in self.credentials.users:
            raise self.unauthorised("token is invalid")
        return self.credentials.users[number]

    def login(self, request: web.Request, name: str, password: str) -> User | None:
        """The user, if that is the password.

        :raises Refused: Somebody has guessed too often from where the request comes.
        """
        right = self.is_right(request, self.credentials.passwords, name, password)
        return self.credentials.named(name) if right else None

    def admit(self, request: web.Request) -> None:
        header = request.headers.get("Authorization", "")
        user: User | None
        if header.lower().startswith("basic "):
            try:
                given = BasicAuth.decode(header, "utf-8")
            except ValueError:
                raise self.unauthorised("the credentials cannot be read") from None
            user = self.login(request, given.login, given.password)
        else:
            user = self.user(request)
        if user is None or user.id != ADMIN:
            raise self.unauthorised("this is for the emulator's first user")

    def worded(self, why: Refused) -> web.Response:
        return refusal(why)

    def unreadable(self, message: str) -> Refused:
        return answers.Refused(message)

    def unauthorised(self, message: str) -> Refused:
        return answers.Refused(message, UNAUTHORIZED, 401)

    def revoke(self) -> None:
        self.tokens.revoke()

    def file(self, request: web.Request) -> Path | None:
        return self.links.open(request.match_info["signature"], request.match_info["name"])

    def serves(self, request: web.Request) -> bool:
        if not self.service_ports or not request.transport:
            return True
        return request.path.startswith(self.service_ports.get(request.transport.get_extra_info("sockname")[1], "/"))

    def recover(self) -> None:
        with self.store.together():
            self.trainings.recover()
            self.workflows.recover()
            self.searches.recover()
            self.versions.recover()
            self.models.recover()
            self.deployments.recover()

    async def close(self) -> None:
        await self.searches.close()
        await self.versions.close()
        await self.models.close()
        await self.deployments.close()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self.trainings.close)
        await loop.run_in_executor(None, self.workflows.close)
        await loop.run_in_executor(None, partial(self._pool.shutdown, cancel_futures=True))
        await loop.run_in_executor(None, self.objects.close)
        self.store.close()
        await super().close()

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
