"""Waiting for what AIHub may show late, since it may still work on a call whose answer was lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PAUSE = 5.0
"""Seconds between two looks."""


def wait_until_shown(look: Callable[[], T | None]) -> T | None:
    """Look for something until it appears or the time is over. Return it, or ``None`` if it did not appear."""
    from airflow_provider_aihub.tasks.task_try import PATIENCE

    end = time.monotonic() + PATIENCE.settled
    while True:
        found = look()
        if found or time.monotonic() >= end:
            return found
        time.sleep(PAUSE)
