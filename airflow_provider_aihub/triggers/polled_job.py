"""A job that a trigger waits for, as the batch poller knows it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from airflow_provider_aihub.http.request import Request
from airflow_provider_aihub.jobs.kind import JobId, JobState, Status


@dataclass(slots=True, eq=False)
class Asked:
    """A trigger wants to be told how its job stands, out of a list.

    :param due: When a list is to be read for it, in Unix seconds.
    :param status: The status that is no news; ``None`` where whatever the list shows is told.
    :param until: Up to when it is none, in Unix seconds.
    :param told: What the list shows; ``None`` where the job is to be read by itself.
    """

    due: float
    status: Status | None
    until: float
    told: asyncio.Future[JobState | None] = field(repr=False)

    def tell(self, state: JobState | None = None) -> None:
        """Answer, once."""
        if not self.told.done():
            self.told.set_result(state)


@dataclass(slots=True, eq=False)
class PolledJob:
    """A job that one trigger waits for.

    :param key: Its id as a list shows it.
    :param pause: Gives the seconds from one look to the next, at a given Unix time.
    :param request: Reads it by itself, once that was needed.
    :param pace: How often it is looked at, as a power of two of the seconds that an answer may be old; ``None`` where
        lists are of no use to it.
    :param misses: How many times in a row the lists did not show it.
    :param shown: What a list has shown of it since it was last looked at.
    :param asked: What its trigger wants to be told now, out of a list.
    """

    job_id: JobId
    key: JobId
    pause: Callable[[float], float] = field(repr=False)
    request: Request[JobState] | None = None
    pace: int | None = None
    misses: int = 0
    shown: JobState | None = None
    asked: Asked | None = field(default=None, repr=False)

    def show(self, state: JobState | None) -> None:
        """Take what a list shows; ``None`` for nothing."""
        if state:
            # It may be long until it is read by itself again.
            self.request = None
        if self.asked:
            self.asked.tell(state)
        else:
            self.shown = state
