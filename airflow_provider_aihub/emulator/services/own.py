"""What the emulator offers about itself, outside AIHub's API, to its first user: ``/emulator/...``.

Asked with the token of that user or with HTTP basic authentication.
"""

from __future__ import annotations

from typing import Any

from aiohttp import BasicAuth

from ..answers import UNAUTHORIZED, Refused
from ..auth import User
from ..call import Call, Route

PREFIX = "/emulator"
ADMIN = 1
"""Id of the first user."""


async def list_faults(call: Call) -> Any:
    _admit(call)
    return [fault.describe() for fault in call.hub.faults]


async def add_faults(call: Call) -> Any:
    _admit(call)
    try:
        added = call.hub.faults.add_all(await call.request.json())
    except ValueError as error:
        raise Refused(str(error)) from None
    return [fault.describe() for fault in added]


async def clear_faults(call: Call) -> Any:
    _admit(call)
    call.hub.faults.clear()
    return []


async def requests(call: Call) -> Any:
    _admit(call)
    journal = call.hub.journal
    latest = list(journal.entries)[-call.query.integer("last", 1000, minimum=1) :]
    return {
        "connections": journal.connections,
        "total": sum(journal.counts.values()),
        "counts": dict(journal.counts),
        "entries": [entry._asdict() for entry in latest],
    }


async def clear_requests(call: Call) -> Any:
    _admit(call)
    call.hub.journal.clear()
    return {}


async def evaluation(call: Call) -> Any:
    _admit(call)
    row = call.hub.store.evaluations.get(call.id())
    folder = call.hub.home.path / "evaluations" / str(row["id"])
    files = {name: {**file, "url": call.link(folder / file["name"])} for name, file in row["files"].items()}
    return {**row, "files": files}


async def clock(call: Call) -> Any:
    _admit(call)
    return {"now": call.hub.clock.ms(), "speed": call.hub.clock.speed}


async def advance_clock(call: Call) -> Any:
    _admit(call)
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
            raise Refused("the credentials cannot be read", UNAUTHORIZED, 401) from None
        user = call.hub.credentials.user(given.login, given.password)
    else:
        user = call.hub.tokens.user(header)
    if user is None or user.id != ADMIN:
        raise Refused("this is for the emulator's first user", UNAUTHORIZED, 401)


ROUTES = [
    Route("D", "GET", f"{PREFIX}/faults", list_faults, open=True),
    Route("D", "POST", f"{PREFIX}/faults", add_faults, open=True),
    Route("D", "DELETE", f"{PREFIX}/faults", clear_faults, open=True),
    Route("D", "GET", f"{PREFIX}/requests", requests, open=True),
    Route("D", "DELETE", f"{PREFIX}/requests", clear_requests, open=True),
    Route("D", "GET", f"{PREFIX}/evaluations/{{id}}", evaluation, open=True),
    Route("D", "GET", f"{PREFIX}/clock", clock, open=True),
    Route("D", "POST", f"{PREFIX}/clock", advance_clock, open=True),
]
