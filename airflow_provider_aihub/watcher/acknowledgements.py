"""Lets a watcher know that Airflow has recorded its events, by the acknowledgements of shared streams (Airflow 3.3).

A trigger makes events out of the items of such a stream. When the events of an item are in the database, Airflow
acknowledges the item. Here an item only means "poll now". Each trigger has its own stream; what watchers share is in
:mod:`~.version_feed`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from airflow.triggers.shared_stream import AdvanceItem, SharedStreamProducer


class Tick:
    """An item of the stream: the watcher shall poll now.

    :ivar pause: Seconds until the next item; set by the watcher.
    :ivar recorded: Is called when all events of this item are in Airflow's database; set by the watcher.
    :ivar over: Is set when Airflow has acknowledged the item.
    """

    def __init__(self) -> None:
        self.pause = 0.0
        self.recorded: Callable[[], Awaitable[None]] | None = None
        self.over = asyncio.Event()


class Ticks(SharedStreamProducer):
    """A stream of :class:`Tick`. The next one comes after Airflow has acknowledged the last one, and its pause."""

    async def open_stream(self) -> AsyncIterator[tuple[Tick, Tick]]:
        """Yield each tick twice: as the item, and as the receipt by which Airflow acknowledges it."""
        while True:
            tick = Tick()
            yield tick, tick
            await tick.over.wait()
            await asyncio.sleep(tick.pause)

    async def advance(self, batch: Sequence[AdvanceItem]) -> None:
        """Take Airflow's acknowledgements."""
        for tick, outcome in batch:
            if outcome.is_clean and tick.recorded:
                await tick.recorded()
            tick.over.set()
