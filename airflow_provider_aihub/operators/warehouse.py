"""Searches in the data warehouse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import RawIOBase
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from airflow_provider_aihub.api.errors import AIHubError
from airflow_provider_aihub.operators.base import JobOperator

if TYPE_CHECKING:
    from airflow_provider_aihub.api.data_warehouse import Search
    from airflow_provider_aihub.api.jobs import JobState
    from airflow_provider_aihub.api.request import Request
    from airflow_provider_aihub.operators.record import Marker


class WarehouseSearchOperator(JobOperator):
    """Search the data warehouse by SQL, by images or by keywords, and wait for the result.

    Returns ``{"id", "result_url", "result_count"}``: the address of the result as CSV, and its number of rows (of
    results, for images and keywords); ``None`` where the CSV could not be read to count them.

    :param name: Name of the search.
    :param sql: The query, or the name of a ``.sql`` file next to the DAG. Give this, ``images`` or ``keywords``.
    :param images: Images to search by, each ``{"url": ..., "box": [x1, y1, x2, y2]}``.
    :param keywords: Words to search by.
    :param feature_lib_id: Feature library to search; required for images and keywords.
    :param top_k: Number of results wanted; required for images and keywords.
    :param description: Free text.

    The remaining parameters are those of :class:`~airflow_provider_aihub.operators.base.JobOperator`. AIHub has no
    call to stop a search, so it is left to its end when the task is killed.
    """

    kind = "search"
    template_fields: Sequence[str] = (
        *JobOperator.template_fields,
        "name",
        "sql",
        "images",
        "keywords",
        "feature_lib_id",
        "top_k",
        "description",
    )
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers = {"sql": "sql", "images": "json"}  # noqa: RUF012 - Airflow's own convention

    def __init__(
        self,
        *,
        name: str,
        sql: str | None = None,
        images: Sequence[Mapping[str, Any]] | None = None,
        keywords: str | None = None,
        feature_lib_id: int | str | None = None,
        top_k: int | str | None = None,
        description: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.sql = sql
        self.images = images
        self.keywords = keywords
        self.feature_lib_id = feature_lib_id
        self.top_k = top_k
        self.description = description

    def create_request(self, marker: Marker) -> Request[int]:
        """Check the parameters."""
        from airflow_provider_aihub.api.data_warehouse import SearchSpec, create_search

        return create_search(
            SearchSpec.build(
                name=self.name,
                sql=self.sql,
                images=self.images,
                keywords=self.keywords,
                feature_lib_id=self.feature_lib_id,
                top_k=self.top_k,
                description=marker.sign(self.description),
            )
        )

    def result(self, state: JobState) -> dict[str, Any]:
        """Give the search's id and where its result is."""
        search: Search = state.answer
        count = len(search.results) if search.results or not search.sql else self._count(search.result_url)
        return {"id": search.id, "result_url": search.result_url, "result_count": count}

    def _count(self, url: str) -> int | None:
        rows = CsvRows()
        try:
            self.hook.download(url, cast("BinaryIO", rows))
        except AIHubError as error:
            self.log.warning("The rows of the result could not be counted: %s", error)
            return None
        return max(rows.count - 1, 0)


class CsvRows(RawIOBase):
    """Counts the rows of a CSV that is written to it, the header among them, without keeping it."""

    def __init__(self) -> None:
        self._ends = 0
        self._quoted = False
        self._partial = False

    @property
    def count(self) -> int:
        """Number of rows so far."""
        return self._ends + self._partial

    def write(self, data: Any) -> int:
        """Take the next piece."""
        for index, part in enumerate(data.split(b'"')):
            # Each quotation mark opens or closes a quoted field; a doubled one does both.
            self._quoted ^= index > 0
            if not self._quoted:
                self._ends += part.count(b"\n")
        if data:
            self._partial = not data.endswith(b"\n")
        return len(data)
