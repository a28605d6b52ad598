"""Calls to Airflow that a time limit does not interrupt."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def uninterrupted(call: Callable[[], T]) -> T:
    """Carry out a call to Airflow to its end. An ``execution_timeout`` that is over meanwhile strikes right after it.

    Airflow 3 reads one answer after the other from its supervisor. Where a call is left in the middle, its answer is
    taken for that of the next one, and that for the next; so the end of a task would be full of errors that are none.

    Not the signal is held back, which any thread might take, but what Airflow does when it comes. A task that is killed
    is told at once nevertheless: there are a few seconds only to stop its job.
    """
    strike: Any = signal.getsignal(signal.SIGALRM)
    if threading.current_thread() is not threading.main_thread() or not callable(strike):
        return call()
    struck: list[tuple[Any, ...]] = []
    signal.signal(signal.SIGALRM, lambda *given: struck.append(given))
    try:
        return call()
    finally:
        signal.signal(signal.SIGALRM, strike)
        if struck:
            strike(*struck[0])
