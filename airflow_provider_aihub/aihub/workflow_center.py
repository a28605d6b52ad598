"""The workflow center: runs of workflows. AIHub's API calls a workflow a pipeline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import IntEnum
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import BeforeValidator, Field

from airflow_provider_aihub.aihub.job_calls import JobCalls
from airflow_provider_aihub.aihub.models import KeyValue, Page, Project, Spec, VirtualCluster, text_of
from airflow_provider_aihub.aihub.services import Service
from airflow_provider_aihub.aihub.values import check_id, check_text
from airflow_provider_aihub.http.models import Answer, nothing
from airflow_provider_aihub.http.request import Request, path
from airflow_provider_aihub.http.values import Flag, Number, Pairs, Positive, Text, Whole, Words

T = TypeVar("T")

_RUNS = "/workflow-center/api/v1/runs"
_RUN = _RUNS + "/{}"
_CALLS = JobCalls(Service.WORKFLOW_CENTER, "workflow run", "workflow runs", _RUNS, "run_id")
# Kubernetes' own rule for names. It also keeps "." and "..", which no quoting hides, out of a path.
_POD_NAME = r"[A-Za-z0-9]([-A-Za-z0-9._]*[A-Za-z0-9])?"


class RunStatus(IntEnum):
    """Where a workflow run stands."""

    WAITING = 1
    RUNNING = 2
    SUCCESS = 3
    FAILED = 4
    TERMINATED = 5


class NodeStatus(IntEnum):
    """Where a node of a workflow run stands."""

    WAITING = 1
    RUNNING = 2
    SUCCESS = 3
    FAILED = 4


class NodeVirtualCluster(Spec):
    """Which nodes of a workflow run on a virtual cluster."""

    noun: ClassVar[str] = "choice of a virtual cluster"

    virtual_cluster_id: Positive
    nodes: list[Text]


class WorkflowRunSpec(Spec):
    """A workflow run to create.

    :param name: Name of the run.
    :param description: Free text.
    :param pipeline_id: Id of the workflow.
    :param pipeline_version_id: Id of its version.
    :param params: Input parameters of the version's first node: a dict, or a list of ``{key, value}``.
        Numbers and booleans become text, ``True`` becomes ``true``.
    :param project_id: Id of the project. Newer platforms require it; AIHub's document does not have it.
    :param user_id: Id of the user to run as. Newer platforms only.
    :param use_cache: Whether results of earlier runs may be used. Newer platforms only.
    :param node_virtual_clusters: Which nodes run where. Newer platforms only.
    """

    noun: ClassVar[str] = "workflow run"

    name: Text
    description: Words | None = None
    pipeline_id: Positive
    pipeline_version_id: Positive
    params: Pairs = Field(default={}, repr=False)
    project_id: Positive | None = None
    user_id: Positive | None = None
    use_cache: Flag | None = None
    node_virtual_clusters: list[NodeVirtualCluster] | None = None


_Number = Annotated[Number | str, Field(union_mode="left_to_right")]
"""A number by the newer platform's own client, kept as it is where it is none."""


def _by_name(value: Any) -> Any:
    """Read a virtual cluster that is told by its name alone."""
    return {"name": value} if isinstance(value, str) else value


class PlacedNodes(Answer):
    """Which nodes of a workflow run are on a virtual cluster."""

    virtual_cluster: VirtualCluster = Field(default_factory=VirtualCluster)
    nodes: list[str] = Field(default_factory=list)


class TaskNode(Answer):
    """A node of a workflow run.

    :param status: See :class:`NodeStatus`.
    :param params: Its ``input`` and its ``output``, as AIHub gives them.
    :param message: AIHub's words on a failure.
    :param dependencies: The nodes it waits for, as AIHub gives them: newer platforms give ids that are not in the nodes
        themselves.
    :param started_at: Unix milliseconds, 0 for not yet; likewise ``finished_at``.
    """

    name: str = ""
    params: dict[str, Any] = Field(default_factory=dict, repr=False)
    message: str = ""
    status: Number = 0
    pod_name: str = ""
    started_at: Number = 0
    finished_at: Number = 0
    dependencies: list[Any] = Field(default_factory=list)
    namespace: str = ""
    task_id: _Number = 0
    module_id: Number = 0
    module_version: _Number = 0
    use_cache: bool = False
    virtual_cluster: Annotated[VirtualCluster, BeforeValidator(_by_name)] = Field(default_factory=VirtualCluster)
    avg_gpu_util: float = 0


class WorkflowRun(Answer):
    """A workflow run as AIHub knows it.

    :param status: See :class:`RunStatus`; numbers beyond it may appear.
    :param duration: Seconds.
    :param started_at: Unix milliseconds, 0 for not yet; likewise ``finished_at`` and ``created_at``.
    """

    id: Whole
    status: Whole
    name: str = ""
    description: str = ""
    duration: Number = 0
    pipeline_id: Number = 0
    pipeline_name: str = ""
    pipeline_version_id: Number = 0
    pipeline_version_name: str = ""
    started_at: Number = 0
    finished_at: Number = 0
    created_at: Number = 0
    params: list[KeyValue] = Field(default_factory=list, repr=False)
    task_nodes: list[TaskNode] = Field(default_factory=list)
    username: str = ""
    project: Project = Field(default_factory=Project)
    node_virtual_clusters: list[PlacedNodes] = Field(default_factory=list)
    avg_gpu_util: float = 0
    total_gpu_time: float = 0


