"""Searches in the data warehouse."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, cast

from airflow_provider_aihub.aihub.errors import AIHubError
from airflow_provider_aihub.links import ResultCsvLink, ViewInAIHubLink, link_to_result
from airflow_provider_aihub.operators.base import JobOperator
from airflow_provider_aihub.operators.call import CallOperator

if TYPE_CHECKING:
    from pathlib import Path

    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath

    from airflow_provider_aihub.aihub.data_warehouse import Search
    from airflow_provider_aihub.hooks.aihub import AIHubHook
    from airflow_provider_aihub.http.request import Request
    from airflow_provider_aihub.jobs.kind import JobState
    from airflow_provider_aihub.lineage import Lineage
    from airflow_provider_aihub.tasks.job_state import Marker


class WarehouseSearchOperator(JobOperator):
    """Search the data warehouse by SQL, by images or by keywords, and wait for the result.

    Returns ``{"id", "result_url", "result_count"}``: the address of the result as CSV, and its number of rows (of
    results, for images and keywords); ``None`` if the CSV could not be read to count them. With ``output_path`` also
    ``"output_path"``, and the count is always there.

    :param name: Name of the search.
    :param sql: The query, or the name of a ``.sql`` file next to the DAG. Give this, ``images`` or ``keywords``.
    :param images: Images to search by, each ``{"url": ..., "box": [x1, y1, x2, y2]}``.
    :param keywords: Words to search by.
    :param feature_lib_id: Feature library to search; required for images and keywords.
    :param top_k: Number of results wanted; required for images and keywords.
    :param description: Free text.
    :param output_path: Where the result is saved as CSV: a path or the URI of an object in S3, GCS and so on, as in
        ``ObjectStoragePath``. An existing one is replaced. It appears only when it is complete. Default: it is not
        saved.

    The remaining parameters are those of :class:`~airflow_provider_aihub.operators.base.JobOperator`. AIHub has no call
    to stop a search, so it goes on when the task is killed.
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
        "output_path",
    )
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"sql": "sql", "images": "json"}
    operator_extra_links = (ViewInAIHubLink(), ResultCsvLink())

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
        output_path: str | Path | ObjectStoragePath | None = None,
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
        self.output_path = output_path

    def resolve_template_files(self) -> None:
        """Read the file that ``sql`` names; Airflow would take each field whose text ends in ``.sql`` for a file."""
        self.template_fields = ("sql",)
        super().resolve_template_files()
        del self.template_fields

    def _do_render_template_fields(self, parent: Any, template_fields: Iterable[str], *rest: Any, **named: Any) -> None:
        # This, too, is asked of the task of a mapped one, whose files nobody has read before.
        for name in template_fields:
            self.template_ext = type(self).template_ext if name == "sql" else ()
            super()._do_render_template_fields(parent, [name], *rest, **named)
        del self.template_ext

    def create_request(self, marker: Marker) -> Request[int]:
        """Check the parameters."""
        from airflow_provider_aihub.aihub.data_warehouse import SearchSpec, create_search
        from airflow_provider_aihub.storage import check_output

        if self.output_path is not None:
            check_output("output_path", self.output_path)
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
        """Return the search's id and where its result is."""
        search: Search = state.answer
        result = {"id": search.id, "result_url": search.result_url}
        if self.output_path is not None:
            return {**result, **save_result(self.hook, search, self.output_path)}
        counted = bool(search.results) or self.sql is None
        return {**result, "result_count": len(search.results) if counted else self._count(search.result_url)}

    def succeeded(self, context: Context, state: JobState) -> None:
        """Link to the result."""
        link_to_result(context, self, state.answer.result_url)

    def lineage(self, state: JobState | None, result: dict[str, Any] | None) -> Lineage:
        """Return the query, and the result: as AIHub has it, and as it was saved."""
        from airflow_provider_aihub.lineage import Lineage, located

        asked = {"keywords": self.keywords, "feature_lib_id": self.feature_lib_id, "top_k": self.top_k}
        known = Lineage(sql=self.sql, job={name: value for name, value in asked.items() if value is not None})
        if state is not None:
            known.run = {"id": state.answer.id, "status": str(state.phase)}
        if result:
            places = [result["result_url"], result.get("output_path")]
            known.outputs = [located(place, rows=result["result_count"]) for place in places if place]
        return known

    def _count(self, url: str) -> int | None:
        rows = CsvRows()
        try:
            self.hook.download(url, cast("BinaryIO", rows))
        except AIHubError as error:
            self.log.warning("The rows of the result could not be counted: %s", error)
            return None
        return rows.count


