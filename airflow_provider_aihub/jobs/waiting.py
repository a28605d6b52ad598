"""Waits for a job, without I/O: decides when to poll, when to give up, and what to log.

:func:`follow` is a generator that yields steps and is sent their results, so that a worker that polls in place and a
trigger on an event loop wait in exactly the same way.
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
from airflow_provider_aihub.jobs.kind import JobId, JobKind, JobState, Status
from airflow_provider_aihub.jobs.log_stream import LoadOffsets, PartLogs, SaveOffsets, WriteLines
from airflow_provider_aihub.jobs.progress_log import UNCHANGED_INTERVAL, Log, ProgressLog
from airflow_provider_aihub.jobs.time_limit import too_late, with_time_limit
from airflow_provider_aihub.jobs.tolerance import Tolerance

__all__ = [
    "POLL_POLICY",
    "UNCHANGED_INTERVAL",
    "Ask",
    "Fetch",
    "LoadOffsets",
    "Log",
    "Look",
    "Outcome",
    "Redact",
    "SaveOffsets",
    "Waited",
    "Watch",
    "WriteLines",
    "as_remote_error",
    "follow",
    "span",
    "wait",
    "wait_async",
]

POLL_FLOOR = 1.7
"""Shortest pause between two polls of a job, in seconds: with jitter and answer, the end of a job of 10 s is seen
within 2 s."""
JITTER = 0.1
"""A pause is prolonged by a random fraction of it up to this one, so that jobs are not all polled at once."""
STRETCH = 0.1 / (1 + JITTER)
"""A pause is this fraction of the job's age; with the jitter, about a tenth of it."""
FRESHNESS = 0.5
"""A list that was read for another task is used if it is not older than this fraction of the pause."""
LONGEST_HEAD_START = 10.0
"""The first polls of jobs whose triggers start together are spread over at most so many seconds."""
LAST_ANSWERS = 0.75
"""Seconds after the deadline for which an open request may still be answered."""
LAST_LOOK = 0.5
"""Time limit of the last poll at least, in seconds."""
GONE_TOLERANCE = 60.0
"""Seconds for which the platform may answer that a job does not exist before the waiting gives up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """A job to be waited for, and how.

    :param since: When it was submitted, or the waiting began, in Unix seconds.
    :param poll_interval: Longest pause between two polls, in seconds; a young job is polled more often. With
        ``backoff``, it is the first pause. Default: 30.
    :param backoff: Factor, 1 or more, by which the pause grows after each poll. Default: it grows with the job's age.
    :param longest_interval: Longest pause with ``backoff``, in seconds. Default: no limit.
    :param deadline: When to give up, in Unix seconds. Default: never.
    :param poll_tolerance: Seconds for which polls may fail before the waiting gives up. Default: 900.
    :param may_be_missing: Whether a job that does not exist yet is waited for, too. Default: false.
    :param stream_logs: Whether the logs of its pods or nodes are copied to the task's log. Default: false.
    :param floor: Shortest pause between two polls, in seconds. Default: :data:`POLL_FLOOR`.
    :param identity: What is known of the job besides its id; another job with that id is not waited for. Default: any
        job with the id is accepted.
    :param doubts_lists: Whether the job itself is read before an end that a list shows is believed. Default: false.
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
        """Shortest pause between two polls, in seconds."""
        return POLL_FLOOR if self.floor is None else self.floor

    def pause(self, looks: int, now: float) -> float:
        """Return the seconds from one poll to the next, without the jitter.

        :param looks: Number of polls so far.
        :param now: The time, in Unix seconds.
        """
        if self.backoff is None:
            wanted = min(STRETCH * (now - self.since), self.poll_interval / (1 + JITTER))
        else:
            wanted = min(self.poll_interval * self.backoff ** min(looks - 1, 64), self.longest_interval or math.inf)
        return max(self.shortest_pause, wanted)

    def pace(self, now: float) -> float:
        """Return the seconds from one poll to the next for a job whose pause does not depend on the number of polls."""
        return self.pause(1, now)

    def is_other(self, state: JobState) -> bool:
        """Whether the state is that of another job with the same id."""
        return self.identity is not None and self.identity.judge(state.raw_facts) is Verdict.OTHER

    def max_age(self, looks: int, now: float) -> float:
        """Return how old a list may be, in seconds, that is used for the next poll."""
        return FRESHNESS * self.pause(looks, now)

    def head_start(self, now: float, jitter: Callable[[], float] = random.random) -> float:
        """Return a random number of seconds until the first poll, so that many new triggers do not poll at once.

        :param now: The time, in Unix seconds.
        :param jitter: Returns a number from 0 to 1.
        """
        seconds = jitter() * min(self.pause(1, now), LONGEST_HEAD_START)
        return seconds if self.deadline is None else min(seconds, max(self.deadline - now, 0.0))

    def left(self, now: float) -> float | None:
        """Return the time limit of an errand, in seconds; ``None`` for none."""
        return None if self.deadline is None else max(self.deadline + LAST_ANSWERS - now, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Step: poll the job after a pause. The reply is a :class:`JobState`, or a :class:`RemoteJobError`.

    :param seconds: The pause, in seconds.
    :param max_age: How old the list may be, in seconds, from which the reply is taken; 0 to read the job itself.
    :param status: The last status, if only another status is of interest until ``calm_until``. Until then, polls that
        show the same status need not be replied to. Default: each poll is replied to.
    :param calm_until: In Unix seconds.
    :param deadline: When the job is read at the latest, in Unix seconds. Default: there is no such time.
    """

    seconds: float = 0.0
    max_age: float = 0.0
    status: Status | None = None
    calm_until: float = -math.inf
    deadline: float | None = None

    def longest_pause(self, now: float) -> float | None:
        """Return the seconds until the job is read at the latest; ``None`` for no limit."""
        return None if self.deadline is None else max(self.deadline - now, 0.0)

    def left(self, now: float, pause: float = 0.0) -> float | None:
        """Return the time limit of the step, in seconds, including the pause; ``None`` for none.

        :param pause: The pause, in seconds.
        """
        return None if self.deadline is None else max(self.deadline + LAST_ANSWERS - now, pause + LAST_LOOK)


class Outcome(StrEnum):
    """Why the waiting ended."""

    ENDED = "ended"
    DEADLINE = "deadline"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Waited:
    """The result of the waiting.

    :param state: The last known state; ``None`` if no poll succeeded. If the job has not ended, it is the status only.
    :param error: The error of the last poll, if ``outcome`` is ``UNREADABLE``.
    """

    outcome: Outcome
    state: JobState | None = None
    error: RemoteJobError | None = None


Step: TypeAlias = Look | Ask | Fetch | Redact | LoadOffsets | SaveOffsets | WriteLines
"""A step that :func:`follow` yields. The reply to an :class:`Ask`, a :class:`Fetch` or a :class:`Redact` is its result
or a :class:`RemoteJobError`."""
Waiting: TypeAlias = Generator[Step, Any, Waited]


def follow(
    watch: Watch,
    log: Log,
    *,
    clock: Callable[[], float] = time.time,
    jitter: Callable[[], float] = random.random,
) -> Waiting:
    """Wait for a job to end, as a generator of steps.

    A failed poll does not mean a failed job: it is repeated, with growing pauses, until polls have failed for
    ``watch.poll_tolerance``. An unknown status counts as in progress.

    :param clock: Returns the time in Unix seconds.
    :param jitter: Returns a number from 0 to 1.
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
                # A list may be wrong, so the job itself is read.
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
        # The pause counts from when the list was read, not from now, so that an end is seen at most one pause late.
        wanted = max(pause * (1 + JITTER * jitter()) - max(age, 0.0), 0.0)
        if watch.deadline is not None:
            if now >= watch.deadline:
                return Waited(Outcome.DEADLINE, state)
            # The errands have taken time as well, so the clock is read again.
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

    :param look: Reads the job. Returns its state, or the error.
    :param perform: Carries out an errand; raises a :class:`RemoteJobError` if it fails. Default: there are no errands,
        so the log shows only the job's status.
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
        # Offsets are not saved: no other process continues this waiting.


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

    :param look: Carries out a :class:`Look`, including its pause.
    :param perform: As for :func:`wait`; also loads and saves offsets of logs and writes lines.
    """
    waiting, reply = follow(watch, log, clock=clock, jitter=jitter), None
    while True:
        try:
            step = waiting.send(reply)
        except StopIteration as end:
            return cast(Waited, end.value)
        reply = None
        try:
            # The deadline holds whatever the platform does.
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
    """Return the error of an errand as a :class:`RemoteJobError`, which does not end the waiting."""
    if isinstance(error, RemoteJobError):
        return error
    if isinstance(error, TimeoutError):
        return too_late()
    return RemoteJobError(f"The errand failed with {type(error).__name__}.")


_NOT_PERFORMED = RemoteJobError("Nobody is there to ask.")
