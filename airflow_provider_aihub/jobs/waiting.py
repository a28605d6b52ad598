"""Waiting for a job, without I/O: when to look, when to give up, what to say.

:func:`follow` is a generator. It yields what it wants done and is sent what came of it, so that a worker that polls
in place and a trigger on an event loop wait in exactly the same way.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, TypeAlias, cast

from airflow_provider_aihub.http.durations import span
from airflow_provider_aihub.http.errors import RemoteJobError
from airflow_provider_aihub.jobs.best_effort import best_effort
from airflow_provider_aihub.jobs.errands import POLL_POLICY, Ask, Fetch, Redact
from airflow_provider_aihub.jobs.identity import Identity, Verdict, other_job
from airflow_provider_aihub.jobs.time_limit import with_time_limit, too_late
from airflow_provider_aihub.jobs.kind import JobId, JobKind, JobState, Status
from airflow_provider_aihub.jobs.log_stream import SaveOffsets, PartLogs, LoadOffsets, WriteLines
from airflow_provider_aihub.jobs.progress_log import UNCHANGED_INTERVAL, Log, ProgressLog
from airflow_provider_aihub.jobs.tolerance import Tolerance

__all__ = [
    "UNCHANGED_INTERVAL",
    "POLL_POLICY",
    "Ask",
    "Fetch",
    "SaveOffsets",
    "Log",
    "Look",
    "Outcome",
    "LoadOffsets",
    "Redact",
    "WriteLines",
    "Waited",
    "Watch",
    "as_remote_error",
    "follow",
    "span",
    "wait",
    "wait_async",
]

POLL_FLOOR = 1.7
"""Seconds between two polls of a young job; nothing is polled more often. With the jitter it leaves time for the
answer, so that the end of a job of 10 s is seen within 2 s."""
JITTER = 0.1
"""A pause is longer by up to this fraction of it, at random, so that jobs are not all polled at once."""
STRETCH = 0.1 / (1 + JITTER)
"""A pause is this fraction of the job's age, with the jitter about a tenth, so that an end is seen soon."""
FRESHNESS = 0.5
"""What was read for another waiting task is used if it is not older than this fraction of the pause."""
LONGEST_HEAD_START = 10.0
"""Seconds over which the first polls are spread when many jobs are taken up at once."""
LAST_ANSWERS = 0.75
"""Seconds after the deadline in which an open request may still be answered."""
LAST_LOOK = 0.5
"""Seconds that the last look may take at least."""
GONE_TOLERANCE = 60.0
"""Seconds for which the platform may say that a job does not exist, before that is believed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """A job to be waited for.

    :param since: When it was submitted, or the waiting began, in Unix seconds.
    :param poll_interval: Longest pause between two polls, in seconds: a young job is polled more often. With
        ``backoff``, the first pause.
    :param backoff: By what the pause is multiplied after each poll, 1 or more, instead of stretching with the job's
        age.
    :param longest_interval: Longest pause with ``backoff``, in seconds; ``None`` for no bound.
    :param deadline: When to give up, in Unix seconds; ``None`` for never.
    :param poll_tolerance: For how many seconds polls may fail before waiting gives up.
    :param may_be_missing: Whether a job that does not exist is waited for, too.
    :param stream_logs: Whether the logs of its pods or nodes are told as well, where the platform gives them out.
    :param floor: Shortest pause between two polls, in seconds; ``None`` for :data:`POLL_FLOOR`.
    :param identity: What is known of the job besides its id; another job under that id is not waited for.
    :param doubts_lists: Whether an end that a list shows is believed only after the job itself was read.
    """

    kind: JobKind
    job_id: JobId
    since: float
    poll_interval: float = 30.0
    backoff: float | None = None
    longest_interval: float | None = None
    deadline: float | None = None
    poll_tolerance: float = 900.0
    may_be_missing: bool = False
    stream_logs: bool = False
    floor: float | None = None
    identity: Identity | None = None
    doubts_lists: bool = False

    @property
    def shortest_pause(self) -> float:
        """Seconds between two polls at least."""
        return POLL_FLOOR if self.floor is None else self.floor

    def pause(self, looks: int, now: float) -> float:
        """Return the seconds from one look to the next, without the jitter.

        :param looks: How many there were.
        """
        if self.backoff is None:
            wanted = min(STRETCH * (now - self.since), self.poll_interval / (1 + JITTER))
        else:
            wanted = min(self.poll_interval * self.backoff ** min(looks - 1, 64), self.longest_interval or math.inf)
        return max(self.shortest_pause, wanted)

    def pace(self, now: float) -> float:
        """Return the seconds from one look to the next for a job whose pause does not grow from look to look."""
        return self.pause(1, now)

    def is_other(self, state: JobState) -> bool:
        """Whether what was seen is another job that stands under the id."""
        return self.identity is not None and self.identity.judge(state.raw_facts) is Verdict.OTHER

    def max_age(self, looks: int, now: float) -> float:
        """Return how old, in seconds, what the next look shows may be."""
        return FRESHNESS * self.pause(looks, now)

    def head_start(self, now: float, jitter: Callable[[], float] = random.random) -> float:
        """Return the seconds until the first look, so that the jobs that are taken up together are not polled together.

        :param jitter: Gives a number from 0 to 1.
        """
        seconds = jitter() * min(self.pause(1, now), LONGEST_HEAD_START)
        return seconds if self.deadline is None else min(seconds, max(self.deadline - now, 0.0))

    def left(self, now: float) -> float | None:
        """Return the seconds that an errand may take, whatever the platform does; ``None`` for as long as it takes."""
        return None if self.deadline is None else max(self.deadline + LAST_ANSWERS - now, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Step: give the job's state, after ``seconds`` or as soon as there is something new.

    The reply is a :class:`JobState`, or the :class:`RemoteJobError` that came instead.

    :param seconds: Seconds from now until the job is to be read.
    :param max_age: How old, in seconds, the reading may be then; 0 to read the job itself.
    :param status: The last seen status, if only another status is news for now. If the job still has it, it may be read
        again later instead, at the pace of the job.
    :param calm_until: Up to when that is so, in Unix seconds.
    :param deadline: When the job is read at the latest, in Unix seconds; ``None`` for no such time.
    """

    seconds: float = 0.0
    max_age: float = 0.0
    status: Status | None = None
    calm_until: float = -math.inf
    deadline: float | None = None

    def longest_pause(self, now: float) -> float | None:
        """Return the seconds until the job is read at the latest; ``None`` for no bound."""
        return None if self.deadline is None else max(self.deadline - now, 0.0)

    def left(self, now: float, pause: float = 0.0) -> float | None:
        """Return the seconds that it may take, whatever the platform does; ``None`` for as long as it takes.

        :param pause: Seconds of these until the job is to be read.
        """
        return None if self.deadline is None else max(self.deadline + LAST_ANSWERS - now, pause + LAST_LOOK)


