"""The kinds of job that can be waited for: how each is read and stopped, and what its statuses mean.

Nothing outside this module knows what a status number means. A kind of job is one entry in :data:`KINDS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from functools import partial
from typing import Any, Final, Protocol, TypeVar

from airflow_provider_aihub.aihub import (
    data_warehouse,
    dataset_management,
    model_training,
    quota_schedule,
    workflow_center,
)
from airflow_provider_aihub.aihub.errors import AIHubUnsupportedError
from airflow_provider_aihub.aihub.models import Answer, NodeTasks, Page, brief, raw_page, rows_with
from airflow_provider_aihub.aihub.parts import Part, pods, workflow_nodes
from airflow_provider_aihub.http.request import Request
from airflow_provider_aihub.http.values import as_int, check_id, check_text

T = TypeVar("T")

JobId = int | str
"""An id; or, for a dataset version, its name ``<dataset>/V<n>``."""


class PageRequest(Protocol):
    """Makes the request for one page of a list."""

    def __call__(
        self, page: int, page_size: int, name: str | None, user_id: int | None = None, /
    ) -> Request[Page[Any]]: ...


class Phase(StrEnum):
    """Where a job stands, in words that hold for every kind."""

    WAITING = "waiting"
    RUNNING = "running"
    STOPPING = "stopping"
    UNKNOWN = "unknown"
    """AIHub has a status number that this provider does not know; it counts as in progress."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"

    @property
    def terminal(self) -> bool:
        """Whether the job is over."""
        return self in (Phase.SUCCEEDED, Phase.FAILED, Phase.STOPPED)


class JobState:
    """What one look at a job showed.

    Most looks are about the status alone, and one page shows hundreds of jobs, so an answer is read as a whole only
    when more of it is asked for.

    :param kind: What kind of job it is.
    :param job_id: The id it was asked by.
    :param status: AIHub's own status number.
    :param answer: The whole answer, or the data that it is made from.
    """

    __slots__ = ("_answer", "_kind", "job_id", "phase", "read_at", "status")

    def __init__(self, kind: JobKind, job_id: JobId, status: int, answer: Answer | dict[str, Any]) -> None:
        self._kind = kind
        self._answer: Any = answer
        self.job_id = job_id
        self.status = status
        self.phase = kind.statuses.get(status, Phase.UNKNOWN)
        """What the status number means."""
        self.read_at: float | None = None
        """When that was, in Unix seconds; ``None`` for just now."""

    def __repr__(self) -> str:
        return f"JobState(job_id={self.job_id!r}, status={self.status}, phase={self.phase!r})"

    @property
    def word(self) -> str:
        """The phase as a sentence has it: ``running``, or the number of a status that nobody here knows."""
        if self.phase is Phase.UNKNOWN:
            return f"in status {self.status}, which this provider does not know"
        return str(self.phase)

    @property
    def verb(self) -> str:
        """The phase as the verb of a sentence: ``is running``, ``has failed``."""
        if self.phase is Phase.STOPPED:
            return "was stopped"
        return f"has {self.word}" if self.phase.terminal else f"is {self.word}"

    def forget(self) -> None:
        """Keep no more than the status: of thousands of jobs the answers would take much memory."""
        self._answer = None

    @property
    def shown(self) -> Any:
        """What was shown, as it came: a model or data; ``None`` where it was forgotten."""
        return self._answer

    @property
    def answer(self) -> Any:
        """The whole answer, unless it was forgotten."""
        if isinstance(self._answer, dict):
            self._answer = self._kind.model.read(self._answer)
        return self._answer

    @property
    def message(self) -> str:
        """AIHub's own words on the status, often empty."""
        return self._kind.message(self.answer)


