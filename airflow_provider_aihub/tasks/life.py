"""The life of a job in an Airflow task: submitting, taking up again, waiting, stopping, failing. No I/O.

:class:`Life` consists of generators that yield steps (see :mod:`~.steps`) and are sent their results, so that a worker
and a simulation, which ends the life at any step, run the same code.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_aihub.http.errors import (
    AuthError,
    BadAnswerError,
    NotFoundError,
    RemoteJobError,
    Unavailable,
    UnsupportedError,
)
from airflow_provider_aihub.jobs.errors import JobStopped, JobTimeout
from airflow_provider_aihub.jobs.identity import Identity, Verdict, other_job
from airflow_provider_aihub.jobs.kind import JobId, JobState, Phase
from airflow_provider_aihub.jobs.waiting import Ask, Fetch, Look, Outcome, Waited, Watch, follow
from airflow_provider_aihub.tasks import job_state
from airflow_provider_aihub.tasks.job_state import Entry
from airflow_provider_aihub.tasks.steps import Do, Push, Sleep, Steps, Wanted
from airflow_provider_aihub.tasks.submission import Submission
from airflow_provider_aihub.tasks.task_try import LAST_CHECK_TIMEOUT, Job, TaskTry

if TYPE_CHECKING:
    from airflow_provider_aihub.triggers.job import JobEvent


KILL_PATIENCE = 2.0
"""Seconds for which a killed task waits until the platform knows a job that was just created."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferral:
    """Result of a life: the task shall defer, and wait in the triggerer.

    :param reference: The id or name by which the job is read.
    :param since: When it was submitted, in Unix seconds.
    :param deadline: When the job is stopped, in Unix seconds; ``None`` for never.
    :param rounds: How often the task has resumed and deferred again.
    """

    reference: JobId
    since: float
    deadline: float | None
    rounds: int
    identity: Identity


