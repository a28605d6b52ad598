"""Waiting for quotas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_aihub.sensors.base import JobSensor

if TYPE_CHECKING:
    from airflow_provider_aihub.aihub.quota_schedule import QuotaLeft
    from airflow_provider_aihub.jobs.kind import JobId, JobState


class QuotaSensor(JobSensor):
    """Wait until a group has enough GPUs left in its quota on a virtual cluster.

    Returns ``{"id", "status", "left", "used", "total"}``, numbers of GPUs. Newer platforms only.

    It is the quota for quota tasks of high priority: AIHub shows its size and how much of it is used. AIHub does not
    show how many GPUs of a virtual cluster are free, so no sensor can wait for that. Nothing is reserved: when a task
    asks for the GPUs, others may have taken them.

    :param virtual_cluster: Name or id of the virtual cluster.
    :param group: Name or id of the group.
    :param gpus: How many GPUs must be left at least. Default: 1.

    The remaining parameters are those of :class:`~airflow_provider_aihub.sensors.base.JobSensor`.
    """

    kind = "quota"
    job_field = "quota"
    template_fields: Sequence[str] = (*JobSensor.template_fields, "virtual_cluster", "group", "gpus")

    def __init__(self, *, virtual_cluster: int | str, group: int | str, gpus: int | str = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.virtual_cluster = virtual_cluster
        self.group = group
        self.gpus = gpus

    def result(self, state: JobState) -> dict[str, Any]:
        """Return how much of the quota is left."""
        quota: QuotaLeft = state.answer
        return {**super().result(state), "left": quota.left, "used": quota.used, "total": quota.total}

    def _reference(self) -> JobId:
        from airflow_provider_aihub.aihub.quota_schedule import quota_id
        from airflow_provider_aihub.aihub.values import check_id, check_text

        # A template that is not rendered yet is neither.
        name = r"(?s)(?!.*\{\{).*\S.*"
        cluster = check_text("virtual_cluster", self.virtual_cluster, name, "a name or an id")
        group = check_text("group", self.group, name, "a name or an id")
        return quota_id(cluster, group, check_id("gpus", self.gpus))