class Outcome(StrEnum):
    """Why the waiting ended."""

    ENDED = "ended"
    DEADLINE = "deadline"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Waited:
    """What the waiting came to.

    :param state: What the last look that succeeded showed; where the job has not ended, its status alone.
    :param error: Why looking failed at the end, where ``outcome`` is ``UNREADABLE``.
    """

    outcome: Outcome
    state: JobState | None = None
    error: RemoteJobError | None = None


Step: TypeAlias = Look | Ask | Fetch | Redact | LoadOffsets | SaveOffsets | WriteLines
"""What :func:`follow` wants done; the reply to an :class:`Ask`, a :class:`Fetch` or a :class:`Redact` is its result or
an :class:`RemoteJobError`, too."""
Waiting: TypeAlias = Generator[Step, Any, Waited]


def follow(
    watch: Watch,
    log: Log,
    *,
    clock: Callable[[], float] = time.time,
    jitter: Callable[[], float] = random.random,
) -> Waiting:
    """Wait for a job to end.

    A failed poll does not mean a failed job: it is repeated, with growing pauses, until polls have failed for
    ``watch.poll_tolerance``. An unknown status counts as in progress.

    :param clock: Gives the time in Unix seconds.
    :param jitter: Gives a number from 0 to 1.
    """
    progress = ProgressLog(watch.kind, watch.job_id, watch.since, log)
    called = progress.called
    logs = PartLogs(watch.kind.platform, called, log) if watch.stream_logs else None
    state: JobState | None = None
    reported: list[str] = []
    looks = 0
    pause_ignores_looks = watch.backoff in (None, 1)
    tolerance = Tolerance(
        watch.poll_tolerance,
        min(watch.poll_tolerance, GONE_TOLERANCE),
        first_pause=watch.shortest_pause,
        longest_pause=32 * watch.shortest_pause,
    )

    look = Look(max_age=watch.max_age(1, clock()), deadline=watch.deadline)
    while True:
        looks += 1
        reply = yield look
        if isinstance(reply, JobState) and reply.is_from_list:
            doubtful = watch.doubts_lists and reply.phase.ends_waiting
            if doubtful or watch.is_other(reply):
                # A list may be wrong; what is read singly is believed.
                reply = yield Look(deadline=watch.deadline)
        now = clock()
        pause, age, max_age = watch.pause(looks, now), 0.0, watch.max_age(looks, now)
        calm_until = -math.inf
        if isinstance(reply, JobState) and watch.is_other(reply):
            return Waited(Outcome.UNREADABLE, None, other_job(watch.kind, watch.job_id))
        if isinstance(reply, RemoteJobError) and watch.may_be_missing and watch.kind.missing(reply):
            tolerance.answered()
            if looks == 1:
                log.info("%s does not exist yet: %s", called, reply)
        elif isinstance(reply, JobState):
            if failures := tolerance.answered():
                log.info("%s answers again about %s, after %d failed polls", watch.kind.platform, called, failures)
            state = reply
            if state.read_at is not None:
                age = now - state.read_at
            mentioned = False
            with best_effort(log, f"news of {called}", reported):
                mentioned = yield from progress.tell(state, now)
            if logs:
                with best_effort(log, f"the logs of {called}", reported):
                    if state.phase.terminal:
                        yield from progress.look_at_parts(state)
                    yield from logs.follow(progress.parts, again=mentioned, last=state.phase.terminal)
            if state.phase.ends_waiting:
                return Waited(Outcome.ENDED, state)
            state.forget()
            if logs is None:
                progress.forget_parts()
                if pause_ignores_looks:
                    calm_until = progress.next_line
        elif isinstance(reply, RemoteJobError):
            again = tolerance.failed(reply, now, pause)
            if again is None:
                return Waited(Outcome.UNREADABLE, state, reply)
            pause = again
            if tolerance.failures == 1:
                longest = span(tolerance.longest(reply))
                log.warning("Could not read %s; trying again for up to %s: %s", called, longest, reply)
        # From when the job was read on, not from now on: so its end is never seen later than the pause after it came.
        wanted = max(pause * (1 + JITTER * jitter()) - max(age, 0.0), 0.0)
        if watch.deadline is not None:
            if now >= watch.deadline:
                return Waited(Outcome.DEADLINE, state)
            # What was asked besides has taken time, too.
            left = max(watch.deadline - clock(), 0.0)
            if left <= wanted:
                wanted, max_age = left, 0.0
        status = state.status if state and now + wanted < calm_until else None
        look = Look(seconds=wanted, max_age=max_age, status=status, calm_until=calm_until, deadline=watch.deadline)


