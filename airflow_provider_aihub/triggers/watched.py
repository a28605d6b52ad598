"""A job that a trigger waits for, as it is known to the pages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from airflow_provider_aihub.http.request import Request
from airflow_provider_aihub.jobs.kind import JobId, JobState, Status


@dataclass(slots=True, eq=False)
class Calm:
    """A pause that goes on while the pages show that nothing has changed.

    :param status: What the job's status was.
    :param due: When it is to be read again, in Unix seconds.
    :param until: When it is to be looked at even if its status is the same, in Unix seconds.
    :param over: Is done when there is something to look at.
    """

    status: Status
    due: float
    until: float
    over: asyncio.Future[None] = field(repr=False)

    def end(self) -> None:
        """Let the job be looked at."""
        if not self.over.done():
            self.over.set_result(None)


@dataclass(slots=True, eq=False)
class Watched:
    """A job that one trigger waits for.

    :param key: Its id as a list shows it.
    :param pause: Gives the seconds from one look to the next, at a given Unix time.
    :param request: Reads it by itself, once that was needed.
    :param pace: How often it is looked at, as a power of two of the seconds that an answer may be old; ``None`` where
        pages are of no use to it.
    :param misses: How many times in a row the pages did not show it.
    :param shown: What a page has shown of it since it was last looked at.
    :param wanted: Waits for a page that shows it; ``None`` comes where it is to be read by itself.
    """

    job_id: JobId
    key: JobId
    pause: Callable[[float], float] = field(repr=False)
    request: Request[JobState] | None = None
    pace: int | None = None
    misses: int = 0
    shown: JobState | None = None
    wanted: asyncio.Future[JobState | None] | None = field(default=None, repr=False)

    def show(self, state: JobState | None) -> None:
        """Take what a page shows; ``None`` for nothing."""
        if self.wanted is None:
            self.shown = state
        elif not self.wanted.done():
            self.wanted.set_result(state)
