"""An emulator as a running server: on an event loop, or in a thread of its own."""

from __future__ import annotations

import asyncio
import base64
import logging
import socket
import ssl
import tempfile
import threading
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web import RequestPayloadError
from yarl import URL

from . import body
from .clock import Clock
from .faults import Faults
from .journal import Journal
from .platform import Platform
from .settings import Settings, SettingsError

_http_log = logging.getLogger(f"{__name__}.http")


def _no_noise(record: logging.LogRecord) -> bool:
    """Whether something is amiss here, and not with what somebody has sent: of that there is no end."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError | RequestPayloadError)


_http_log.addFilter(_no_noise)


class Server(ABC):
    """An emulator on the running event loop, between :meth:`start` and :meth:`close`."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._runners: list[web.AppRunner] = []
        self._listening: list[asyncio.Server] = []
        self.url = ""

    async def start(self) -> None:
        """:raises SettingsError: A port is taken, or the host is none of this machine."""
        self._platform.clock.bind(asyncio.get_running_loop())
        await self._open()
        self._platform.recover()

    async def close(self) -> None:
        """Stop listening and end all jobs. What they were is kept for the next start."""
        for listening in self._listening:
            listening.close()
        for runner in self._runners:
            await runner.cleanup()
        await self._platform.close()
        self._platform.clock.unbind()

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """All that a client needs to know, passwords included: ``url``, ``username``, ``password``, ``home``,
        ``connection`` (the value of an ``AIRFLOW_CONN_`` variable) and more."""

    @abstractmethod
    async def _open(self) -> None:
        """Listen at each address, and set :attr:`url`."""

    async def _runner(self, app: web.Application) -> web.AppRunner:
        runner = web.AppRunner(
            app,
            access_log=None,
            shutdown_timeout=0.5,
            keepalive_timeout=body.PATIENCE,
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
            self._platform.journal.connections += 1
            return protocol()

        loop = asyncio.get_running_loop()
        host = self._platform.settings.host
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
        host = self._platform.settings.host
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
        return str(URL.build(scheme=scheme, host=host, port=port))


class RunningEmulator(ABC):
    """An emulator on this machine, in a thread of its own; a context manager.

    It runs the commands of jobs as local processes of this user. All of them are ended when it stops.
    """

    NAME: ClassVar[str]
    """Of its command."""
    settings: Settings

    def __init__(self, home: Path | str | None, speed: float) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix=f"{self.NAME}-") if home is None else None
        self._home = Path(self._temporary.name if self._temporary else str(home))
        self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.clock = Clock(speed)
        self.faults = Faults()
        self.requests = Journal()
        self._known: dict[str, Any] = {}
        self._ready = threading.Event()
        self._end: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=self.NAME, daemon=True)

    @abstractmethod
    def _server(self) -> Server:
        """Called on the event loop."""

    def start(self) -> Self:
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

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Base URL of the API."""
        return str(self._known["url"])

    @property
    def username(self) -> str:
        return str(self._known["username"])

    @property
    def password(self) -> str:
        return str(self._known["password"])

    @property
    def home(self) -> Path:
        return self.settings.home

    def connection_json(self) -> str:
        """The value of an ``AIRFLOW_CONN_`` variable that leads Airflow here."""
        return str(self._known["connection"])

    def get(self, path: str) -> str:
        """What the emulator says about itself, as JSON text.

        :param path: For instance ``/emulator/requests``.
        :raises urllib.error.HTTPError: There is no such thing.
        """
        login = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Basic {login}"})  # noqa: S310
        # Not through a proxy that the environment may name.
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
            return str(answer.read(), "utf-8")

    def _on_loop(self, function: Callable[[], None]) -> None:
        """Call a function on the emulator's event loop, and wait for it."""

        async def call() -> None:
            function()

        if self._loop:
            asyncio.run_coroutine_threadsafe(call(), self._loop).result()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._error = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        server = self._server()
        try:
            await server.start()
            self._known = server.describe()
            self._ready.set()
            await self._end.wait()
        finally:
            await server.close()
