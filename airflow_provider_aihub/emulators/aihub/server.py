"""The emulator as a running server: on an event loop, or in a thread of its own."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import socket
import ssl
import tempfile
import threading
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web import RequestPayloadError
from yarl import URL

from . import call
from .aihub import AIHub
from .app import SERVICES, main_app, relay_app
from .certificate import server_context
from .clock import Clock
from .faults import Faults
from .journal import Journal
from .settings import CLUSTERS, DAY, PIPELINES, Cluster, Pipeline, Settings, SettingsError

_http_log = logging.getLogger(f"{__name__}.http")


def _no_noise(record: logging.LogRecord) -> bool:
    """Whether something is amiss here, and not with what somebody has sent: of that there is no end."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError | RequestPayloadError)


_http_log.addFilter(_no_noise)


class Server:
    """An emulator on the running event loop, between :meth:`start` and :meth:`close`."""

    def __init__(self, settings: Settings, clock: Clock, faults: Faults, journal: Journal) -> None:
        self._settings = settings
        self._clock = clock
        self._journal = journal
        self.hub = AIHub(settings, clock, faults, journal)
        self._runners: list[web.AppRunner] = []
        self._listening: list[asyncio.Server] = []
        self.services: dict[str, str] = {}
        """Address of each service; the same for all unless each has a port of its own."""
        self.url = ""
        self.relay_url = ""

    async def start(self) -> None:
        """:raises SettingsError: A port is taken, or the host is none of this machine."""
        settings, hub = self._settings, self.hub
        context = server_context(hub.home.certificate, hub.home.certificate_key, settings.names)
        self._clock.bind(asyncio.get_running_loop())
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
        hub.recover()

    async def close(self) -> None:
        """Stop listening and end all jobs. What they were is kept for the next start."""
        for listening in self._listening:
            listening.close()
        for runner in self._runners:
            await runner.cleanup()
        await self.hub.close()
        self._clock.unbind()

    def describe(self) -> dict[str, Any]:
        """All that a client needs to know, passwords included."""
        username, password = next(iter(self.hub.credentials.passwords.items()))
        relay_token, ca_file = self.hub.credentials.relay_token, str(self.hub.home.certificate)
        extra = {"s3_relay_url": self.relay_url, "s3_relay_token": relay_token, "ca_file": ca_file}
        if self._settings.port_per_service:
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

    async def _runner(self, app: web.Application) -> web.AppRunner:
        runner = web.AppRunner(
            app,
            access_log=None,
            shutdown_timeout=0.5,
            keepalive_timeout=call.PATIENCE,
            auto_decompress=False,
            logger=_http_log,
        )
        await runner.setup()
        self._runners.append(runner)
        return runner

    async def _listen(self, runner: web.AppRunner, port: int, context: ssl.SSLContext | None = None) -> int:
        protocol = runner.server
        if protocol is None:
            raise RuntimeError("the application was not set up")

        def accept() -> asyncio.BaseProtocol:
            self._journal.connections += 1
            return protocol()

        loop = asyncio.get_running_loop()
        host = self._settings.host
        try:
            # One address: with a free port, a name that has two would get two ports.
            info = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            listening = await loop.create_server(accept, str(info[0][4][0]), port, ssl=context, backlog=1024)
        except (OSError, OverflowError) as error:
            raise SettingsError(f"Port {port} of {host} cannot be listened on: {str(error).rstrip('.')}.") from None
        self._listening.append(listening)
        number: int = listening.sockets[0].getsockname()[1]
        return number

    def _address(self, scheme: str, port: int) -> str:
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._settings.host, self._settings.host)  # noqa: S104
        return str(URL.build(scheme=scheme, host=host, port=port))


class Emulator:
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
        self._temporary = tempfile.TemporaryDirectory(prefix="aihub-emulator-") if home is None else None
        folder = Path(self._temporary.name if self._temporary else str(home))
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.settings = Settings(
            home=folder,
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
        self.clock = Clock(speed)
        self.faults = Faults()
        self.requests = Journal()
        self._known: dict[str, Any] = {}
        self._ready = threading.Event()
        self._end: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="aihub-emulator", daemon=True)

    def start(self) -> Emulator:
        """Start it and wait until it answers."""
        self._thread.start()
        self._ready.wait()
        if self._error:
            raise self._error
        return self

    def stop(self) -> None:
        """End all its jobs and stop it; nothing happens when it has stopped already."""
        if self._loop and self._end and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join()
        if self._temporary:
            self._temporary.cleanup()

    def __enter__(self) -> Emulator:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Base URL of all services but the relay."""
        return str(self._known["url"])

    @property
    def relay_url(self) -> str:
        """Base URL of the S3 relay (HTTPS)."""
        return str(self._known["relay_url"])

    @property
    def ca_file(self) -> str:
        """File with the relay's certificate, to verify it by."""
        return str(self._known["ca_file"])

    @property
    def username(self) -> str:
        return str(self._known["username"])

    @property
    def password(self) -> str:
        return str(self._known["password"])

    @property
    def relay_token(self) -> str:
        """For the relay's ``Token`` header."""
        return str(self._known["relay_token"])

    @property
    def home(self) -> Path:
        return self.settings.home

    @property
    def services(self) -> dict[str, str]:
        """Base URL of each service by its name."""
        return dict(self._known["services"])

    def connection_json(self) -> str:
        """The value of ``AIRFLOW_CONN_AIHUB_DEFAULT`` that leads Airflow here."""
        return str(self._known["connection"])

    def get(self, path: str) -> str:
        """What the emulator says about itself, as JSON text.

        :param path: For instance ``/emulator/evaluations/1`` or ``/emulator/requests``.
        :raises urllib.error.HTTPError: There is no such thing.
        """
        login = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Basic {login}"})  # noqa: S310
        # Not through a proxy that the environment may name.
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
            return str(answer.read(), "utf-8")

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._error = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        server = Server(self.settings, self.clock, self.faults, self.requests)
        try:
            await server.start()
            self._known = server.describe()
            self._ready.set()
            await self._end.wait()
        finally:
            await server.close()
