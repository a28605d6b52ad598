"""ModelArts' kinds of job: how each is read, stopped and listed, and what its states mean.

Nothing outside this module knows what a state means. An id of several parts, such as ``<workflow>/<execution>``, is
made and taken apart here alone. Some kinds look at the same thing in another way: for a task that starts a notebook,
RUNNING is the end; for one that stops a job, any end is a success.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Final

from airflow_provider_aihub.http.errors import NotFoundError
from airflow_provider_aihub.http.models import Answer, brief
from airflow_provider_aihub.http.request import Request
from airflow_provider_aihub.http.values import as_int
from airflow_provider_aihub.jobs.errands import Ask
from airflow_provider_aihub.jobs.kind import Batch, Facts, JobId, JobKind, JobState, ListRequest, Notes, Phase, Status
from airflow_provider_aihub.jobs.progress_log import plain
from airflow_provider_aihub.modelarts import images, notebooks, parts, training_jobs, workflows
from airflow_provider_aihub.modelarts.iam import unix
from airflow_provider_aihub.modelarts.services import WORKSPACE
from airflow_provider_aihub.modelarts.values import at, check_id, parts_of, reading, seconds_at, text_at

MOST_EVENTS: Final = 3
"""How many of a job's errors are reported, the newest ones."""
WAITS: Final = "waits for a person"
"""The state of a running execution of which a step waits for a person."""
ABSENT: Final = "not run"
"""The state of a step that did not appear before its execution ended."""


def _words(**phases: str) -> Mapping[str, Phase]:
    """Say what states mean, by the name of the phase."""
    return {word: Phase[name.upper()] for name, words in phases.items() for word in words.split()}


def _kind(key: str, noun: str, model: type[Answer], of: type[JobKind] = JobKind, **more: Any) -> JobKind:
    return of(
        platform="ModelArts",
        key=f"modelarts.{key}",
        noun=noun,
        decode=model.read,
        missing=lambda error: isinstance(error, NotFoundError),
        **more,
    )


class _PartedKind(JobKind):
    """A kind whose ids have several parts. One that was joined to an id of all parts is called by the last ones."""

    id_parts: ClassVar[int] = 2

    def called(self, job_id: JobId) -> str:
        return super().called("/".join(str(job_id).split("/")[-self.id_parts :]))


# Training jobs

_PHASES: Final = _words(
    waiting="Creating Pending",
    running="Running",
    stopping="Terminating",
    succeeded="Completed",
    failed="Failed Abnormal",
    stopped="Terminated",
)
_SPELT: Final = {word.lower(): word for word in _PHASES}


def _job_row(data: Any) -> tuple[JobId, Status] | None:
    job, phase = text_at(data, "metadata", "id"), text_at(data, "status", "phase")
    return (job, _SPELT.get(phase.lower(), phase)) if job and phase else None


def _job_facts(data: Any) -> Facts:
    started = seconds_at(data, "status", "start_time")
    lasted = seconds_at(data, "status", "duration")
    return Facts(
        name=text_at(data, "metadata", "name"),
        description=text_at(data, "metadata", "description"),
        created=seconds_at(data, "metadata", "create_time"),
        started=started,
        finished=started + lasted if started and lasted else None,
    )


def _brief(*names: str) -> Callable[[Any], Any]:
    """Make what keeps these fields alone of an answer, as much of each as is told while a job is waited for."""
    return lambda data: {one: brief(data[one]) for one in names if one in data} if isinstance(data, dict) else data


def _job_reasons(state: JobState) -> Notes:
    """Say why a training job failed, besides what its tasks tell: in which phase, and what went wrong on the way."""
    status = state.answer.status
    finer = f" ({status.secondary_phase})" if status.secondary_phase not in ("", status.phase) else ""
    said = [f"it ended as {status.phase}{finer}"]
    for record in status.running_records:
        if record.end_reason:
            said.append(f"{record.end_related_task or 'a run'} ended: {record.end_reason}")
    reply = yield Ask(training_jobs.list_training_job_events(str(state.job_id), limit=MOST_EVENTS, level="Error"))
    said += [f"event: {event.message}" for event in (reply or ()) if event.message] if isinstance(reply, list) else []
    return list(dict.fromkeys(said))


