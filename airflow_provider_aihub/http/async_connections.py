"""Connections of the asynchronous client: ``aiohttp`` with stricter limits. Import it within functions: it is slow."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, Final

import aiohttp
from aiohttp.client_proto import ResponseHandler

from airflow_provider_aihub.http.connections import MOST_INTERIM

LARGEST_TURN: Final = 16 * 2**10
"""Bytes that are read and parsed at once, so that the event loop is blocked for a few milliseconds at most."""
FIRST_TURN: Final = 2 * 2**10
"""The same until the head of an answer has come. More bytes could hold a hundred heads of interim answers, whose many
objects would start a garbage collection."""


class Connector(aiohttp.TCPConnector):
    """Opens connections on which no server can block the event loop."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._factory = partial(_Protocol, loop=self._loop)  # type: ignore[assignment]


class _Protocol(ResponseHandler):
    _interim = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._read_at_once(FIRST_TURN)

    def set_response_params(self, **kwargs: Any) -> None:
        super().set_response_params(**kwargs)
        self._read_at_once(FIRST_TURN)

    async def read(self) -> Any:
        message, payload = await super().read()
        if not 100 <= message.code < 200:
            self._interim = 0
            self._read_at_once(LARGEST_TURN)
            return message, payload
        self._interim += 1
        if self._interim > MOST_INTERIM:
            self.abort()
            raise aiohttp.ServerDisconnectedError("too many interim answers")
        return message, payload

    def _read_at_once(self, most: int) -> None:
        if self.transport is not None:
            self.transport.max_size = most  # type: ignore[attr-defined]
