"""Waiting for searches of the data warehouse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_aihub.links import ResultCsvLink, ViewInAIHubLink, link_to_result
from airflow_provider_aihub.sensors.base import JobSensor

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_aihub.jobs.kind import JobState


class WarehouseSearchSensor(JobSensor):
    """Wait for a search of the data warehouse to succeed. Returns ``{"id", "status", "result_url"}``.

    :param search_id: Id of the search.

    The remaining parameters are those of :class:`~airflow_provider_aihub.sensors.base.JobSensor`.
    """

    kind = "search"
    job_field = "search_id"
    template_fields: Sequence[str] = (*JobSensor.template_fields, "search_id")
    operator_extra_links = (ViewInAIHubLink(), ResultCsvLink())

    def __init__(self, *, search_id: int | str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.search_id = search_id

    def result(self, state: JobState) -> dict[str, Any]:
        """Return the search's id and where its result is."""
        return {**super().result(state), "result_url": state.answer.result_url}

    def succeeded(self, context: Context, state: JobState) -> None:
        """Link to the result."""
        link_to_result(context, self, state.answer.result_url)
