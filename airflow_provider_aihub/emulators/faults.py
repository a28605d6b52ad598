"""Misbehaviour on demand: what a network, a gateway or a tired server does to a request."""

from __future__ import annotations

import asyncio
import fnmatch
import itertools
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, fields
from typing import Any, Protocol

from aiohttp import web

from .refused import Refused

WHOLE: ContextVar[bool] = ContextVar("whole", default=False)
"""Whether the request at hand must be answered from memory, so that the answer can be cut."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

KINDS = {
    "delay": "wait `seconds` (real ones), then handle the request",
    "status": "answer HTTP `status` without handling it; with `code` as a refusal of the platform, else as plain text",
    "reset": "break the connection off without handling the request",
    "hang": "never answer, for `seconds` at most, then break off",
    "truncate": "handle the request and break off in the middle of the answer",
    "garbage": "answer an HTML page, as gateways do, with HTTP `status` (200 where not given)",
    "lost": "handle the request, then break the connection off: the work is done, the answer is lost",
    "expired_token": "answer HTTP 401 as for an expired token",
    "revoke": "revoke all tokens issued so far, then answer HTTP 401",
}


_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("method", "path", "msg"), (str,)),
    **dict.fromkeys(("after", "count", "seed", "status"), (int,)),
    **dict.fromkeys(("probability", "seconds"), (int, float)),
    **dict.fromkeys(("code", "retry_after"), (int, str)),
}


@dataclass(slots=True, kw_only=True)
class Fault:
    """One way to misbehave, and for which requests.

    :param kind: One of :data:`KINDS`.
    :param method: HTTP method, ``*`` for any.
    :param path: Pattern that the whole path must match; ``*`` stands for any text.
    :param after: How many matching requests go through unharmed first.
    :param count: How many it strikes in all; ``None`` for no end.
    :param probability: Share of the matching requests that it strikes.
    :param seed: Makes the choice the same in every run.
    :param status: HTTP status of ``status`` (default 503) and ``garbage`` (default 200).
    :param retry_after: ``Retry-After`` header of ``status``: seconds or an HTTP date.
    :param code: Makes the answer of ``status`` a refusal of the platform with this code.
    :param msg: Its message.
    :param seconds: For ``delay`` (default 1) and ``hang`` (default 3600).
    """

    kind: str
    method: str = "*"
    path: str = "*"
    after: int = 0
    count: int | None = None
    probability: float = 1.0
    seed: int | None = None
    status: int | None = None
    retry_after: str | int | None = None
    code: int | str | None = None
    msg: str = ""
    seconds: float | None = None
    id: int = 0
    seen: int = 0
    struck: int = 0
    _random: random.Random = field(default_factory=random.Random, repr=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, not {self.kind!r}")
        for name, types in _TYPES.items():
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, types)):
                raise ValueError(f"{name} cannot be {value!r}")
        if not 0 <= self.probability <= 1:
            raise ValueError(f"probability must be between 0 and 1, not {self.probability}")
        if self.status is not None and not 200 <= self.status <= 599:
            raise ValueError(f"status must be an HTTP status, not {self.status}")
        self._random = random.Random(self.seed)  # noqa: S311 - dice, not secrets

    def strikes(self, method: str, path: str) -> bool:
        """Whether it strikes this request, which then counts as seen and struck."""
        if self.method not in ("*", method) or not fnmatch.fnmatchcase(path, self.path):
            return False
        if self.count is not None and self.struck >= self.count:
            return False
        self.seen += 1
        if self.seen <= self.after or self._random.random() >= self.probability:
            return False
        self.struck += 1
        return True

    def describe(self) -> dict[str, Any]:
        values = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "_random"}
        return {name: value for name, value in values.items() if value is not None}


class Faults:
    """The faults in force. The first one that strikes a request is the one that happens to it."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._ids = itertools.count(1)

    def add(self, kind: str, **details: Any) -> Fault:
        """Add a fault, see :class:`Fault` for the details.

        :raises ValueError: A detail is unknown or wrong.
        """
        known = {item.name for item in fields(Fault)} - {"id", "seen", "struck", "_random", "kind"}
        unknown = sorted(set(details) - known)
        if unknown:
            raise ValueError(f"a fault has no {', '.join(unknown)}; it has kind, {', '.join(sorted(known))}")
        fault = Fault(kind=kind, id=next(self._ids), **details)
        self._faults = [*self._faults, fault]
        return fault

    def add_all(self, entries: Any) -> list[Fault]:
        """Add faults from JSON: one object or a list of them."""
        entries = [entries] if isinstance(entries, Mapping) else entries
        if not isinstance(entries, list) or not all(
            isinstance(entry, Mapping) and "kind" in entry for entry in entries
        ):
            raise ValueError("faults are objects with a kind, one or a list of them")
        return [self.add(**entry) for entry in entries]

    def remove(self, fault_id: int) -> None:
        self._faults = [fault for fault in self._faults if fault.id != fault_id]

    def clear(self) -> None:
        self._faults = []

    def __iter__(self) -> Iterator[Fault]:
        return iter(self._faults)

    def strike(self, method: str, path: str) -> Fault | None:
        return next((fault for fault in self._faults if fault.strikes(method, path)), None)


