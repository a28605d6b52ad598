"""Protects calls to Airflow from being interrupted by ``execution_timeout``."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def uninterrupted(call: Callable[[], T]) -> T:
    """Call a function. If ``execution_timeout`` ends during the call, it takes effect right after the call.

    Airflow 3 reads one answer after the other from its supervisor. If a call is interrupted, the next call reads the
    answer of the interrupted one, and so on, which causes many false errors.

    The handler of SIGALRM is replaced during the call; the signal is not blocked, since then another thread might
    receive it. A kill is not delayed, since there are only a few seconds to stop the job.
    """
    handler: Any = signal.getsignal(signal.SIGALRM)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        return call()
    delayed: list[tuple[Any, ...]] = []
    signal.signal(signal.SIGALRM, lambda *given: delayed.append(given))
    try:
        return call()
    finally:
        signal.signal(signal.SIGALRM, handler)
        if delayed:
            handler(*delayed[0])
