"""What jobs of AIHub consist of: the pods of a training or quota task, the nodes of a workflow run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

from airflow_provider_aihub.aihub.errors import AIHubParameterError
from airflow_provider_aihub.aihub.models import LogFile, Page, Pod
from airflow_provider_aihub.aihub.workflow_center import (
    NodeStatus,
    TaskLog,
    WorkflowRun,
    get_workflow_task_events,
    get_workflow_task_log,
)
from airflow_provider_aihub.http.request import Request
from airflow_provider_aihub.jobs.parts import FAILED, PENDING, RUNNING, SUCCEEDED, Part, PartLog

T = TypeVar("T")
U = TypeVar("U")

_NODE_STATES = {
    NodeStatus.WAITING: PENDING,
    NodeStatus.RUNNING: RUNNING,
    NodeStatus.SUCCESS: SUCCEEDED,
    NodeStatus.FAILED: FAILED,
}


def pods(
    pages: Callable[[int | str], Request[Page[Pod]]],
    logs: Callable[[int | str, int], Request[list[LogFile]]],
    events: Callable[[int | str, int], Request[str]],
) -> Callable[[int | str], Request[list[Part]]]:
    """Make the request that reads the parts of a job from the one that lists its pods."""

    def part(job_id: int | str, pod: Pod) -> Part:
        return Part(
            key=str(pod.id or pod.name),
            name=pod.name,
            state=pod.status,
            # A pod that waits has a machine at most in name.
            place="" if pod.status == PENDING else pod.node_name,
            machine=pod.node_name,
            logs=_mapped(logs(job_id, pod.id), _files) if pod.id > 0 else None,
            events=events(job_id, pod.id) if pod.id > 0 else None,
        )

    return lambda job_id: _mapped(pages(job_id), lambda page: [part(job_id, pod) for pod in page.data])


def workflow_nodes(run: WorkflowRun) -> list[Part]:
    """Return the nodes of a workflow run."""
    parts = []
    for node in run.task_nodes:
        logs: Request[list[PartLog]] | None = None
        events: Request[str] | None = None
        # A node that has not begun has no pod.
        with suppress(AIHubParameterError):
            logs = _mapped(get_workflow_task_log(run.id, node.pod_name), _task_log)
            events = get_workflow_task_events(run.id, node.pod_name)
        state = _NODE_STATES.get(node.status, f"in status {node.status}")  # type: ignore[call-overload]
        key = node.pod_name or node.name
        parts.append(
            Part(
                key=key,
                name=node.name,
                state=state,
                place=node.name,
                message=node.message.strip(),
                logs=logs,
                events=events,
            )
        )
    return parts


def _files(files: list[LogFile]) -> list[PartLog]:
    return [PartLog(file.name, file.url) for file in files if file.url]


def _task_log(log: TaskLog) -> list[PartLog]:
    url = log.log_s3_url if log.log_s3_url.startswith(("http://", "https://")) else ""
    return [PartLog("", url, log.log)]


def _mapped(request: Request[T], change: Callable[[T], U]) -> Request[U]:
    read = request.read
    return replace(request, read=lambda data: change(read(data)))  # type: ignore[return-value, arg-type]
