"""The emulated AIHub as a running server."""

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
from .aihub import AIHub
from .app import SERVICES, main_app, relay_app
from .certificate import server_context
from .services.labelfree import put_project
from .settings import CLUSTERS, PIPELINES, Cluster, Pipeline, Settings


class Server(server.Server):
    """An emulated AIHub on the running event loop."""

    def __init__(self, settings: Settings, clock: Clock, faults: Faults, journal: Journal) -> None:
        self.hub = AIHub(settings, clock, faults, journal)
        super().__init__(self.hub)
        self.services: dict[str, str] = {}
        """Address of each service; the same for all unless each has a port of its own."""
        self.relay_url = ""

    async def _open(self) -> None:
        hub, settings = self.hub, self.hub.settings
        context = server_context(hub.certificate, hub.certificate_key, settings.names)
        main = await self._runner(main_app(hub))
        relay = await self._runner(relay_app(hub))
        hub.port = await self._listen(main, settings.port)
        self.url = self._address("http", hub.port)
        self.relay_url = self._address("https", await self._listen(relay, settings.relay_port, context))
        self.services = dict.fromkeys(SERVICES, self.url)
        if settings.port_per_service:
            for name, service in SERVICES.items():
                port = await self._listen(main, 0)
                hub.service_ports[port] = service.PREFIX
                self.services[name] = self._address("http", port)

    def describe(self) -> dict[str, Any]:
        username, password = next(iter(self.hub.credentials.passwords.items()))
        relay_token, ca_file = self.hub.credentials.relay_token, str(self.hub.certificate)
        extra = {"s3_relay_url": self.relay_url, "s3_relay_token": relay_token, "ca_file": ca_file}
        if self.hub.settings.port_per_service:
            extra.update({f"{name}_url": url for name, url in self.services.items()})
        connection = {"conn_type": "aihub", "host": self.url, "login": username, "password": password, "extra": extra}
        return {
            "url": self.url,
            "relay_url": self.relay_url,
            "ca_file": ca_file,
            "username": username,
            "password": password,
            "relay_token": relay_token,
            "home": str(self.hub.home.path),
            "services": self.services,
            "connection": json.dumps(connection),
        }


class Emulator(RunningEmulator):
    """An AIHub on this machine, in a thread of its own; a context manager.

    .. code-block:: python

        with Emulator(data="tables") as aihub:
            os.environ["AIRFLOW_CONN_AIHUB_DEFAULT"] = aihub.connection_json()

    It runs the commands of jobs as local processes of this user. All of them are ended when it stops.

    :param home: Folder in which everything is kept, so that a later emulator can go on from there. Without it a
        temporary folder is used, and removed at the end.
    :param data: Folder with the tables of the data warehouse, one CSV or Parquet file each.
    :param api: ``platform`` (default) serves all of the API, ``document`` only what the OpenAPI document has.
    :param users: Passwords by name; without any, a user ``admin`` with a random password.
    :param speed: How much faster than ours the emulator's time runs, default 1.
    :param port: Port for HTTP; 0 (default) for a free one.
    :param relay_port: Port for the S3 relay; 0 (default) for a free one.
    :param port_per_service: Give each service a port of its own too.
    :param token_lifetime: Seconds until a token expires, default 7 days.
    :param storages: Folders by name, besides ``datasets`` and ``shared``.
    :param clusters: Virtual clusters instead of the default ones.
    :param pipelines: Pipelines instead of the default ones.
    :raises SettingsError: Something given does not fit.
    """

    NAME = "aihub-emulator"

    def __init__(
        self,
        home: Path | str | None = None,
        *,
        data: Path | str | None = None,
        api: Literal["platform", "document"] = "platform",
        users: Mapping[str, str] | None = None,
        speed: float = 1.0,
        port: int = 0,
        relay_port: int = 0,
        port_per_service: bool = False,
        token_lifetime: float = 7 * DAY,
        storages: Mapping[str, Path | str] | None = None,
        clusters: tuple[Cluster, ...] = CLUSTERS,
        pipelines: tuple[Pipeline, ...] = PIPELINES,
    ) -> None:
        super().__init__(home, speed)
        self._hub: AIHub | None = None
        self.settings: Settings = Settings(
            home=self._home,
            data=None if data is None else Path(data),
            api=api,
            users=users or {},
            speed=speed,
            port=port,
            relay_port=relay_port,
            port_per_service=port_per_service,
            token_lifetime=token_lifetime,
            storages={name: Path(path) for name, path in (storages or {}).items()},
            clusters=clusters,
            pipelines=pipelines,
        )

    @property
    def relay_url(self) -> str:
        """Base URL of the S3 relay (HTTPS)."""
        return str(self._known["relay_url"])

    @property
    def ca_file(self) -> str:
        """File with the relay's certificate, to verify it by."""
        return str(self._known["ca_file"])

    @property
    def relay_token(self) -> str:
        """For the relay's ``Token`` header."""
        return str(self._known["relay_token"])

    @property
    def services(self) -> dict[str, str]:
        """Base URL of each service by its name."""
        return dict(self._known["services"])

    def label(self, project: str, **fields: Any) -> None:
        """Say how far a label project is, as the people who label it would; it is created if it is missing.

        :param project: Its name.
        :param fields: Fields of AIHub's answer about it, such as ``status="finished"`` and ``data_exported_count=1``.
        :raises Refused: There is no such field, or it is of another type.
        """
        hub = self._hub
        if hub is None:
            raise RuntimeError("the emulator does not run")
        self._on_loop(lambda: put_project(hub, project, fields))

    def _server(self) -> Server:
        server = Server(self.settings, self.clock, self.faults, self.requests)
        self._hub = server.hub
        return server
