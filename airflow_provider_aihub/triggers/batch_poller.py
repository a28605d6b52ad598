"""The jobs that triggers wait for: read one by one while they are few, in pages of AIHub's list when they are many."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Protocol, TypeVar

from airflow_provider_aihub.http.errors import RemoteJobError, UnsupportedError
from airflow_provider_aihub.http.request import Request
from airflow_provider_aihub.http.retry import asked_for
from airflow_provider_aihub.jobs.kind import JobId, JobKind, JobState, Status
from airflow_provider_aihub.jobs.waiting import FRESHNESS, Pause
from airflow_provider_aihub.triggers.watched import Calm, Watched

T = TypeVar("T")

log = logging.getLogger(__name__)

PAGE_SIZE: Final = 250
"""Jobs on a page at most; decoding more at once would hold up the event loop for too long."""
SMALLEST_PAGE: Final = 20
LOOKS_AT_ONCE: Final = 10
"""After how many jobs that are to be looked at others on the event loop have their turn."""
MOST_MISSES: Final = 3
"""How often in a row a job may be missing from the pages; then it is read by itself."""
MOST_FAILURES: Final = 2
"""How often in a row the pages may not be had; then each job is read by itself for a time."""
MOST_PAGES: Final = 200
"""Pages that are read at once at most, of an AIHub whose pages are small."""
LONGEST_SWEEP: Final = 60.0
"""Seconds within which the pages are to be read; there may be dozens of them."""
LONGEST_WAIT: Final = 10.0
"""Seconds for which a look waits for pages that are slow. And those after which the clock is looked at again, in case
that somebody has set it."""
REFRAIN = 60.0
"""Seconds for which no pages are read after they could not be had, or showed few of the jobs that are waited for."""


class Sender(Protocol):
    """Carries out requests for the connection's user."""

    @property
    def user_id(self) -> int | None: ...

    async def send(self, request: Request[T]) -> T: ...