class TaskLog(Answer):
    """The log of a node of a workflow run.

    :param log: Its text.
    :param log_s3_url: Where the whole log is.
    """

    log: str = Field(default="", repr=False)
    log_s3_url: str = ""


def create_workflow_run(spec: WorkflowRunSpec) -> Request[int]:
    """Start a workflow and return the id of the run."""
    return _CALLS.create(spec, spec.name)


def get_workflow_run(run_id: int | str) -> Request[WorkflowRun]:
    """Read a workflow run: with GET as newer platforms have it, or else with POST as AIHub's document prints it.

    :raises AIHubParameterError: The id is not a whole number of at least 1.
    """
    number = check_id("run_id", run_id)

    def ask(method: Literal["GET", "POST"], fallback: Request[WorkflowRun] | None = None) -> Request[WorkflowRun]:
        return Request(
            asks=f"read workflow run {number}",
            service=Service.WORKFLOW_CENTER,
            method=method,
            path=path(_RUN, number),
            read=WorkflowRun.read,
            about={"id": number},
            optional=fallback is not None,
            fallback=fallback,
        )

    return ask("GET", fallback=ask("POST"))


def list_workflow_runs(
    page: int = 1,
    page_size: int = 20,
    name: str | None = None,
    status: int | None = None,
    user_id: int | str | None = None,
) -> Request[Page[WorkflowRun]]:
    """List workflow runs. Newer platforms only.

    :param name: Only those of this name. Whether a part of the name also matches is not documented.
    :param status: Only those in this status, see :class:`RunStatus`.
    :param user_id: Only those of this user.
    :raises AIHubParameterError: A number is not a whole number of at least 1.
    """
    return _CALLS.listing(WorkflowRun, page, page_size, {"status": status, "user_id": user_id}, name=name)


def stop_workflow_run(run_id: int | str) -> Request[None]:
    """Stop a workflow run. Newer platforms only.

    :raises AIHubParameterError: The id is not a whole number of at least 1.
    """
    number = check_id("run_id", run_id)
    return Request(
        asks=f"stop workflow run {number}",
        service=Service.WORKFLOW_CENTER,
        method="PUT",
        path=path(_RUN + "/stop", number),
        # Newer platforms answer with the run, but a stop that was taken must not fail over what came with it.
        read=nothing,
        optional=True,
    )


def retry_workflow_run(run_id: int | str) -> Request[WorkflowRun]:
    """Retry a workflow run, under its own id. Newer platforms only.

    Marked as creating, since a second one could start the nodes a second time.

    :raises AIHubParameterError: The id is not a whole number of at least 1.
    """
    request = _start_again("retry", run_id)
    return replace(request, about={"id": check_id("run_id", run_id)})


def resubmit_workflow_run(run_id: int | str) -> Request[WorkflowRun]:
    """Start a workflow run again as a new run, and return the new run. Newer platforms only.

    :raises AIHubParameterError: The id is not a whole number of at least 1.
    """
    return _start_again("resubmit", run_id)


def _start_again(verb: str, run_id: int | str) -> Request[WorkflowRun]:
    number = check_id("run_id", run_id)
    return Request(
        asks=f"{verb} workflow run {number}",
        service=Service.WORKFLOW_CENTER,
        method="PUT",
        path=path(_RUN + "/{}", number, verb),
        read=WorkflowRun.read,
        creates=True,
        optional=True,
    )


def get_workflow_task_log(run_id: int | str, pod_name: str) -> Request[TaskLog]:
    """Read the log of a node of a workflow run. Newer platforms only.

    :param pod_name: ``pod_name`` of the node.
    :raises AIHubParameterError: The id is not a whole number of at least 1, or the name is not valid.
    """
    return _of_pod("log", "logs", run_id, pod_name, TaskLog.read)


def get_workflow_task_events(run_id: int | str, pod_name: str) -> Request[str]:
    """Read the events of a node of a workflow run as text. Newer platforms only.

    :param pod_name: ``pod_name`` of the node.
    :raises AIHubParameterError: The id is not a whole number of at least 1, or the name is not valid.
    """
    return _of_pod("events", "events", run_id, pod_name, text_of("events"))


def _of_pod(what: str, part: str, run_id: int | str, pod_name: str, read: Callable[[Any], T]) -> Request[T]:
    number = check_id("run_id", run_id)
    check_text("pod_name", pod_name, _POD_NAME, "the name of a pod")
    return Request(
        asks=f"read the {what} of pod {pod_name} of workflow run {number}",
        service=Service.WORKFLOW_CENTER,
        method="GET",
        path=path(_RUN + "/tasks/{}/{}", number, pod_name, part),
        read=read,
        optional=True,
    )
