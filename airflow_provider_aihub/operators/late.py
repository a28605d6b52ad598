"""What AIHub may show late: it may still be at work on a call whose answer was lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PAUSE = 5.0
"""Seconds between two looks."""


def late(look: Callable[[], T | None]) -> T | None:
    """Look for something for as long as it may still come; return it, or ``None`` where it did not."""
    from airflow_provider_aihub.tasks.held import PATIENCE

    end = time.monotonic() + PATIENCE.settled
    while True:
        found = look()
        if found or time.monotonic() >= end:
            return found
        time.sleep(PAUSE)
