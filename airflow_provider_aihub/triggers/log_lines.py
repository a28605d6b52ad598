"""Writing lines into the logs of triggers, which is slow, so that the event loop stays free for all else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final
from weakref import WeakKeyDictionary

from airflow_provider_aihub.jobs.waiting import Log

AT_ONCE: Final = 0.02
"""Seconds for which lines are written before all else on the event loop has its turn, for as long again."""
LONGEST_WAIT: Final = 5.0
"""Seconds after which lines that have not been written are left out: there are more of them than can be written."""

_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()
"""One trigger of an event loop writes at a time: many would hold it up together."""


async def tell(lines: Sequence[str], log: Log) -> int:
    """Write lines into a log, and return how many of them were written."""
    turn = _turns.setdefault(asyncio.get_running_loop(), asyncio.Lock())
    told = 0
    try:
        async with asyncio.timeout(LONGEST_WAIT):
            while told < len(lines):
                async with turn:
                    began = time.monotonic()
                    while told < len(lines) and time.monotonic() - began < AT_ONCE:
                        log.info("%s", lines[told])
                        told += 1
                    await asyncio.sleep(time.monotonic() - began)
    except TimeoutError:
        pass
    return told