class WarehouseResultToObjectStorageOperator(CallOperator):
    """Save the result of an earlier search as CSV, to a local file or any object storage.

    Returns ``{"id", "output_path", "result_count"}``. The file appears only when it is complete; an existing one is
    replaced. If the search has failed, or has not ended yet, the task fails and says so.

    :param search_id: Id of the search.
    :param output_path: Where the result is saved: a path or the URI of an object in S3, GCS and so on, as in
        ``ObjectStoragePath``.

    The remaining parameters are those of :class:`~airflow_provider_aihub.operators.call.CallOperator`.
    """

    template_fields: Sequence[str] = (*CallOperator.template_fields, "search_id", "output_path")
    operator_extra_links = (ViewInAIHubLink(), ResultCsvLink())

    def __init__(self, *, search_id: int | str, output_path: str | Path | ObjectStoragePath, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.search_id = search_id
        self.output_path = output_path

    def call(self, context: Context) -> dict[str, Any]:
        """Read the search and save its result."""
        from airflow_provider_aihub.aihub.kinds import SEARCH
        from airflow_provider_aihub.jobs.failure_report import failure
        from airflow_provider_aihub.jobs.kind import Phase
        from airflow_provider_aihub.storage import check_output

        check_output("output_path", self.output_path)
        search = self.hook.get_search(self.search_id)
        self.link_to(context, search.id, SEARCH.name)
        state = SEARCH.state(search.id, search)
        if not state.phase.terminal:
            raise AIHubError(
                f"Search {search.id} has no result yet, it {state.verb}; let a WarehouseSearchSensor wait for it."
            )
        if state.phase is not Phase.SUCCEEDED:
            raise failure(self.hook.get_conn(), SEARCH, state)
        link_to_result(context, self, search.result_url)
        return {"id": search.id, **save_result(self.hook, search, self.output_path)}


def save_result(hook: AIHubHook, search: Search, output_path: str | Path | ObjectStoragePath) -> dict[str, Any]:
    """Stream the result of a search into a file, and count its rows on the way.

    :return: ``{"output_path", "result_count"}``.
    :raises AIHubError: The result cannot be had; then no file is left.
    """
    from airflow_provider_aihub.lineage import tell_collector
    from airflow_provider_aihub.storage import check_output, written

    if not search.result_url:
        raise AIHubError(f"AIHub gives no result_url for search {search.id}, so there is no result to save.")
    with written(check_output("output_path", output_path)) as target:
        rows = CsvRows(target)
        hook.download(search.result_url, cast("BinaryIO", rows))
    tell_collector(hook, outputs=[str(output_path)])
    return {"output_path": str(output_path), "result_count": rows.count}


_BLANK = (b"", b"\r")
_OPENING = re.compile(rb'(?:^|,)"')
_CLOSING = re.compile(rb'(?:[^"]|"")*"(?!")')


def _ends_quoted(line: bytes, quoted: bool) -> bool:
    """Whether a line of a CSV ends within a quoted field. A quotation mark opens one at a field's beginning only."""
    place = 0
    while True:
        if quoted:
            closing = _CLOSING.match(line, place)
            if not closing:
                return True
            place = closing.end()
        opening = _OPENING.search(line, place)
        if not opening:
            return False
        place, quoted = opening.end(), True


class CsvRows:
    """A file to which a CSV is written. It counts the rows and passes the bytes on.

    :param target: Where the bytes go. Default: nowhere.
    """

    def __init__(self, target: BinaryIO | None = None) -> None:
        self._target = target
        self._begin()

    def _begin(self) -> None:
        self._rows = 0
        self._rest = b""
        self._quoted = False

    @property
    def count(self) -> int:
        """Number of rows so far, without the header."""
        return max(self._rows + (self._rest not in _BLANK) - 1, 0)

    def write(self, data: bytes) -> int:
        """Take the next piece."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if self._quoted or b'"' in line:
                self._quoted = _ends_quoted(line, self._quoted)
                self._rows += not self._quoted
            else:
                self._rows += line not in _BLANK
        if self._target is not None:
            self._target.write(data)
        return len(data)

    def seekable(self) -> bool:
        """Whether it can be written anew, from its beginning."""
        return self._target is None or self._target.seekable()

    def tell(self) -> int:
        """Return the place of its beginning, where nothing was written yet."""
        return 0 if self._target is None else self._target.tell()

    def seek(self, place: int) -> int:
        """Go back to the beginning."""
        self._begin()
        return place if self._target is None else self._target.seek(place)

    def truncate(self) -> int:
        """Drop what was written."""
        return 0 if self._target is None else self._target.truncate()
