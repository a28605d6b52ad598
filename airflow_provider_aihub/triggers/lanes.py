"""Who may ask AIHub when: so that answers that take long hold up nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

SLOW: Final = 2.0
"""Seconds after which a request holds up no other."""
MOST_SLOW: Final = 1000
"""How many that were slow are remembered."""


class Lanes:
    """Lets so many requests be under way at a time.

    One that takes long gives its place to the next. What was slow when it was last asked keeps to a lane of its own.

    :param size: How many requests go at a time in each lane.
    """

    def __init__(self, size: int) -> None:
        self.most = 4 * size
        """How many may be under way in all, those that gave their places away among them."""
        self._quick, self._slow = asyncio.Semaphore(size), asyncio.Semaphore(size)
        self._were_slow: dict[str, None] = {}

    @asynccontextmanager
    async def place(self, what: str) -> AsyncIterator[None]:
        """Wait for a place, and hold it for a request.

        :param what: Tells the request from others.
        """
        if what in self._were_slow:
            async with self._slow, self._timed(what):
                yield
            return
        await self._quick.acquire()
        held = [self._quick]

        def leave() -> None:
            while held:
                held.pop().release()

        long = asyncio.get_running_loop().call_later(SLOW, leave)
        try:
            async with self._timed(what):
                yield
        finally:
            long.cancel()
            leave()

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
