"""Waiting for label projects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_aihub.sensors.base import JobSensor

if TYPE_CHECKING:
    from airflow_provider_aihub.aihub.labelfree import LabelProject
    from airflow_provider_aihub.jobs.kind import JobKind, JobState


class LabelProjectSensor(JobSensor):
    """Wait until people have labelled a project and, if ``exported`` is true, until its labels are exported.

    Returns ``{"id", "status", "exported_dataset_name", "exports", "labels"}``: ``id`` is the project's name, since
    AIHub shows no id of it; then the dataset of the last export, the number of exports, and the number of labels. Newer
    platforms only.

    :param label_project: Name of the project. One that does not exist yet is waited for, too.
    :param exported: Whether its labels must have been exported as well, at least once. Default: false.

    The remaining parameters are those of :class:`~airflow_provider_aihub.sensors.base.JobSensor`.
    """

    kind = "label_project"
    job_field = "label_project"
    may_be_missing = True
    template_fields: Sequence[str] = (*JobSensor.template_fields, "label_project", "exported")

    def __init__(self, *, label_project: str, exported: bool | str = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.label_project = label_project
        self.exported = exported

    @property
    def job_kind(self) -> JobKind:
        """A project that is finished, or exported.

        :raises AIHubParameterError: ``exported`` is no boolean.
        """
        from airflow_provider_aihub.aihub.values import check_flag

        exported = check_flag("exported", self.exported)
        return self.platform.kinds["exported_label_project" if exported else self.kind]

    def result(self, state: JobState) -> dict[str, Any]:
        """Return the project's name and what came of it."""
        project: LabelProject = state.answer
        return {
            **super().result(state),
            "exported_dataset_name": project.exported_dataset_name,
            "exports": project.data_exported_count,
            "labels": project.global_stats.total_labels,
        }
