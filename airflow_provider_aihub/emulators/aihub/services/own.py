"""What the emulator offers about itself, outside AIHub's API, to its first user: ``/emulator/...``.

Asked with the token of that user or with HTTP basic authentication; answers are plain JSON without an envelope.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import BasicAuth, web

from ..answers import NOT_FOUND, UNAUTHORIZED, Refused
from ..auth import User
from ..call import Call, Route

PREFIX = "/emulator"
ADMIN = 1
"""Id of the first user."""


def _admitted(answer: Callable[[Call], Awaitable[Any]]) -> Callable[[Call], Awaitable[web.Response]]:
    """A handler for the first user alone, whose answer is plain JSON without AIHub's envelope."""

    async def handle(call: Call) -> web.Response:
        try:
            _admit(call)
            return web.json_response(await answer(call))
        except Refused as refused:
            status = {UNAUTHORIZED: 401, NOT_FOUND: 404}.get(refused.code, 400)
            if refused.status != 200:
                status = refused.status
            return web.json_response({"error": str(refused)}, status=status)

    return handle


async def list_faults(call: Call) -> Any:
    return [fault.describe() for fault in call.hub.faults]


async def add_faults(call: Call) -> Any:
    try:
        added = call.hub.faults.add_all(await call.json())
    except ValueError as error:
        raise Refused(str(error)) from None
    return [fault.describe() for fault in added]


async def clear_faults(call: Call) -> Any:
    if call.query.given("id"):
        call.hub.faults.remove(call.query.integer("id"))
    else:
        call.hub.faults.clear()
    return await list_faults(call)


async def requests(call: Call) -> Any:
    journal = call.hub.journal
    latest = list(journal.entries)[-call.query.integer("last", 1000, minimum=1) :]
    return {
        "connections": journal.connections,
        "total": sum(journal.counts.values()),
        "counts": dict(journal.counts),
        "entries": [entry._asdict() for entry in latest],
    }


async def clear_requests(call: Call) -> Any:
    call.hub.journal.clear()
    return {}


async def evaluation(call: Call) -> Any:
    row = call.hub.store.evaluations.get(call.id())
    folder = call.hub.home.path / "evaluations" / str(row["id"])
    files = {name: {**file, "url": call.link(folder / file["name"])} for name, file in row["files"].items()}
    return {**row, "files": files}


async def clock(call: Call) -> Any:
    return {"now": call.hub.clock.ms(), "speed": call.hub.clock.speed}


async def advance_clock(call: Call) -> Any:
    seconds = (await call.body()).integer("advance", minimum=0)
    call.hub.clock.advance(seconds)
    return await clock(call)


def _admit(call: Call) -> None:
    header = call.request.headers.get("Authorization", "")
    user: User | None
    if header.lower().startswith("basic "):
        try:
            given = BasicAuth.decode(header, "utf-8")
        except ValueError:
            raise Refused("the credentials cannot be read", UNAUTHORIZED) from None
        user = call.login(given.login, given.password)
    else:
        user = call.hub.tokens.user(header)
    if user is None or user.id != ADMIN:
        raise Refused("this is for the emulator's first user", UNAUTHORIZED)


ROUTES = [
    Route("D", method, f"{PREFIX}/{path}", _admitted(handler), open=True)
    for method, path, handler in [
        ("GET", "faults", list_faults),
        ("POST", "faults", add_faults),
        ("DELETE", "faults", clear_faults),
        ("GET", "requests", requests),
        ("DELETE", "requests", clear_requests),
        ("GET", "evaluations/{id}", evaluation),
        ("GET", "clock", clock),
        ("POST", "clock", advance_clock),
    ]
]