class Victim(Protocol):
    """What a fault needs of the platform that it happens to."""

    def refusal(self, why: Refused) -> web.Response:
        """The answer that says so."""

    def unauthorised(self, message: str) -> Refused:
        """HTTP 401, as for a token that is not valid any more."""

    def revoke(self) -> None:
        """Make all tokens issued so far invalid."""


async def misbehave(fault: Fault, request: web.Request, handler: Handler, victim: Victim) -> web.StreamResponse:
    """Let a fault happen to a request."""
    match fault.kind:
        case "delay":
            await asyncio.sleep(1.0 if fault.seconds is None else fault.seconds)
            return await handler(request)
        case "status":
            return _status(fault, victim)
        case "hang":
            await _hang(request, 3600.0 if fault.seconds is None else fault.seconds)
            return _abort(request)
        case "truncate":
            token = WHOLE.set(True)
            try:
                return await _truncate(request, await handler(request))
            finally:
                WHOLE.reset(token)
        case "garbage":
            page = "<html><head><title>Gateway</title></head><body><h1>Something is in between</h1></body></html>"
            return web.Response(text=page, content_type="text/html", status=fault.status or 200)
        case "lost":
            await handler(request)
            return _abort(request)
        case "expired_token":
            return victim.refusal(victim.unauthorised("token is expired"))
        case "revoke":
            victim.revoke()
            return victim.refusal(victim.unauthorised("token was revoked"))
    return _abort(request)


def _status(fault: Fault, victim: Victim) -> web.Response:
    status = fault.status or 503
    if fault.code is None:
        response = web.Response(text=fault.msg or f"{status}: the emulator was told to say so", status=status)
    else:
        response = victim.refusal(Refused(fault.msg, fault.code, status))
    if fault.retry_after is not None:
        response.headers["Retry-After"] = str(fault.retry_after)
    return response


class _Nothing(web.Response):
    """An answer of which not one byte is sent."""

    async def prepare(self, request: web.BaseRequest) -> None:  # noqa: ARG002
        return None

    async def write_eof(self, data: Any = b"") -> None:  # noqa: ARG002
        return None


def _abort(request: web.Request) -> web.Response:
    if request.transport:
        request.transport.abort()
    return _Nothing(status=500)


async def _hang(request: web.Request, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    # aiohttp tells nobody that a client has gone.
    while loop.time() < end and request.transport and not request.transport.is_closing():  # noqa: ASYNC110
        await asyncio.sleep(min(0.1, end - loop.time()))


async def _truncate(request: web.Request, whole: web.StreamResponse) -> web.StreamResponse:
    body = whole.body if isinstance(whole, web.Response) else None
    if not isinstance(body, bytes):
        return _abort(request)
    cut = web.StreamResponse(status=whole.status, headers={"Content-Type": whole.content_type})
    cut.content_length = len(body)
    await cut.prepare(request)
    await cut.write(body[: len(body) // 2])
    if request.transport:
        # A close after what was written has gone out, unlike an abort, lets the half arrive.
        request.transport.close()
    return _Nothing(status=whole.status)