# What tells jobs apart, and where they stand.
_ALWAYS_TOLD: Final = ("id", "status", "description", "name", "user_id", "created_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobKind:
    """One kind of job.

    :param name: Name in trigger arguments.
    :param noun: What people call it.
    :param model: What an answer that reads one is.
    :param statuses: What its status numbers mean; a number that is not here counts as in progress. Empty for a kind
        that cannot be waited for.
    :param read: The request that reads one job.
    :param stop: The request that stops one, where the platform has it.
    :param page: The request that lists jobs, newest first, ``(page, page_size, name, user_id)``; not every platform
        has it.
    :param told: The fields, besides id and status, of which something is told while a job goes on.
    :param listed_whole: Whether a row of such a list, as data, shows all of them.
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
    model: type[Answer]
    statuses: Mapping[int, Phase]
    read: Callable[[Any], Request[Any]]
    stop: Callable[[Any], Request[Any]] | None = None
    page: PageRequest | None = None
    told: tuple[str, ...] = ()
    listed_whole: Callable[[dict[str, Any]], bool] = lambda _row: True
    part_noun: str = "pod"
    parts: Callable[[Any], Request[list[Part]]] | None = None
    parts_within: Callable[[Any], list[Part]] | None = None
    queue: Callable[[Any], Request[Page[Any]] | None] | None = None
    neighbours: Callable[[Any], list[NodeTasks]] = lambda _answer: []
    message: Callable[[Any], str] = lambda answer: getattr(answer, "message", "")

    def state(self, job_id: JobId, answer: Answer) -> JobState:
        """Say where a job stands, from the answer that read it."""
        status: int = answer.status  # type: ignore[attr-defined]
        return JobState(self, job_id, status, answer)

    def glimpse(self, job_id: JobId, data: Any) -> JobState:
        """Say where a job stands, from the data of the answer that read it.

        :raises ValueError: The answer lacks what must be there.
        """
        if isinstance(data, dict) and as_int(data.get("id")) is not None:
            status = as_int(data.get("status"))
            if status is not None:
                return JobState(self, job_id, status, data)
        return self.state(job_id, self.model.read(data))

    def look(self, job_id: JobId) -> Request[JobState]:
        """Make the request that reads where a job stands."""
        return _reading(self.read(job_id), partial(self.glimpse, job_id))

    def glance(self, job_id: JobId) -> Request[JobState]:
        """Make the request that reads no more of a job than is told while many are waited for."""
        return _reading(self.read(job_id), lambda data: self.glimpse(job_id, self.brief(data)))

    def brief(self, data: Any) -> Any:
        """Return as much of a job's data as is told while it is waited for, in bounds however much there is."""
        if not isinstance(data, dict):
            return data
        return {name: brief(data[name]) for name in (*_ALWAYS_TOLD, *self.told) if name in data}

    def sweep(self, page: int, page_size: int, user_id: int | None) -> Request[Page[dict[str, Any]]]:
        """Make the request that reads where many jobs stand: one page, newest first, of their data.

        :param user_id: Whose jobs; ``None`` for everybody's.
        :raises AIHubUnsupportedError: AIHub does not list jobs of this kind.
        """
        if self.page is None:
            raise AIHubUnsupportedError(f"AIHub does not list its jobs of kind {self.name}.")
        decode = rows_with("id", "status", "description", *self.told)
        return _reading(self.page(page, page_size, None, user_id), raw_page, decode)

    def called(self, job_id: JobId) -> str:
        """Name one job in a sentence: ``training 12``."""
        return f"{self.noun} {job_id}"


def _reading(
    request: Request[Any], read: Callable[[Any], T], decode: Callable[[bytes], Any] | None = None
) -> Request[T]:
    fallback = request.fallback and _reading(request.fallback, read, decode)
    return replace(request, read=read, decode=decode, fallback=fallback)


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


# What is wrong with an id is told by the name that it has as a parameter of operators and sensors.


def _read_dataset_version(job_id: JobId) -> Request[Any]:
    if isinstance(job_id, str) and as_int(job_id) is None:
        allowed = "the name of a dataset version such as mnist/V1, or its id"
        check_text("dataset_version", job_id, dataset_management.VERSION_NAME, allowed)
        return dataset_management.get_dataset_version_by_name(job_id)
    return dataset_management.get_dataset_version(check_id("dataset_version", job_id))


def _read_workflow_run(job_id: JobId) -> Request[Any]:
    return workflow_center.get_workflow_run(check_id("workflow_run_id", job_id))


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
    model=model_training.Training,
    statuses=_phases(model_training.TrainingStatus),
    read=model_training.get_training,
    stop=model_training.stop_training,
    page=lambda page, size, name, user_id=None: model_training.list_trainings(
        page=page, page_size=size, name=name, user_id=user_id
    ),
    parts=pods(
        model_training.list_training_pods,
        model_training.get_training_pod_logs,
        model_training.get_training_pod_events,
    ),
    queue=_training_queue,
    told=("created_at", "virtual_cluster", "avg_gpu_util"),
)
QUOTA_TASK = JobKind(
    name="quota_task",
    noun="quota task",
    model=quota_schedule.QuotaTask,
    statuses=_phases(quota_schedule.QuotaTaskStatus),
    read=quota_schedule.get_quota_task,
    stop=quota_schedule.stop_quota_task,
    page=lambda page, size, name, user_id=None: quota_schedule.list_quota_tasks(
        page=page, page_size=size, name=name, user_id=user_id
    ),
    parts=pods(
        quota_schedule.list_quota_task_pods,
        quota_schedule.get_quota_task_pod_logs,
        quota_schedule.get_quota_task_pod_events,
    ),
    queue=_quota_task_queue,
    told=("created_at", "virtual_cluster"),
    neighbours=lambda task: task.virtual_cluster.node_tasks,
)
SEARCH = JobKind(
    name="search",
    noun="search",
    model=data_warehouse.Search,
    statuses=_phases(data_warehouse.SearchStatus),
    read=data_warehouse.get_search,
    page=lambda page, size, name, user_id=None: data_warehouse.list_searches(
        page=page, page_size=size, name=name, user_id=user_id
    ),
)
DATASET_VERSION = JobKind(
    name="dataset_version",
    noun="dataset version",
    model=dataset_management.DatasetVersion,
    statuses=_phases(dataset_management.VersionStatus),
    read=_read_dataset_version,
    page=lambda page, size, _name, _user_id=None: dataset_management.list_dataset_versions(page=page, page_size=size),
)
WORKFLOW_RUN = JobKind(
    name="workflow_run",
    noun="workflow run",
    model=workflow_center.WorkflowRun,
    statuses=_phases(workflow_center.RunStatus),
    read=_read_workflow_run,
    stop=workflow_center.stop_workflow_run,
    page=lambda page, size, name, user_id=None: workflow_center.list_workflow_runs(
        page=page, page_size=size, name=name, user_id=user_id
    ),
    told=("task_nodes",),
    # The document of newer platforms does not say that a run in a list comes with its nodes.
    listed_whole=lambda row: bool(row.get("task_nodes")),
    part_noun="node",
    parts_within=workflow_nodes,
    message=_node_messages,
)
EVALUATION = JobKind(
    name="evaluation",
    noun="evaluation",
    model=Answer,
    # AIHub has no call that reads one.
    statuses={},
    read=_unreadable,
)


def _by_name(kinds: Iterable[JobKind]) -> dict[str, JobKind]:
    return {kind.name: kind for kind in kinds}


KINDS: Mapping[str, JobKind] = _by_name((TRAINING, QUOTA_TASK, SEARCH, DATASET_VERSION, WORKFLOW_RUN, EVALUATION))
