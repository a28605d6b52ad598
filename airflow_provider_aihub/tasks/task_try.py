"""What one try of a task holds: its job on the platform, and the record that Airflow keeps of it. No I/O."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from airflow_provider_aihub.http.errors import AuthError, NotFoundError, ParameterError, RemoteJobError
from airflow_provider_aihub.http.request import Request
from airflow_provider_aihub.jobs.errors import JobStopped
from airflow_provider_aihub.jobs.identity import Identity, Verdict
from airflow_provider_aihub.jobs.kind import JobId, JobKind, JobState
from airflow_provider_aihub.jobs.stopping import SendWithRetries, stop
from airflow_provider_aihub.jobs.tolerance import TRANSIENT, Tolerance
from airflow_provider_aihub.jobs.waiting import Ask, Log
from airflow_provider_aihub.tasks import job_state
from airflow_provider_aihub.tasks.job_state import Entry, Tries
from airflow_provider_aihub.tasks.steps import Call, Do, Forget, Load, Logins, Refused, Save, ServerTime, Sleep, Steps

if TYPE_CHECKING:
    from airflow_provider_aihub.tasks.job_operator import RemoteJobOperator

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait for what the platform may show late.

    :param settled: Seconds after a create call began. By then its job is there, or there will be none: the platform may
        work on the call for a minute, and its lists may be late.
    :param shown: Seconds after the platform answered a create call. By then its lists and reads know the job.
    :param first_pause: Seconds from one look to the next, doubled each time.
    :param longest_pause: Bound on that, in seconds.
    """

    settled: float = 120.0
    shown: float = 60.0
    first_pause: float = 1.0
    longest_pause: float = 10.0


PATIENCE: Final = Patience()
HIDDEN: Final = 5.0
"""Seconds for which the platform may say that an old job does not exist, before that is believed."""
LAST_CHECK_TIMEOUT: Final = 0.5
"""Seconds to wait, at a deadline, until the platform shows whether the job is over."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job of this task on the platform.

    :param id: What its creation gave.
    :param entry: What is remembered of it.
    :param reference: What it is read by, where that is known.
    :param seen: How many logins there had been when this try created it, or saw that it is this task's. ``None`` for
        neither.
    """

    id: JobId
    entry: Entry
    reference: JobId | None = None
    seen: int | None = None

    @property
    def identity(self) -> Identity:
        """What tells it from other jobs of the same id."""
        entry = self.entry
        return Identity(
            marker=entry.marker,
            name=entry.name,
            user_id=entry.user_id,
            submitted_at=entry.since,
            opening=entry.opening,
        )


