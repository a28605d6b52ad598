"""Waiting for dataset versions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_aihub.sensors.base import JobSensor

if TYPE_CHECKING:
    from airflow_provider_aihub.aihub.dataset_management import DatasetVersion
    from airflow_provider_aihub.jobs.kind import JobState


class DatasetVersionSensor(JobSensor):
    """Wait for a dataset version to succeed. Returns ``{"id", "status", "version", "data_count", "data_size"}``.

    :param dataset_version: Name of the version, such as ``mnist/V1``; or its id, on newer platforms. A version that
        does not exist yet is waited for, too.

    The remaining parameters are those of :class:`~airflow_provider_aihub.sensors.base.JobSensor`.
    """

    kind = "dataset_version"
    job_field = "dataset_version"
    may_be_missing = True
    template_fields: Sequence[str] = (*JobSensor.template_fields, "dataset_version")

    def __init__(self, *, dataset_version: int | str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dataset_version = dataset_version

    def result(self, state: JobState) -> dict[str, Any]:
        """Return the version's id, number and size."""
        version: DatasetVersion = state.answer
        return {
            **super().result(state),
            "version": version.version,
            "data_count": version.data_count,
            "data_size": version.data_size,
        }
