"""Telling the log how far a transfer has come."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from airflow_provider_aihub.http.durations import span

log = logging.getLogger("airflow_provider_aihub.http")

PROGRESS_INTERVAL: Final = 15.0
"""Seconds between two lines in the log about a transfer that goes on."""


class Progress:
    """Tells the log how far a transfer has come: bytes, rate, and time left where the size is known.

    :param doing: What goes on, as a line begins: ``Sending 'model.bin'``.
    :param size: Size in bytes, where it is known.
    :param clock: Gives a time in seconds.
    """

    def __init__(self, doing: str, size: int | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._doing = doing
        self._size = size
        self._clock = clock
        self._done = 0
        self._began = self._told = clock()

    def add(self, count: int) -> None:
        """Count bytes that were transferred."""
        self._done += count
        now = self._clock()
        if now - self._told < PROGRESS_INTERVAL or not self._done:
            return
        self._told = now
        rate = self._done / (now - self._began)
        so_far, of, left = amount(self._done), "", ""
        if self._size is not None:
            of, left = f" of {amount(self._size)}", f", {span((self._size - self._done) / rate)} left"
        log.info("%s: %s%s, %s/s%s", self._doing, so_far, of, amount(rate), left)


def amount(count: float) -> str:
    """Write a number of bytes as people say it: ``12 B``, ``3.4 MiB``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
