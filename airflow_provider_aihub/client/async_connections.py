"""Connections of the asynchronous client: ``aiohttp``, held to what this client promises. Import it late."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, Final

import aiohttp
from aiohttp.client_proto import ResponseHandler

from airflow_provider_aihub.client.connections import MOST_INTERIM

LARGEST_TURN: Final = 16 * 2**10
"""Bytes that are read and parsed at once: whatever they hold, that takes the event loop a few milliseconds."""


class Connector(aiohttp.TCPConnector):
    """Opens connections that no server can hold the event loop with."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._factory = partial(_Protocol, loop=self._loop)  # type: ignore[assignment]


class _Protocol(ResponseHandler):
    _interim = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        transport.max_size = LARGEST_TURN  # type: ignore[attr-defined]

    async def read(self) -> Any:
        message, payload = await super().read()
        self._interim = self._interim + 1 if 100 <= message.code < 200 else 0
        if self._interim > MOST_INTERIM:
            self.abort()
            raise aiohttp.ServerDisconnectedError("too many interim answers")
        return message, payload