class Pages:
    """The jobs of one kind that are waited for on an event loop.

    A page that does not show a job is no statement about the job, which is then read by itself. So it is when pages
    cannot be had, and while there are too few jobs that are looked at about as often.

    :param sender: Carries out the requests.
    :param threshold: How many jobs make a page worth its while; 0 for no number.
    :param spacing: Seconds from one reading of the pages to the next at least.
    :param clock: Gives Unix time in seconds.
    :param jitter: Gives a number from 0 to 1.
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
        self._jobs: set[Watched] = set()
        self._paces: Counter[int] = Counter()
        self._waiting: set[Watched] = set()
        self._calm: dict[Watched, Calm] = {}
        self._reading: asyncio.Task[None] | None = None
        self._sooner = asyncio.Event()
        self._due = self._began = self._refrained = self._now = -math.inf
        self._of_all_users = False
        self._failures = 0

    def watch(self, job_id: JobId, pause: Callable[[float], float]) -> Watched:
        """Count a job among those that are waited for.

        :param pause: Gives the seconds from one look to the next, at a given Unix time.
        """
        listed = self._kind.listed_as(job_id)
        job = Watched(job_id, job_id if listed is None else listed, pause)
        self._jobs.add(job)
        if listed is None:
            # No list shows it.
            job.misses = MOST_MISSES
        else:
            self._set_pace(job, _pace(FRESHNESS * pause(self._clock())))
        return job

    def leave(self, job: Watched) -> None:
        """Wait for a job no more."""
        self._jobs.discard(job)
        self._set_pace(job, None)

    async def look(self, job: Watched, max_age: float) -> JobState | RemoteJobError:
        """Read a job; the error that came instead is returned, since a failed poll is no failed job.

        :param max_age: How old what was read may be, in seconds.
        """
        try:
            return await self._shown(job, max_age) or await self._by_itself(job)
        except RemoteJobError as error:
            return error

    async def rest(self, job: Watched, pause: Pause) -> None:
        """Wait from one look to the next; for longer, while the pages show that there is nothing new to see."""
        if pause.status is None or not self._serve(job):
            await asyncio.sleep(pause.seconds)
            return
        over = asyncio.get_running_loop().create_future()
        self._calm[job] = calm = Calm(pause.status, self._clock() + pause.seconds, pause.calm_until, over)
        self._read_on(calm.due)
        try:
            async with asyncio.timeout(pause.longest):
                await over
        except TimeoutError:
            pass
        finally:
            self._calm.pop(job, None)

    def close(self) -> None:
        """End what is under way."""
        if self._reading:
            self._reading.cancel()

    async def _by_itself(self, job: Watched) -> JobState:
        if job.request is None:
            job.request = self._kind.glance(job.job_id)
        return await self._sender.send(job.request)

    async def _shown(self, job: Watched, max_age: float) -> JobState | None:
        shown, job.shown = job.shown, None
        if shown and shown.read_at is not None and 0 <= self._clock() - shown.read_at < max_age:
            return shown
        if max_age <= 0:
            return None
        if self._threshold and job.misses < MOST_MISSES:
            self._set_pace(job, _pace(max_age))
        if not self._serve(job):
            return None
        job.wanted = asyncio.get_running_loop().create_future()
        self._waiting.add(job)
        self._read_on(-math.inf)
        try:
            async with asyncio.timeout(LONGEST_WAIT):
                return await job.wanted
        except TimeoutError:
            # Slow lists are no reason to see an end or a deadline late.
            return None
        finally:
            self._waiting.discard(job)
            job.wanted = None

    def _serve(self, job: Watched) -> bool:
        """Whether the pages are of use to a job."""
        return (
            self._threshold > 0
            and job.pace is not None
            and self._since(self._refrained) >= REFRAIN
            and self._company(job.pace) >= self._threshold
        )

    def _company(self, pace: int) -> int:
        """How many jobs are looked at about as often as that, or more often."""
        return sum(count for other, count in self._paces.items() if other <= pace + 1)

    def _read_on(self, due: float) -> None:
        """See that pages are read when that is due, in Unix seconds."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
        elif due < self._due:
            self._sooner.set()

    async def _read(self) -> None:
        """Read the pages, time and again, for as long as anybody waits for one."""
        try:
            while await self._until_due() and self._since(self._refrained) >= REFRAIN:
                self._began = self._clock()
                try:
                    async with asyncio.timeout(LONGEST_SWEEP):
                        await self._sweep()
                except (RemoteJobError, TimeoutError) as error:
                    self._failures += 1
                    if self._failures >= MOST_FAILURES or isinstance(error, UnsupportedError):
                        why = error if isinstance(error, RemoteJobError) else f"no list within {LONGEST_SWEEP:.0f} s"
                        log.info("Each %s is read by itself for %.0f s: %s", self._kind.noun, REFRAIN, why)
                        self._refrained = self._clock()
                        return
                    for job in list(self._waiting):
                        self._tell(job, None)
                    await asyncio.sleep(asked_for(error, REFRAIN))
                else:
                    self._failures = 0
        finally:
            self._reading = None
            for job in list(self._waiting):
                self._tell(job, None)
            for job in list(self._calm):
                self._end_some_time(job)

    def _end_some_time(self, job: Watched) -> None:
        """Let a job that rests be read by itself, but not all such jobs at once."""
        calm = self._calm.pop(job, None)
        if calm:
            seconds = self._jitter() * job.pause(self._clock())
            asyncio.get_running_loop().call_later(seconds, calm.end)

    async def _until_due(self) -> bool:
        """Wait until pages are to be read; give whether anybody still wants them."""
        while self._waiting or self._calm:
            before, now = self._now, self._clock()
            self._now = now
            if now < before:
                # The clock was set back.
                for job, calm in self._calm.items():
                    calm.due = min(calm.due, now + job.pause(now))
            self._due = -math.inf if self._waiting else min(calm.due for calm in self._calm.values())
            seconds = max(self._due - now, self._spacing - self._since(self._began))
            if seconds <= 0:
                return True
            self._sooner.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._sooner.wait(), min(seconds, LONGEST_WAIT))
        return False

    def _wanted(self) -> set[Watched]:
        """Give the jobs that a reading of the pages is for: those that wait for it, and those that will do so soon."""
        now = self._clock()
        due = [job for job, calm in self._calm.items() if calm.due <= now]
        for job in [job for job in due if not self._serve(job)]:
            due.remove(job)
            self._calm.pop(job).end()
        slowest = max((job.pace for job in (*self._waiting, *due) if job.pace is not None), default=-math.inf)
        return {job for job in self._jobs if job.pace is not None and job.pace <= slowest + 1 and self._soon(job, now)}

    def _soon(self, job: Watched, now: float) -> bool:
        """Whether a job is better read now than when it is due."""
        calm = self._calm.get(job)
        return calm is None or calm.due <= now or calm.due - now <= FRESHNESS * job.pause(now)

    async def _sweep(self) -> None:
        """Read pages until they have shown the jobs that they are wanted for."""
        wanted = self._wanted()
        unseen: dict[JobId, list[Watched]] = {}
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
                most = min(2 * math.ceil(count / max(len(batch.rows), 1)) + 1, MOST_PAGES)
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
        poor = 2 * len(wanted) > count
        if poor:
            # Others' jobs, or old ones that stand far behind. Before the first login nobody knows who one is.
            if user_id is not None:
                self._of_all_users = True
            elif self._of_all_users or self._sender.user_id is None:
                self._of_all_users, self._refrained = False, self._clock()
        for job in wanted:
            if not poor:
                self._miss(job)
            self._end_some_time(job)
            self._tell(job, None)

    def _show(self, job: Watched, status: Status, row: dict[str, Any], now: float) -> bool:
        """Show what a list says of a job, and give whether it is to be looked at."""
        state, calm = None, self._calm.get(job)
        if calm and now < calm.until and status == calm.status:
            job.misses = 0
            pause = job.pause(now)
            calm.due = now + pause
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
        self._tell(job, state)
        return True

    def _miss(self, job: Watched) -> None:
        """Count that the pages were of no use to a job."""
        job.misses += 1
        if job.misses >= MOST_MISSES:
            self._set_pace(job, None)

    def _tell(self, job: Watched, state: JobState | None) -> None:
        self._waiting.discard(job)
        job.show(state)
        if job in self._calm:
            self._calm.pop(job).end()

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
