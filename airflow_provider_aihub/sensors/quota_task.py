"""Waiting for quota tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_provider_aihub.sensors.base import JobSensor


class QuotaTaskSensor(JobSensor):
    """Wait for a quota task to succeed. Returns ``{"id", "status"}``.

    :param quota_task_id: Id of the quota task.

    The remaining parameters are those of :class:`~airflow_provider_aihub.sensors.base.JobSensor`.
    """

    kind = "quota_task"
    job_field = "quota_task_id"
    template_fields: Sequence[str] = (*JobSensor.template_fields, "quota_task_id")

    def __init__(self, *, quota_task_id: int | str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.quota_task_id = quota_task_id
