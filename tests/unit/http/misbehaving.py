"""An HTTP server that does what a script says, in a thread of its own, and the two clients behind one face."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

from aiohttp import web
from http_servers import Act, acting

from airflow_provider_aihub.aihub.client import AIHubClient, AsyncAIHubClient
from airflow_provider_aihub.aihub.config import Config
from airflow_provider_aihub.aihub.services import Auth, Service
from airflow_provider_aihub.http.request import Request
from airflow_provider_aihub.http.retry import RetryPolicy

USERNAME, PASSWORD, STATIC_TOKEN, RELAY_TOKEN = "bob", 'pass<wor"d>', "static-secret", "relay-secret"
LOGIN = "/api/v1/auth/login"
NOW = 1_800_000_000.0


def jwt(number: int = 1, **claims: Any) -> str:
    body = base64.urlsafe_b64encode(json.dumps({"number": number, **claims}).encode()).decode().rstrip("=")
    return f"e30.{body}.c2ln"


def answer(status: int = 200, headers: Mapping[str, str] | None = None, **envelope: Any) -> Act:
    async def act(_: web.Request) -> web.StreamResponse:
        return web.json_response(envelope, status=status, headers=headers)

    return act


def text(body: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Act:
    async def act(_: web.Request) -> web.StreamResponse:
        return web.Response(text=body, status=status, content_type="text/html", headers=headers)

    return act


def ok(data: Any = 7) -> Act:
    return answer(code=0, msg="", data=data)


def raw(head: str, body: bytes, headers: str = "") -> Act:
    """Answer with just these bytes, and close.

    :param headers: Lines to send instead of one that tells the length of the body.
    """
    fields = headers or f"Content-Length: {len(body)}\r\n"

    async def act(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.write(f"{head}\r\nConnection: close\r\n{fields}\r\n".encode() + body)
        request.transport.close()
        return web.Response()

    return act


async def reset(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def hang(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(60)
    return web.Response()


async def break_off(request: web.Request) -> web.StreamResponse:
    """Promise 1,000 bytes, send a few, close."""
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"code": 0, "data"')
    assert request.transport is not None
    request.transport.close()
    return response


@dataclass
class Seen:
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    connection: int


@dataclass
class Server:
    """``script`` maps a path to the acts that answer it in turn; the last one answers for ever."""

    url: str = ""
    script: dict[str, list[Act]] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    logins: int = 0

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def forget(self) -> None:
        self.script, self.seen, self.logins = {}, [], 0

    def asked(self, path: str) -> list[Seen]:
        return [one for one in self.seen if one.path == path]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body, query = await request.read(), request.rel_url.raw_query_string
        self.seen.append(
            Seen(
                request.method,
                request.path,
                query,
                request.headers,
                body,
                id(request.transport),
            )
        )
        acts = self.script.get(request.path)
        if acts:
            return await (acts.pop(0) if len(acts) > 1 else acts[0])(request)
        if request.path == LOGIN:
            self.logins += 1
            token = jwt(self.logins, iat=int(NOW), exp=int(NOW) + 7 * 86400)
            return await ok({"id": 42, "token": token})(request)
        return await text("404 page not found", 404)(request)


@contextmanager
def serving(tls: Any = None) -> Iterator[Server]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server, up, done = Server(), threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with acting(server.handle, tls=tls) as server.url:
            up.set()
            await done.wait()

    running = asyncio.run_coroutine_threadsafe(serve(), loop)
    up.wait()
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(done.set)
        running.result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def refusing_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def config(url: str, **changes: Any) -> Config:
    base = Config(addresses=dict.fromkeys(Service, url), username=USERNAME, password=PASSWORD, timeout=5)
    return replace(base, **changes)


def thing(**changes: Any) -> Request[Any]:
    """Ask for a thing; ``creates=True`` makes one."""
    creates = changes.get("creates", False)
    known: dict[str, Any] = {
        "asks": "create thing 'x'" if creates else "read thing 7",
        "service": Service.MODEL_TRAINING,
        "method": "POST" if creates else "GET",
        "path": "/things" if creates else "/things/7",
        "read": lambda data: data,
        "query": {"secret": "in-query"},
        "json": {"name": "x"} if creates else None,
        "auth": Auth.BEARER,
    }
    return Request(**(known | changes))


@dataclass
class Side:
    """One of the two clients. ``slept`` holds the pauses that it would have made."""

    name: str
    slept: list[float] = field(default_factory=list)
    now: float = NOW

    def run(self, config: Config, *requests: Request[Any], policy: RetryPolicy | None = None) -> list[Any]:
        """Send requests one after the other through one client."""
        if self.name == "blocking":
            with AIHubClient(config, policy=policy, sleep=self.slept.append, clock=lambda: self.now) as client:
                return [client.send(request) for request in requests]

        async def run() -> list[Any]:
            async with self.async_client(config, policy) as client:
                return [await client.send(request) for request in requests]

        return asyncio.run(run())

    def send(self, config: Config, request: Request[Any], policy: RetryPolicy | None = None) -> Any:
        return self.run(config, request, policy=policy)[0]

    def download(self, config: Config, url: str, target: BinaryIO) -> int:
        if self.name == "blocking":
            with AIHubClient(config, sleep=self.slept.append, clock=lambda: self.now) as client:
                return client.download(url, target)

        async def run() -> int:
            async with self.async_client(config) as client:
                return await client.download(url, target)

        return asyncio.run(run())

    def async_client(self, config: Config, policy: RetryPolicy | None = None) -> AsyncAIHubClient:
        async def sleep(seconds: float) -> None:
            self.slept.append(seconds)

        return AsyncAIHubClient(config, policy=policy, sleep=sleep, clock=lambda: self.now)
