"""The kinds of job that can be waited for: how each is read and stopped, and what its statuses mean.

Nothing outside this module knows what a status number means. A kind of job is one entry in :data:`KINDS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any

from airflow_provider_aihub.api import (
    data_warehouse,
    dataset_management,
    model_training,
    quota_schedule,
    workflow_center,
)
from airflow_provider_aihub.api.errors import AIHubUnsupportedError
from airflow_provider_aihub.api.models import Answer, NodeTasks, Page
from airflow_provider_aihub.api.parts import Part, pods, workflow_nodes
from airflow_provider_aihub.api.request import Request

JobId = int | str
"""An id; or, for a dataset version, its name ``<dataset>/V<n>``."""


class Phase(StrEnum):
    """Where a job stands, in words that hold for every kind."""

    WAITING = "waiting"
    RUNNING = "running"
    STOPPING = "stopping"
    UNKNOWN = "in a status that this provider does not know"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"

    @property
    def terminal(self) -> bool:
        """Whether the job is over."""
        return self in (Phase.SUCCEEDED, Phase.FAILED, Phase.STOPPED)

    @property
    def verb(self) -> str:
        """The phase as the verb of a sentence: ``is running``, ``has failed``."""
        if self is Phase.STOPPED:
            return "was stopped"
        return f"has {self}" if self.terminal else f"is {self}"


@dataclass(frozen=True, slots=True)
class JobState:
    """What one look at a job showed.

    :param job_id: The id it was asked by.
    :param status: AIHub's own status number.
    :param phase: What the number means.
    :param message: AIHub's own words on it, often empty.
    :param answer: The whole answer.
    """

    job_id: JobId
    status: int
    phase: Phase
    message: str
    answer: Any = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobKind:
    """One kind of job.

    :param name: Name in trigger arguments.
    :param noun: What people call it.
    :param statuses: What its status numbers mean; a number that is not here counts as in progress. Empty for a kind
        that cannot be waited for.
    :param read: The request that reads one job.
    :param stop: The request that stops one, where the platform has it.
    :param page: The request that lists jobs, newest first, ``(page, page_size, name)``; not every platform has it.
    :param part_noun: What people call the parts that it consists of.
    :param parts: The request that reads the parts of one job.
    :param parts_within: Finds the parts in the job's own answer, where they are there.
    :param queue: From a job's answer, the request that lists all that wait for the same virtual cluster; not every
        platform has it.
    :param neighbours: Finds in a job's answer what runs on its virtual cluster now.
    :param message: Finds AIHub's own words on the job in its answer.
    """

    name: str
    noun: str
    statuses: Mapping[int, Phase]
    read: Callable[[Any], Request[Any]]
    stop: Callable[[Any], Request[Any]] | None = None
    page: Callable[[int, int, str | None], Request[Page[Any]]] | None = None
    part_noun: str = "pod"
    parts: Callable[[Any], Request[list[Part]]] | None = None
    parts_within: Callable[[Any], list[Part]] | None = None
    queue: Callable[[Any], Request[Page[Any]] | None] | None = None
    neighbours: Callable[[Any], list[NodeTasks]] = lambda _answer: []
    message: Callable[[Any], str] = lambda answer: getattr(answer, "message", "")

    def state(self, job_id: JobId, answer: Answer) -> JobState:
        """Say where a job stands, from the answer that read it."""
        status: int = answer.status  # type: ignore[attr-defined]
        return JobState(job_id, status, self.statuses.get(status, Phase.UNKNOWN), self.message(answer), answer)

    def called(self, job_id: JobId) -> str:
        """Name one job in a sentence: ``training 12``."""
        return f"{self.noun} {job_id}"


def _node_messages(run: workflow_center.WorkflowRun) -> str:
    failed = workflow_center.NodeStatus.FAILED
    return "; ".join(f"node {n.name}: {n.message or 'failed'}" for n in run.task_nodes if n.status == failed)


QUEUE_PAGE = 100
"""How many waiting jobs are read to see which of them wait for longer."""


def _training_queue(job: model_training.Training) -> Request[Page[Any]] | None:
    cluster, waiting = job.virtual_cluster.id, model_training.TrainingStatus.WAITING.value
    if cluster < 1:
        return None
    return model_training.list_trainings(page_size=QUEUE_PAGE, status=waiting, virtual_cluster_id=cluster)


def _quota_task_queue(job: quota_schedule.QuotaTask) -> Request[Page[Any]] | None:
    cluster, waiting = job.virtual_cluster.id, quota_schedule.QuotaTaskStatus.WAITING.value
    if cluster < 1:
        return None
    return quota_schedule.list_quota_tasks(page_size=QUEUE_PAGE, status=waiting, virtual_cluster_id=cluster)


def _read_dataset_version(job_id: JobId) -> Request[Any]:
    if isinstance(job_id, str) and not job_id.isdigit():
        return dataset_management.get_dataset_version_by_name(job_id)
    return dataset_management.get_dataset_version(job_id)


def _unreadable(job_id: JobId) -> Request[Any]:
    raise AIHubUnsupportedError(f"AIHub has no call that reads evaluation {job_id}.")


_PHASES = {
    "WAITING": Phase.WAITING,
    "RUNNING": Phase.RUNNING,
    "CREATING": Phase.RUNNING,
    "LOADING_METADATA": Phase.RUNNING,
    "BUILDING_INDEX": Phase.RUNNING,
    "STOPPING": Phase.STOPPING,
    "SUCCESS": Phase.SUCCEEDED,
    "FAILED": Phase.FAILED,
    "STOPPED": Phase.STOPPED,
    "TERMINATED": Phase.STOPPED,
}


def _phases(statuses: type[IntEnum]) -> Mapping[int, Phase]:
    return {status.value: _PHASES[status.name] for status in statuses}


TRAINING = JobKind(
    name="training",
    noun="training",
    statuses=_phases(model_training.TrainingStatus),
    read=model_training.get_training,
    stop=model_training.stop_training,
    page=lambda page, size, name: model_training.list_trainings(page=page, page_size=size, name=name),
    parts=pods(
        model_training.list_training_pods,
        model_training.get_training_pod_logs,
        model_training.get_training_pod_events,
    ),
    queue=_training_queue,
)
QUOTA_TASK = JobKind(
    name="quota_task",
    noun="quota task",
    statuses=_phases(quota_schedule.QuotaTaskStatus),
    read=quota_schedule.get_quota_task,
    stop=quota_schedule.stop_quota_task,
    page=lambda page, size, name: quota_schedule.list_quota_tasks(page=page, page_size=size, name=name),
    parts=pods(
        quota_schedule.list_quota_task_pods,
        quota_schedule.get_quota_task_pod_logs,
        quota_schedule.get_quota_task_pod_events,
    ),
    queue=_quota_task_queue,
    neighbours=lambda task: task.virtual_cluster.node_tasks,
)
SEARCH = JobKind(
    name="search",
    noun="search",
    statuses=_phases(data_warehouse.SearchStatus),
    read=data_warehouse.get_search,
    page=lambda page, size, name: data_warehouse.list_searches(page=page, page_size=size, name=name),
)
DATASET_VERSION = JobKind(
    name="dataset_version",
    noun="dataset version",
    statuses=_phases(dataset_management.VersionStatus),
    read=_read_dataset_version,
    page=lambda page, size, _name: dataset_management.list_dataset_versions(page=page, page_size=size),
)
WORKFLOW_RUN = JobKind(
    name="workflow_run",
    noun="workflow run",
    statuses=_phases(workflow_center.RunStatus),
    read=workflow_center.get_workflow_run,
    stop=workflow_center.stop_workflow_run,
    page=lambda page, size, name: workflow_center.list_workflow_runs(page=page, page_size=size, name=name),
    part_noun="node",
    parts_within=workflow_nodes,
    message=_node_messages,
)
EVALUATION = JobKind(
    name="evaluation",
    noun="evaluation",
    # AIHub has no call that reads one.
    statuses={},
    read=_unreadable,
)


def _by_name(kinds: Iterable[JobKind]) -> dict[str, JobKind]:
    return {kind.name: kind for kind in kinds}


KINDS: Mapping[str, JobKind] = _by_name((TRAINING, QUOTA_TASK, SEARCH, DATASET_VERSION, WORKFLOW_RUN, EVALUATION))
