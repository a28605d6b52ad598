"""The jobs that triggers wait for: read one by one while they are few, in pages of AIHub's list when they are many."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

from airflow_provider_aihub.api.errors import AIHubError
from airflow_provider_aihub.api.jobs import JobId, JobKind, JobState
from airflow_provider_aihub.api.request import Request
from airflow_provider_aihub.api.values import as_int

T = TypeVar("T")

log = logging.getLogger(__name__)

PAGE_SIZE: Final = 250
"""Jobs on a page at most; decoding more at once would hold up the event loop for too long."""
SMALLEST_PAGE: Final = 20
ROWS_AT_ONCE: Final = 10
"""After how many jobs others on the event loop have their turn."""
MOST_MISSES: Final = 3
"""How often in a row a job may be missing from the pages; then it is read by itself."""
REST = 60.0
"""Seconds for which no pages are read after they could not be had, or showed few of the jobs that are waited for."""


class Sender(Protocol):
    """Carries out requests for the connection's user."""

    @property
    def user_id(self) -> int | None: ...

    async def send(self, request: Request[T]) -> T: ...


@dataclass(slots=True, eq=False)
class Watched:
    """A job that one trigger waits for.

    :param key: Its id as a list shows it.
    :param request: Reads it by itself, once that was needed.
    :param pace: How often it is looked at, as a power of two of the seconds between; ``None`` where pages are of no
        use to it.
    :param misses: How many times in a row the pages did not show it.
    :param shown: What a page has shown of it since it was last looked at.
    :param wanted: Waits for a page that shows it; ``None`` comes where it is to be read by itself.
    """

    job_id: JobId
    key: JobId
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


