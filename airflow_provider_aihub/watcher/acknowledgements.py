"""How a watcher learns that Airflow has recorded its events: by the acknowledgements of shared streams (Airflow 3.3).

Airflow acknowledges what a trigger has made of an item of such a stream once the events are in its database. Here the
items mean nothing but "look now", one at a time, and each trigger has a stream to itself: what is shared is shared
below, for the triggers of a connection, on every Airflow.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from airflow.triggers.shared_stream import AdvanceItem, SharedStreamProducer


class Tick:
    """A moment to look.

    :ivar pause: Seconds until the next; set by whoever looks.
    :ivar recorded: Called when all events that were given at this moment are in Airflow's database.
    """

    def __init__(self) -> None:
        self.pause = 0.0
        self.recorded: Callable[[], Awaitable[None]] | None = None
        self.over = asyncio.Event()


class Ticks(SharedStreamProducer):
    """A stream of moments. The next one comes when Airflow is done with the last."""

    async def open_stream(self) -> AsyncIterator[tuple[Tick, Tick]]:
        """Return each moment, which is its own receipt."""
        while True:
            tick = Tick()
            yield tick, tick
            await tick.over.wait()
            await asyncio.sleep(tick.pause)

    async def advance(self, batch: Sequence[AdvanceItem]) -> None:
        """Note what Airflow says became of some moments."""
        for tick, outcome in batch:
            if outcome.is_clean and tick.recorded:
                await tick.recorded()
            tick.over.set()
