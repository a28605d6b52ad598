"""How tests wait: for one thing that they name, as long as the machine takes, with a word on how far it got.

A busy machine makes a test slow and not red: a second of patience counts in full only where there is a core for every
process that wants one.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Generator
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

PATIENCE = 300.0
"""Seconds of a machine that has nothing else to do, after which what did not come will not come any more."""
SLACK = 6.0
"""Seconds by which a worker may be late, for :class:`~demo.real_airflow.RealAirflow`."""
HANG = 3600.0
"""Seconds after which a program that has not ended hangs, however busy the machine is."""


def until(
    what: str,
    look: Callable[[], T],
    is_so: Callable[[T], Any] = bool,
    *,
    patience: float = PATIENCE,
    every: float = 0.05,
) -> T:
    """Wait until something is so, and return what was seen then.

    :param what: Says what is waited for, after "until".
    :param look: Returns what there is to be seen now.
    :param is_so: Whether that is it. Default: whatever is true.
    :param patience: Seconds of a machine that has nothing else to do.
    :param every: Seconds between two looks.
    :raises AssertionError: It did not come; says what was seen last.
    """
    looks = _looks(what, look, is_so, patience)
    while True:
        try:
            next(looks)
        except StopIteration as done:
            return done.value
        time.sleep(every)


def written(file: Path) -> str:
    """Wait until somebody has written into a file, and return its text."""
    return str(until(f"{file.name} is written", lambda: file.exists() and file.read_text()))


async def eventually(
    what: str,
    look: Callable[[], T],
    is_so: Callable[[T], Any] = bool,
    *,
    patience: float = PATIENCE,
    every: float = 0.02,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> T:
    """Wait as :func:`until` does, while the event loop goes on.

    :param pause: Passes the time between two looks.
    """
    looks = _looks(what, look, is_so, patience)
    while True:
        try:
            next(looks)
        except StopIteration as done:
            return done.value
        await pause(every)


def _looks(what: str, look: Callable[[], T], is_so: Callable[[T], Any], patience: float) -> Generator[None, None, T]:
    """Look, and yield for a pause, until it is so."""
    began = before = time.monotonic()
    spent = 0.0
    while not is_so(seen := look()):
        now = time.monotonic()
        spent += (now - before) / crowd()
        before = now
        assert spent < patience, f"waited {now - began:.0f} s in vain until {what}; last seen: {seen!r}"
        yield
    return seen


def crowd() -> float:
    """Return how many processes want each core of this machine, at least 1."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
