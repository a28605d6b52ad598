"""The state of one try of a task: its job on the platform, and the record of it in Airflow. No I/O."""

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
    """How long to look for a job that the platform may show late.

    :param settled: Seconds from the beginning of a create call until it is certain that a job which is not shown does
        not exist: the platform may work on the call for a minute, and its lists may be late.
    :param shown: The same from the answer to a create call.
    :param first_pause: Seconds from the first look to the second; doubled each time.
    :param longest_pause: Maximum of that pause, in seconds.
    """

    settled: float = 120.0
    shown: float = 60.0
    first_pause: float = 1.0
    longest_pause: float = 10.0


PATIENCE: Final = Patience()
HIDDEN: Final = 5.0
"""Seconds for which the platform may answer that an old job does not exist before that is believed."""
LAST_CHECK_TIMEOUT: Final = 0.5
"""Seconds that reading the job may take at the deadline, before it is stopped."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job of this task on the platform.

    :param id: The id that the create call returned.
    :param entry: Its record.
    :param reference: The id or name by which it is read; ``None`` if not known yet.
    :param seen: Number of the login with which this try has created it, or has read it and judged it to be this
        task's; ``None`` if it has done neither.
    """

    id: JobId
    entry: Entry
    reference: JobId | None = None
    seen: int | None = None

    @property
    def identity(self) -> Identity:
        """What distinguishes it from other jobs with the same id."""
        entry = self.entry
        return Identity(
            marker=entry.marker,
            name=entry.name,
            user_id=entry.user_id,
            # The clocks of workers may be wrong.
            submitted_at=entry.since if entry.server_time is None else entry.server_time,
            opening=entry.opening,
        )


