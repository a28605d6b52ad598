"""The quota scheduler: GPU jobs that wait for their share. A quota task is a training with a priority."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, ClassVar
from urllib.parse import quote, unquote

from pydantic import Field

from airflow_provider_aihub.aihub.job_calls import JobCalls
from airflow_provider_aihub.aihub.model_training import JobSpec, Training
from airflow_provider_aihub.aihub.models import LogFile, Named, Page, Pod, page_of
from airflow_provider_aihub.aihub.services import Service
from airflow_provider_aihub.aihub.values import check_member, page_query
from airflow_provider_aihub.http.models import Answer
from airflow_provider_aihub.http.request import Request
from airflow_provider_aihub.http.values import Flag, Number, Whole, one_of

_TASKS = JobCalls(
    Service.QUOTA_SCHEDULE, "quota task", "quota tasks", "/quota-schedule-management/api/v1/tasks", "quota_task_id"
)


class Priority(IntEnum):
    """How urgent a quota task is."""

    LOW = 1
    HIGH = 2


class QuotaTaskStatus(IntEnum):
    """Where a quota task stands."""

    WAITING = 1
    RUNNING = 2
    SUCCESS = 3
    FAILED = 4
    STOPPED = 5
    STOPPING = 6


class QuotaTaskSpec(JobSpec):
    """A quota task to create: what :class:`~airflow_provider_aihub.aihub.model_training.JobSpec` has, and a priority.

    :param priority: By word or number, see :class:`Priority`. Default: low.
    :param enable_reschedule: Whether it may be scheduled again. Newer platforms only.
    """

    noun: ClassVar[str] = "quota task"

    priority: Annotated[Priority, one_of(Priority)] = Priority.LOW
    enable_reschedule: Flag | None = None


class QuotaTask(Training):
    """A quota task as AIHub knows it: what a training has, and the following.

    ``virtual_cluster.node_tasks`` says what runs on the nodes of its virtual cluster.

    :param status: See :class:`QuotaTaskStatus`; numbers beyond it may appear.
    :param priority: See :class:`Priority`.
    :param mtp_id: Id of the training behind it, 0 for none yet.
    :param source_task: The task that it repeats.
    """

    priority: Number = 0
    mtp_id: Number = 0
    enable_reschedule: bool = False
    remain_schedule_cnt: Number = 0
    source_task: Named = Field(default_factory=Named)


class Machines(Answer):
    """How the machines of a virtual cluster are used. It is not documented what is counted; most likely machines.

    :param high: Those with quota tasks of high priority; ``low`` are those with low priority.
    """

    high: Number = 0
    low: Number = 0
    free: Number = 0


class GroupQuota(Answer):
    """How much a group uses of its quota for tasks of high priority.

    :param used: GPUs in use.
    :param total: GPUs that it may use.
    """

    group_id: Number = 0
    group_name: str = ""
    used: Number = 0
    total: Number = 0


class ClusterUsage(Answer):
    """How much of a virtual cluster is in use. AIHub does not show how many of its GPUs are free.

    :param vc_id: Id of the virtual cluster; ``vc_name`` is its name.
    """

    vc_id: Whole
    vc_name: str = ""
    machine: Machines = Field(default_factory=Machines)
    high_priority: list[GroupQuota] = Field(default_factory=list)


class QuotaLeft(Answer):
    """How much of its quota a group has left on a virtual cluster, compared with what was asked for.

    :param id: See :func:`quota_id`.
    :param status: ``free``, ``used``, or ``unknown`` if there is no such quota.
    :param left: GPUs that the group may still use.
    """

    id: str
    status: str
    left: Number = 0
    used: Number = 0
    total: Number = 0


def quota_id(virtual_cluster: str, group: str, gpus: int) -> str:
    """Return one text that says which quota is meant, and how much of it must be left."""
    return f"{gpus}/{quote(group, safe='')}/{quote(virtual_cluster, safe='')}"


def quota_left(asked: str, usage: Page[ClusterUsage]) -> QuotaLeft:
    """Return how much is left of a quota.

    :param asked: See :func:`quota_id`. Cluster and group are names or ids.
    """
    gpus, group, cluster = map(unquote, asked.split("/"))
    for row in usage.data:
        for quota in row.high_priority if cluster in (row.vc_name, str(row.vc_id)) else ():
            if group in (quota.group_name, str(quota.group_id)):
                left = max(quota.total - quota.used, 0)
                status = "free" if left >= int(gpus) else "used"
                return QuotaLeft(id=asked, status=status, left=left, used=quota.used, total=quota.total)
    return QuotaLeft(id=asked, status="unknown")


def create_quota_task(spec: QuotaTaskSpec) -> Request[int]:
    """Start a quota task and return its id."""
    without = spec.only_document(list_quota_tasks(page_size=1))
    return _TASKS.create(spec, spec.name, fields_without=without)


def get_quota_task(quota_task_id: int | str) -> Request[QuotaTask]:
    """Read a quota task.

    :raises AIHubParameterError: The id is not a whole number of at least 1.
    """
    return _TASKS.read(QuotaTask, quota_task_id)


def list_quota_task_pods(quota_task_id: int | str, page: int = 1, page_size: int = 9999) -> Request[Page[Pod]]:
    """List the pods of a quota task.

    :raises AIHubParameterError: A number is not a whole number of at least 1.
    """
    return _TASKS.pods(quota_task_id, page, page_size)


def stop_quota_task(quota_task_id: int | str) -> Request[None]:
    """Stop a quota task.

    :raises AIHubParameterError: The id is not a whole number of at least 1.
    """
    return _TASKS.stop(quota_task_id)


def list_quota_tasks(
    page: int = 1,
    page_size: int = 20,
    name: str | None = None,
    status: int | None = None,
    user_id: int | str | None = None,
    virtual_cluster_id: int | str | None = None,
    category_id: int | None = None,
    project_id: int | str | None = None,
    is_quota_schedule: bool | None = None,
    priority: Priority | int | str | None = None,
) -> Request[Page[QuotaTask]]:
    """List quota tasks. Newer platforms only. Each parameter but the first two keeps only the tasks that have it.

    :param name: Whether a part of the name also matches is not documented.
    :param status: See :class:`QuotaTaskStatus`.
    :param category_id: See :class:`~airflow_provider_aihub.aihub.model_training.Category`.
    :param priority: By word or number, see :class:`Priority`.
    :raises AIHubParameterError: A number is not a whole number of at least 1, or the priority is unknown.
    """
    numbers = {
        "status": status,
        "user_id": user_id,
        "virtual_cluster_id": virtual_cluster_id,
        "category_id": category_id,
        "project_id": project_id,
        "priority": None if priority is None else check_member("priority", Priority, priority).value,
    }
    return _TASKS.listing(QuotaTask, page, page_size, numbers, name=name, is_quota_schedule=is_quota_schedule)


def get_quota_task_pod_logs(quota_task_id: int | str, pod_id: int | str) -> Request[list[LogFile]]:
    """Name the log files of a pod. Newer platforms only.

    :param pod_id: ``id`` of the pod, not its name.
    :raises AIHubParameterError: An id is not a whole number of at least 1.
    """
    return _TASKS.pod_logs(quota_task_id, pod_id)


def get_quota_task_pod_events(quota_task_id: int | str, pod_id: int | str) -> Request[str]:
    """Read the events of a pod as text. Newer platforms only.

    :param pod_id: ``id`` of the pod, not its name.
    :raises AIHubParameterError: An id is not a whole number of at least 1.
    """
    return _TASKS.pod_text("events", quota_task_id, pod_id)


def get_quota_task_pod_spec(quota_task_id: int | str, pod_id: int | str) -> Request[str]:
    """Read the specification of a pod as text. Newer platforms only.

    :param pod_id: ``id`` of the pod, not its name.
    :raises AIHubParameterError: An id is not a whole number of at least 1.
    """
    return _TASKS.pod_text("spec", quota_task_id, pod_id)


def list_cluster_usage(page: int = 1, page_size: int = 20) -> Request[Page[ClusterUsage]]:
    """List how much of each virtual cluster is in use. Newer platforms only.

    :raises AIHubParameterError: A number is not a whole number of at least 1.
    """
    return Request(
        asks="list how much of the virtual clusters is in use",
        service=Service.QUOTA_SCHEDULE,
        method="GET",
        path="/quota-schedule-management/api/v1/metrics/overview",
        read=page_of(ClusterUsage),
        query=page_query(page, page_size),
        optional=True,
    )
