"""What the log says of a job that waits for its virtual cluster: who else waits, and who uses it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from airflow_provider_aihub.aihub.models import NodeTasks, Page
from airflow_provider_aihub.http.errors import RemoteJobError
from airflow_provider_aihub.http.request import Request
from airflow_provider_aihub.jobs.errands import Ask
from airflow_provider_aihub.jobs.kind import JobState, Notes
from airflow_provider_aihub.jobs.progress_log import named, plain

QUEUE_PAGE = 100
"""How many waiting jobs are read to see which of them wait for longer."""


def cluster_notes(pages: Callable[..., Request[Page[Any]]], waiting: int, noun: str) -> Callable[[JobState], Notes]:
    """Make the source of sentences about other jobs on the virtual cluster of a job.

    :param pages: The request for a page of the list of such jobs; not every platform has it.
    :param waiting: Their status while they wait.
    :param noun: What people call them.
    """

    def notes(state: JobState) -> Notes:
        said, cluster = [], state.answer.virtual_cluster
        if cluster.id >= 1:
            reply = yield Ask(pages(page_size=QUEUE_PAGE, status=int(waiting), virtual_cluster_id=cluster.id))
            if not isinstance(reply, RemoteJobError):
                said.append(queue_text(reply, state, noun))
        said.append(neighbours_text(cluster.node_tasks, state.answer))
        return [text for text in said if text]

    return notes


def queue_text(page: Page[Any], state: JobState, noun: str) -> str:
    """Return how many others wait for the same virtual cluster and, if all of them were seen, how many of them have
    waited longer."""
    cluster = state.answer.virtual_cluster
    if any(job.status != state.status or job.virtual_cluster.id != cluster.id for job in page.data):
        # This AIHub does not filter its lists by that; its numbers say nothing.
        return ""
    others = [job for job in page.data if job.id != state.answer.id]
    total = max(page.total - (len(page.data) - len(others)), len(others))
    where = plain(cluster.name) or f"virtual cluster {cluster.id}"
    if not total:
        return f"no other {noun} waits on {where}"
    said = f"{total} other {noun}{'s wait' if total > 1 else ' waits'} on {where}"
    if total == len(others):
        mine = (state.answer.created_at, state.answer.id)
        longer = sum((job.created_at, job.id) < mine for job in others)
        if total == 1:
            said += ", for longer" if longer else ", not for as long"
        else:
            said += f", {longer or 'none'} of them for longer"
    return said


def neighbours_text(nodes: Sequence[NodeTasks], job: Any) -> str:
    """Return what runs on the virtual cluster of a job, whose it is and where it runs."""
    found: dict[str, tuple[str, dict[str, None]]] = {}
    for node in nodes:
        for task in node.tasks:
            label = plain(task.name) + (f" of {plain(task.username)}" if task.username else "")
            found.setdefault(task.id or label, (label, {}))[1][plain(node.node_name)] = None
    if not found:
        return ""
    cluster = plain(job.virtual_cluster.name) or f"virtual cluster {job.virtual_cluster.id}"
    return f"on {cluster} run now: " + named(f"{label} ({named(where)})" for label, where in found.values())


def gpu_utilisation(used: Any) -> str:
    """Return how much of its GPUs a job has used so far, as AIHub gives it: the unit is not documented."""
    return f"avg_gpu_util {used:g}" if isinstance(used, int | float) and 0 < used < 2**63 else ""
