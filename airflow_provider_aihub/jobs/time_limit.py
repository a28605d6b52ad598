"""Asking with a time limit that holds whatever the server does."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import TypeVar

from airflow_provider_aihub.http.errors import Unavailable

T = TypeVar("T")


def with_time_limit(ask: Callable[[], T], timeout: float | None) -> T:
    """Call something, and return its result.

    If it takes longer, it goes on in a thread of its own and its result is dropped. So use it only for reading.

    :param timeout: Seconds; ``None`` for as long as it takes.
    :raises Unavailable: It takes longer.
    """
    if timeout is None:
        return ask()
    answers: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()

    def asking() -> None:
        try:
            answers.put((ask(), None))
        except BaseException as error:
            answers.put((None, error))

    threading.Thread(target=asking, daemon=True).start()
    try:
        answer, error = answers.get(timeout=timeout)
    except queue.Empty:
        raise too_late() from None
    if error is not None:
        raise error
    return answer  # type: ignore[return-value]


def too_late() -> Unavailable:
    """Return the error for an answer that has not come in time."""
    return Unavailable("The platform did not answer before the deadline.")
