"""Polls the jobs that triggers wait for: one by one while they are few, and by lists when they are many."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, Protocol, TypeVar

from airflow_provider_aihub.http.errors import RemoteJobError, UnsupportedError
from airflow_provider_aihub.http.request import Request
from airflow_provider_aihub.http.retry import requested_pause
from airflow_provider_aihub.jobs.kind import JobId, JobKind, JobState, Status
from airflow_provider_aihub.jobs.waiting import FRESHNESS, Look
from airflow_provider_aihub.triggers.polled_job import ListAnswer, PolledJob, release

T = TypeVar("T")

log = logging.getLogger(__name__)

PAGE_SIZE: Final = 250
"""Maximum of jobs on a page; decoding more at once would block the event loop for too long."""
SMALLEST_PAGE: Final = 20
LOOKS_AT_ONCE: Final = 10
"""After so many polls that were answered from a page, other tasks of the event loop get their turn."""
MOST_MISSES: Final = 3
"""A job that so many lists in a row have not shown is then read by itself."""
MOST_FAILURES: Final = 2
"""If reading the lists fails so many times in a row, each job is read by itself for :data:`PAUSE_LISTS`."""
WORTH_A_PAGE: Final = 10
"""A page costs about as much as so many single reads. The jobs of other triggerers may be between those of this one."""
MOST_PAGES: Final = 400
"""Maximum of pages that are read at once, from a platform whose pages are small."""
LONGEST_SWEEP: Final = 60.0
"""Time limit for reading all pages, in seconds; there may be dozens."""
LONGEST_WAIT: Final = 10.0
"""Seconds for which a poll waits for slow pages; then its job is read by itself. Also the longest sleep before the
clock is read again, since somebody may set it."""
PAUSE_LISTS = 60.0
"""Seconds for which no lists are read after that failed, or if they showed too few of the jobs that are waited for."""


class Sender(Protocol):
    """Sends requests, as the user of the connection."""

    @property
    def user_id(self) -> int | None: ...

    def send(self, request: Request[T]) -> Awaitable[T]: ...


class BatchPoller:
    """Polls the jobs of one kind for all triggers of a connection on an event loop.

    A job that is missing from the lists is read by itself. So is every job while the lists cannot be read, and while
    too few jobs are polled at about the same interval.

    :param sender: Sends the requests.
    :param threshold: Number of jobs from which on lists are read; 0 for never.
    :param spacing: Shortest time from one reading of the lists to the next, in seconds.
    :param clock: Returns Unix time in seconds.
    :param jitter: Returns a number from 0 to 1.
    """

    def __init__(
        self,
        kind: JobKind,
        sender: Sender,
        *,
        threshold: int,
        spacing: float,
        clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._kind = kind
        self._sender = sender
        self._threshold = threshold if kind.states else 0
        self._spacing = spacing
        self._clock = clock
        self._jitter = jitter
        self._jobs: set[PolledJob] = set()
        self._waiting: set[PolledJob] = set()
        self._paces: Counter[int] = Counter()
        self._reading: asyncio.Task[None] | None = None
        self._sooner = asyncio.Event()
        self._due = self._began = self._lists_paused_at = self._now = -math.inf
        self._of_all_users = False
        self._failures = 0

    def watch(self, job_id: JobId, pause: Callable[[float], float]) -> PolledJob:
        """Begin to poll a job.

        :param pause: Returns the seconds from one poll to the next, for a given Unix time.
        """
        listed = self._kind.listed_as(job_id)
        job = PolledJob(job_id, job_id if listed is None else listed, pause)
        self._jobs.add(job)
        if listed is None:
            # No list shows it.
            job.misses = MOST_MISSES
        else:
            self._set_pace(job, _pace(FRESHNESS * pause(self._clock())))
        return job

    def leave(self, job: PolledJob) -> None:
        """Stop polling a job."""
        self._jobs.discard(job)
        self._waiting.discard(job)
        self._set_pace(job, None)

    async def look(self, job: PolledJob, look: Look) -> JobState | RemoteJobError:
        """Carry out a :class:`Look`, including its pause. Return the state of the job, or the error."""
        state, max_age = None, look.max_age
        try:
            if look.status is None or not self._is_served(job):
                await asyncio.sleep(look.seconds)
            else:
                now = self._clock()
                try:
                    state = await self._ask(job, look, now + look.seconds, look.longest_pause(now))
                except TimeoutError:
                    # The deadline has come.
                    max_age = 0.0
            return state or await self._listed(job, max_age) or await self._by_itself(job)
        except RemoteJobError as error:
            return error

    def close(self) -> None:
        """Cancel the reading of lists."""
        if self._reading:
            self._reading.cancel()

    async def _by_itself(self, job: PolledJob) -> JobState:
        if job.request is None:
            job.request = self._kind.brief_look(job.job_id)
        return await self._sender.send(job.request)

    async def _listed(self, job: PolledJob, max_age: float) -> JobState | None:
        """Return the state of a job from a list; ``None`` if the job must be read by itself."""
        shown, job.shown = job.shown, None
        if shown and shown.read_at is not None and 0 <= self._clock() - shown.read_at < max_age:
            return shown
        if max_age <= 0:
            return None
        if self._threshold and job.misses < MOST_MISSES:
            self._set_pace(job, _pace(max_age))
        if not self._is_served(job):
            return None
        # If the lists are slow, the job is read by itself, so that its end or the deadline is not seen late.
        with suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_WAIT):
                return await self._ask(job, Look(), -math.inf)
        self._waiting.discard(job)
        return None

    def _ask(self, job: PolledJob, look: Look, due: float, timeout: float | None = None) -> ListAnswer:
        """Request that a list is read for a job. Return a future of the job's state.

        :param due: When the list shall be read, in Unix seconds.
        :param timeout: Seconds after which the future raises :class:`TimeoutError`. Default: never.
        """
        loop = asyncio.get_running_loop()
        job.shown, job.wanted, job.due, job.told = None, look, due, loop.create_future()
        self._waiting.add(job)
        if timeout is not None:
            late = loop.call_later(timeout, self._give_up, job, job.told)
            job.told.add_done_callback(lambda _: late.cancel())
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
        elif due < self._due:
            self._sooner.set()
        return job.told

    def _give_up(self, job: PolledJob, told: ListAnswer) -> None:
        self._waiting.discard(job)
        if not told.done():
            told.set_exception(TimeoutError())

    def _is_served(self, job: PolledJob) -> bool:
        """Whether a job is polled by lists."""
        return (
            self._threshold > 0
            and job.pace is not None
            and self._since(self._lists_paused_at) >= PAUSE_LISTS
            and self._count_at_pace(job.pace) >= self._threshold
        )

    def _count_at_pace(self, pace: int) -> int:
        """Return the number of jobs that are polled at this pace or a quicker one."""
        return sum(count for other, count in self._paces.items() if other <= pace + 1)

    async def _read(self) -> None:
        """Read the lists again and again, as long as a trigger waits for one."""
        try:
            while await self._until_due() and self._since(self._lists_paused_at) >= PAUSE_LISTS:
                self._began = self._clock()
                try:
                    async with asyncio.timeout(LONGEST_SWEEP):
                        await self._read_list()
                except (RemoteJobError, TimeoutError) as error:
                    self._failures += 1
                    if self._failures >= MOST_FAILURES or isinstance(error, UnsupportedError):
                        why = error if isinstance(error, RemoteJobError) else f"no list within {LONGEST_SWEEP:.0f} s"
                        log.info("Each %s is read by itself for %.0f s: %s", self._kind.noun, PAUSE_LISTS, why)
                        self._lists_paused_at = self._clock()
                        return
                    for job in [job for job in self._waiting if job.wanted.status is None]:
                        self._answer(job, None)
                    await asyncio.sleep(requested_pause(error, PAUSE_LISTS))
                else:
                    self._failures = 0
        finally:
            self._reading = None
            for job in list(self._waiting):
                self._release(job)

    def _release(self, job: PolledJob) -> None:
        """Let a job be read by itself: at once if it is waited for now, or else after a random part of its pause."""
        self._waiting.discard(job)
        if job.told and job.wanted.status is None:
            release(job.told)
        elif job.told:
            asyncio.get_running_loop().call_later(self._jitter() * job.pause(self._clock()), release, job.told)

    async def _until_due(self) -> bool:
        """Wait until a list is due. Return false if no trigger waits for one any more."""
        while self._waiting:
            before, now = self._now, self._clock()
            self._now = now
            if now < before:
                # The clock was set back.
                for job in self._waiting:
                    job.due = min(job.due, now + job.pause(now))
            self._due = min(job.due for job in self._waiting)
            seconds = max(self._due - now, self._spacing - self._since(self._began))
            if seconds <= 0:
                return True
            self._sooner.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._sooner.wait(), min(seconds, LONGEST_WAIT))
        return False

    def _wanted(self) -> set[PolledJob]:
        """Return the jobs for which a list is read now: those that are due, and those that will be due soon."""
        now, slowest = self._clock(), -math.inf
        for job in [job for job in self._waiting if job.due <= now]:
            if job.wanted.status is not None and not self._is_served(job):
                self._answer(job, None)
            elif job.pace is not None:
                slowest = max(slowest, job.pace)
        return {job for job in self._jobs if job.pace is not None and job.pace <= slowest + 1 and self._soon(job, now)}

    def _soon(self, job: PolledJob, now: float) -> bool:
        """Whether a job will be due soon enough to be included in the list that is read now."""
        return not job.waits or job.due - now <= FRESHNESS * job.pause(now)

    async def _read_list(self) -> None:
        """Read pages until they have shown all wanted jobs, or too many pages were read."""
        wanted = self._wanted()
        unseen: dict[JobId, list[PolledJob]] = {}
        for job in self._jobs:
            unseen.setdefault(job.key, []).append(job)
        count, rows, number, most, told, start = len(wanted), 0, 0, 1, 0, None
        size = max(SMALLEST_PAGE, min(2 * count, PAGE_SIZE))
        user_id = None if self._of_all_users else self._sender.user_id
        assert self._kind.states is not None, "else nobody asks for lists"  # noqa: S101
        while wanted and number < most:
            number += 1
            batch = await self._sender.send(self._kind.states(start, size=size, user_id=user_id))
            start = batch.following
            if number == 1:
                # A server may have pages of its own size.
                pages = math.ceil(count / max(len(batch.rows), 1))
                most = min(max(2 * pages + 1, count // WORTH_A_PAGE), MOST_PAGES)
            rows += len(batch.rows)
            if start is None or (batch.total is not None and len(batch.rows) < batch.total <= rows):
                most = number
            now = self._clock()
            for data in batch.rows:
                key, status = self._kind.row(data) or (None, "")
                for job in unseen.pop(key, ()) if key is not None else ():
                    wanted.discard(job)
                    told += self._show(job, status, data, now)
                if told >= LOOKS_AT_ONCE:
                    told = 0
                    await asyncio.sleep(0)
        mostly_missing = 2 * len(wanted) > count
        if mostly_missing:
            # Most jobs belong to other users, or are old and so on later pages. Next time, the list is read for all
            # users; if it was, it is not used for a while. Before the first login, the user is unknown.
            if user_id is not None:
                self._of_all_users = True
            elif self._of_all_users or self._sender.user_id is None:
                self._of_all_users, self._lists_paused_at = False, self._clock()
        for job in wanted:
            if not mostly_missing:
                self._miss(job)
            self._release(job)

    def _show(self, job: PolledJob, status: Status, row: dict[str, Any], now: float) -> bool:
        """Take a row of a list for its job. Return whether the trigger was answered.

        The trigger is not answered if it needs no news now and the status has not changed.
        """
        state, wanted = None, job.wanted
        if now < wanted.calm_until and status == wanted.status and job.waits:
            job.misses, job.request = 0, None
            pause = job.pause(now)
            job.due = now + pause
            self._set_pace(job, _pace(FRESHNESS * pause))
            return False
        if self._kind.listed_whole(row):
            try:
                state = self._kind.state(job.job_id, self._kind.brief(row))
            except ValueError as error:
                log.debug("A list shows nothing of %s: %s", self._kind.called(job.job_id), error)
            else:
                state.read_at = now
        if state:
            job.misses = 0
        else:
            self._miss(job)
        self._answer(job, state)
        return True

    def _miss(self, job: PolledJob) -> None:
        """Count that a list has not shown a job, or not enough of it."""
        job.misses += 1
        if job.misses >= MOST_MISSES:
            self._set_pace(job, None)

    def _answer(self, job: PolledJob, state: JobState | None) -> None:
        self._waiting.discard(job)
        job.show(state)

    def _set_pace(self, job: PolledJob, pace: int | None) -> None:
        if job.pace != pace:
            if job.pace is not None:
                self._paces[job.pace] -= 1
            if pace is not None:
                self._paces[pace] += 1
            job.pace = pace

    def _since(self, moment: float) -> float:
        """Return the seconds since a time; infinity if the clock was set back."""
        passed = self._clock() - moment
        return passed if passed >= 0 else math.inf


def _pace(max_age: float) -> int:
    return math.frexp(max_age)[1]
