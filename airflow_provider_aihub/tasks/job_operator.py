"""The base of operators that submit a job, wait for it, and stop it with the task."""

from __future__ import annotations

import random
import time
from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from airflow.providers.common.compat.sdk import AirflowTaskTimeout, BaseOperator, conf

from airflow_provider_aihub.http.errors import RemoteJobError
from airflow_provider_aihub.jobs.best_effort import best_effort
from airflow_provider_aihub.jobs.tolerance import TRANSIENT, Tolerance
from airflow_provider_aihub.tasks.failures import task_failures
from airflow_provider_aihub.tasks.platform_task import PlatformTask

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_aihub.http.request import Request
    from airflow_provider_aihub.jobs.kind import JobId, JobState, ListRequest
    from airflow_provider_aihub.tasks.job_state import Marker
    from airflow_provider_aihub.tasks.life import Deferral, Life
    from airflow_provider_aihub.tasks.options import JobOptions
    from airflow_provider_aihub.tasks.steps import Steps
    from airflow_provider_aihub.triggers.job import JobEvent


T = TypeVar("T")


class RemoteJobOperator(PlatformTask, BaseOperator):
    """Submit a job to a platform and wait for its end.

    A subclass names its kind of job, builds the request that creates one, and says what a good one gives.

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
    :param multiple_outputs: Whether each part of the result is an XCom of its own, too, so that ``task.output["id"]``
        is the id. Default: true.

    Times are numbers of seconds or ``timedelta``. Numbers and booleans may also be given as text, as a template renders
    them. All of it is checked before anything is sent.
    """

    shared: ClassVar[bool] = False
    """Whether all tries use the same thing, such as a notebook. Then a try that was replaced does not stop it."""
    stream_logs: bool | str = False
    """Whether the logs of the job's pods or nodes are copied to the task's log; only some kinds offer it."""
    template_fields: Sequence[str] = (
        "wait_for_completion",
        "deferrable",
        "poll_interval",
        "poll_tolerance",
        "job_timeout",
        "cancel_on_kill",
        "durable",
        "on_ambiguous_submit",
    )

    def __init__(
        self,
        *,
        wait_for_completion: bool | str = True,
        deferrable: bool | str = conf.getboolean("operators", "default_deferrable", fallback=False),
        poll_interval: float | str | timedelta = 30.0,
        poll_tolerance: float | str | timedelta = 900.0,
        job_timeout: float | str | timedelta | None = None,
        cancel_on_kill: bool | str = True,
        durable: bool | str = True,
        on_ambiguous_submit: Literal["fail", "resubmit"] | str = "fail",
        multiple_outputs: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(multiple_outputs=multiple_outputs, **kwargs)
        self.wait_for_completion = wait_for_completion
        self.deferrable = deferrable
        self.poll_interval = poll_interval
        self.poll_tolerance = poll_tolerance
        self.job_timeout = job_timeout
        self.cancel_on_kill = cancel_on_kill
        self.durable = durable
        self.on_ambiguous_submit = on_ambiguous_submit
        self.started_id: JobId | None = None
        """Id of what :meth:`prepare_submission` starts, or an earlier try may have started; ``None`` for nothing. It is
        stopped when the task is killed, even before the task has a job."""
        self._life: Life | None = None
        self._ended: JobState | None = None
        self._result: dict[str, Any] | None = None
        self._context: Any = None

    # What a kind of job says of itself

    @abstractmethod
    def create_request(self, marker: Marker) -> Request[int]:
        """Check the parameters, find ids for names, and return the request that creates the job.

        :param marker: Must be added to the user's description, see :meth:`Marker.sign`, so that the job can be found.
        :raises ParameterError: A parameter is wrong.
        """

    def patiently(self, ask: Callable[[], T]) -> T:
        """Repeat a call about an existing job until the platform answers, for ``poll_tolerance`` at most.

        :raises RemoteJobError: The platform refuses it, or does not answer for too long.
        """
        failing, client = Tolerance(self.options.poll_tolerance, 0.0), self.hook.get_conn()
        while True:
            try:
                return ask()
            except TRANSIENT as trouble:
                pause = failing.failed(trouble, client.clock())
                if pause is None:
                    raise
                self.log.warning("Asking again in %.0f s: %s", pause, trouble)
            client.sleep(pause)

    def listing(self) -> ListRequest:
        """Return the function that lists the jobs among which a job of this task would be.

        :raises UnsupportedError: The platform does not list jobs of this kind.
        """
        return self.job_kind.listing()

    def attend(self, state: JobState) -> bool:  # noqa: ARG002 - for those that can
        """Act on a job that has ended, or is in phase ``HELD``. Return true if it goes on now, to wait for it again."""
        return False

    def jobs_without_list(self, since: float) -> Iterable[Any] | None:  # noqa: ARG002 - for those that can
        """Return the jobs among which a job of this task would be, on a platform that does not list jobs.

        :param since: Older jobs are not needed, in Unix seconds.
        :return: The decoded answer of reading each of them; ``None`` if there is no way to find them.
        """
        return None

    def go_on_unless_killed(self) -> None:
        """End this try if the task is being killed: before :meth:`prepare_submission` creates or starts anything.

        :raises JobStopped: The task is being killed.
        """
        assert self._life is not None, "it is made before anything is prepared"  # noqa: S101
        self._life.task_try.go_on_unless_killed()

    def prepare_submission(self, request: Request[int]) -> Request[int]:
        """Do what is needed only if a job is really created, such as an upload. Return the request that creates it.

        :param request: The request of :meth:`create_request`.
        """
        return request

    def reference(self, job_id: JobId) -> JobId:
        """Return the id or name by which the job is read. Default: the id.

        :param job_id: The id that the create call returned.
        :raises NotFoundError: The platform does not know the job, perhaps not yet.
        """
        return job_id

    def result(self, state: JobState) -> dict[str, Any]:
        """Return the task's return value for a job that succeeded: a small dict of JSON values."""
        return {"id": state.id, "status": str(state.phase)}

    def succeeded(self, context: Context, state: JobState) -> None:
        """Tell Airflow what a job that succeeded has produced, besides the return value, e.g. events of an asset."""

    # The life of a job

    @property
    def idempotent(self) -> bool:
        """Whether each try may do the same again, since what exists on the platform shows what is left to do.

        Then no job of an earlier try is looked for, and the request of :meth:`create_request` may be sent at any time.
        If that request only reads (GET), the operator itself logs what it does. Default: false.
        """
        return False

    @cached_property
    def options(self) -> JobOptions:
        """The parameters that all kinds share, checked.

        :raises ParameterError: One of them is wrong.
        """
        from airflow_provider_aihub.tasks.options import JobOptions

        return JobOptions.of(self)

    @property
    def job_name(self) -> str | None:
        """The job's name on the platform; ``None`` if it has none. Default: the parameter ``name``."""
        name = getattr(self, "name", None)
        return None if name is None else str(name)

    def execute(self, context: Context) -> Any:
        """Submit the job, or take up the one of an earlier try, and wait for its end.

        :raises RemoteJobError: One of its subclasses, see :mod:`airflow_provider_aihub.http.errors`.
        """
        return self._live(context, lambda life: life.begin())

    def execute_complete(self, context: Context, event: JobEvent) -> Any:
        """Continue after the trigger's waiting has ended.

        :param event: The event of :class:`~airflow_provider_aihub.triggers.job.JobTrigger`.
        """
        return self._live(context, lambda life: life.resume(event))

    def on_kill(self) -> None:
        """Stop the job, because the task is being killed in the worker.

        Airflow calls this in the middle of other code of the task, and kills the process a few seconds later. The
        interrupted code may hold the locks of the hook's client, so another client is used.
        """
        if self._life is None:
            return
        self._life.task_try.killed = True
        if self._life.may_have_a_job:
            from airflow_provider_aihub.tasks.worker import KILL_POLICY, KILL_TIMEOUT, Worker

            with self.hook.get_conn().with_timeout(KILL_TIMEOUT, KILL_POLICY) as client:
                Worker(lambda: client, self.platform.key, self._context, self.log).run(self._life.kill())

    def life(
        self, context: Context, *, clock: Callable[[], float] = time.time, jitter: Callable[[], float] = random.random
    ) -> Life:
        """Return the life of one try, whose generators a worker runs.

        :param clock: Returns Unix time in seconds.
        :param jitter: Returns a number from 0 to 1.
        """
        from airflow_provider_aihub.tasks.job_state import Tries
        from airflow_provider_aihub.tasks.life import Life
        from airflow_provider_aihub.tasks.task_try import TaskTry

        self._context, self.started_id = context, None
        kept = context.get("task_state_store") is not None
        self._life = Life(TaskTry(self, Tries.of(context), kept=kept, clock=clock), jitter=jitter)
        return self._life

    def _live(self, context: Context, part: Callable[[Life], Steps[Any]]) -> Any:
        from airflow_provider_aihub.tasks.life import Deferral
        from airflow_provider_aihub.tasks.worker import Worker

        life = self.life(context)
        worker = Worker(self.hook.get_conn, self.platform.key, context, self.log)
        with task_failures(self.platform.errors):
            try:
                came = worker.run(part(life))
            except RemoteJobError:
                raise
            except BaseException as end:
                # No later try would stop the job. There is time to look for one that is just being created.
                given_up = life.task_try.tries.last and isinstance(end, Exception)
                if given_up or life.task_try.killed or isinstance(end, AirflowTaskTimeout):
                    worker.run(life.kill(patience=life.task_try.patience.settled))
                raise
        if isinstance(came, Deferral):
            self._defer(came)
        self._result = came
        return came

    def _defer(self, deferral: Deferral) -> None:
        from airflow_provider_aihub.triggers.job import JobTrigger

        options = self.options
        if options.stream_logs and not deferral.rounds:
            from airflow_provider_aihub.triggers import log_offsets

            log_offsets.begin(self._context["ti"], self.platform.key, deferral.reference, self.log)
        self.defer(
            trigger=JobTrigger(
                kind=self.job_kind.key,
                since=deferral.since,
                poll_interval=options.poll_interval,
                poll_tolerance=options.poll_tolerance,
                deadline=deferral.deadline,
                rounds=deferral.rounds,
                identity=deferral.identity.plain() if deferral.identity.marker else None,
                cancel_on_kill=options.cancel_on_kill,
                stream_logs=options.stream_logs,
                **{self.conn_field: getattr(self, self.conn_field), "job_id": deferral.reference},
            ),
            method_name="execute_complete",
        )

    # What a life calls

    def link(self, job_id: JobId) -> None:
        """Link the task to the job's page."""
        self.link_to(self._context, job_id)

    def ended(self, state: JobState) -> None:
        """Log how the job ended."""
        from airflow_provider_aihub.jobs.failure_report import summary

        self._ended = state
        with best_effort(self.log, "a summary of its job"):
            self.log.info(summary(self.job_kind, state))

    def success(self, state: JobState) -> dict[str, Any]:
        """Report a job that succeeded, and return the task's return value."""
        self.ended(state)
        result = self._result = self.result(state)
        with best_effort(self.log, "telling Airflow what came of it"):
            self.succeeded(self._context, state)
        return result

    def failure(self, state: JobState) -> RemoteJobError:
        """Report a job that did not end well, and return the error to raise."""
        from airflow_provider_aihub.jobs.failure_report import failure

        self.ended(state)
        # If the logs were streamed, the task's log has their last lines already.
        return failure(self.hook.get_conn(), self.job_kind, state, None if self.options.stream_logs else self.log)
