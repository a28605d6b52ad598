"""What a task has read and written: as plain values here, and as facets of OpenLineage when that asks for them.

Nothing of OpenLineage is imported unless it is installed and asks.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_aihub.aihub.errors import AIHubConfigError
from airflow_provider_aihub.jobs.best_effort import best_effort

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_aihub.hooks.aihub import AIHubHook
    from airflow_provider_aihub.jobs.kind import JobState

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Data:
    """Something that was read or written, named as OpenLineage names it.

    :param namespace: Where it is, such as ``s3://bucket``, ``file`` or ``aihub://10.0.0.1:30061``.
    :param name: Its name there.
    :param version: Which version of it.
    :param size: Size of what was written, as AIHub gives it.
    :param files: Number of files written.
    :param rows: Number of rows written.
    """

    namespace: str
    name: str
    version: str | None = None
    size: int | None = None
    files: int | None = None
    rows: int | None = None


@dataclass(slots=True)
class Lineage:
    """What is known of a task.

    :param inputs: What it reads.
    :param outputs: What it writes.
    :param sql: The query that it runs.
    :param job: What AIHub is asked for, the same in every run; no environment variables, since they hold secrets.
    :param run: What came of it this time.
    """

    inputs: list[Data] = field(default_factory=list)
    outputs: list[Data] = field(default_factory=list)
    sql: str | None = None
    job: dict[str, Any] = field(default_factory=dict)
    run: dict[str, Any] = field(default_factory=dict)


class HasLineage:
    """An operator that knows what it reads and writes. OpenLineage calls the methods that have its name."""

    _ended: JobState | None = None
    _result: dict[str, Any] | None = None

    def lineage(self, state: JobState | None, result: dict[str, Any] | None) -> Lineage:  # noqa: ARG002
        """Say what is known of the task, without asking anybody: at its start the parameters tell.

        :param state: How the job has ended; ``None`` before that.
        :param result: The task's return value; ``None`` unless it has succeeded.
        """
        return Lineage()

    def _known(self, state: JobState | None, result: dict[str, Any] | None) -> Lineage:
        with best_effort(log, "its lineage"):
            return self.lineage(state, result)
        return Lineage()

    def get_openlineage_facets_on_start(self) -> OperatorLineage[Any, Any]:
        """Return what is known at the start."""
        return to_openlineage(self._known(None, None))

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:  # noqa: ARG002
        """Return what is known of a task that has succeeded, in the process that has ended it."""
        known = self._known(self._ended, self._result)
        if not known.run and self._result and "id" in self._result:
            # Nobody has waited for the job.
            known.run = {"id": self._result["id"]}
        return to_openlineage(known)

    def get_openlineage_facets_on_failure(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """Return what is known of a task that has failed."""
        return self.get_openlineage_facets_on_complete(task_instance)


def located(place: str, **known: Any) -> Data:
    """Name what is at a path of this machine or a URI. What follows a ``?`` is left out: it may be a signature.

    :param known: More of :class:`Data`.
    """
    parts = urlsplit(str(place))
    if parts.scheme in ("", "file"):
        return Data("file", str(Path(parts.path).absolute()), **known)
    return Data(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}", parts.path.lstrip("/"), **known)


def address(place: str) -> str:
    """Return the URI of what is at a path or a URI, without user, query and fragment."""
    parts = urlsplit(str(place))
    if parts.scheme in ("", "file"):
        return Path(parts.path).absolute().as_uri()
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def on_aihub(hook: AIHubHook, place: str) -> list[Data]:
    """Name what is at a path or a URI that AIHub reads: a path is one of AIHub's, not of this machine.

    Empty where the connection does not say where datasets are.
    """
    if is_uri(place):
        return [located(place)]
    host = _dataset_host(hook)
    return [Data(f"aihub://{host}", place)] if host else []


def dataset(hook: AIHubHook, name: str, **known: Any) -> list[Data]:
    """Name a dataset of AIHub as its asset is; empty where the connection does not say where datasets are.

    :param known: More of :class:`Data`.
    """
    from airflow_provider_aihub.assets import dataset_uri

    host = _dataset_host(hook)
    return [located(dataset_uri(name, host=host), **known)] if host else []


def model(hook: AIHubHook, name: str, **known: Any) -> list[Data]:
    """Name a model of AIHub; empty where the connection does not say where models are.

    :param known: More of :class:`Data`.
    """
    try:
        place = urlsplit(hook.get_conn().config.address("model_center")).netloc
    except AIHubConfigError:
        return []
    return [Data(f"aihub://{place}", f"models/{name}", **known)]


def is_uri(place: str) -> bool:
    """Whether something is a URI, and no path."""
    return "://" in place


def _dataset_host(hook: AIHubHook) -> str | None:
    from airflow_provider_aihub.assets import dataset_host

    try:
        return dataset_host(hook.get_conn().config)
    except AIHubConfigError:
        return None


def tell_collector(hook: AIHubHook, *, inputs: Iterable[str] = (), outputs: Iterable[str] = ()) -> None:
    """Tell Airflow's collector of lineage what a hook has moved.

    :param inputs: Paths or URIs from which it has read.
    :param outputs: Those to which it has written.
    """
    from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector

    what = "the lineage of its files"
    with best_effort(log, what):
        collector: Any = get_hook_lineage_collector()  # type: ignore[no-untyped-call]
        for add, places in ((collector.add_input_asset, inputs), (collector.add_output_asset, outputs)):
            for place in places:
                # An address may be none that Airflow takes for an asset.
                with best_effort(log, what):
                    add(hook, uri=address(place))


def to_openlineage(lineage: Lineage) -> OperatorLineage[Any, Any]:
    """Return OpenLineage's form of it.

    The facets of this provider's own are ``aihub_job`` and ``aihub_run``. They have no schema of their own, so they
    name the one of all facets; their producer is this package.
    """
    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client import facet_v2

    from airflow_provider_aihub import __version__

    producer = f"pkg:pypi/airflow-provider-aihub@{__version__}"
    job_facets: dict[str, Any] = {}
    run_facets: dict[str, Any] = {}
    if lineage.sql:
        job_facets["sql"] = facet_v2.sql_job.SQLJobFacet(query=lineage.sql, producer=producer)
    if lineage.job:
        job_facets["aihub_job"] = facet_v2.JobFacet(producer=producer).with_additional_properties(**lineage.job)
    if lineage.run:
        run_facets["aihub_run"] = facet_v2.RunFacet(producer=producer).with_additional_properties(**lineage.run)
    return OperatorLineage(
        inputs=[_input(data, producer) for data in lineage.inputs],
        outputs=[_output(data, producer) for data in lineage.outputs],
        job_facets=job_facets,
        run_facets=run_facets,
    )


def _facets(data: Data, producer: str) -> dict[str, Any]:
    from openlineage.client.facet_v2 import dataset_version_dataset

    if data.version is None:
        return {}
    facet = dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=data.version, producer=producer)
    return {"version": facet}


def _input(data: Data, producer: str) -> Any:
    from openlineage.client.event_v2 import InputDataset

    return InputDataset(namespace=data.namespace, name=data.name, facets=_facets(data, producer))


def _output(data: Data, producer: str) -> Any:
    from openlineage.client.event_v2 import OutputDataset
    from openlineage.client.facet_v2 import output_statistics_output_dataset as statistics

    written: dict[str, Any] = {}
    if (data.size, data.files, data.rows) != (None, None, None):
        written["outputStatistics"] = statistics.OutputStatisticsOutputDatasetFacet(
            size=data.size, fileCount=data.files, rowCount=data.rows, producer=producer
        )
    return OutputDataset(namespace=data.namespace, name=data.name, facets=_facets(data, producer), outputFacets=written)