def jobs_in(workspace_id: str | None, *, states_alone: bool = False) -> ListRequest:
    """Make the request for a part of the list of training jobs; there is none of all workspaces.

    :param workspace_id: Of this workspace; ``None`` for that of the connection.
    :param states_alone: Whether no more is read than tells who and where a job is.
    """

    # It knows no users.
    def listed(start: Any = None, /, *, size: int, name: str | None = None, **_: Any) -> Request[Batch[Any]]:
        page = start or 0
        filters = [{"key": "name", "operator": "like", "value": [name]}] if name else []
        request = training_jobs.search_training_jobs(page, size, filters, workspace_id or WORKSPACE)

        def batch(data: Any) -> Batch[Any]:
            rows = training_jobs.job_rows(data)
            return Batch(rows, page + 1 if rows else None, training_jobs.job_total(data))

        return replace(reading(request, batch), decode=training_jobs.decode_rows if states_alone else None)

    return listed


TRAINING_JOB = _kind(
    "training_job",
    "training job",
    training_jobs.TrainingJob,
    phases=_PHASES,
    row=_job_row,
    facts=_job_facts,
    brief=_brief("metadata", "status"),
    read=training_jobs.get_training_job,
    stop=training_jobs.terminate_training_job,
    listed=jobs_in(None),
    states=jobs_in(None, states_alone=True),
    sent_description=lambda request: at(request.json, "metadata", "description"),
    sent_name=lambda request: at(request.json, "metadata", "name"),
    unique_names=True,
    part_noun="task",
    parts=parts.tasks_of,
    reasons=_job_reasons,
)


# Workflow executions and their steps

_EXECUTION_PHASES: Final = {
    **_words(
        waiting="init",
        running="running",
        stopping="stopping",
        succeeded="completed",
        failed="abnormal failed",
        stopped="stopped",
    ),
    WAITS: Phase.WAITING,
}


def _execution_row(data: Any) -> tuple[JobId, Status] | None:
    execution, status = text_at(data, "execution_id"), text_at(data, "status").lower()
    if not execution or not status:
        return None
    steps = at(data, "steps_execution")
    waits = any(text_at(step, "status") in workflows.WAITS_FOR_A_PERSON for step in steps or ())
    return f"{text_at(data, 'workflow_id')}/{execution}", WAITS if waits and status == "running" else status


def _execution_facts(data: Any) -> Facts:
    return Facts(
        name=text_at(data, "name"),
        description=text_at(data, "description"),
        created=unix(at(data, "created_at")),
        message=text_at(data, "status"),
    )


_execution_head: Final = _brief("execution_id", "workflow_id", "status", "name", "description", "created_at")
_step_brief: Final = _brief("uuid", "step_name", "status", "error_info")


def _execution_brief(data: Any) -> Any:
    if not isinstance(data, dict):
        return data
    return _execution_head(data) | {
        "steps_execution": brief([_step_brief(one) for one in data.get("steps_execution") or ()])
    }


def _read_execution(job_id: JobId) -> Request[Any]:
    return workflows.get_workflow_execution(*parts_of("execution", job_id, "workflow", "execution"))


def _stop_execution(job_id: JobId) -> Request[Any]:
    return workflows.stop_workflow_execution(*parts_of("execution", job_id, "workflow", "execution"))


def _execution_notes(state: JobState) -> Notes:
    """Say for whom an execution waits."""
    yield from ()
    said = "step {} waits for a person ({}): let it go on in the console, or with ModelArtsStepExecutionActionOperator"
    return [said.format(plain(step.step_name), step.status) for step in parts.waiting_steps(state.answer)]


