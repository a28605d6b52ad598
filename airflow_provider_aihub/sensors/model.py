"""Waiting for models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_aihub.sensors.base import JobSensor

if TYPE_CHECKING:
    from airflow_provider_aihub.aihub.model_center import ModelRecord
    from airflow_provider_aihub.jobs.kind import JobState


class ModelSensor(JobSensor):
    """Wait for a model to be ready. Returns ``{"id", "status", "name", "count", "size"}``. Newer platforms only.

    :param model: Name of the model, or its id. Digits are read as an id. A model that does not exist yet is waited for,
        too.

    The remaining parameters are those of :class:`~airflow_provider_aihub.sensors.base.JobSensor`.
    """

    kind = "model"
    job_field = "model"
    may_be_missing = True
    template_fields: Sequence[str] = (*JobSensor.template_fields, "model")

    def __init__(self, *, model: int | str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model = model

    def result(self, state: JobState) -> dict[str, Any]:
        """Return the model's id, name and size."""
        record: ModelRecord = state.answer
        return {
            **super().result(state),
            "name": record.name,
            "count": record.object_cnt,
            "size": record.data_size,
        }
