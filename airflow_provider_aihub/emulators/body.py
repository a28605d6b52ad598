"""Reading what a request brings, within bounds."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import web

from .refused import Refused

LARGEST_BODY, LARGEST_OPEN_BODY = 16 << 20, 64 << 10
"""Bytes of a JSON body, and of one from whoever has yet to say who that is; files are streamed and have no limit."""
PATIENCE = 60.0
"""Seconds for a request to come, but for the files that it holds; likewise between two on one connection."""


async def read_body(request: web.Request, largest: int) -> bytes:
    """:raises Refused: The body is too large or too slow."""
    body = bytearray()
    try:
        async with asyncio.timeout(PATIENCE):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > largest:
                    raise Refused(f"the body is larger than {largest} bytes", status=413)
    except TimeoutError:
        raise Refused(f"the body has not come within {PATIENCE:g} seconds", status=408) from None
    return bytes(body)


def parse_json(body: bytes) -> Any:
    """:raises ValueError: It is no JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("the body is no JSON") from None