class Life:
    """One try of a task, from reading its record to its result.

    :param task_try: The state of the try.
    :param jitter: Returns a number from 0 to 1.
    """

    def __init__(self, task_try: TaskTry, *, jitter: Callable[[], float] = random.random) -> None:
        self.task_try = task_try
        self.submission = Submission(task_try)
        self._jitter = jitter

    @property
    def may_have_a_job(self) -> bool:
        """Whether there is, or may be, a job to be stopped with the task."""
        task_try = self.task_try
        known = task_try.job is not None or task_try.creating is not None or task_try.operator.started_id is not None
        return known or not self.submission.earlier_tries_checked

    @property
    def _started_after_kill(self) -> bool:
        """Whether the code that a kill interrupted may have started something after the kill had stopped it."""
        return self.task_try.killed and self.task_try.operator.started_id is not None

    def begin(self) -> Steps[Any]:
        """Submit the job, or take up the one of an earlier try, and wait for its end.

        :return: The task's result, or a :class:`Deferral`.
        :raises RemoteJobError: One of its subclasses.
        """
        entry = yield from self.task_try.load()
        try:
            options = self.task_try.operator.options
            job, state = yield from self._job(entry)
        except RemoteJobError as error:
            started = self._started_after_kill
            self.task_try.stopped = self.task_try.stopped and not started
            if started or error.final or self.task_try.tries.last:
                # No retry will take it up.
                yield from self.kill()
            raise
        self.task_try.job, self.task_try.creating = job, None
        if self.task_try.killed:
            self.task_try.stopped = self.task_try.stopped and not self._started_after_kill
            yield from self.task_try.stop_for_good()
        self.task_try.go_on_unless_killed()
        self.task_try.operator.started_id = None
        refused = yield Push("job_id", job.id)
        if refused:
            yield from self.task_try.airflow_refused(refused, "the XCom 'job_id'")
        yield Do(lambda: self.task_try.operator.link(job.id))
        if not options.wait_for_completion or not self.task_try.kind.can_be_waited_for:
            self.task_try.job = None
            yield from self.task_try.move(job, job_state.DONE)
            return {"id": job.id}
        if state is not None and state.phase.terminal:
            return (yield from self._end(job, state, self._deadline(job.entry.since)))
        try:
            reference = yield from self.task_try.patiently(job, lambda: self.task_try.reference(job))
        except RemoteJobError as error:
            raise (yield from self._given_up(job, error)) from None
        job = self.task_try.job = replace(job, reference=reference)
        return (yield from self._wait(job, job.entry.since, self._deadline(job.entry.since)))

    def resume(self, event: JobEvent) -> Steps[Any]:
        """Continue after the trigger has fired.

        :return: The task's result, or a :class:`Deferral`.
        :raises RemoteJobError: One of its subclasses.
        """
        from airflow_provider_aihub.triggers.job import MOST_ROUNDS, error_of, is_of_earlier_try

        if is_of_earlier_try(event, self.task_try.tries):
            self.task_try.log.info("The task was cleared while it resumed, so it begins anew")
            return (yield from self.begin())
        job = yield from self._deferred_job(event)
        self.task_try.job, self.task_try.creating = job, None
        error = error_of(event, self.task_try.operator.platform.errors)
        if event["outcome"] == Outcome.DEADLINE:
            raise (yield from self._timed_out(job, error))
        if event["outcome"] != Outcome.ENDED:
            raise (yield from self._given_up(job, error))
        deadline, rounds = event["deadline"], event["rounds"] + 1
        try:
            state = yield from self.task_try.read(job)
        except (Unavailable, BadAnswerError, AuthError, NotFoundError) as trouble:
            if rounds > MOST_ROUNDS:
                raise (yield from self._given_up(job, trouble)) from None
            self.task_try.log.warning(
                "Waiting until %s can be asked how it ended: %s", self.task_try.kind.platform, trouble
            )
            # The trigger has seen that the job ended before the deadline.
            deadline = None
        else:
            if self.task_try.judge(job, state) is Verdict.OTHER:
                raise (yield from self._given_up(job, other_job(self.task_try.kind, job.id)))
            job = self.task_try.job = yield from self.task_try.seen(job)
            if state.phase.ends_waiting:
                return (yield from self._end(job, state, deadline))
            called, platform = self.task_try.kind.called(job.id), self.task_try.kind.platform
            if rounds > MOST_ROUNDS:
                contradiction = BadAnswerError(
                    f"{platform}'s list said {rounds} times that {called} had ended, and {platform} then said of the "
                    f"job itself that it {state.verb}; see whether {platform} is well."
                )
                raise (yield from self._given_up(job, contradiction))
            self.task_try.log.warning("%s %s again", called, state.verb)
        return (yield from self._wait(job, event["since"] or self.task_try.clock(), deadline, rounds))

    def _job(self, entry: Entry | None) -> Steps[tuple[Job, JobState | None]]:
        """Take up or create the job. Return it, and its state if it was taken up."""
        operator, marker = self.task_try.operator, self.task_try.tries.marker()
        request = yield Do(lambda: operator.create_request(marker))
        taken_up, state = yield from self.submission.take_up(entry)
        if taken_up is not None:
            return taken_up, state
        request = yield Do(lambda: operator.prepare_submission(request))
        self.task_try.go_on_unless_killed()
        return (yield from self.submission.create(request, marker)), None

    def kill(self, *, patience: float = 0.0) -> Steps[None]:
        """Stop the job, because the task is being killed; also a job that is just being created.

        This interrupts other code of the task, which may go on afterwards. It then stops what it has created.

        :param patience: Seconds for which a job that is just being created is looked for.
        """
        self.task_try.killed = True
        if not self.task_try.cancels or self.task_try.stopped:
            return
        end = self.task_try.clock() + patience
        try:
            if self.task_try.job is None and self.task_try.operator.started_id is not None:
                self.task_try.job = self.submission.started_job(self.task_try.operator.started_id)
            elif self.task_try.job is None and self.task_try.creating is not None:
                self.task_try.job = yield from self.submission.look_for(
                    self.task_try.creating, lambda: end - self.task_try.clock(), killing=True
                )
                if self.task_try.job is None:
                    self.task_try.log.warning(
                        "The task ends while %s may be creating its %s",
                        self.task_try.kind.platform,
                        self.task_try.kind.noun,
                    )
            elif self.task_try.job is None and not self.submission.earlier_tries_checked:
                self.task_try.job = yield from self.submission.unrecorded_job()
        except UnsupportedError:
            self.task_try.log.warning(
                "This %s cannot be asked whether there is a %s to stop",
                self.task_try.kind.platform,
                self.task_try.kind.noun,
            )
        except RemoteJobError as error:
            self.task_try.may_be_running(error)
        yield from self.task_try.stop_for_good(max(patience, KILL_PATIENCE))

    def _wait(self, job: Job, since: float, deadline: float | None, rounds: int = 0) -> Steps[Any]:
        """Wait for the job here and return the task's result; or return a :class:`Deferral`."""
        reference, options = job.id if job.reference is None else job.reference, self.task_try.operator.options
        if options.deferrable:
            if not (yield Wanted()):
                # Airflow would not take the deferral, and nobody would wait for the job.
                yield from self.task_try.stop_for_good()
                raise JobStopped(
                    "Somebody has marked or cleared the task, so it does not wait.",
                    kind=self.task_try.kind.name,
                    job_id=job.id,
                )
            return Deferral(reference=reference, since=since, deadline=deadline, rounds=rounds, identity=job.identity)
        watch = Watch(
            kind=self.task_try.kind,
            job_id=reference,
            since=since,
            poll_interval=options.poll_interval,
            poll_tolerance=options.poll_tolerance,
            deadline=deadline,
            stream_logs=options.stream_logs,
            identity=job.identity if job.entry.marker else None,
            doubts_lists=rounds > 0,
        )
        waited = yield from self._follow(watch)
        if waited.outcome is Outcome.DEADLINE:
            came = yield from self.task_try.stop(job, check_timeout=LAST_CHECK_TIMEOUT)
            if not (isinstance(came, JobState) and came.phase.ended_by_itself):
                raise (yield from self._timed_out(job, came if isinstance(came, RemoteJobError) else None))
            # The job had ended already.
            waited = Waited(Outcome.ENDED, came)
        if waited.outcome is Outcome.UNREADABLE or waited.state is None:
            raise (yield from self._given_up(job, waited.error))
        if self.task_try.judge(job, waited.state) is Verdict.OTHER:
            raise (yield from self._given_up(job, other_job(self.task_try.kind, job.id)))
        return (yield from self._end(job, waited.state, deadline))

    def _follow(self, watch: Watch) -> Steps[Waited]:
        waiting = follow(watch, self.task_try.log, clock=self.task_try.clock, jitter=self._jitter)
        reply = None
        while True:
            try:
                step = waiting.send(reply)
            except StopIteration as end:
                waited: Waited = end.value
                return waited
            if isinstance(step, Look):
                if step.seconds:
                    yield Sleep(step.seconds)
                step = Ask(self.task_try.kind.look(watch.job_id), timeout=step.left(self.task_try.clock()))
            elif isinstance(step, Ask | Fetch):
                step = replace(step, timeout=watch.left(self.task_try.clock()))
            reply = yield step

    def _deadline(self, since: float) -> float | None:
        """Return when the job is stopped, in Unix seconds: at the end of ``job_timeout`` or ``execution_timeout``.

        ``execution_timeout`` is included because Airflow 3 does not apply it in the triggerer.
        """
        deadlines, options = [], self.task_try.operator.options
        if options.job_timeout is not None:
            deadlines.append(since + options.job_timeout)
        if options.execution_timeout is not None:
            deadlines.append(self.task_try.clock() + options.execution_timeout)
        return min(deadlines, default=None)

    def _deferred_job(self, event: JobEvent) -> Steps[Job]:
        """Return the job for which the task has deferred."""
        reference = event["job_id"]
        identity = Identity.from_plain(event.get("identity") or {})
        known = Entry(
            state=job_state.SUBMITTED,
            marker=identity.marker or "",
            since=identity.submitted_at or event["since"] or self.task_try.clock(),
            max_tries=self.task_try.tries.max_tries,
            retries=self.task_try.tries.retries,
            try_number=self.task_try.tries.try_number,
            name=identity.name,
            user_id=identity.user_id,
            opening=identity.opening,
            job_id=reference,
        )
        # If the task is killed before its record is read, this job is stopped.
        self.task_try.job = Job(reference, known, reference=reference)
        entry = yield from self.task_try.load()
        if entry is None or (identity.marker and entry.marker != identity.marker):
            entry = known
        job_id = entry.job_id if entry.job_id is not None else reference
        # ``seen`` stays None: the trigger has judged the job, but this worker's login may lead to another platform.
        return Job(job_id, entry, reference=reference)

    def _end(self, job: Job, state: JobState, deadline: float | None) -> Steps[Any]:
        """Return the result of a job that succeeded, or raise its error; wait again if the operator lets it go on."""
        if (yield Do(lambda: self.task_try.operator.attend(state))):
            return (yield from self._wait(job, job.entry.since, deadline))
        self.task_try.job = None
        if state.phase is not Phase.SUCCEEDED:
            yield from self.task_try.forget()
            raise (yield Do(lambda: self.task_try.operator.failure(state)))
        result = yield Do(lambda: self.task_try.operator.success(state))
        yield from self.task_try.move(job, job_state.DONE)
        return result

    def _timed_out(self, job: Job, error: RemoteJobError | None) -> Steps[RemoteJobError]:
        """Return the error for a job that had not ended at its deadline and was asked to stop.

        :param error: Why stopping it failed; ``None`` if it did not fail.
        """
        self.task_try.job = None
        if not error:
            yield from self.task_try.forget()
        called, kind = self.task_try.kind.called(job.id), self.task_try.kind
        if error:
            stopped = f"and stopping it failed, so it may still be running: {error}"
        elif kind.stop is None:
            stopped = f"and {kind.platform} cannot stop a {kind.noun}, so it may still be running"
        else:
            stopped = f"and {kind.platform} was asked to stop it"
        return JobTimeout(
            f"{called} was not done at its deadline (job_timeout or execution_timeout), {stopped}.",
            kind=kind.name,
            job_id=job.id,
        )

    def _given_up(self, job: Job, error: RemoteJobError | None) -> Steps[RemoteJobError]:
        """Return the error to raise if the job cannot be read any longer. It goes on, and the next try takes it up."""
        self.task_try.job = None
        yield from self.task_try.move(job, job_state.LEFT)
        called = self.task_try.kind.called(job.id)
        self.task_try.log.error(
            "Gave up waiting for %s, which was left as it is; the next try takes it up again", called
        )
        error = error or RemoteJobError(f"The waiting for {called} ended without a word on why.")
        # Whatever is wrong, such as the login, may be right again at the next try.
        error.final = False
        return error
