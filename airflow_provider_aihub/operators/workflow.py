"""Workflow runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_aihub.aihub.errors import AIHubParameterError
from airflow_provider_aihub.operators.base import JobOperator

if TYPE_CHECKING:
    from airflow_provider_aihub.aihub.workflow_center import TaskNode, WorkflowRun
    from airflow_provider_aihub.http.request import Request
    from airflow_provider_aihub.jobs.kind import JobState
    from airflow_provider_aihub.lineage import Lineage
    from airflow_provider_aihub.tasks.job_state import Marker

MOST_NODES = 100
"""Nodes in the task's return value; their states are in the log and on AIHub as well."""


class WorkflowRunOperator(JobOperator):
    """Run a workflow and wait for its end.

    Returns ``{"id", "name", "status", "duration", "nodes": [{"name", "status"}]}``: the duration in seconds, the first
    100 nodes.

    AIHub's API calls a workflow a pipeline. Names are looked up on newer platforms; digits are read as an id, which
    works always.

    :param name: Name of the run.
    :param pipeline: Pipeline to run, by name or id.
    :param pipeline_version: Its version, by name or id. Default: the latest, on newer platforms.
    :param pipeline_params: Input parameters of the version's first node, a dict. Numbers and booleans become text,
        ``True`` becomes ``true``. A parameter that the version does not have is refused, if AIHub lists them.
        (``params`` of an operator is Airflow's own.)
    :param project: Project it belongs to, by name or id. Newer platforms require it; AIHub's document does not have it.
    :param description: Free text.
    :param user_id: Id of the user to run as. Newer platforms only. Default: the one the connection logs in as.
    :param use_cache: Whether results of earlier runs may be used. Newer platforms only.
    :param node_virtual_clusters: Which nodes run where, a list of ``{"virtual_cluster": ..., "nodes": [...]}``, the
        virtual cluster by name or id. Newer platforms only.
    :param stream_logs: Whether the logs of its nodes are copied to the task's log while it runs, deferred or not, each
        line once. Newer platforms only; on others the task's log says so. Default: false.

    The remaining parameters are those of :class:`~airflow_provider_aihub.operators.base.JobOperator`. Only newer
    platforms can stop a run; on others it goes on when the task is killed, and the log says so.
    """

    kind = "workflow_run"
    template_fields: Sequence[str] = (
        *JobOperator.template_fields,
        "name",
        "pipeline",
        "pipeline_version",
        "pipeline_params",
        "project",
        "description",
        "user_id",
        "use_cache",
        "node_virtual_clusters",
        "stream_logs",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"pipeline_params": "json", "node_virtual_clusters": "json"}

    def __init__(
        self,
        *,
        name: str,
        pipeline: str | int,
        pipeline_version: str | int | None = None,
        pipeline_params: Mapping[str, Any] | None = None,
        project: str | int | None = None,
        description: str | None = None,
        user_id: int | str | None = None,
        use_cache: bool | str | None = None,
        node_virtual_clusters: Sequence[Mapping[str, Any]] | None = None,
        stream_logs: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.pipeline = pipeline
        self.pipeline_version = pipeline_version
        self.pipeline_params = pipeline_params
        self.project = project
        self.description = description
        self.user_id = user_id
        self.use_cache = use_cache
        self.node_virtual_clusters = node_virtual_clusters
        self.stream_logs = stream_logs

    def create_request(self, marker: Marker) -> Request[int]:
        """Check the parameters and find ids for names."""
        from airflow_provider_aihub.aihub.tag_system import ModuleType
        from airflow_provider_aihub.aihub.workflow_center import WorkflowRunSpec, create_workflow_run
        from airflow_provider_aihub.operators.names import (
            check_pipeline_params,
            known_id,
            pipeline_ids,
            project_id,
            virtual_cluster_id,
        )

        clusters, placement = _placement(self.node_virtual_clusters)
        version = self.pipeline_version
        version_id = None if version is None else known_id("pipeline_version", version)
        spec = WorkflowRunSpec.build(
            name=self.name,
            # Names are looked up only once all else is known to be right.
            pipeline_id=known_id("pipeline", self.pipeline) or 1,
            pipeline_version_id=version_id or 1,
            params=self.pipeline_params,
            project_id=None if self.project is None else known_id("project", self.project) or 1,
            description=marker.sign(self.description),
            user_id=self.user_id,
            use_cache=self.use_cache,
            node_virtual_clusters=placement or None,
        )
        pipeline_id, version_id = pipeline_ids(self.hook, self.pipeline, version)
        check_pipeline_params(self.hook, version_id, spec.params)
        found: dict[str, Any] = {"pipeline_id": pipeline_id, "pipeline_version_id": version_id}
        if self.project is not None:
            found["project_id"] = project_id(self.hook, self.project)
        if spec.node_virtual_clusters:
            ids = [virtual_cluster_id(self.hook, cluster, ModuleType.WORKFLOW) for cluster in clusters]
            placed = zip(spec.node_virtual_clusters, ids, strict=True)
            found["node_virtual_clusters"] = [
                choice.model_copy(update={"virtual_cluster_id": cluster_id}) for choice, cluster_id in placed
            ]
        return create_workflow_run(spec.model_copy(update=found))

    def lineage(self, state: JobState | None, result: dict[str, Any] | None) -> Lineage:  # noqa: ARG002
        """Return which pipeline runs. Its parameters are left out, since they may hold secrets."""
        return run_lineage(state, {"pipeline": self.pipeline, "pipeline_version": self.pipeline_version})

    def result(self, state: JobState) -> dict[str, Any]:
        """Return the run's id, name and duration, and how its nodes ended."""
        run: WorkflowRun = state.answer
        return {"id": run.id, "name": run.name, "status": str(state.phase), **run_summary(run)}


def run_lineage(state: JobState | None, job: dict[str, Any]) -> Lineage:
    """Return what runs and, once it is known, which pipeline that is and how it went.

    :param job: What the task was asked to run.
    """
    from airflow_provider_aihub.lineage import Lineage

    known = Lineage(job=job)
    if state is not None:
        run: WorkflowRun = state.answer
        known.job |= {"pipeline": run.pipeline_name, "pipeline_version": run.pipeline_version_name}
        known.run = {"id": run.id, "status": str(state.phase), **run_summary(run)}
    return known


def run_summary(run: WorkflowRun) -> dict[str, Any]:
    """Return a run's duration in seconds, and how its nodes ended."""
    nodes = [{"name": node.name, "status": _node_status(node)} for node in run.task_nodes[:MOST_NODES]]
    return {"duration": run.duration, "nodes": nodes}


def _placement(given: Any) -> tuple[list[str | int], list[dict[str, Any]]]:
    """Take ``node_virtual_clusters`` apart: the clusters as they were given, and AIHub's form with ids known so far."""
    from airflow_provider_aihub.http.values import shown
    from airflow_provider_aihub.operators.names import known_id

    clusters, placement = [], []
    for choice in [given] if not isinstance(given, list | tuple | None) else given or ():
        if not isinstance(choice, Mapping) or set(choice) != {"virtual_cluster", "nodes"}:
            raise AIHubParameterError(
                'node_virtual_clusters must be a list of {"virtual_cluster": ..., "nodes": [...]}, '
                f"not of {shown(choice)}."
            )
        clusters.append(choice["virtual_cluster"])
        known = known_id("virtual_cluster", choice["virtual_cluster"])
        placement.append({"virtual_cluster_id": known or 1, "nodes": choice["nodes"]})
    return clusters, placement


def _node_status(node: TaskNode) -> str:
    from airflow_provider_aihub.aihub.workflow_center import NodeStatus

    return NodeStatus(node.status).name.lower() if node.status in set(NodeStatus) else str(node.status)
