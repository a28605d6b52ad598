"""Everything that the emulated ModelArts consists of, put together."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

from aiohttp import BasicAuth, web

from ..clock import Clock
from ..faults import Faults
from ..files import Links
from ..journal import Journal
from ..platform import Platform
from ..refused import Refused
from ..tokens import Tokens
from . import errors, signature
from .answers import IAMRefused, as_json
from .identity import Credentials, User
from .jobs.executions import Executions
from .jobs.notebooks import Notebooks
from .jobs.trainings import Trainings
from .obs import Obs
from .settings import Settings, Workspace
from .store import ModelArtsStore


class ModelArts(Platform):
    """The state and the work of one emulator. Made, used and closed on its event loop."""

    settings: Settings

    def __init__(self, settings: Settings, clock: Clock, faults: Faults, journal: Journal) -> None:
        super().__init__(settings, clock, faults, journal, "modelarts.sqlite")
        self.port = 0
        self.credentials = Credentials(self.home.credentials, settings)
        self.tokens = Tokens(self.credentials.secret, clock, settings.token_lifetime, self.unauthorised)
        self.links = Links(self.home, self.credentials.secret)
        self.obs = Obs(settings.obs.resolve() if settings.obs else self.home.folder("obs"))
        self.store = ModelArtsStore(self.home.database)
        self.workspaces = {workspace.id: workspace for workspace in settings.all_workspaces}
        self.trainings = Trainings(self.store, self.home, self.obs, clock, settings)
        self.executions = Executions(self.store, self.home, self.obs, clock)
        self.notebooks = Notebooks(self.store, clock, settings)
        self._lenient = settings.signatures == "lenient"
        self.started = clock.ms()
        self._second = (0, 0)

    def recover(self) -> None:
        with self.store.together():
            self.trainings.recover()
            self.executions.recover()

    async def close(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self.trainings.close)
        await loop.run_in_executor(None, self.executions.close)
        self.store.close()
        await super().close()

    def limit(self) -> None:
        """:raises Refused: HTTP 429: more requests have come in this second than the settings allow."""
        second = int(time.monotonic())
        count = self._second[1] + 1 if self._second[0] == second else 1
        self._second = (second, count)
        if self.settings.rate and count > self.settings.rate:
            raise errors.too_many(self.settings.rate)

    def knows(self, request: web.Request) -> bool:
        """Whether a request names an access key or has a token that is good, though its body was not looked at."""
        token, authorization = _proofs(request)
        if self._lenient:
            return bool(token or authorization)
        if token:
            try:
                return bool(self.tokens.read(token))
            except Refused:
                return False
        signed = signature.read(authorization)
        return signed is not None and signed.access_key == self.credentials.access_key

    def user(self, request: web.Request, body: bytes) -> User:
        """Who has signed a request, or whose token it carries.

        :raises Refused: HTTP 401: nobody.
        """
        token, authorization = _proofs(request)
        if self._lenient and (token or authorization):
            return self.credentials.first
        if token:
            name = self.tokens.read(token).get("name")
            if name not in self.credentials.passwords:
                raise self.unauthorised("the token is of a user who is not there any more.")
            return self.credentials.named(name)
        signed = signature.read(authorization)
        if signed is None:
            raise self.unauthorised("there is neither a token nor a signature SDK-HMAC-SHA256.")
        if signed.access_key != self.credentials.access_key:
            raise self.unauthorised("the access key is unknown.")
        headers: Mapping[str, str] = request.headers
        fault = signature.fault(signed, request.method, request.raw_path, headers, body, self.credentials.secret_key)
        if fault:
            raise self.unauthorised(fault)
        return self.credentials.first

    def login(self, request: web.Request, name: str, password: str) -> User | None:
        """The user, if that is the password.

        :raises Refused: Somebody has guessed too often from where the request comes.
        """
        right = self.is_right(request, self.credentials.passwords, name, password)
        return self.credentials.named(name) if right else None

    def workspace(self, workspace: str | None, *, writing: bool = False) -> Workspace:
        """A workspace by its id, the default one where none is given.

        :param writing: Whether something is to be made in it.
        :raises Refused: There is none, or it is not ``NORMAL``.
        """
        found = self.workspaces.get(workspace or "0")
        if found is None:
            raise errors.no_workspace(str(workspace))
        if writing and found.status != "NORMAL":
            raise errors.workspace_not_normal(found.id, found.status)
        return found

    def quota(self, workspace: str, resource: str) -> tuple[int, int]:
        """How much of something a workspace may use, -1 for any amount, and when that was set, in milliseconds."""
        row = self.store.quotas.rows.get(workspace)
        if row and resource in row["quotas"]:
            value, updated = row["quotas"][resource]
            return value, updated
        return next((quota.quota for quota in self.settings.quotas if quota.resource == resource), -1), self.started

    def admit(self, request: web.Request) -> None:
        try:
            given = BasicAuth.decode(request.headers.get("Authorization", ""), "utf-8")
        except ValueError:
            raise self.unauthorised("log in with the name and the password of the first user.") from None
        if self.login(request, given.login, given.password) != self.credentials.first:
            raise self.unauthorised("this is for the emulator's first user.")

    def file(self, request: web.Request) -> Path | None:
        until = request.query.get("until", "")
        if not until.isdecimal() or self.clock.now() > int(until):
            return None
        return self.links.open(request.match_info["signature"], request.match_info["name"], until)

    def worded(self, why: Refused) -> web.Response:
        if isinstance(why, IAMRefused):
            title = {400: "Bad Request", 401: "Unauthorized"}.get(why.status, "Error")
            error = {"error": {"code": why.status, "message": str(why), "title": title}}
            return as_json(error, why.status)
        code = why.code or {413: "APIG.0201", 429: errors.GATEWAY_LIMIT}.get(why.status, "ModelArts.0010")
        body = {"error_msg": str(why), "error_code": code}
        if str(code).startswith("APIG"):
            # The gateway's words have it, those of ModelArts have not.
            body["request_id"] = uuid.uuid4().hex
        return as_json(body, why.status)

    def unauthorised(self, message: str) -> Refused:
        return errors.not_admitted(message)

    def unreadable(self, message: str) -> Refused:
        return Refused(message, errors.OTHER)

    def revoke(self) -> None:
        self.tokens.revoke()


def _proofs(request: web.Request) -> tuple[str, str]:
    """The token and the signature that a request has, each empty where it has none."""
    return request.headers.get("X-Auth-Token", ""), request.headers.get("Authorization", "")
