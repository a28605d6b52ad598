"""Work that is finished even if its trigger is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")

_under_way: set[asyncio.Task[Any]] = set()
"""The event loop itself holds on to none of its tasks."""


async def shielded(call: Coroutine[Any, Any, T]) -> T:
    """Await a call to Airflow. If the awaiting is cancelled, the call still ends by itself.

    The triggerer of Airflow 3.0 and 3.1 reads one answer after the other from its supervisor. If a cancelled call
    leaves one unread, the next call reads it as its own, and the whole triggerer dies of "Response read out of order".
    """
    task = asyncio.ensure_future(call)
    _under_way.add(task)
    task.add_done_callback(_ended)
    return await asyncio.shield(task)


async def to_the_end(call: Coroutine[Any, Any, T]) -> T:
    """Await a call until it has ended, however often the awaiting is cancelled meanwhile.

    Airflow 3 cancels a trigger about once a second for as long as the trigger has not ended.
    """
    task = asyncio.ensure_future(call)
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait([task])
    return task.result()


def _ended(task: asyncio.Task[Any]) -> None:
    _under_way.discard(task)
    if not task.cancelled():
        # Whoever still wanted to know has been told; otherwise asyncio would complain that nobody was.
        task.exception()