def wait(
    look: Callable[[], JobState | RemoteJobError],
    watch: Watch,
    log: Log,
    *,
    perform: Callable[[Ask | Fetch | Redact], Any] | None = None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.time,
) -> Waited:
    """Wait for a job to end, blocking.

    :param look: Reads the job, or returns the error.
    :param perform: Does errands, and raises a :class:`RemoteJobError` if one fails. By default the log shows only the
        job's status.
    """
    waiting, reply = follow(watch, log, clock=clock), None
    while True:
        try:
            step = waiting.send(reply)
        except StopIteration as end:
            return cast(Waited, end.value)
        reply = None
        if isinstance(step, Look):
            if step.seconds:
                sleep(step.seconds)
            try:
                reply = with_time_limit(look, step.left(clock()))
            except RemoteJobError as error:
                reply = error
        elif isinstance(step, WriteLines):
            for line in step.lines:
                log.info("%s", line)
        elif isinstance(step, Ask | Fetch | Redact):
            if perform is None:
                reply = _NOT_PERFORMED
                continue
            try:
                reply = with_time_limit(partial(perform, step), watch.left(clock()))
            except Exception as error:
                reply = as_remote_error(error)
        # A waiting that blocks ends with its process: it has nothing to keep.


async def wait_async(
    look: Callable[[Look], Awaitable[JobState | RemoteJobError]],
    watch: Watch,
    log: Log,
    *,
    perform: Callable[[Ask | Fetch | Redact | LoadOffsets | SaveOffsets | WriteLines], Awaitable[Any]] | None = None,
    clock: Callable[[], float] = time.time,
    jitter: Callable[[], float] = random.random,
) -> Waited:
    """Wait for a job to end, on an event loop; otherwise as :func:`wait`.

    :param look: Does what a :class:`Look` says, the pause included.
    :param perform: As for :func:`wait`; also keeps how far logs were told, so that another process can go on.
    """
    waiting, reply = follow(watch, log, clock=clock, jitter=jitter), None
    while True:
        try:
            step = waiting.send(reply)
        except StopIteration as end:
            return cast(Waited, end.value)
        reply = None
        try:
            # Whatever the platform does meanwhile, the deadline stands.
            if isinstance(step, Look):
                left = step.left(clock(), step.seconds)
                if left is None:
                    reply = await look(step)
                else:
                    async with asyncio.timeout(left):
                        reply = await look(step)
            elif perform:
                async with asyncio.timeout(watch.left(clock())):
                    reply = await perform(step)
            elif isinstance(step, Ask | Fetch | Redact):
                reply = _NOT_PERFORMED
        except Exception as error:
            reply = as_remote_error(error)


def as_remote_error(error: Exception) -> RemoteJobError:
    """Return a failed errand's error as a :class:`RemoteJobError`: no errand ends the waiting."""
    if isinstance(error, RemoteJobError):
        return error
    if isinstance(error, TimeoutError):
        return too_late()
    return RemoteJobError(f"The errand failed with {type(error).__name__}.")


_NOT_PERFORMED = RemoteJobError("Nobody is there to ask.")
