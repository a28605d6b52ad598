"""The emulated ModelArts as a running server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from .. import server
from ..clock import Clock
from ..faults import Faults
from ..journal import Journal
from ..server import RunningEmulator
from ..settings import DAY
from .app import main_app
from .modelarts import ModelArts
from .services.about import set_state
from .settings import (
    ALGORITHMS,
    NOTEBOOKS,
    WORKFLOWS,
    WORKSPACES,
    Algorithm,
    Notebook,
    Settings,
    Workflow,
    Workspace,
)


class Server(server.Server):
    """An emulated ModelArts on the running event loop."""

    def __init__(self, settings: Settings, clock: Clock, faults: Faults, journal: Journal) -> None:
        self.arts = ModelArts(settings, clock, faults, journal)
        super().__init__(self.arts)

    async def _open(self) -> None:
        runner = await self._runner(main_app(self.arts))
        self.arts.port = await self._listen(runner, self.arts.settings.port)
        self.url = self._address("http", self.arts.port)

    def describe(self) -> dict[str, Any]:
        credentials, settings = self.arts.credentials, self.arts.settings
        username, password = next(iter(credentials.passwords.items()))
        extra = {"region": settings.region, "project_id": credentials.project_id, "iam_url": self.url}
        connection = {
            "conn_type": "modelarts",
            "host": self.url,
            "login": credentials.access_key,
            "password": credentials.secret_key,
            "extra": extra,
        }
        return {
            "url": self.url,
            "region": settings.region,
            "project_id": credentials.project_id,
            "access_key": credentials.access_key,
            "secret_key": credentials.secret_key,
            "account": settings.account,
            "username": username,
            "password": password,
            "home": str(self.arts.home.path),
            "obs": str(self.arts.obs.root),
            "connection": json.dumps(connection),
        }


class Emulator(RunningEmulator):
    """A ModelArts on this machine, in a thread of its own; a context manager.

    .. code-block:: python

        with Emulator() as modelarts:
            os.environ["AIRFLOW_CONN_MODELARTS_DEFAULT"] = modelarts.connection_json()

    It runs the commands of training jobs and the steps of workflows as local processes of this user. All of them are
    ended when it stops.

    :param home: Folder in which everything is kept, so that a later emulator can go on from there. Without it a
        temporary folder is used, and removed at the end.
    :param obs: Folder that stands for OBS, a folder in it for each bucket; default: one in the home.
    :param signatures: ``strict`` (default) checks signatures and tokens, ``lenient`` takes any.
    :param access_key: Access key (AK), default: random. So with ``secret_key`` and ``project_id``.
    :param region: Region, which is also the project's name.
    :param account: Account of the IAM users.
    :param users: Passwords of IAM users by name; without any, a user ``admin`` with a random password.
    :param nodes: How many nodes run at the same time, default 64; other jobs are ``Pending``.
    :param rate: Requests that are answered in a second; 0 (default) for any number.
    :param lag: Seconds for which no list shows a new training job or execution, default 0.
    :param creating: Seconds that a training job is ``Creating``, default 0.
    :param saving: Seconds that saving an image takes, default 1.
    :param starting: Seconds that a notebook takes to start and to stop, default 1.
    :param speed: How much faster than ours the emulator's time runs, default 1.
    :param port: Port for HTTP; 0 (default) for a free one.
    :param token_lifetime: Seconds until a token expires, default 24 hours.
    :param workflows: Workflows instead of the default ones. So with ``algorithms``, ``workspaces`` (besides ``0``)
        and ``notebooks``.
    :raises SettingsError: Something given does not fit.
    """

    NAME = "modelarts-emulator"

    def __init__(
        self,
        home: Path | str | None = None,
        *,
        obs: Path | str | None = None,
        signatures: Literal["strict", "lenient"] = "strict",
        access_key: str = "",
        secret_key: str = "",
        project_id: str = "",
        region: str = "cn-north-4",
        account: str = "emulated",
        users: Mapping[str, str] | None = None,
        nodes: int = 64,
        rate: int = 0,
        lag: float = 0.0,
        creating: float = 0.0,
        saving: float = 1.0,
        starting: float = 1.0,
        speed: float = 1.0,
        port: int = 0,
        token_lifetime: float = DAY,
        workflows: tuple[Workflow, ...] = WORKFLOWS,
        algorithms: tuple[Algorithm, ...] = ALGORITHMS,
        workspaces: tuple[Workspace, ...] = WORKSPACES,
        notebooks: tuple[Notebook, ...] = NOTEBOOKS,
    ) -> None:
        super().__init__(home, speed)
        self.settings: Settings = Settings(
            home=self._home,
            obs=None if obs is None else Path(obs),
            signatures=signatures,
            access_key=access_key,
            secret_key=secret_key,
            project_id=project_id,
            region=region,
            account=account,
            users=users or {},
            nodes=nodes,
            rate=rate,
            lag=lag,
            creating=creating,
            saving=saving,
            starting=starting,
            speed=speed,
            port=port,
            token_lifetime=token_lifetime,
            workflows=workflows,
            algorithms=algorithms,
            workspaces=workspaces,
            notebooks=notebooks,
        )
        self._arts: ModelArts | None = None

    @property
    def region(self) -> str:
        return self.settings.region

    @property
    def account(self) -> str:
        return self.settings.account

    @property
    def project_id(self) -> str:
        return str(self._known["project_id"])

    @property
    def access_key(self) -> str:
        return str(self._known["access_key"])

    @property
    def secret_key(self) -> str:
        return str(self._known["secret_key"])

    @property
    def obs(self) -> Path:
        """The folder that stands for OBS: ``obs / "bucket" / "key"`` is ``obs://bucket/key``."""
        return Path(self._known["obs"])

    def set_state(self, kind: str, number: str, state: str) -> None:
        """Put something into a state that is hard to come by, or that nobody knows.

        :param kind: ``training-jobs``, ``executions``, ``steps``, ``notebooks`` or ``images``.
        :param number: Its id; that of a training job's image is ``<job>/<task>``.
        :raises Refused: There is no such thing.
        """
        arts = self._arts
        if arts is None:
            raise RuntimeError("the emulator does not run")
        self._on_loop(lambda: set_state(arts, kind, number, state))

    def _server(self) -> Server:
        server = Server(self.settings, self.clock, self.faults, self.requests)
        self._arts = server.arts
        return server
