"""The order of requests to a platform, so that slow answers do not delay other requests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, ParamSpec, Self, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

SLOW: Final = 2.0
"""Seconds after which a request no longer delays others."""
SLOW_STOP: Final = 0.25
"""Likewise for one that stops a job: what is asked so has reached the platform, though its answer may take long."""
MOST_STOPS: Final = 200
"""How many of these may be under way in all: jobs whose deadlines are near each other are stopped together."""
MOST_SLOW: Final = 1000
"""How many that were slow are remembered."""


class Lanes:
    """Lets so many requests be under way at a time.

    One that takes long gives its place to the next. What was slow when it was last asked keeps to a lane of its own.

    :param size: How many requests go at a time in each lane.
    """

    def __init__(self, size: int) -> None:
        self.most = 4 * size + MOST_STOPS
        """How many may be under way in all, those that gave their places away among them."""
        self._quick, self._slow = asyncio.Semaphore(size), asyncio.Semaphore(size)
        self._looks, self._stops = asyncio.Semaphore(4 * size), asyncio.Semaphore(4 * size)
        self._were_slow: dict[str, None] = {}

    async def look(self, what: str, ask: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Wait for a place, and hold it for a request.

        Thousands may wait here at the same time, so what waits is little: nothing of a request has been made yet.

        :param what: Tells the request from others.
        """
        lane, longest = (self._slow, None) if what in self._were_slow else (self._quick, SLOW)
        await lane.acquire()
        with _Lent(lane, longest):
            async with self._looks:
                now = asyncio.get_running_loop().time
                began = now()
                try:
                    return await ask(*args, **kwargs)
                finally:
                    self._note(what, now() - began)

    async def stop(self, ask: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Wait for a place for a request that stops a job: it waits for no other request than such, nor for long."""
        await self._stops.acquire()
        with _Lent(self._stops, SLOW_STOP):
            return await ask(*args, **kwargs)

    def _note(self, what: str, seconds: float) -> None:
        self._were_slow.pop(what, None)
        if seconds >= SLOW:
            self._were_slow[what] = None
            if len(self._were_slow) > MOST_SLOW:
                del self._were_slow[next(iter(self._were_slow))]


class _Lent:
    """A place that was taken, and is held for so many seconds at most; ``None`` for as long as it takes."""

    __slots__ = ("_held", "_long", "_places")

    def __init__(self, places: asyncio.Semaphore, seconds: float | None) -> None:
        self._places = places
        self._held = True
        self._long = None if seconds is None else asyncio.get_running_loop().call_later(seconds, self._leave)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._long:
            self._long.cancel()
        self._leave()

    def _leave(self) -> None:
        if self._held:
            self._held = False
            self._places.release()