def executions_of(workflow_id: str, workspace_id: str | None = None) -> ListRequest:
    """Make the request for a part of the list of a workflow's executions; there is no list for all workflows.

    :param workspace_id: Those of this workspace; ``None`` for that of the connection.
    """

    # It knows neither names nor users.
    def listed(start: Any = None, /, *, size: int, **_: Any) -> Request[Batch[Any]]:
        offset = start or 0
        request = workflows.list_workflow_executions(workflow_id, offset, size, workspace_id=workspace_id or WORKSPACE)

        def batch(data: Any) -> Batch[Any]:
            rows = training_jobs.job_rows(workflows.of_workflow(workflow_id, data))
            # The newest may be so new that they have no state yet.
            rows = [{**row, "status": row.get("status") or "init"} for row in rows]
            return Batch(rows, offset + len(rows) if rows else None, as_int(at(data, "total")))

        return reading(request, batch)

    return listed


WORKFLOW_EXECUTION = _kind(
    "workflow_execution",
    "workflow execution",
    workflows.WorkflowExecution,
    _PartedKind,
    phases=_EXECUTION_PHASES,
    row=_execution_row,
    facts=_execution_facts,
    brief=_execution_brief,
    read=_read_execution,
    stop=_stop_execution,
    lists_by_name=False,
    sent_description=lambda request: at(request.json, "description"),
    part_noun="step",
    parts_within=parts.steps,
    notes=_execution_notes,
)


def _anonymous(facts: Callable[[Any], Facts]) -> Callable[[Any], Facts]:
    """Leave out what tells whose a job is: the task did not create it, it was told to do something with it."""
    return lambda data: replace(facts(data), name="", description="", created=None)


def _ended_anyhow(phases: Mapping[str, Phase]) -> Mapping[str, Phase]:
    """Take every end as a success: a job was to be over, and it is."""
    return {word: Phase.SUCCEEDED if phase.terminal else phase for word, phase in phases.items()}


def _variant(kind: JobKind, key: str, **changes: Any) -> JobKind:
    return replace(kind, key=f"modelarts.{key}", page_of=kind.name, **changes)


def _asked_for(what: str, kind: JobKind, key: str, **changes: Any) -> JobKind:
    """Describe something that is done with what there is already."""
    return _variant(kind, key, noun=f"{what} of {kind.noun}", submitted="Requested", sent_description=None, **changes)


_ATTENDED: Final = {**_EXECUTION_PHASES, WAITS: Phase.HELD}
"""To a task that does not leave it to a person, a step that waits is where its own waiting ends."""


class _StepKind(_PartedKind):
    """A step is read with its whole execution."""

    id_parts = 3

    def state(self, job_id: JobId, answer: Any) -> JobState:
        name = parts_of("step", job_id, "step")[0]
        found = [step for step in at(answer, "steps_execution") or () if text_at(step, "step_name") == name]
        over = _EXECUTION_PHASES.get(text_at(answer, "status").lower(), Phase.UNKNOWN).terminal
        step = {"step_name": name, "status": ABSENT if over else "init"}
        return super().state(job_id, found[-1] if found else step)


def _read_step(job_id: JobId) -> Request[Any]:
    workflow, execution, _ = parts_of("step", job_id, "workflow", "execution", "step")
    return workflows.get_workflow_execution(workflow, execution)


def _step_row(data: Any) -> tuple[JobId, Status] | None:
    step, status = text_at(data, "step_name"), text_at(data, "status").lower()
    return (step, status) if step and status else None


WORKFLOW_STEP = _kind(
    "workflow_step",
    "workflow step",
    workflows.Step,
    _StepKind,
    phases={
        **_words(
            waiting="init pending creating created wait_inputs hold",
            running="running",
            stopping="stopping",
            succeeded="completed skipped",
            failed="create_failed failed timeout",
            stopped="stopped",
        ),
        ABSENT: Phase.FAILED,
    },
    row=_step_row,
    facts=lambda data: Facts(
        name=text_at(data, "step_name"),
        message=text_at(data, "error_info", "error_message") or f"it is {text_at(data, 'status')}",
    ),
    brief=_execution_brief,
    read=_read_step,
)


# Images and notebooks


def _read_image(job_id: JobId) -> Request[Any]:
    return images.get_training_job_image(*parts_of("saved_image", job_id, "training job", "task"))


def _image_row(data: Any) -> tuple[JobId, Status] | None:
    image = text_at(data, "id") or ":".join(text_at(data, part) for part in ("namespace", "name", "tag"))
    return (image, status) if (status := text_at(data, "status").upper()) else None


