"""The order of requests to a platform, so that slow answers do not delay other requests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

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

    async def look(self, what: str, ask: Callable[[], Awaitable[T]]) -> T:
        """Wait for a place, and hold it for a request.

        :param what: Tells the request from others.
        """
        async with self._slow if what in self._were_slow else _Lent(self._quick, SLOW), self._looks:
            now = asyncio.get_running_loop().time
            began = now()
            try:
                return await ask()
            finally:
                self._note(what, now() - began)

    async def stop(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Wait for a place for a request that stops a job: it waits for no other request than such, nor for long."""
        async with _Lent(self._stops, SLOW_STOP):
            return await ask()

    def _note(self, what: str, seconds: float) -> None:
        self._were_slow.pop(what, None)
        if seconds >= SLOW:
            self._were_slow[what] = None
            if len(self._were_slow) > MOST_SLOW:
                del self._were_slow[next(iter(self._were_slow))]


class _Lent:
    """A place that is held for so many seconds at most."""

    __slots__ = ("_held", "_long", "_places", "_seconds")

    def __init__(self, places: asyncio.Semaphore, seconds: float) -> None:
        self._places = places
        self._seconds = seconds
        self._held = False

    async def __aenter__(self) -> None:
        await self._places.acquire()
        self._held = True
        self._long = asyncio.get_running_loop().call_later(self._seconds, self._leave)

    async def __aexit__(self, *_: object) -> None:
        self._long.cancel()
        self._leave()

    def _leave(self) -> None:
        if self._held:
            self._held = False
            self._places.release()
