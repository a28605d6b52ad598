"""The life of a job on AIHub within an Airflow task: submitted once, waited for, stopped with the task, explained."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from airflow.providers.common.compat.sdk import BaseOperator, conf

from airflow_provider_aihub.api.errors import (
    AIHubAuthError,
    AIHubBadAnswerError,
    AIHubError,
    AIHubJobStopped,
    AIHubJobTimeout,
    AIHubUnavailable,
)
from airflow_provider_aihub.failures import task_failures
from airflow_provider_aihub.lineage import HasLineage
from airflow_provider_aihub.links import ViewInAIHubLink, link_to_page

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperatorLink, Context

    from airflow_provider_aihub.api.jobs import JobId, JobKind, JobState
    from airflow_provider_aihub.api.request import Request
    from airflow_provider_aihub.hooks.aihub import AIHubHook
    from airflow_provider_aihub.operators.options import JobOptions
    from airflow_provider_aihub.operators.record import Marker, Record
    from airflow_provider_aihub.operators.submission import Submission
    from airflow_provider_aihub.triggers.job import JobEvent


T = TypeVar("T")

PATIENCE = 10.0
"""Seconds before AIHub is asked again about a job that it has, while it does not answer."""


class JobOperator(HasLineage, BaseOperator):
    """Submit a job to AIHub and see it to its end.

    A subclass names its kind of job, builds the request that creates one, and says what a good one gives.

    :param aihub_conn_id: Connection of type ``aihub``. Default: ``aihub_default``.
    :param wait_for_completion: Whether the task waits for the job to end. Default: true.
    :param deferrable: Whether the waiting is done in the triggerer, without a worker slot. Default: Airflow's
        ``[operators] default_deferrable``.
    :param poll_interval: Longest pause between two polls, in seconds; a young job is polled more often. Default: 30.
    :param poll_tolerance: Seconds for which polls may fail before the waiting gives up; the job goes on and the next
        try takes it up. Default: 900.
    :param job_timeout: Time a job may take from its submission, in seconds or as ``timedelta``; then it is stopped and
        the task fails. Default: none.
    :param cancel_on_kill: Whether the job is stopped when the task is: marked, cleared or timed out. Default: true.
    :param durable: Whether a retry takes up the job that an earlier try left behind. Default: true.
    :param on_ambiguous_submit: What to do when a create call lost its answer and the job cannot be looked up:
        ``"fail"`` (default) for good, so that a person can check, or ``"resubmit"``.

    Times are numbers of seconds or ``timedelta``. Numbers and booleans may also be given as text, as a template renders
    them. All of it is checked before anything is sent to AIHub.
    """

    kind: ClassVar[str]
    """Key of the kind of job in :data:`~airflow_provider_aihub.api.jobs.KINDS`."""
    stream_logs: bool | str = False
    """Whether the logs of the job's pods or nodes are followed into the task's log; only some kinds offer it."""
    template_fields: Sequence[str] = (
        "aihub_conn_id",
        "wait_for_completion",
        "deferrable",
        "poll_interval",
        "poll_tolerance",
        "job_timeout",
        "cancel_on_kill",
        "durable",
        "on_ambiguous_submit",
    )
    operator_extra_links: Collection[BaseOperatorLink] = (ViewInAIHubLink(),)
    ui_color = "#d9e7ff"

    def __init__(
        self,
        *,
        aihub_conn_id: str = "aihub_default",
        wait_for_completion: bool | str = True,
        deferrable: bool | str = conf.getboolean("operators", "default_deferrable", fallback=False),
        poll_interval: float | str | timedelta = 30.0,
        poll_tolerance: float | str | timedelta = 900.0,
        job_timeout: float | str | timedelta | None = None,
        cancel_on_kill: bool | str = True,
        durable: bool | str = True,
        on_ambiguous_submit: Literal["fail", "resubmit"] | str = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.aihub_conn_id = aihub_conn_id
        self.wait_for_completion = wait_for_completion
        self.deferrable = deferrable
        self.poll_interval = poll_interval
        self.poll_tolerance = poll_tolerance
        self.job_timeout = job_timeout
        self.cancel_on_kill = cancel_on_kill
        self.durable = durable
        self.on_ambiguous_submit = on_ambiguous_submit
        self._running: JobId | None = None
        self._submission: Submission | None = None
        self._killed = False

    # What a kind of job says of itself

    @abstractmethod
    def create_request(self, marker: Marker) -> Request[int]:
        """Build the request that creates the job: check the parameters, find ids for names.

        :param marker: Signs the user's description, so that the job can be found again.
        :raises AIHubParameterError: A parameter is wrong.
        """

    def patiently(self, ask: Callable[[], T]) -> T:
        """Ask something of a job that is there until AIHub answers, for ``poll_tolerance`` at most.

        :raises AIHubError: AIHub says no, or does not answer for too long.
        """
        began = time.monotonic()
        while True:
            try:
                return ask()
            except (AIHubUnavailable, AIHubBadAnswerError) as trouble:
                if time.monotonic() - began >= self.options.poll_tolerance:
                    raise
                self.log.warning("Asking again in %d s: %s", PATIENCE, trouble)
            time.sleep(PATIENCE)

    def prepare_submission(self, request: Request[int]) -> Request[int]:
        """Do what must be done only if a job is really created, such as an upload; gives the request to send."""
        return request

    def reference(self, job_id: int) -> JobId:
        """Give what the job is read by, from the id that its creation gave."""
        return job_id

    def result(self, state: JobState) -> dict[str, Any]:
        """Give the task's return value for a job that succeeded: small, and JSON."""
        return {"id": state.answer.id, "status": str(state.phase)}

    def succeeded(self, context: Context, state: JobState) -> None:
        """Tell Airflow what came of a job that succeeded, besides the result; in the process that ends the task."""

    # The life of a job

    @cached_property
    def hook(self) -> AIHubHook:
        """The hook of this operator's connection."""
        from airflow_provider_aihub.hooks.aihub import AIHubHook

        return AIHubHook(self.aihub_conn_id)

    @cached_property
    def options(self) -> JobOptions:
        """The parameters that all kinds share, checked.

        :raises AIHubParameterError: One of them is wrong.
        """
        from airflow_provider_aihub.operators.options import JobOptions

        return JobOptions.of(self)

    @property
    def job_kind(self) -> JobKind:
        """The kind of job."""
        from airflow_provider_aihub.api.jobs import KINDS

        return KINDS[self.kind]

    def execute(self, context: Context) -> Any:
        """Submit the job, or take up the one an earlier try left behind, and see it to its end.

        :raises AIHubError: In one of its kinds, see :mod:`airflow_provider_aihub.api.errors`.
        """
        from airflow_provider_aihub.operators.record import Marker, Record

        with task_failures():
            options = self.options
            marker = Marker.of(context)
            request = self.create_request(marker)
            record = Record(context, durable=self.options.durable)
            submission = self._submit(record, marker)
            job = submission.take_up()
            if job is None:
                request = self.prepare_submission(request)
                self._end_if_killed()
                self._submission = submission
                job = submission.create(request)
            self._running, self._submission = job.id, None
            self._end_if_killed()
            context["ti"].xcom_push(key="job_id", value=job.id)
            link_to_page(context, self.hook, self.kind, job.id, self.log)
            if not options.wait_for_completion or not self.job_kind.statuses:
                self._running = None
                record.move("done")
                self._result = {"id": job.id}
                return self._result
            reference = self.reference(job.id)
            if options.deferrable and options.stream_logs:
                from airflow_provider_aihub.triggers import offsets

                offsets.begin(context["ti"], reference)
            return self._wait(context, reference, record, job.since, self._deadline(job.since))

    def execute_complete(self, context: Context, event: JobEvent) -> Any:
        """Go on where the trigger saw the waiting end.

        :param event: What :class:`~airflow_provider_aihub.triggers.job.JobTrigger` told.
        """
        from airflow_provider_aihub.client.waiting import Outcome
        from airflow_provider_aihub.operators.record import Record
        from airflow_provider_aihub.triggers.job import MOST_ROUNDS, error_of

        with task_failures():
            reference = self._running = event["job_id"]
            record = Record(context, durable=self.options.durable)
            error = error_of(event)
            if event["outcome"] == Outcome.ENDED:
                deadline, rounds = event["deadline"], event["rounds"]
                try:
                    state = self.job_kind.state(reference, self.hook.send(self.job_kind.read(reference)))
                except (AIHubUnavailable, AIHubBadAnswerError, AIHubAuthError) as trouble:
                    if rounds >= MOST_ROUNDS:
                        raise self._given_up(reference, trouble, record) from None
                    self.log.warning("Waiting until AIHub can be asked how it ended: %s", trouble)
                    # It has ended in time, as the trigger saw.
                    deadline, rounds = None, rounds + 1
                else:
                    if state.phase.terminal:
                        return self._end(context, state, record)
                    self.log.warning("%s %s again", self.job_kind.called(reference), state.phase.verb)
                return self._wait(context, reference, record, event["since"], deadline, rounds)
            if event["outcome"] == Outcome.DEADLINE:
                raise self._timed_out(reference, error, record)
            raise self._given_up(reference, error, record)

    def on_kill(self) -> None:
        """Stop the job, because the task is being ended in the worker.

        Airflow calls this in the middle of whatever the task does, lets that go on, and kills the worker's process a
        few seconds later.
        """
        self._killed = True
        job = self._running or self._submission
        if job is not None and self.options.cancel_on_kill:
            from airflow_provider_aihub.operators.killing import stop_in_haste

            stop_in_haste(self.hook, self.job_kind, job, self.log)

    def _end_if_killed(self) -> None:
        """Do not go on with a job for a task that is being killed."""
        if self._killed:
            if self._running is not None:
                self.on_kill()
            raise AIHubJobStopped("The task was killed while its job was being created.", kind=self.kind)

    def _submit(self, record: Record, marker: Marker) -> Submission:
        from airflow_provider_aihub.operators.submission import Submission

        return Submission(
            hook=self.hook,
            kind=self.job_kind,
            record=record,
            marker=marker,
            name=None if (name := getattr(self, "name", None)) is None else str(name),
            reference=self.reference,
            resubmit=self.options.resubmit,
            stop_cleared=self.options.cancel_on_kill,
            log=self.log,
        )

    def _deadline(self, since: float) -> float | None:
        """Give the moment, in Unix seconds, at which the job is stopped: of ``job_timeout`` or ``execution_timeout``.

        Airflow 3 does not count the time in the triggerer towards ``execution_timeout``, so the trigger does.
        """
        deadlines, options = [], self.options
        if options.job_timeout is not None:
            deadlines.append(since + options.job_timeout)
        if options.execution_timeout is not None:
            deadlines.append(time.time() + options.execution_timeout)
        return min(deadlines, default=None)

    def _wait(
        self,
        context: Context,
        reference: JobId,
        record: Record,
        since: float | None,
        deadline: float | None,
        rounds: int = 0,
    ) -> Any:
        """Wait in the triggerer, or here."""
        since = time.time() if since is None else since
        options = self.options
        if options.deferrable:
            from airflow_provider_aihub.triggers.job import JobTrigger

            self.defer(
                trigger=JobTrigger(
                    aihub_conn_id=self.aihub_conn_id,
                    kind=self.kind,
                    job_id=reference,
                    since=since,
                    poll_interval=options.poll_interval,
                    poll_tolerance=options.poll_tolerance,
                    deadline=deadline,
                    rounds=rounds,
                    cancel_on_kill=options.cancel_on_kill,
                    stream_logs=options.stream_logs,
                ),
                method_name="execute_complete",
            )
        from airflow_provider_aihub.client.waiting import Outcome, Watch, wait

        self._running = reference
        watch = Watch(
            kind=self.job_kind,
            job_id=reference,
            since=since,
            poll_interval=options.poll_interval,
            poll_tolerance=options.poll_tolerance,
            deadline=deadline,
            stream_logs=options.stream_logs,
        )
        look = partial(self.hook.look, self.job_kind, reference)
        waited = wait(look, watch, self.log, perform=self.hook.get_conn().perform)
        if waited.outcome is Outcome.DEADLINE:
            raise self._timed_out(reference, self._stop(reference), record)
        if waited.outcome is Outcome.UNREADABLE or waited.state is None:
            raise self._given_up(reference, waited.error, record)
        return self._end(context, waited.state, record)

    def _end(self, context: Context, state: JobState, record: Record) -> Any:
        """Return the result of a job that succeeded, or raise what became of it."""
        from airflow_provider_aihub.api.jobs import Phase
        from airflow_provider_aihub.operators.diagnosis import failure, summary

        self._running, self._ended = None, state
        self.log.info(summary(self.job_kind, state))
        if state.phase is Phase.SUCCEEDED:
            result = self._result = self.result(state)
            self.succeeded(context, state)
            record.move("done")
            return result
        record.forget()
        # What was streamed stands in the log already.
        raise failure(self.hook, self.job_kind, state, None if self.options.stream_logs else self.log)

    def _timed_out(self, reference: JobId, error: AIHubError | None, record: Record) -> AIHubError:
        """Give the error for a job that was not done at its deadline, and was asked to stop."""
        self._running = None
        if not error:
            record.forget()
        called, kind = self.job_kind.called(reference), self.job_kind
        if error:
            stopped = f"and stopping it failed, so it may still be running: {error}"
        elif kind.stop is None:
            stopped = f"and AIHub cannot stop a {kind.noun}, so it may still be running"
        else:
            stopped = "and AIHub was asked to stop it"
        return AIHubJobTimeout(
            f"{called} was not done at its deadline (job_timeout or execution_timeout), {stopped}.",
            kind=kind.name,
            job_id=reference,
        )

    def _given_up(self, reference: JobId, error: AIHubError | None, record: Record) -> AIHubError:
        """Give the error for a job that could not be read for too long; it goes on, and the next try takes it up."""
        self._running = None
        record.move("left")
        called = self.job_kind.called(reference)
        self.log.error("Gave up waiting for %s, which was left as it is; the next try takes it up again", called)
        error = error or AIHubError(f"The waiting for {called} ended without a word on why.")
        # Whatever is wrong now, such as the login, may be mended by the time of the next try.
        error.final = False
        return error

    def _stop(self, reference: JobId) -> AIHubError | None:
        """Ask AIHub to stop the job; give the error where that failed."""
        kind = self.job_kind
        if kind.stop is None:
            self.log.warning("AIHub cannot stop a %s; %s runs on", kind.noun, kind.called(reference))
            return None
        try:
            self.hook.send(kind.stop(reference))
        except AIHubError as error:
            return error
        self.log.info("Asked AIHub to stop %s", kind.called(reference))
        return None