class TaskTry:
    """What one try of a task holds.

    :param operator: Says what is to be created, and what a good job gives.
    :param kept: Whether this Airflow keeps a record.
    :param clock: Gives Unix time in seconds.
    """

    def __init__(
        self, operator: RemoteJobOperator, tries: Tries, *, kept: bool, clock: Callable[[], float] = time.time
    ) -> None:
        self.operator = operator
        self.tries = tries
        self.kind: JobKind = operator.job_kind
        self.log: Log = operator.log
        self.kept = kept
        self.clock = clock
        self.patience = PATIENCE
        self.job: Job | None = None
        """The job that is to be stopped should the task end now."""
        self.creating: Entry | None = None
        """The intent of a create call whose id is not known yet."""
        self.unreadable: Refused | ValueError | None = None
        """Why the record that there is, or may be, could not be read."""
        self.answered: float | None = None
        """When the create call of this try was answered, in Unix seconds: it may have been long in the making."""
        self.killed = False
        self.stopped = False

    @property
    def cancels(self) -> bool:
        try:
            return self.operator.options.cancel_on_kill
        except ParameterError:
            return self.operator.cancel_on_kill is True

    @property
    def durable(self) -> bool:
        try:
            return self.operator.options.durable
        except ParameterError:
            return self.operator.durable is True

    def load(self) -> Steps[Entry | None]:
        """Return what an earlier try wrote down; from now on the job that it had is stopped with the task."""
        self.kept = self.kept and self.durable
        value = (yield Load()) if self.kept else None
        if value is None:
            return None
        if isinstance(value, Refused):
            self._note_unreadable(value, value.why)
            return None
        try:
            entry = Entry.read(value)
        except ValueError as error:
            self._note_unreadable(error, error)
            return None
        if entry.job_id is None:
            self.creating = None if entry.state == job_state.UNKNOWN else entry
        elif entry.state != job_state.DONE:
            self.job = Job(entry.job_id, entry)
        return entry

    def _note_unreadable(self, trouble: Refused | ValueError, why: Exception) -> None:
        self.unreadable = trouble
        self.log.warning("What an earlier try has written down of its job cannot be read: %s", why)

    def save(self, entry: Entry) -> Steps[Refused | None]:
        return (yield Save(entry)) if self.kept else None

    def move(self, job: Job, state: str) -> Steps[None]:
        """Write down what became of the job."""
        refused = yield from self.save(replace(job.entry.moved(state, self.tries), job_id=job.id))
        if refused:
            self.log.warning("Airflow did not take that %s is %s: %s", self.kind.called(job.id), state, refused.why)

    def forget(self) -> Steps[None]:
        if self.kept:
            yield Forget()

    def airflow_refused(self, refused: Refused, what: str) -> Steps[None]:
        """Go on although Airflow did not accept something, unless this worker's try is no longer the task's.

        A worker of such a try stops the job that it has created, since nobody else knows it, but no job that it has
        taken up, and nothing that the other try has, too.

        :raises JobStopped: The try is no longer the task's.
        """
        if not refused.superseded:
            self.log.warning("Airflow did not take %s: %s", what, refused.why)
            return
        job, self.job = self.job, None
        created = job is not None and job.entry.try_number == self.tries.try_number and not self.operator.shared
        if created:
            self.job = job
            yield from self.stop_for_good()
        done = "what this one had created was stopped" if created else "this one ends"
        raise JobStopped(
            f"Airflow has given this task to another try meanwhile, so {done}.",
            kind=self.kind.name,
            job_id=job.id if job else None,
        )

    def ask(self, request: Request[T]) -> Steps[T]:
        """Ask about a job that may be there already.

        :raises RemoteJobError: One of its kinds; also a refused login leaves the next try to find the job.
        """
        return (yield from self.retryable(Call(request)))

    def retryable(self, step: Call[T] | Do[T]) -> Steps[T]:
        """Do a step about a job that may be there already; a refused login leaves the next try to find the job."""
        try:
            answer: T = yield step
        except AuthError as refusal:
            refusal.final = False
            raise
        return answer

    def reference(self, job: Job) -> Steps[JobId]:
        if job.reference is not None:
            return job.reference
        return (yield from self.retryable(Do(lambda: self.operator.reference(job.id))))

    def read(self, job: Job) -> Steps[JobState]:
        reference = yield from self.reference(job)
        answer = yield from self.ask(self.kind.read(reference))
        return self.kind.state(reference, answer)

    def seen(self, job: Job) -> Steps[Job]:
        """Return a job of this task's that the platform has shown just now, or has just created."""
        return replace(job, seen=(yield Logins()))

    def judge(self, job: Job, state: JobState) -> Verdict:
        return job.identity.judge(state.facts) if job.entry.marker else Verdict.OWN

    def patiently(
        self, job: Job, ask: Callable[[], Steps[T]], tolerance: float | None = None, hidden: float | None = None
    ) -> Steps[T]:
        """Ask about an existing job. The platform may be away for a time, or may not know yet what it has just created.

        :param tolerance: Seconds for which the platform may be away. Default: ``poll_tolerance``.
        :param hidden: Seconds for which it may not know the job. Default: as long as the job's age lets that be.
        :raises RemoteJobError: The platform says no, or does not answer for too long.
        """
        failing = Tolerance(
            self.operator.options.poll_tolerance if tolerance is None else tolerance,
            hidden,
            first_pause=self.patience.first_pause,
            longest_pause=self.patience.longest_pause,
        )
        while True:
            try:
                return (yield from ask())
            except TRANSIENT as trouble:
                if failing.missing is None and isinstance(trouble, NotFoundError):
                    # It may just have been created, or be hidden for a moment.
                    failing.missing = yield from self.hidden_for(job)
                pause = failing.failed(trouble, self.clock())
                if pause is None:
                    raise
                self.log.warning("Asking again in %.0f s: %s", pause, trouble)
            yield Sleep(pause)

    def hidden_for(self, job: Job) -> Steps[float]:
        """Return for how many more seconds the platform may say that it does not know a job."""
        age = yield from self.age(job.entry)
        if self.answered is not None:
            since = max(self.clock() - self.answered, 0.0)
            age = since if age is None else min(age, since)
        return self.patience.shown if age is None else max(self.patience.shown - age, HIDDEN)

    def age(self, entry: Entry) -> Steps[float | None]:
        """Return how long ago an entry was written, in seconds by the platform's own clock: those of workers differ.

        ``None`` where the platform has not told what time it is.
        """
        server_time: float | None = yield ServerTime()
        if server_time is None or entry.server_time is None:
            return None
        # The platform's machines may have clocks of their own, too.
        return max(min(server_time - entry.server_time, self.clock() - entry.since), 0.0)

    def clock_offset(self) -> Steps[float]:
        """Return by how many seconds the platform's clock is ahead; 0 where that is not known."""
        server_time = yield ServerTime()
        return 0.0 if server_time is None else server_time - self.clock()

    def stop(
        self, job: Job, patience: float | None = None, check_timeout: float | None = None
    ) -> Steps[JobState | RemoteJobError | None]:
        """Ask the platform to stop a job, if it is this task's.

        Return the error where that failed, and what the platform shows of a job that is over already.

        :param patience: Seconds for which the platform may not know a job yet that it has just created. Default: as
            long as that may take.
        :param check_timeout: Seconds to wait until the platform shows whether a job that is known to be the task's is over.
            Default: there may be no time for that.
        """
        called = self.kind.called(job.id)
        if self.kind.stop is None:
            self.log.warning("%s cannot stop a %s; %s runs on", self.kind.platform, self.kind.noun, called)
            return None
        hidden = (yield from self.hidden_for(job)) if patience is None else patience
        job_id = job.id if job.reference is None else job.reference

        def judge(state: JobState) -> Verdict:
            return self.judge(job, state)

        if job.seen is None or job.seen != (yield Logins()):
            seen, check_timeout = False, None
        else:
            seen = check_timeout is None
        steps = stop(self.kind, job_id, self.log, judge=judge, seen=seen, check_timeout=check_timeout, hidden=hidden, clock=self.clock)
        reply: Any = None
        while True:
            try:
                step = steps.send(reply)
            except StopIteration as end:
                ended: JobState | None = end.value
                return ended
            except NotFoundError:
                self.log.info("%s is gone, so there is nothing to stop", called)
                return None
            except RemoteJobError as error:
                return error
            try:
                reply = yield self._wanted(step)
            except RemoteJobError as error:
                reply = error

    @staticmethod
    def _wanted(step: SendWithRetries | Sleep) -> Call[Any] | Ask | Sleep:
        if isinstance(step, Sleep):
            return step
        return Call(step.request) if step.timeout is None else Ask(step.request, timeout=step.timeout)

    def stop_for_good(self, patience: float | None = None) -> Steps[None]:
        """Stop the job of a task that will not be tried again. Errors are logged.

        :param patience: See :meth:`stop`.
        """
        if self.cancels and not self.stopped and self.job is not None:
            came = yield from self.stop(self.job, patience)
            self.stopped = not isinstance(came, RemoteJobError)
            if isinstance(came, RemoteJobError):
                self.may_be_running(came)

    def may_be_running(self, error: RemoteJobError) -> None:
        self.log.error("A %s may still be running on %s: %s", self.kind.noun, self.kind.platform, error)

    def go_on_unless_killed(self) -> None:
        """Do not go on with a job for a task that is being killed.

        :raises JobStopped: The task is.
        """
        if self.killed:
            raise JobStopped("The task was killed while its job was being created.", kind=self.kind.name)
