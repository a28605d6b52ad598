"""Operators that stop something on AIHub, no matter who has started it."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_provider_aihub.aihub.errors import AIHubError
from airflow_provider_aihub.links import ViewInAIHubLink
from airflow_provider_aihub.operators.call import CallOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_aihub.jobs.kind import JobKind, JobState
    from airflow_provider_aihub.tasks.options import StopOptions


class StopOperator(CallOperator):
    """Stop a job, and wait until it is over.

    Returns ``{"id", "status"}``, where the status is ``"stopped"``, ``"succeeded"`` or ``"failed"``; without waiting it
    may also be ``"stopping"`` or still ``"running"``. A job that has already ended is left as it is. Without an id the
    task is skipped, so it can be a teardown or have ``trigger_rule="all_done"``.

    :param wait_for_completion: Whether the task waits until the job is over. Default: true.
    :param poll_interval: Longest pause between two looks at the job, in seconds. Default: 30.
    :param poll_tolerance: Seconds for which looks may fail before the waiting gives up. Default: 900.

    The remaining parameters are those of :class:`~airflow_provider_aihub.operators.call.CallOperator`.
    """

    template_fields: Sequence[str] = (
        *CallOperator.template_fields,
        "wait_for_completion",
        "poll_interval",
        "poll_tolerance",
    )
    operator_extra_links = (ViewInAIHubLink(),)
    ui_color = "#fbe3e0"
    may_begin: ClassVar[bool] = False
    """Whether a job that seems to have ended may just be starting, so that it is stopped as well."""

    def __init__(
        self,
        *,
        wait_for_completion: bool | str = True,
        poll_interval: float | str | timedelta = 30.0,
        poll_tolerance: float | str | timedelta = 900.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.wait_for_completion = wait_for_completion
        self.poll_interval = poll_interval
        self.poll_tolerance = poll_tolerance

    @property
    @abstractmethod
    def job_id(self) -> int | str | None:
        """Id of the job."""

    @property
    def job_field(self) -> str:
        """Name of the parameter with the job's id."""
        return f"{self.kind}_id"

    def call(self, context: Context) -> dict[str, Any]:
        """Stop the job unless it is over."""
        from airflow_provider_aihub.aihub.values import check_id
        from airflow_provider_aihub.http.values import is_nothing
        from airflow_provider_aihub.jobs.kind import Phase
        from airflow_provider_aihub.tasks.options import StopOptions

        options = StopOptions.of(self)
        kind = self.job_kind
        if self.job_id is None or is_nothing(self.job_id):
            raise AirflowSkipException(f"There is no {kind.noun} to stop, since {self.job_field} is empty.")
        job_id = check_id(self.job_field, self.job_id)
        state = self._read(kind, job_id)
        self.link_to(context, job_id)
        if state.phase.terminal and not self.may_begin:
            self.log.info("%s %s already", kind.called(job_id), state.verb)
        elif state.phase is not Phase.STOPPING:
            state = self._stop(kind, job_id)
        if options.wait_for_completion and not state.phase.terminal:
            state = self._wait(kind, job_id, options)
        return {"id": job_id, "status": str(state.phase)}

    def _read(self, kind: JobKind, job_id: int) -> JobState:
        return kind.state(job_id, self.hook.send(kind.read(job_id)))

    def _stop(self, kind: JobKind, job_id: int) -> JobState:
        from airflow_provider_aihub.jobs.stopping import SendWithRetries, stop

        steps, reply = stop(kind, job_id, self.log), None
        with suppress(StopIteration):
            while isinstance(step := steps.send(reply), SendWithRetries):
                try:
                    reply = self.hook.send(step.request)
                except AIHubError as error:
                    reply = error
        return self._read(kind, job_id)

    def _wait(self, kind: JobKind, job_id: int, options: StopOptions) -> JobState:
        from airflow_provider_aihub.jobs.waiting import Watch, wait

        watch = Watch(
            kind=kind,
            job_id=job_id,
            since=time.time(),
            poll_interval=options.poll_interval,
            poll_tolerance=options.poll_tolerance,
        )
        waited = wait(partial(self.look, job_id), watch, self.log)
        if waited.state is None or not waited.state.phase.terminal:
            raise waited.error or AIHubError(f"The waiting for {kind.called(job_id)} ended without a word on why.")
        return waited.state


class StopTrainingOperator(StopOperator):
    """Stop a training.

    :param training_id: Id of the training.

    What it returns, and the remaining parameters, are those of :class:`StopOperator`.
    """

    kind = "training"
    template_fields: Sequence[str] = (*StopOperator.template_fields, "training_id")

    def __init__(self, *, training_id: int | str | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.training_id = training_id

    @property
    def job_id(self) -> int | str | None:
        """Id of the training."""
        return self.training_id


class StopQuotaTaskOperator(StopOperator):
    """Stop a quota task.

    :param quota_task_id: Id of the quota task.

    What it returns, and the remaining parameters, are those of :class:`StopOperator`.
    """

    kind = "quota_task"
    template_fields: Sequence[str] = (*StopOperator.template_fields, "quota_task_id")

    def __init__(self, *, quota_task_id: int | str | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.quota_task_id = quota_task_id

    @property
    def job_id(self) -> int | str | None:
        """Id of the quota task."""
        return self.quota_task_id


class StopWorkflowRunOperator(StopOperator):
    """Stop a workflow run. Newer platforms only.

    :param workflow_run_id: Id of the workflow run.

    What it returns, and the remaining parameters, are those of :class:`StopOperator`.
    """

    kind = "workflow_run"
    template_fields: Sequence[str] = (*StopOperator.template_fields, "workflow_run_id")

    def __init__(self, *, workflow_run_id: int | str | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.workflow_run_id = workflow_run_id

    @property
    def job_id(self) -> int | str | None:
        """Id of the workflow run."""
        return self.workflow_run_id
