"""The two HTTP servers that the tests put in a platform's place: one that answers, and one that does what it likes."""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web


@dataclass(frozen=True)
class Asked:
    """A request.

    :ivar target: Path and query, as they came.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    target: str = ""

    @property
    def json(self) -> Any:
        return json.loads(self.body) if self.body else None


@dataclass(frozen=True)
class Answered:
    """An answer.

    :ivar interim: HTTP status of an answer that goes before it.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    interim: int | None = None

    @classmethod
    def of(cls, status: int, data: Any, **headers: str) -> Answered:
        """Answer with JSON; ``None`` for no body."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return cls(status, named, b"" if data is None else json.dumps(data).encode())


@contextmanager
def answering(answer: Callable[[Asked], Answered | None]) -> Iterator[str]:
    """Serve what a function answers, each connection in a thread of its own; gives the address.

    ``None``, and a ``ConnectionError``, close the connection without an answer.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # The head of an answer and its body are two pieces, which are not to wait for each other.
        disable_nagle_algorithm = True

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except (ConnectionError, TimeoutError):
                self.close_connection = True

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            query, headers = dict(parse_qsl(parts.query)), dict(self.headers.items())
            said = answer(Asked(self.command, parts.path, query, headers, body, self.path))
            if said is None:
                self.close_connection = True
                return
            if said.interim:
                self.send_response_only(said.interim)
                self.end_headers()
            self.send_response_only(said.status)
            # The answer to a HEAD says itself how long that to a GET would be.
            no_body = said.status == 204 or self.command == "HEAD"
            length = {} if no_body else {"Content-Length": str(len(said.body))}
            for name, value in {**said.headers, **length}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said.body)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - the library's names

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.005,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


Act = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def acting(act: Act, *, tls: Any = None) -> AsyncIterator[str]:
    """Serve on the running event loop what a function does with the connection; gives the address."""
    app = web.Application(client_max_size=2**27)
    app.router.add_route("*", "/{path:.*}", act)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        yield f"http{'s' if tls else ''}://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
