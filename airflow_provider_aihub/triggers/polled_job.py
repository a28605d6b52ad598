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
"""A future of the state that a list shows of a job; ``None`` if the job must be read by itself."""


@dataclass(slots=True, eq=False)
class PolledJob:
    """A job that one trigger waits for. There may be thousands of these objects, so they are small.

    :param job_id: The id by which it is read.
    :param key: Its id as lists show it.
    :param pause: Returns the seconds from one poll to the next, for a given Unix time.
    :param request: The request that reads it by itself, while lists do not show it.
    :param pace: How often it is polled: the binary exponent (see ``math.frexp``) of the seconds that a list may be old;
        ``None`` if it is not polled by lists.
    :param misses: Number of lists in a row that did not show it.
    :param shown: The state from a list that was read since the last poll.
    :param wanted: The last :class:`Look` that was to be answered from a list.
    :param due: When a list shall be read for that, in Unix seconds.
    :param told: The future for which the trigger waits.
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
        """Whether its trigger waits for a list."""
        return self.told is not None and not self.told.done()

    def show(self, state: JobState | None) -> None:
        """Pass the state that a list shows to the trigger, or keep it for the next poll; ``None`` for no state."""
        if state:
            # The request is not needed for long, so it takes no memory.
            self.request = None
        if self.told and self.waits:
            self.told.set_result(state)
        else:
            self.shown = state


def release(told: ListAnswer) -> None:
    """End the waiting for a list without a state, so that the job is read by itself."""
    if not told.done():
        told.set_result(None)