def _row(data: Any) -> tuple[JobId, Status] | None:
    thing, status = text_at(data, "id"), text_at(data, "status").upper()
    return (thing, status) if thing and status else None


SAVED_IMAGE = _kind(
    "saved_image",
    "saved image",
    images.SavedImage,
    _PartedKind,
    phases=_words(running="INIT CREATING", succeeded="ACTIVE", failed="CREATE_FAILED"),
    row=_image_row,
    facts=lambda data: Facts(
        name=text_at(data, "name"),
        description=text_at(data, "description"),
        created=seconds_at(data, "create_time"),
        message=text_at(data, "message"),
    ),
    brief=brief,
    read=_read_image,
    lists_by_name=False,
    sent_description=lambda request: at(request.json, "description"),
)


def image_of(training_job_id: str, task: str) -> ListRequest:
    """Make the request for the one image that a task's container was last saved as, as a list."""

    def listed(_start: Any = None, /, **_: Any) -> Request[Batch[Any]]:
        request = images.get_training_job_image(training_job_id, task)
        none = frozenset({training_jobs.MISSING})
        known = {"id": f"{training_job_id}/{task}"}
        one = reading(request, lambda data: Batch([{**data, **known}] if at(data, "status") else []))
        return replace(one, already=none)

    return listed


_NOTEBOOK_FAILED: Final = "CREATE_FAILED START_FAILED DELETE_FAILED ERROR FROZEN DELETED"
NOTEBOOK = _kind(
    "notebook",
    "notebook",
    notebooks.Notebook,
    phases=_words(
        waiting="INIT CREATING STARTING SNAPSHOTTING STOPPING STOPPED DELETING",
        succeeded="RUNNING",
        failed=_NOTEBOOK_FAILED,
    ),
    row=_row,
    facts=lambda data: Facts(message=text_at(data, "fail_reason") or f"it is {text_at(data, 'status')}"),
    # What opens a notebook is kept nowhere.
    brief=_brief("id", "name", "status", "fail_reason", "lease"),
    read=lambda job_id: notebooks.get_notebook(check_id("notebook_id", job_id)),
)

KINDS: Mapping[str, JobKind] = {
    kind.name: kind
    for kind in (
        TRAINING_JOB,
        WORKFLOW_EXECUTION,
        WORKFLOW_STEP,
        SAVED_IMAGE,
        NOTEBOOK,
        _variant(WORKFLOW_EXECUTION, "workflow_execution_attended", phases=_ATTENDED),
        _asked_for("rerun", WORKFLOW_EXECUTION, "workflow_rerun", facts=_anonymous(_execution_facts)),
        _asked_for(
            "rerun",
            WORKFLOW_EXECUTION,
            "workflow_rerun_attended",
            facts=_anonymous(_execution_facts),
            phases=_ATTENDED,
        ),
        _asked_for(
            "stop",
            WORKFLOW_EXECUTION,
            "workflow_execution_end",
            facts=_anonymous(_execution_facts),
            phases=_ended_anyhow(_EXECUTION_PHASES),
            stop=None,
        ),
        _asked_for(
            "stop",
            TRAINING_JOB,
            "training_job_end",
            facts=_anonymous(_job_facts),
            phases=_ended_anyhow(_PHASES),
            stop=None,
        ),
        _asked_for(
            "start",
            NOTEBOOK,
            "started_notebook",
            phases={**NOTEBOOK.phases, "STOPPED": Phase.STOPPED},
            stop=lambda job_id: notebooks.stop_notebook(check_id("notebook_id", job_id)),
        ),
        _asked_for(
            "stop",
            NOTEBOOK,
            "stopped_notebook",
            phases={
                **NOTEBOOK.phases,
                "RUNNING": Phase.RUNNING,
                "STOPPING": Phase.STOPPING,
                "STOPPED": Phase.SUCCEEDED,
                "DELETED": Phase.SUCCEEDED,
                "FROZEN": Phase.SUCCEEDED,
            },
        ),
    )
}
