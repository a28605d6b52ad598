"""Who may ask the platform when: so that answers that take long hold up nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

SLOW: Final = 2.0
"""Seconds after which a request holds up no other."""
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

    @asynccontextmanager
    async def place(self, what: str) -> AsyncIterator[None]:
        """Wait for a place, and hold it for a request.

        :param what: Tells the request from others.
        """
        if what in self._were_slow:
            async with self._slow, self._looks, self._timed(what):
                yield
            return
        async with _lent(self._quick, SLOW), self._looks, self._timed(what):
            yield

    @asynccontextmanager
    async def place_to_stop(self) -> AsyncIterator[None]:
        """Wait for a place for a request that stops a job: it waits for no other request than such, nor for long."""
        async with _lent(self._stops, SLOW_STOP):
            yield

    @asynccontextmanager
    async def _timed(self, what: str) -> AsyncIterator[None]:
        now = asyncio.get_running_loop().time
        began = now()
        try:
            yield
        finally:
            self._were_slow.pop(what, None)
            if now() - began >= SLOW:
                self._were_slow[what] = None
                if len(self._were_slow) > MOST_SLOW:
                    del self._were_slow[next(iter(self._were_slow))]


@asynccontextmanager
async def _lent(places: asyncio.Semaphore, seconds: float) -> AsyncIterator[None]:
    """Hold a place, for so many seconds at most."""
    await places.acquire()
    held = [places]

    def leave() -> None:
        while held:
            held.pop().release()

    long = asyncio.get_running_loop().call_later(seconds, leave)
    try:
        yield
    finally:
        long.cancel()
        leave()
