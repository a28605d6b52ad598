"""What is said of a job that has ended: a line in the log, and for one that ended badly the error with its reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_aihub.api.errors import AIHubError, AIHubJobError, AIHubJobFailed, AIHubJobStopped
from airflow_provider_aihub.api.jobs import JobKind, JobState, Phase
from airflow_provider_aihub.client.waiting import span

if TYPE_CHECKING:
    from airflow_provider_aihub.api.models import Pod
    from airflow_provider_aihub.hooks.aihub import AIHubHook

MOST_PODS = 5


def summary(kind: JobKind, state: JobState) -> str:
    """Say how a job ended, how long it waited and ran, and what it used."""
    answer = state.answer
    parts = [f"{kind.called(state.job_id)} {state.phase.verb}"]
    created, started, finished = (getattr(answer, f"{moment}_at", 0) for moment in ("created", "started", "finished"))
    if created and started >= created:
        parts.append(f"waited {span((started - created) / 1000)}")
    if started and finished >= started:
        parts.append(f"ran {span((finished - started) / 1000)}")
    if getattr(answer, "avg_gpu_util", 0):
        parts.append(f"GPU utilisation {answer.avg_gpu_util:g} %")
    stopper = _stopper(state)
    if stopper:
        parts.append(f"stopped by {stopper}")
    return ", ".join(parts)


def failure(hook: AIHubHook, kind: JobKind, state: JobState) -> AIHubJobError:
    """Give the error for a job that failed or was stopped, with all that AIHub says about it."""
    name = getattr(state.answer, "name", "")
    subject = f"AIHub's {kind.called(state.job_id)}" + (f" ({name})" if name else "")
    if state.phase is Phase.STOPPED:
        stopper = _stopper(state)
        message = f"{subject} was stopped on AIHub" + (f" by {stopper}" if stopper else "")
        return AIHubJobStopped(f"{message}.", kind=kind.name, job_id=state.job_id)
    reasons = [state.message.strip(), *_pods(hook, kind, state)]
    told = "; ".join(reason for reason in reasons if reason) or "AIHub gives no reason"
    return AIHubJobFailed(f"{subject} failed: {told}", kind=kind.name, job_id=state.job_id)


def _stopper(state: JobState) -> str:
    user = getattr(state.answer, "stop_op_user", None)
    return user.name if user else ""


def _pods(hook: AIHubHook, kind: JobKind, state: JobState) -> list[str]:
    """Name the pods that failed. What cannot be learnt here must not hide the failure itself."""
    if kind.pods is None:
        return []
    try:
        pods = hook.send(kind.pods(state.job_id)).data
    except AIHubError:
        return []
    failed = [pod for pod in pods if pod.status == "Failed"]
    named = [f"pod {pod.name} failed{_on_node(pod)}" for pod in failed[:MOST_PODS]]
    return [*named, f"and {len(failed) - MOST_PODS} more"] if len(failed) > MOST_PODS else named


def _on_node(pod: Pod) -> str:
    return f" on node {pod.node_name}" if pod.node_name else ""
