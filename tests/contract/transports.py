"""The two clients behind one face: ask what a case asks, answer it as told, and show what was sent."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

import requests_mock
from aiohttp import web
from cases.case import RELAY_TOKEN, TOKEN, Case
from http_servers import acting

from airflow_provider_aihub.aihub.client import AIHubClient, AsyncAIHubClient
from airflow_provider_aihub.aihub.config import Config
from airflow_provider_aihub.aihub.services import Service
from airflow_provider_aihub.http.retry import RetryPolicy

ONCE = RetryPolicy(attempts=1)


@dataclass(frozen=True)
class Sent:
    """A request as it went out. ``service`` is the one whose address it went to."""

    service: str
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def read(cls, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Sent:
        """Take a request apart."""
        parts = urlsplit(url)
        _, service, path = parts.path.split("/", 2)
        lower = {name.lower(): value for name, value in headers.items()}
        return cls(service, method, f"/{path}", parts.query, lower, body)


def _config(base: str) -> Config:
    """A path for each service shows which one a request was meant for."""
    addresses = {service: f"{base}/{service}" for service in Service}
    return Config(addresses=addresses, token=TOKEN, relay_token=RELAY_TOKEN)


class Transport(Protocol):
    """A client that is answered by the test."""

    def ask(self, case: Case, body: bytes, status: int = 200) -> tuple[Any, list[Sent]]:
        """Carry out a case's call.

        :param body: What every request of the case's own method is answered with; others are refused with HTTP 405.
        :return: What the client made of it, and all that was sent.
        """


class Blocking:
    """The blocking client, over requests-mock."""

    def ask(self, case: Case, body: bytes, status: int = 200) -> tuple[Any, list[Sent]]:
        sent: list[Sent] = []

        def answer(request: Any, context: Any) -> bytes:
            # A form comes in pieces.
            content = request.body if isinstance(request.body, bytes | None) else b"".join(request.body)
            sent.append(Sent.read(request.method, request.url, request.headers, content or b""))
            context.status_code = status if request.method == case.method else 405
            return body if request.method == case.method else b""

        with requests_mock.Mocker() as mock, AIHubClient(_config("http://10.0.0.1:30021"), policy=ONCE) as client:
            mock.register_uri(requests_mock.ANY, requests_mock.ANY, content=answer)
            return getattr(client, case.call)(*case.args, **case.kwargs), sent


class Asynchronous:
    """The asynchronous client, against a server on loopback."""

    def ask(self, case: Case, body: bytes, status: int = 200) -> tuple[Any, list[Sent]]:
        return asyncio.run(self._ask(case, body, status))

    async def _ask(self, case: Case, body: bytes, status: int) -> tuple[Any, list[Sent]]:
        sent: list[Sent] = []

        async def answer(request: web.Request) -> web.Response:
            sent.append(Sent.read(request.method, request.raw_path, request.headers, await request.read()))
            if request.method != case.method:
                return web.Response(status=405)
            return web.Response(status=status, body=body)

        async with acting(answer) as url, AsyncAIHubClient(_config(url), policy=ONCE) as client:
            return await getattr(client, case.call)(*case.args, **case.kwargs), sent
