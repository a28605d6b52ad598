"""Waiting for trainings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_provider_aihub.sensors.base import JobSensor


class TrainingSensor(JobSensor):
    """Wait for a training to succeed. Returns ``{"id", "status"}``.

    :param training_id: Id of the training.

    The remaining parameters are those of :class:`~airflow_provider_aihub.sensors.base.JobSensor`.
    """

    kind = "training"
    job_field = "training_id"
    template_fields: Sequence[str] = (*JobSensor.template_fields, "training_id")

    def __init__(self, *, training_id: int | str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.training_id = training_id
