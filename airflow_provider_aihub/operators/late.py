"""Waits for things that AIHub may show late, because it may still work on a call whose answer was lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PAUSE = 5.0
"""Seconds between two looks."""


def wait_until_shown(look: Callable[[], T | None]) -> T | None:
    """Call ``look`` until it returns something, for ``Patience.settled`` seconds at most. Return that, or ``None``."""
    from airflow_provider_aihub.tasks.task_try import PATIENCE

    end = time.monotonic() + PATIENCE.settled
    while True:
        found = look()
        if found or time.monotonic() >= end:
            return found
        time.sleep(PAUSE)
