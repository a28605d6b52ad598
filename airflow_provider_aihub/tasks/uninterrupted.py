"""Calls to Airflow that a time limit does not interrupt."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def uninterrupted(call: Callable[[], T]) -> T:
    """Carry out a call to Airflow to its end. If the ``execution_timeout`` ends meanwhile, it takes effect right after
    the call.

    Airflow 3 reads one answer after the other from its supervisor. If a call is interrupted, its answer is read as that
    of the next call, and so on; so the end of a task would be full of false errors.

    The signal itself is not held back, since any thread might receive it, but Airflow's reaction to it. A kill still
    takes effect at once, since there are only a few seconds to stop the job.
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
