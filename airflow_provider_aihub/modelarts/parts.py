"""What jobs of ModelArts consist of: the tasks of a training job, the steps of a workflow execution."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from airflow_provider_aihub.http.request import Request
from airflow_provider_aihub.jobs.kind import JobId
from airflow_provider_aihub.jobs.parts import FAILED, PENDING, RUNNING, SUCCEEDED, Part, PartLog
from airflow_provider_aihub.modelarts.errors import ModelArtsParameterError
from airflow_provider_aihub.modelarts.training_jobs import (
    LogPreview,
    Phase,
    TrainingJob,
    get_training_job,
    get_training_job_log,
    get_training_job_log_url,
)
from airflow_provider_aihub.modelarts.values import reading
from airflow_provider_aihub.modelarts.workflows import WAITS_FOR_A_PERSON, Step, WorkflowExecution

T = TypeVar("T")

_STEP_STATES = {
    **dict.fromkeys(("init", "pending", "creating", "created"), PENDING),
    **dict.fromkeys(("running", "stopping"), RUNNING),
    **dict.fromkeys(("completed", "skipped"), SUCCEEDED),
    **dict.fromkeys(("failed", "create_failed", "timeout"), FAILED),
}
_TASK_STATES: dict[str, str] = {
    Phase.CREATING: PENDING,
    Phase.PENDING: PENDING,
    Phase.RUNNING: RUNNING,
    Phase.TERMINATING: RUNNING,
    Phase.COMPLETED: SUCCEEDED,
}


def tasks(job: TrainingJob) -> list[Part]:
    """Return the tasks of a training job. ModelArts shows how each has ended, but while the job runs only one state for
    all."""
    ended = {one.task: one for one in job.status.task_statuses if one.exit_code is not None}
    phase, parts = job.status.phase, []
    for name in dict.fromkeys([*job.status.tasks, *ended]):
        logs: dict[str, Any] = {}
        with suppress(ModelArtsParameterError):
            logs["logs"] = _mapped(get_training_job_log(job.metadata.id, name), _log)
            whole = get_training_job_log_url(job.metadata.id, name)
            logs["logs_otherwise"] = _mapped(whole, lambda url: [PartLog("", url)])
        # Where it is known of some how they ended, nothing is known of the others.
        state, message, end = _TASK_STATES.get(phase, "" if ended else phase), "", ended.get(name)
        if end is not None:
            state = FAILED if end.exit_code else SUCCEEDED
            said = end.message.strip()
            message = f"exit code {end.exit_code}{said and f', {said}'}" if end.exit_code else ""
        parts.append(Part(key=name, name=name, state=state, message=message, **logs))
    return parts


def tasks_of(job_id: JobId) -> Request[list[Part]]:
    """Make the request that reads the tasks of a training job."""
    return _mapped(get_training_job(str(job_id)), tasks)


def steps(execution: WorkflowExecution) -> list[Part]:
    """Return the steps of a workflow execution."""
    return [
        Part(
            key=step.uuid or step.step_name,
            name=step.step_name,
            state=_STEP_STATES.get(step.status, step.status),
            place=step.step_name,
            message=_why(step),
        )
        for step in execution.steps_execution
    ]


def waiting_steps(execution: Any) -> list[Step]:
    """Return the steps that wait for a person."""
    return [step for step in execution.steps_execution if step.status in WAITS_FOR_A_PERSON]


def _why(step: Step) -> str:
    if step.status in WAITS_FOR_A_PERSON:
        return "it waits for a person"
    said = step.error_info
    return " ".join(word for word in (said.error_code, said.error_message.strip()) if word)


def _log(preview: LogPreview) -> list[PartLog]:
    if not preview.content:
        return []
    # By what ModelArts counts: the whole may have been cut in the middle of a character.
    return [PartLog("", text=preview.content, start=max(preview.full_size - preview.current_size, 0))]


def _mapped(request: Request[Any], change: Callable[[Any], T]) -> Request[T]:
    read = request.read
    return reading(request, lambda data: change(read(data)))
