"""Waiting for workflow runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_provider_aihub.sensors.base import JobSensor


class WorkflowRunSensor(JobSensor):
    """Wait for a workflow run to succeed. Returns ``{"id", "status"}``.

    :param workflow_run_id: Id of the run.

    The remaining parameters are those of :class:`~airflow_provider_aihub.sensors.base.JobSensor`.
    """

    kind = "workflow_run"
    job_field = "workflow_run_id"
    template_fields: Sequence[str] = (*JobSensor.template_fields, "workflow_run_id")

    def __init__(self, *, workflow_run_id: int | str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.workflow_run_id = workflow_run_id