class Pages:
    """The jobs of one kind that are waited for on an event loop.

    A page that does not show a job is no statement about the job, which is then read by itself. So it is when pages
    cannot be had, and while there are too few jobs that are looked at about as often.

    :param sender: Carries out the requests.
    :param threshold: How many jobs make a page worth its while; 0 for no number.
    :param spacing: Seconds from one reading of the pages to the next at least.
    :param clock: Gives Unix time in seconds.
    """

    def __init__(
        self,
        kind: JobKind,
        sender: Sender,
        *,
        threshold: int,
        spacing: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._kind = kind
        self._sender = sender
        self._threshold = threshold if kind.page else 0
        self._spacing = spacing
        self._clock = clock
        self._jobs: set[Watched] = set()
        self._paces: Counter[int] = Counter()
        self._waiting: set[Watched] = set()
        self._reading: asyncio.Task[None] | None = None
        self._began = self._rested = -math.inf
        self._of_all_users = False

    def watch(self, job_id: JobId, max_age: float) -> Watched:
        """Count a job among those that are waited for.

        :param max_age: As for the first look.
        """
        number = as_int(job_id)
        job = Watched(job_id, job_id if number is None else number)
        self._jobs.add(job)
        self._set_pace(job, _pace(max_age))
        return job

    def leave(self, job: Watched) -> None:
        """Wait for a job no more."""
        self._jobs.discard(job)
        self._set_pace(job, None)

    async def look(self, job: Watched, max_age: float) -> JobState | AIHubError:
        """Read a job; the error that came instead is returned, since a failed poll is no failed job.

        :param max_age: How old what was read may be, in seconds.
        """
        try:
            return await self._shown(job, max_age) or await self._by_itself(job)
        except AIHubError as error:
            return error

    def close(self) -> None:
        """End what is under way."""
        if self._reading:
            self._reading.cancel()

    async def _by_itself(self, job: Watched) -> JobState:
        if job.request is None:
            job.request = self._kind.look(job.job_id)
        return await self._sender.send(job.request)

    async def _shown(self, job: Watched, max_age: float) -> JobState | None:
        shown, job.shown = job.shown, None
        if shown and shown.read_at is not None and 0 <= self._clock() - shown.read_at < max_age:
            return shown
        if not self._threshold or job.misses >= MOST_MISSES or max_age <= 0:
            return None
        self._set_pace(job, _pace(max_age))
        if self._since(self._rested) < REST or self._company(job) < self._threshold:
            return None
        job.wanted = asyncio.get_running_loop().create_future()
        self._waiting.add(job)
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())
        try:
            return await job.wanted
        finally:
            self._waiting.discard(job)
            job.wanted = None

    async def _read(self) -> None:
        """Read the pages for as long as anybody waits for one."""
        try:
            while self._waiting and self._since(self._rested) >= REST:
                await asyncio.sleep(max(self._spacing - self._since(self._began), 0.0))
                self._began = self._clock()
                await self._sweep()
        except AIHubError as error:
            log.info("Each %s is read by itself for %.0f s: %s", self._kind.noun, REST, error)
            self._rested = self._clock()
        finally:
            self._reading = None
            for job in list(self._waiting):
                self._tell(job, None)

    async def _sweep(self) -> None:
        """Read pages until they have shown all jobs that are looked at about as often as those that wait for it."""
        slowest = max((job.pace for job in self._waiting if job.pace is not None), default=-math.inf)
        unseen: dict[JobId, list[Watched]] = {}
        wanted: set[JobId] = set()
        for job in self._jobs:
            if job.pace is not None:
                unseen.setdefault(job.key, []).append(job)
                if job.pace <= slowest + 1:
                    wanted.add(job.key)
        count, rows, number, most = len(wanted), 0, 0, 1
        size = max(SMALLEST_PAGE, min(2 * count, PAGE_SIZE))
        user_id = None if self._of_all_users else self._sender.user_id
        while wanted and number < most:
            number += 1
            page = await self._sender.send(self._kind.sweep(number, size, user_id))
            if number == 1:
                # AIHub may have pages of its own size.
                most = 2 * math.ceil(count / max(len(page.data), 1)) + 1
            rows += len(page.data)
            if rows >= page.total or not page.data:
                most = number
            now = self._clock()
            for index, row in enumerate(page.data):
                key = as_int(row.get("id"))
                for job in unseen.pop(key, ()) if key is not None else ():
                    self._show(job, row, now)
                    wanted.discard(job.key)
                if index % ROWS_AT_ONCE == ROWS_AT_ONCE - 1:
                    # Whoever has waited for its job now has much to do.
                    await asyncio.sleep(0)
        poor = 2 * len(wanted) > count
        if poor:
            # Others' jobs, or old ones that stand far behind. Before the first login nobody knows who one is.
            if user_id is not None:
                self._of_all_users = True
            elif self._of_all_users or self._sender.user_id is None:
                self._of_all_users, self._rested = False, self._clock()
        for job in (job for key in wanted for job in unseen[key]):
            if not poor:
                job.misses += 1
                if job.misses >= MOST_MISSES:
                    self._set_pace(job, None)
            self._tell(job, None)

    def _show(self, job: Watched, row: dict[str, Any], now: float) -> None:
        job.misses, state = 0, None
        if self._kind.listed_whole(row):
            try:
                state = self._kind.glimpse(job.job_id, row)
            except ValueError as error:
                log.debug("A list shows nothing of %s: %s", self._kind.called(job.job_id), error)
            else:
                state.read_at = now
        self._tell(job, state)

    def _tell(self, job: Watched, state: JobState | None) -> None:
        self._waiting.discard(job)
        job.show(state)

    def _company(self, job: Watched) -> int:
        """How many jobs are looked at about as often as this one, or more often."""
        pace = job.pace or 0
        return sum(count for other, count in self._paces.items() if other <= pace + 1)

    def _set_pace(self, job: Watched, pace: int | None) -> None:
        if job.pace != pace:
            if job.pace is not None:
                self._paces[job.pace] -= 1
            if pace is not None:
                self._paces[pace] += 1
            job.pace = pace

    def _since(self, moment: float) -> float:
        """Seconds since then; a clock that was set back counts as a long time."""
        passed = self._clock() - moment
        return passed if passed >= 0 else math.inf


def _pace(max_age: float) -> int:
    return math.frexp(max_age)[1]
