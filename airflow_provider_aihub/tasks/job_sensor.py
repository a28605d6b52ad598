"""The base of sensors, which wait for a job that somebody else has started."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    PokeReturnValue,
    XComArg,
    conf,
)
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS, AIRFLOW_V_3_3_PLUS

from airflow_provider_aihub.http.errors import ParameterError
from airflow_provider_aihub.jobs.best_effort import best_effort
from airflow_provider_aihub.jobs.time_limit import with_time_limit
from airflow_provider_aihub.tasks.failures import task_failures
from airflow_provider_aihub.tasks.platform_task import PlatformTask

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from airflow.triggers.base import StartTriggerArgs

    from airflow_provider_aihub.jobs.kind import JobId, JobState
    from airflow_provider_aihub.jobs.tolerance import Tolerance
    from airflow_provider_aihub.tasks.options import SensorOptions
    from airflow_provider_aihub.triggers.job import JobEvent


class _StartTriggerArgs:
    """``start_trigger_args``: with them, the scheduler starts a sensor in the triggerer.

    For the class it is ``None``, since Airflow uses that of the class for a mapped task, and the class does not know
    the job.
    """

    def __get__(self, sensor: RemoteJobSensor | None, owner: type[RemoteJobSensor]) -> StartTriggerArgs | None:
        return None if sensor is None else sensor._start_in_triggerer()


class RemoteJobSensor(PlatformTask, BaseSensorOperator):
    """Wait for a job on a platform to succeed.

    The sensor succeeds when the job has succeeded, and fails at once and for good when the job has failed or was
    stopped. It never stops the job. A failed poll does not mean a failed job: it is repeated for ``poll_tolerance``, in
    mode ``reschedule`` until ``timeout``.

    :param deferrable: Whether the waiting is done in the triggerer, whatever the ``mode``. Default: Airflow's
        ``[operators] default_deferrable``.
    :param start_from_trigger: Whether the waiting starts in the triggerer, without any worker: on Airflow 2.11 if no
        field is templated, on Airflow 3.3 unless a template pulls an XCom without ``map_indexes``. On other versions,
        and for a mapped task, it starts in a worker. Default: false.
    :param poll_tolerance: Seconds for which polls may fail before the waiting gives up. Default: 900.
    :param poke_interval: Pause between two looks, in seconds. Default: 60.
    :param timeout: Time that the job may take from the first look on, in seconds. Default: Airflow's ``[sensors]
        default_timeout``, 7 days.
    :param exponential_backoff: Whether the pauses grow. Default: false.
    :param max_wait: Longest of the growing pauses, in seconds. Default: none.
    :param soft_fail: Whether the task is skipped when it would fail. Default: false.
    :param multiple_outputs: Whether each part of the result is an XCom of its own, too, so that ``task.output["id"]``
        is the id. Default: true.

    These mean what they mean for every sensor of Airflow, deferred or not. In the triggerer, a job is polled at most
    every 2 seconds. Times may also be a ``timedelta``; numbers and booleans may also be given as text, as a template
    renders them. All of it is checked before the first request.
    """

    job_field: ClassVar[str]
    """Name of the parameter with the id or name of the job."""
    may_be_missing: ClassVar[bool] = False
    """Whether a job that does not exist yet is waited for, too."""
    template_fields: Sequence[str] = (
        "deferrable",
        "poll_tolerance",
        "poke_interval",
        "timeout",
        "exponential_backoff",
        "max_wait",
        "soft_fail",
    )
    start_trigger_args = _StartTriggerArgs()
    _clock = staticmethod(time.time)
    _monotonic = staticmethod(time.monotonic)
    _with_time_limit = staticmethod(with_time_limit)
    # What may be a template until a task runs.
    poke_interval: Any
    timeout: Any
    exponential_backoff: Any
    max_wait: Any
    soft_fail: Any

    def __init__(
        self,
        *,
        deferrable: bool | str = conf.getboolean("operators", "default_deferrable", fallback=False),
        start_from_trigger: bool = False,
        poll_tolerance: float | str | timedelta = 900.0,
        poke_interval: float | str | timedelta = 60.0,
        timeout: float | str | timedelta = conf.getfloat("sensors", "default_timeout"),  # noqa: B008 - a number
        exponential_backoff: bool | float | str = False,
        max_wait: float | str | timedelta | None = None,
        soft_fail: bool | str = False,
        multiple_outputs: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(multiple_outputs=multiple_outputs, **kwargs)
        self.deferrable = deferrable
        self.poll_tolerance = poll_tolerance
        # Airflow's own constructor takes no template for these.
        self.poke_interval = poke_interval
        self.timeout = timeout
        self.exponential_backoff = exponential_backoff
        self.max_wait = max_wait
        self.soft_fail = soft_fail
        self.start_from_trigger = start_from_trigger
        self._until: float | None = None
        self._linked = False

    def result(self, state: JobState) -> dict[str, Any]:
        """Return the task's return value for a job that succeeded: a small dict of JSON values."""
        return {"id": state.id, "status": str(state.phase)}

    def succeeded(self, context: Context, state: JobState) -> None:
        """Tell Airflow what a job that succeeded has produced, besides the return value."""

    @cached_property
    def options(self) -> SensorOptions:
        """The parameters that all sensors share, checked. Airflow's own ones are set on the sensor for Airflow.

        :raises ParameterError: One of them is wrong.
        """
        from airflow_provider_aihub.tasks.options import SensorOptions

        options = SensorOptions.of(self)
        self.poke_interval, self.timeout = options.poke_interval, options.timeout
        self.exponential_backoff = options.exponential_backoff > 1 and options.exponential_backoff
        self.max_wait = None if options.max_wait is None else timedelta(seconds=options.max_wait)
        self.soft_fail, self.never_fail = options.soft_fail, options.never_fail
        self.silent_fail = options.silent_fail
        return options

    @cached_property
    def _tolerance(self) -> Tolerance:
        from airflow_provider_aihub.jobs.tolerance import Tolerance

        return Tolerance(self.options.poll_tolerance, missing=0.0)

    def poke(self, context: Context) -> PokeReturnValue:
        """Look at the job once.

        :raises RemoteJobError: The job ended badly, or the platform will never answer.
        """
        from airflow_provider_aihub.http.errors import RemoteJobError, UnsupportedError
        from airflow_provider_aihub.jobs.waiting import LAST_ANSWERS, LAST_LOOK

        with task_failures(self.platform.errors):
            reference = self._reference()
            left = None if self._until is None else max(self._until + LAST_ANSWERS - self._monotonic(), LAST_LOOK)
            try:
                seen = self._with_time_limit(partial(self.look, reference), left)
            except RemoteJobError as late:
                seen = late
            if not isinstance(seen, RemoteJobError):
                self._tolerance.answered()
                return self._judge(context, seen)
            if self.may_be_missing and self.job_kind.missing(seen):
                self.log.info("%s does not exist yet: %s", self.job_kind.called(reference), seen)
                return PokeReturnValue(is_done=False)
            # Only at first: later the same answer may come from a gateway in trouble.
            nothing_seen_yet = not self._linked and not context.get("task_reschedule_count")
            if nothing_seen_yet and isinstance(seen, UnsupportedError):
                raise seen
            if seen.final or self._tolerance.failed(seen, self._monotonic()) is None:
                raise seen
            self.log.warning("Could not read %s: %s", self.job_kind.called(reference), seen)
            return PokeReturnValue(is_done=False)

    def execute(self, context: Context) -> Any:
        """Wait in the triggerer, or in place.

        :raises RemoteJobError: The job ended badly, or could not be read for too long.
        """
        with task_failures(self.platform.errors):
            options = self.options
        self._until = self._monotonic() + options.timeout
        if not options.deferrable:
            return super().execute(context)
        with self._skipping():
            done = self.poke(context)
        return done.xcom_value if done else self._defer()

    def execute_complete(self, context: Context, event: JobEvent) -> Any:
        """Continue after the trigger's waiting has ended.

        :param event: The event of :class:`~airflow_provider_aihub.triggers.job.JobTrigger`.
        """
        from airflow_provider_aihub.http.errors import AuthError, BadAnswerError, Unavailable
        from airflow_provider_aihub.jobs.waiting import Outcome
        from airflow_provider_aihub.triggers.job import MOST_ROUNDS, error_of, is_of_earlier_try

        if is_of_earlier_try(event, context["ti"]):
            self.log.info("The sensor was cleared while it resumed, so it begins anew")
            return self.execute(context)
        reference, deadline, rounds = event["job_id"], event["deadline"], event["rounds"]
        with task_failures(self.platform.errors):
            options = self.options
        with self._skipping(), task_failures(self.platform.errors):
            if event["outcome"] == Outcome.DEADLINE:
                raise AirflowSensorTimeout(
                    f"{self.job_kind.called(reference)} had not ended after the sensor's timeout of "
                    f"{options.timeout:g} s."
                )
            error = error_of(event, self.platform.errors)
            if error:
                raise error
            try:
                state = self.hook.get_conn().send(self.job_kind.look(reference))
            except (Unavailable, BadAnswerError, AuthError) as trouble:
                # The triggerer has just read the job, so the trouble here may be temporary.
                trouble.final = False
                if rounds >= MOST_ROUNDS:
                    raise
                self.log.warning("Waiting until %s can be asked how it ended: %s", self.platform.name, trouble)
                deadline, rounds = None, rounds + 1
            else:
                done = self._judge(context, state, resumed=True)
                if done:
                    return done.xcom_value
                # If a list has said that the job had ended, the next trigger does not believe it.
                rounds = max(rounds, 1)
        return self._defer(deadline, rounds)

    def _defer(self, deadline: float | None = None, rounds: int = 0) -> Any:
        from airflow_provider_aihub.triggers.job import JobTrigger

        now = self._clock()
        # There is none if the scheduler started the trigger, or if the job ended before the deadline.
        deadline = now + self.options.timeout if deadline is None else deadline
        trigger = JobTrigger(**self._trigger_arguments(), since=now, deadline=deadline, rounds=rounds)
        return self.defer(trigger=trigger, method_name="execute_complete")

    def _trigger_arguments(self) -> dict[str, Any]:
        options = self.options
        arguments = {
            self.conn_field: getattr(self, self.conn_field),
            "kind": self.job_kind.key,
            self.job_field: self._reference(),
            "poll_interval": options.poke_interval,
            "backoff": options.exponential_backoff,
            "poll_tolerance": options.poll_tolerance,
            "owner": False,
        }
        if options.max_wait is not None:
            arguments["longest_interval"] = options.max_wait
        if self.may_be_missing:
            arguments["may_be_missing"] = True
        return arguments

    def _start_in_triggerer(self) -> StartTriggerArgs | None:
        # Airflow asks after the constructor of each base class, too, when not all attributes are set yet.
        is_complete = all(hasattr(self, name) for name in self.template_fields)
        if not is_complete or not getattr(self, "start_from_trigger", False):
            return None
        try:
            arguments = self._trigger_arguments()
        except ParameterError:
            # A template that only a worker renders, or a mistake that the worker will report.
            self.log.info("How the task waits is not known yet; it starts in a worker")
            return None
        # The output of another task counts as a template, too.
        arguments |= {name: str(value) for name, value in arguments.items() if isinstance(value, XComArg)}
        templated = any(isinstance(value, str) and "{" in value for value in arguments.values())
        if AIRFLOW_V_3_0_PLUS and not AIRFLOW_V_3_3_PLUS:
            self.log.info("Airflow before 3.3 cannot start a task in the triggerer; it starts in a worker")
            return None
        if templated and not AIRFLOW_V_3_3_PLUS:
            self.log.info("Airflow before 3.3 renders no templates in the triggerer; the task starts in a worker")
            return None
        texts = [str(value) for value in arguments.values()]
        if any("xcom_pull" in text and "map_indexes" not in text for text in texts):
            # The triggerer of Airflow 3.3 never gets an answer to such a pull, and the trigger would wait for ever.
            self.log.info("xcom_pull works in the triggerer with map_indexes only; the task starts in a worker")
            return None
        from airflow.triggers.base import StartTriggerArgs

        return StartTriggerArgs(
            trigger_cls="airflow_provider_aihub.triggers.job.JobTrigger",
            trigger_kwargs=arguments,
            next_method="execute_complete",
            timeout=timedelta(seconds=self.options.timeout),
        )

    @contextmanager
    def _skipping(self) -> Iterator[None]:
        """Do what ``soft_fail`` and ``never_fail`` promise, as Airflow does for a sensor that waits in place."""
        try:
            yield
        except (AirflowFailException, AirflowSensorTimeout) as error:
            if not (self.soft_fail or self.never_fail):
                raise
            reason = "soft_fail" if self.soft_fail else "never_fail"
            raise AirflowSkipException(f"Skipped because of {reason}: {error}") from None

    def _judge(self, context: Context, state: JobState, *, resumed: bool = False) -> PokeReturnValue:
        from airflow_provider_aihub.jobs.failure_report import failure, summary
        from airflow_provider_aihub.jobs.kind import Phase

        if not self._linked:
            self.link_to(context, state.id, resumed=resumed)
            self._linked = True
        if not state.phase.terminal:
            self.log.info("%s %s", self.job_kind.called(state.job_id), state.verb)
            return PokeReturnValue(is_done=False)
        with best_effort(self.log, "a summary of its job"):
            self.log.info(summary(self.job_kind, state))
        if state.phase is Phase.SUCCEEDED:
            result = self.result(state)
            with best_effort(self.log, "telling Airflow what came of it"):
                self.succeeded(context, state)
            return PokeReturnValue(is_done=True, xcom_value=result)
        error = failure(self.hook.get_conn(), self.job_kind, state)
        # A sensor cannot start the job again, so another try would find the same.
        error.final = True
        raise error

    def _reference(self) -> JobId:
        reference: JobId = getattr(self, self.job_field)
        return reference
