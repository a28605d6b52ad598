"""Quota tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from airflow_provider_aihub.operators.cluster_job import ClusterJobOperator

if TYPE_CHECKING:
    from airflow_provider_aihub.aihub.quota_schedule import QuotaTaskSpec
    from airflow_provider_aihub.http.request import Request
    from airflow_provider_aihub.jobs.kind import JobState
    from airflow_provider_aihub.tasks.job_state import Marker


class QuotaTaskOperator(ClusterJobOperator):
    """Run a quota task, a job that the quota scheduler starts when its turn has come, and wait for its end.

    Returns what :class:`~airflow_provider_aihub.operators.training.TrainingOperator` does, and ``mtp_id``, the id of
    the training behind it.

    :param priority: ``"low"`` (1, default) or ``"high"`` (2).
    :param enable_reschedule: Whether it may be scheduled again. Newer platforms only.

    The remaining parameters are those of :class:`~airflow_provider_aihub.operators.cluster_job.ClusterJobOperator` and
    :class:`~airflow_provider_aihub.operators.base.JobOperator`.
    """

    kind = "quota_task"
    template_fields: Sequence[str] = (*ClusterJobOperator.template_fields, "priority", "enable_reschedule")

    def __init__(
        self,
        *,
        priority: str | int | None = None,
        enable_reschedule: bool | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.priority = priority
        self.enable_reschedule = enable_reschedule

    def create_request(self, marker: Marker) -> Request[int]:
        """Check the parameters and find ids for names."""
        from airflow_provider_aihub.aihub.quota_schedule import QuotaTaskSpec, create_quota_task
        from airflow_provider_aihub.aihub.tag_system import ModuleType

        spec = self.job_spec(
            QuotaTaskSpec,
            # The document knows clusters for trainings and for workflows; newer platforms have some for quota tasks.
            [ModuleType.TRAINING, ModuleType.QUOTA],
            marker,
            priority=self.priority,
            enable_reschedule=self.enable_reschedule,
        )
        return create_quota_task(cast("QuotaTaskSpec", spec))

    def result(self, state: JobState) -> dict[str, Any]:
        """Return what a training gives, and the id of the training behind the task."""
        return {**super().result(state), "mtp_id": state.answer.mtp_id}
