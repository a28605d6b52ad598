"""A time limit for a call that blocks, whatever the server does."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import TypeVar

from airflow_provider_aihub.http.errors import Unavailable

T = TypeVar("T")


def with_time_limit(ask: Callable[[], T], timeout: float | None) -> T:
    """Call a function in a thread, and return its result.

    After the timeout, the function goes on in its thread and its result is dropped. So it should only read something.

    :param timeout: Seconds; ``None`` to call it here, without a limit.
    :raises Unavailable: The function did not return within the timeout.
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
    """Return the error for an answer that did not come before the deadline."""
    return Unavailable("The platform did not answer before the deadline.")
