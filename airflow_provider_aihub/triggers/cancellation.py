"""Awaits calls that must end even if the trigger is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")

_under_way: set[asyncio.Task[Any]] = set()
"""References to the tasks: the event loop itself keeps only weak ones."""


async def shielded(call: Coroutine[Any, Any, T]) -> T:
    """Await a call to Airflow. If the awaiting task is cancelled, the call goes on to its end.

    The triggerer of Airflow 3.0 and 3.1 reads one answer after the other from its supervisor. If a call is cancelled,
    the next call reads its answer, and the whole triggerer fails with "Response read out of order".
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
        # Otherwise asyncio would log that the exception was never retrieved.
        task.exception()
