"""Trainings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

from airflow_provider_aihub.operators.cluster_job import ClusterJobOperator

if TYPE_CHECKING:
    from airflow_provider_aihub.aihub.model_training import TrainingSpec
    from airflow_provider_aihub.http.request import Request
    from airflow_provider_aihub.tasks.job_state import Marker


class TrainingOperator(ClusterJobOperator):
    """Run a training and wait for its end.

    Returns ``{"id", "name", "status", "created_at", "started_at", "finished_at", "avg_gpu_util"}``, the times in Unix
    milliseconds.

    :param is_vip: Whether it runs before others. Default: false.
    :param preempt_policy: What a VIP training does with running ones of low priority: ``"wait"`` (1, default) or
        ``"kill"`` (2).
    :param vip_node_names: Nodes reserved for a VIP training.
    :param is_quota_schedule: Whether the quota scheduler runs it. Newer platforms only.

    The remaining parameters are those of :class:`~airflow_provider_aihub.operators.cluster_job.ClusterJobOperator` and
    :class:`~airflow_provider_aihub.operators.base.JobOperator`.
    """

    kind = "training"
    template_fields: Sequence[str] = (
        *ClusterJobOperator.template_fields,
        "is_vip",
        "preempt_policy",
        "vip_node_names",
        "is_quota_schedule",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **ClusterJobOperator.template_fields_renderers,
        "vip_node_names": "json",
    }

    def __init__(
        self,
        *,
        is_vip: bool | str | None = None,
        preempt_policy: str | int | None = None,
        vip_node_names: Sequence[str] | None = None,
        is_quota_schedule: bool | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.is_vip = is_vip
        self.preempt_policy = preempt_policy
        self.vip_node_names = vip_node_names
        self.is_quota_schedule = is_quota_schedule

    def create_request(self, marker: Marker) -> Request[int]:
        """Check the parameters and find ids for names."""
        from airflow_provider_aihub.aihub.model_training import TrainingSpec, create_training
        from airflow_provider_aihub.aihub.tag_system import ModuleType

        spec = self.job_spec(
            TrainingSpec,
            [ModuleType.TRAINING],
            marker,
            is_vip=self.is_vip,
            preempt_policy=self.preempt_policy,
            vip_node_names=self.vip_node_names,
            is_quota_schedule=self.is_quota_schedule,
        )
        return create_training(cast("TrainingSpec", spec))
