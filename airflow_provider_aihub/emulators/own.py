"""What an emulator offers about itself, outside its platform's API, to its first user: ``/emulator/...``.

Answers are plain JSON.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from .body import LARGEST_OPEN_BODY, parse_json, read_body
from .platform import Platform
from .refused import Refused

PREFIX = "/emulator"

Tell = Callable[[Platform, web.Request], Awaitable[Any]]


def told(platform: Platform, tell: Tell) -> Callable[[web.Request], Awaitable[web.Response]]:
    """A handler for the first user alone, whose answer is plain JSON."""

    async def handle(request: web.Request) -> web.Response:
        try:
            platform.admit(request)
            return web.json_response(await tell(platform, request))
        except Refused as refused:
            return web.json_response({"error": str(refused)}, status=refused.status)
        except ValueError as error:
            return web.json_response({"error": str(error)}, status=400)

    return handle


async def read_json(request: web.Request) -> Any:
    """:raises ValueError: The body is no JSON."""
    return parse_json(await read_body(request, LARGEST_OPEN_BODY))


def number(request: web.Request, name: str, default: int) -> int:
    """A number from the query.

    :raises ValueError: It is none.
    """
    text = request.query.get(name) or str(default)
    if not text.isdecimal():
        raise ValueError(f"{name} must be an integer")
    return int(text)


async def list_faults(platform: Platform, _: web.Request) -> Any:
    return [fault.describe() for fault in platform.faults]


async def add_faults(platform: Platform, request: web.Request) -> Any:
    return [fault.describe() for fault in platform.faults.add_all(await read_json(request))]


async def clear_faults(platform: Platform, request: web.Request) -> Any:
    if request.query.get("id"):
        platform.faults.remove(number(request, "id", 0))
    else:
        platform.faults.clear()
    return await list_faults(platform, request)


async def requests(platform: Platform, request: web.Request) -> Any:
    journal = platform.journal
    latest = list(journal.entries)[-max(1, number(request, "last", 1000)) :]
    return {
        "connections": journal.connections,
        "total": sum(journal.counts.values()),
        "counts": dict(journal.counts),
        "entries": [entry._asdict() for entry in latest],
    }


async def clear_requests(platform: Platform, _: web.Request) -> Any:
    platform.journal.clear()
    return {}


async def clock(platform: Platform, _: web.Request) -> Any:
    return {"now": platform.clock.ms(), "speed": platform.clock.speed}


async def advance_clock(platform: Platform, request: web.Request) -> Any:
    body = await read_json(request)
    seconds = body.get("advance") if isinstance(body, dict) else None
    if type(seconds) is not int:
        raise Refused("advance must be an integer")
    platform.clock.advance(seconds)
    return await clock(platform, request)


ABOUT: list[tuple[str, str, Tell]] = [
    ("GET", "faults", list_faults),
    ("POST", "faults", add_faults),
    ("DELETE", "faults", clear_faults),
    ("GET", "requests", requests),
    ("DELETE", "requests", clear_requests),
    ("GET", "clock", clock),
    ("POST", "clock", advance_clock),
]
