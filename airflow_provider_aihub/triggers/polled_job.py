"""A job that a trigger waits for, as the batch poller knows it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, field

from airflow_provider_aihub.http.request import Request
from airflow_provider_aihub.jobs.kind import JobId, JobState
from airflow_provider_aihub.jobs.waiting import Look

ListAnswer = asyncio.Future[JobState | None]
"""What a list shows of a job; ``None`` where it is to be read by itself."""


@dataclass(slots=True, eq=False)
class PolledJob:
    """A job that one trigger waits for. There may be thousands, so it is one small object.

    :param key: Its id as a list shows it.
    :param pause: Gives the seconds from one look to the next, at a given Unix time.
    :param request: Reads it by itself, while lists do not show it.
    :param pace: How often it is looked at, as a power of two of the seconds that an answer may be old; ``None`` where
        lists are of no use to it.
    :param misses: How many times in a row the lists did not show it.
    :param shown: What a list has shown of it since it was last looked at.
    :param wanted: The look that its trigger wants to have, or had, out of a list.
    :param due: When a list is to be read for that, in Unix seconds.
    :param told: Where the trigger waits for it.
    """

    job_id: JobId
    key: JobId
    pause: Callable[[float], float] = field(repr=False)
    request: Request[JobState] | None = None
    pace: int | None = None
    misses: int = 0
    shown: JobState | None = None
    wanted: Look = Look()  # noqa: RUF009 - it cannot be changed
    due: float = -math.inf
    told: ListAnswer | None = field(default=None, repr=False)

    @property
    def waits(self) -> bool:
        """Whether its trigger waits to be told something out of a list."""
        return self.told is not None and not self.told.done()

    def show(self, state: JobState | None) -> None:
        """Take what a list shows; ``None`` for nothing."""
        if state:
            # It may be long until it is read by itself again.
            self.request = None
        if self.told and self.waits:
            self.told.set_result(state)
        else:
            self.shown = state


def release(told: ListAnswer) -> None:
    """Let a job be read by itself."""
    if not told.done():
        told.set_result(None)
