"""The order of requests to a platform, so that slow answers do not delay other requests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, ParamSpec, Self, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

SLOW: Final = 2.0
"""Seconds after which a request gives up its place to the next one, but goes on."""
SLOW_STOP: Final = 0.25
"""The same for a request that stops a job: by then the platform has received it, though its answer may take long."""
MOST_STOPS: Final = 200
"""Maximum of concurrent requests that stop jobs: jobs with similar deadlines are stopped together."""
MOST_SLOW: Final = 1000
"""Maximum of slow requests that are remembered."""


class Lanes:
    """Limits how many requests run at a time, in a quick lane, a slow lane, and a lane for stops.

    A slow request gives up its place in its lane to the next one. If it is sent again, it goes into the slow lane.

    :param size: Number of places in the quick and in the slow lane.
    """

    def __init__(self, size: int) -> None:
        self.most = 4 * size + MOST_STOPS
        """Maximum of concurrent requests, including those that have given up their places."""
        self._quick, self._slow = asyncio.Semaphore(size), asyncio.Semaphore(size)
        self._looks, self._stops = asyncio.Semaphore(4 * size), asyncio.Semaphore(4 * size)
        self._were_slow: dict[str, None] = {}

    async def look(self, what: str, ask: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Wait for a place, then call ``ask``, which sends a request that reads something.

        Thousands of calls may wait here, so ``ask`` shall create nothing large before it is called.

        :param what: Key of the request, such as its path, by which its slowness is remembered.
        """
        lane, longest = (self._slow, None) if what in self._were_slow else (self._quick, SLOW)
        await lane.acquire()
        with _Place(lane, longest):
            async with self._looks:
                now = asyncio.get_running_loop().time
                began = now()
                try:
                    return await ask(*args, **kwargs)
                finally:
                    self._note(what, now() - began)

    async def stop(self, ask: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Wait for a place, then call ``ask``, which sends a request that stops a job. Only other stops delay it."""
        await self._stops.acquire()
        with _Place(self._stops, SLOW_STOP):
            return await ask(*args, **kwargs)

    def _note(self, what: str, seconds: float) -> None:
        self._were_slow.pop(what, None)
        if seconds >= SLOW:
            self._were_slow[what] = None
            if len(self._were_slow) > MOST_SLOW:
                del self._were_slow[next(iter(self._were_slow))]


class _Place:
    """Holds a place that was acquired until the end of the ``with`` block, or for at most so many seconds."""

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
