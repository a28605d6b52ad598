"""Dataset versions."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_aihub.api.errors import (
    AIHubNotFoundError,
    AIHubParameterError,
    AIHubRejectedError,
    AIHubUnsupportedError,
)
from airflow_provider_aihub.operators.base import JobOperator

if TYPE_CHECKING:
    from airflow_provider_aihub.api.dataset_management import DatasetVersion
    from airflow_provider_aihub.api.jobs import JobId, JobState
    from airflow_provider_aihub.api.request import Request
    from airflow_provider_aihub.operators.record import Marker

LOOKS = (0.0, 1.0, 2.0, 4.0)
"""Seconds before each look for a version that was just created."""


class DatasetVersionOperator(JobOperator):
    """Create a version of a dataset from data that AIHub can reach, and wait until it is built.

    Returns ``{"id", "version", "dataset_version", "dataset_id", "data_count", "data_size", "parquet_index_path"}``,
    where ``dataset_version`` is the version's name such as ``mnist/V3``.

    :param dataset: Name or id of the dataset, which must exist. Digits are taken for an id.
    :param upload_path: Where the data lies. Its meaning depends on ``upload_type``.
    :param upload_type: ``"zip"`` a zip file (1), ``"s3"`` a directory in S3 (2) or ``"host"`` a directory on the host
        (3); newer platforms: ``"local"`` (1), ``"server"`` (3), ``"labelfree"`` (4), ``"ingest"`` (5),
        ``"huggingface"`` (7).
    :param description: Free text.
    :param parent_version_id: Id of the version that this one builds on.
    :param dataset_name: Name of the dataset, where ``dataset`` is an id and AIHub has only the document's API, which
        reads a version by name alone.

    The remaining parameters are those of :class:`~airflow_provider_aihub.operators.base.JobOperator`. AIHub has no
    call to stop the building of a version, so it is left to its end when the task is killed.
    """

    kind = "dataset_version"
    template_fields: Sequence[str] = (
        *JobOperator.template_fields,
        "dataset",
        "upload_path",
        "upload_type",
        "description",
        "parent_version_id",
        "dataset_name",
    )

    def __init__(
        self,
        *,
        dataset: str | int,
        upload_path: str,
        upload_type: str | int,
        description: str | None = None,
        parent_version_id: int | str | None = None,
        dataset_name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.dataset = dataset
        self.upload_path = upload_path
        self.upload_type = upload_type
        self.description = description
        self.parent_version_id = parent_version_id
        self.dataset_name = dataset_name

    def create_request(self, marker: Marker) -> Request[int]:
        """Check the parameters and find the dataset."""
        from airflow_provider_aihub.api.dataset_management import DatasetVersionSpec, create_dataset_version
        from airflow_provider_aihub.operators.names import dataset_id, known_id

        spec = DatasetVersionSpec.build(
            dataset_id=known_id("dataset", self.dataset) or 1,
            upload_path=self.upload_path,
            upload_type=self.upload_type,
            description=marker.sign(self.description),
            parent_version_id=self.parent_version_id,
        )
        if self.wait_for_completion:
            self._check_name()
        return create_dataset_version(spec.model_copy(update={"dataset_id": dataset_id(self.hook, self.dataset)}))

    def reference(self, job_id: int) -> JobId:
        """Give the version's id, or its name on an AIHub that reads it by name alone."""
        try:
            self.hook.get_dataset_version(job_id)
        except AIHubUnsupportedError:
            return self._found_by_name(job_id)
        return job_id

    def result(self, state: JobState) -> dict[str, Any]:
        """Give the version's id, number, name and size."""
        version: DatasetVersion = state.answer
        name = self._name() or self.hook.get_dataset(version.dataset_id).name
        return {
            "id": version.id,
            "version": version.version,
            "dataset_version": f"{name}/V{version.version}",
            "dataset_id": version.dataset_id,
            "data_count": version.data_count,
            "data_size": version.data_size,
            "parquet_index_path": version.parquet_index_path,
        }

    def _name(self) -> str | None:
        """Give the dataset's name, as far as the parameters say it."""
        from airflow_provider_aihub.operators.names import known_id

        return self.dataset_name or (str(self.dataset) if known_id("dataset", self.dataset) is None else None)

    def _check_name(self) -> None:
        """Make sure, before anything is created, that the new version can be read."""
        if self._name():
            return
        try:
            self.hook.get_dataset(self.dataset)
        except AIHubUnsupportedError:
            raise AIHubParameterError(
                f"dataset is the id {self.dataset}, but this AIHub reads a version by its name alone; give the "
                "dataset's name as dataset or as dataset_name."
            ) from None

    def _found_by_name(self, version_id: int) -> str:
        from airflow_provider_aihub.client.dataset_versions import find_version

        name = self._name()

        def read(number: int) -> DatasetVersion | None:
            try:
                return self.hook.get_dataset_version_by_name(f"{name}/V{number}")
            except AIHubRejectedError:
                return None

        for pause in LOOKS:
            time.sleep(pause)
            found = find_version(read, version_id)
            if found:
                return f"{name}/V{found.version}"
        raise AIHubNotFoundError(
            f"AIHub created version {version_id} of dataset {self.dataset!r}, but has none of that id among the "
            f"versions {name}/V<n>; check that the dataset's name is {name!r}."
        )
