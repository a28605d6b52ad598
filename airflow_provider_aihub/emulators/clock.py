"""The emulator's time: it can run faster than ours and be moved forward by hand."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import time
from collections.abc import Callable

log = logging.getLogger(__name__)


class Timer:
    """A callback that waits for its moment on a :class:`Clock`."""

    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when = when
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Forget the callback; nothing happens when it was called already."""
        self.callback = None


class Clock:
    """Time as the emulator sees it: Unix seconds that start at the real time.

    Simulated sleeps and the lifetime of tokens follow it. Processes that really run and delays asked of a fault
    take real time.

    :param speed: How many seconds pass here in one real second, default 1.
    """

    def __init__(self, speed: float = 1.0) -> None:
        if not speed > 0:
            raise ValueError(f"speed must be above 0, not {speed}")
        self.speed = speed
        self._start = time.time()
        self._monotonic = time.monotonic()
        self._ahead = 0.0
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._handle: asyncio.TimerHandle | None = None

    def now(self) -> float:
        """Unix seconds."""
        return self._start + (time.monotonic() - self._monotonic) * self.speed + self._ahead

    def ms(self) -> int:
        """Unix milliseconds, as AIHub writes a moment."""
        return int(self.now() * 1000)

    def real(self, when: float) -> float:
        """The real Unix time at which this clock will show ``when`` if nobody moves it."""
        return time.time() + (when - self.now()) / self.speed

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Call back on the event loop as soon as this clock shows ``when``."""
        timer = Timer(when, callback)
        heapq.heappush(self._timers, (when, next(self._order), timer))
        if self._timers[0][2] is timer:
            self._plan()
        return timer

    def advance(self, seconds: float) -> None:
        """Move the clock forward. When this returns, everything due until then has happened, in its order.

        May be called from any thread.

        :param seconds: How far, in the emulator's seconds; not negative.
        """
        if not seconds >= 0:
            raise ValueError(f"a clock cannot be moved by {seconds} seconds")
        if self._loop is None or _running_loop() is self._loop:
            self._step(seconds)
            return
        asyncio.run_coroutine_threadsafe(self._step_on_loop(seconds), self._loop).result()

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Name the event loop on which callbacks run."""
        self._loop = loop
        self._plan()

    def unbind(self) -> None:
        """Let go of the event loop; no callback runs any more."""
        if self._handle:
            self._handle.cancel()
        self._loop = self._handle = None

    async def _step_on_loop(self, seconds: float) -> None:
        self._step(seconds)

    def _step(self, seconds: float) -> None:
        # From one due moment to the next, so that what one callback starts can still end within the same step.
        target = self.now() + seconds
        while self._timers and self._timers[0][0] <= target:
            self._ahead += max(0.0, self._timers[0][0] - self.now())
            self._call(heapq.heappop(self._timers)[2])
        self._ahead += max(0.0, target - self.now())
        self._plan()

    def _plan(self) -> None:
        if self._loop is None:
            return
        if self._handle:
            self._handle.cancel()
            self._handle = None
        if self._timers:
            delay = max(0.0, (self._timers[0][0] - self.now()) / self.speed)
            self._handle = self._loop.call_later(delay, self._step, 0.0)

    @staticmethod
    def _call(timer: Timer) -> None:
        callback, timer.callback = timer.callback, None
        if callback is None:
            return
        try:
            callback()
        except Exception:
            log.exception("A timer of the emulator's clock failed")


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