class TaskTry:
    """The state of one try of a task, and the generators that change it (see :mod:`~.steps`).

    :param operator: The operator of the task.
    :param tries: Which try this is.
    :param kept: Whether this Airflow can keep a record (from 3.3 on).
    :param clock: Returns Unix time in seconds.
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
        """The job that is stopped if the task is killed now."""
        self.creating: Entry | None = None
        """The record of a create call that has not returned an id yet."""
        self.unreadable: Refused | ValueError | None = None
        """Why the record could not be read; ``None`` if it could, or if there is none."""
        self.answered: float | None = None
        """When the create call of this try was answered, in Unix seconds: the answer may have taken long."""
        self.killed = False
        """Whether the task is being killed."""
        self.stopped = False
        """Whether its job has been asked to stop."""

    @property
    def cancels(self) -> bool:
        """``cancel_on_kill``, even if other parameters are wrong."""
        try:
            return self.operator.options.cancel_on_kill
        except ParameterError:
            return self.operator.cancel_on_kill is True

    @property
    def durable(self) -> bool:
        """``durable``, even if other parameters are wrong."""
        try:
            return self.operator.options.durable
        except ParameterError:
            return self.operator.durable is True

    def load(self) -> Steps[Entry | None]:
        """Return the record of an earlier try. From now on, the job in it is stopped if the task is killed."""
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
        """Save the job's record in a new state, one of :mod:`~.job_state`."""
        refused = yield from self.save(replace(job.entry.moved(state, self.tries), job_id=job.id))
        if refused:
            self.log.warning("Airflow did not take that %s is %s: %s", self.kind.called(job.id), state, refused.why)

    def forget(self) -> Steps[None]:
        if self.kept:
            yield Forget()

    def airflow_refused(self, refused: Refused, what: str) -> Steps[None]:
        """Log that Airflow did not accept something; or end this try if Airflow has started another one meanwhile.

        Then the job is stopped if this try has created it, since no other try knows it. A job that was taken up, or
        that all tries share, is left to the other try.

        :param what: What Airflow did not accept, for the log.
        :raises JobStopped: Airflow has started another try.
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
        """Send a request about a job that may exist already.

        :raises RemoteJobError: One of its subclasses. A refused login is not final: the next try shall find the job.
        """
        return (yield from self.retryable(Call(request)))

    def retryable(self, step: Call[T] | Do[T]) -> Steps[T]:
        """Do a step about a job that may exist already. A refused login is not final: the next try shall find it."""
        try:
            answer: T = yield step
        except AuthError as refusal:
            refusal.final = False
            raise
        return answer

    def reference(self, job: Job) -> Steps[JobId]:
        """Return the id or name by which the job is read."""
        if job.reference is not None:
            return job.reference
        return (yield from self.retryable(Do(lambda: self.operator.reference(job.id))))

    def read(self, job: Job) -> Steps[JobState]:
        reference = yield from self.reference(job)
        answer = yield from self.ask(self.kind.read(reference))
        return self.kind.state(reference, answer)

    def seen(self, job: Job) -> Steps[Job]:
        """Return the job with the number of the current login: with it, the job has just been created or judged."""
        return replace(job, seen=(yield Logins()))

    def judge(self, job: Job, state: JobState) -> Verdict:
        return job.identity.judge(state.facts) if job.entry.marker else Verdict.OWN

    def patiently(
        self, job: Job, ask: Callable[[], Steps[T]], tolerance: float | None = None, hidden: float | None = None
    ) -> Steps[T]:
        """Repeat a request about an existing job as long as the platform is unavailable or may not know the job yet.

        :param ask: Returns the generator that sends it.
        :param tolerance: Seconds for which the platform may be unavailable. Default: ``poll_tolerance``.
        :param hidden: Seconds for which it may not know the job. Default: :meth:`hidden_for`.
        :raises RemoteJobError: The platform refuses the request, or one of these times is over.
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
                    # The job may be new, or a list may lag for a moment.
                    failing.missing = yield from self.hidden_for(job)
                pause = failing.failed(trouble, self.clock())
                if pause is None:
                    raise
                self.log.warning("Asking again in %.0f s: %s", pause, trouble)
            yield Sleep(pause)

    def hidden_for(self, job: Job) -> Steps[float]:
        """Return for how many more seconds the platform may not know the job."""
        age = yield from self.age(job.entry)
        if self.answered is not None:
            since = max(self.clock() - self.answered, 0.0)
            age = since if age is None else min(age, since)
        return self.patience.shown if age is None else max(self.patience.shown - age, HIDDEN)

    def age(self, entry: Entry) -> Steps[float | None]:
        """Return the age of a record in seconds; ``None`` if the platform's time is unknown.

        It is measured by the platform's clock, since the clocks of workers differ.
        """
        server_time: float | None = yield ServerTime()
        if server_time is None or entry.server_time is None:
            return None
        # The clocks of the platform's machines may differ as well.
        return max(min(server_time - entry.server_time, self.clock() - entry.since), 0.0)

    def clock_offset(self) -> Steps[float]:
        """Return by how many seconds the platform's clock is ahead of the worker's; 0 if unknown."""
        server_time = yield ServerTime()
        return 0.0 if server_time is None else server_time - self.clock()

    def stop(
        self, job: Job, patience: float | None = None, check_timeout: float | None = None
    ) -> Steps[JobState | RemoteJobError | None]:
        """Ask the platform to stop a job, if it is this task's.

        :param patience: Seconds for which the platform may not know the job yet. Default: :meth:`hidden_for`.
        :param check_timeout: Seconds that reading the job may take before the stop, if it is known to be the task's
            own. Default: such a job is not read before, since there may be no time for that.
        :return: The error if stopping failed; the state of a job that is over already; else ``None``.
        """
        called = self.kind.called(job.id)
        if self.kind.stop is None:
            self.log.warning("%s cannot stop a %s; %s runs on", self.kind.platform, self.kind.noun, called)
            return None
        hidden = (yield from self.hidden_for(job)) if patience is None else patience
        job_id = job.id if job.reference is None else job.reference

        def judge(state: JobState) -> Verdict:
            return self.judge(job, state)

        # Only with the login that has judged the job may it be stopped without being read again.
        is_judged = job.seen is not None and job.seen == (yield Logins())
        seen = is_judged and check_timeout is None
        check_timeout = check_timeout if is_judged else None
        steps = stop(
            self.kind,
            job_id,
            self.log,
            judge=judge,
            seen=seen,
            check_timeout=check_timeout,
            hidden=hidden,
            clock=self.clock,
        )
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
        """Stop the job, if ``cancel_on_kill`` is true, for a task of which no try will take it up. Errors are logged.

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
        """End this try if the task is being killed.

        :raises JobStopped: The task is being killed.
        """
        if self.killed:
            raise JobStopped("The task was killed while its job was being created.", kind=self.kind.name)
