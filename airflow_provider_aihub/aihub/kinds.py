"""AIHub's kinds of job: how each is read, stopped and listed, and what its statuses mean.

Nothing outside this module knows what a status number means. A kind of job is one entry in :data:`KINDS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import IntEnum
from functools import partial
from typing import Any, Final, Protocol

from airflow_provider_aihub.aihub import (
    data_warehouse,
    dataset_management,
    labelfree,
    model_center,
    model_deployment,
    model_tasks,
    model_training,
    quota_schedule,
    workflow_center,
)
from airflow_provider_aihub.aihub.errors import AIHubUnsupportedError
from airflow_provider_aihub.aihub.models import Page, page_of, raw_page, rows_with
from airflow_provider_aihub.aihub.notes import cluster_notes, gpu_utilisation
from airflow_provider_aihub.aihub.parts import pods, workflow_nodes
from airflow_provider_aihub.aihub.values import check_id, check_text
from airflow_provider_aihub.http.errors import RejectedError, RemoteJobError, UnsupportedError
from airflow_provider_aihub.http.models import Answer, brief
from airflow_provider_aihub.http.request import Request
from airflow_provider_aihub.http.values import as_int
from airflow_provider_aihub.jobs.kind import Batch, Facts, JobId, JobKind, JobState, ListRequest, Notes, Phase, Status

__all__ = ["KINDS", "JobId", "JobKind", "JobState", "Phase"]

# What tells jobs apart, and where they stand.
MOST_CLUSTERS: Final = 1000
"""Virtual clusters whose use is asked for at a time."""
_ALWAYS_TOLD: Final = ("id", "status", "description", "name", "user_id", "created_at")


def _reader(data: Any) -> Callable[[str], Any]:
    """Return what reads fields of a model, or of the data that it is made from."""
    return data.get if isinstance(data, Mapping) else partial(_attribute, data)


def _attribute(data: Any, name: str) -> Any:
    return getattr(data, name, None)


def _row(data: Any) -> tuple[JobId, Status] | None:
    read = _reader(data)
    number, status = as_int(read("id")), as_int(read("status"))
    return None if number is None or status is None else (number, status)


def _facts(data: Any) -> Facts:
    read = _reader(data)

    def seconds(name: str) -> float | None:
        moment = as_int(read(name))
        return moment / 1000 if moment else None

    stopper = read("stop_op_user")
    return Facts(
        name=_text(read("name")),
        description=_text(read("description")),
        user_id=as_int(read("user_id")) or None,
        created=seconds("created_at"),
        started=seconds("started_at"),
        finished=seconds("finished_at"),
        message=_node_messages(data) if isinstance(data, workflow_center.WorkflowRun) else _text(read("message")),
        stopped_by=_text(getattr(stopper, "name", "")),
        usage=gpu_utilisation(read("avg_gpu_util")),
    )


def _brief(fields: tuple[str, ...], data: Any) -> Any:
    """Return as much of a job's data as is told while it is waited for, in bounds however much there is."""
    if not isinstance(data, dict):
        return data
    told = {name: data[name] for name in (*_ALWAYS_TOLD, *fields) if name in data}
    return {name: value if isinstance(value, int) else brief(value) for name, value in told.items()}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _node_messages(run: workflow_center.WorkflowRun) -> str:
    failed = workflow_center.NodeStatus.FAILED
    return "; ".join(f"node {n.name}: {n.message or 'failed'}" for n in run.task_nodes if n.status == failed)


def _missing(error: RemoteJobError) -> bool:
    # The document's API has no code of its own for that, so any refusal will do.
    return isinstance(error, RejectedError) and not isinstance(error, UnsupportedError)


def _sent(field: str) -> Callable[[Request[Any]], str | None]:
    """Make what finds a text in the request that creates a job."""

    def sent(request: Request[Any]) -> str | None:
        text = (request.json or {}).get(field)
        return text if isinstance(text, str) else None

    return sent


def _undecoded(data: Any) -> Any:  # noqa: ARG001 - whatever it is
    raise ValueError("what was read is no answer about a job")


class _PageRequest(Protocol):
    def __call__(self, *, page: int, page_size: int, name: str | None, user_id: int | None) -> Request[Page[Any]]: ...


def _listed(pages: _PageRequest, read: Callable[[Any], Page[Any]] | None, *fields: str) -> ListRequest:
    """Make the request for a part of a list out of the one for a page.

    :param read: Reads a page, if not as a page of models.
    :param fields: Those that are read of each row then.
    """

    def listed(
        start: Any = None, /, *, size: int, name: str | None = None, user_id: JobId | None = None
    ) -> Request[Batch[Any]]:
        number = start or 1
        request = pages(page=number, page_size=size, name=name, user_id=as_int(user_id))
        return _in_batches(request, read, rows_with(*fields) if fields else None, number)

    return listed


def _in_batches(
    request: Request[Page[Any]],
    read: Callable[[Any], Page[Any]] | None,
    decode: Callable[[bytes], Any] | None,
    number: int,
) -> Request[Batch[Any]]:
    read = read or request.read

    def batch(data: Any) -> Batch[Any]:
        page = read(data)
        return Batch(page.data, number + 1 if page.data else None, page.total)

    fallback = request.fallback and _in_batches(request.fallback, read, decode, number)
    return replace(request, read=batch, decode=decode, fallback=fallback)  # type: ignore[return-value,arg-type]


# What is wrong with an id is told by the name that it has as a parameter of operators and sensors.


def _read_dataset_version(job_id: JobId) -> Request[Any]:
    if isinstance(job_id, str) and as_int(job_id) is None:
        allowed = "the name of a dataset version such as mnist/V1, or its id"
        check_text("dataset_version", job_id, dataset_management.VERSION_NAME, allowed)
        return dataset_management.get_dataset_version_by_name(job_id)
    return dataset_management.get_dataset_version(check_id("dataset_version", job_id))


def _read_workflow_run(job_id: JobId) -> Request[Any]:
    return workflow_center.get_workflow_run(check_id("workflow_run_id", job_id))


def _model_pages(*, page: int, page_size: int, name: str | None, user_id: int | None) -> Request[Page[Any]]:  # noqa: ARG001
    return model_center.list_models(page=page, page_size=page_size, name=name)


def _read_model(job_id: JobId) -> Request[Any]:
    if as_int(job_id) is None:
        return model_center.get_model_record(name=check_text("model", job_id, allowed="a name or an id"))
    return model_center.get_model_record(check_id("model", job_id))


def _model_row(data: Any) -> tuple[JobId, Status] | None:
    read = _reader(data)
    number, status = as_int(read("id")), _text(read("status")).lower()
    return (number, status) if number is not None and status else None


def _read_model_eval(job_id: JobId) -> Request[Any]:
    return model_tasks.read_model_eval(job_id)


def _model_eval_row(data: Any) -> tuple[JobId, Status] | None:
    if not isinstance(data, model_tasks.ModelEval):
        return None
    return data.key, data.run.status if data.run else workflow_center.RunStatus.WAITING.value


def _model_eval_facts(data: Any) -> Facts:
    if not isinstance(data, model_tasks.ModelEval):
        return Facts()
    # Of what is sent, AIHub shows the name of the task alone.
    shown = _facts(data.run) if data.run else Facts()
    return replace(shown, name=data.task.task_name, description=data.task.task_name, user_id=None)


def model_evals_of(model_id: int) -> ListRequest:
    """Make what lists the evaluations of a model."""

    def pages(*, page: int, page_size: int, name: str | None, user_id: int | None) -> Request[Page[Any]]:  # noqa: ARG001
        request = model_tasks.list_model_tasks(model_id, page, page_size)

        def read(data: Any) -> Page[Any]:
            tasks = request.read(data)
            evals = [model_tasks.ModelEval(model_tasks.key_of(model_id, task.id), task) for task in tasks.data]
            return Page(evals, tasks.total, tasks.page_size, tasks.page_num)

        return replace(request, read=read)

    return _listed(pages, None)


def _served_row(data: Any) -> tuple[JobId, Status] | None:
    return (data.deployment.id, data.status) if isinstance(data, model_deployment.Served) else None


class _LabelKind(JobKind):
    """A label project is read by its name, which the answer does not repeat."""

    def state(self, job_id: JobId, answer: Any) -> JobState:
        return super().state(job_id, labelfree.named(answer, str(job_id)))


def _read_label_project(job_id: JobId) -> Request[Any]:
    return labelfree.get_label_project(check_text("label_project", job_id, allowed="the name of a label project"))


def _label_row(data: Any) -> tuple[JobId, Status] | None:
    read = _reader(data)
    name, status = _text(read("name")), _text(read("status")).lower()
    return (name, status) if name and status else None


def _label_facts(data: Any) -> Facts:
    read = _reader(_reader(data)("global_stats") or {})
    total, labelled = as_int(read("total_annotations")), as_int(read("labeled_annotations")) or 0
    return Facts(usage=f"{labelled} of {total} are labelled" if total else "")


def _export_row(data: Any) -> tuple[JobId, Status] | None:
    row, exports = _label_row(data), as_int(_reader(data)("data_exported_count"))
    return (row[0], NOT_EXPORTED) if row and row[1] == labelfree.LabelProjectStatus.FINISHED and not exports else row


class _QuotaKind(JobKind):
    """A quota is read with those of all virtual clusters; what it is asked for is in its id."""

    def state(self, job_id: JobId, answer: Any) -> JobState:
        usage = page_of(quota_schedule.ClusterUsage)(answer)
        return super().state(job_id, quota_schedule.quota_left(str(job_id), usage))


def _read_quota(job_id: JobId) -> Request[Any]:  # noqa: ARG001 - AIHub gives all of them
    return quota_schedule.list_cluster_usage(page_size=MOST_CLUSTERS)


def _quota_row(data: Any) -> tuple[JobId, Status] | None:
    read = _reader(data)
    asked, status = _text(read("id")), _text(read("status"))
    return (asked, status) if asked and status else None


def _quota_facts(data: Any) -> Facts:
    read = _reader(data)
    if read("status") == "unknown":
        return Facts(message="it has no such quota; check virtual_cluster and group")
    return Facts(usage=f"{read('left')} of {read('total')} GPUs are left")


def _quota_notes(state: JobState) -> Notes:
    yield from ()
    return [state.facts.usage]


def _unreadable(job_id: JobId) -> Request[Any]:
    raise AIHubUnsupportedError(f"AIHub has no call that reads evaluation {job_id}.")


NOT_EXPORTED: Final = "finished, not exported"
"""The status of a project, for a task that waits for its labels, when it is finished and nobody has exported them
yet."""
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


def _kind(
    name: str,
    noun: str,
    model: type[Answer],
    statuses: type[IntEnum] | None,
    pages: _PageRequest | None,
    read: Callable[[Any], Request[Any]],
    *fields: str,
    **more: Any,
) -> JobKind:
    """Describe one kind.

    :param model: What an answer that reads one is.
    :param pages: The request for a page of their list; not every platform has it.
    :param fields: Those of a row, besides id, status and description, of which something is told while a job goes on.
    """
    shown = ("id", "status", "description", *fields)
    return JobKind(
        platform="AIHub",
        key=f"aihub.{name}",
        noun=noun,
        phases={status.value: _PHASES[status.name] for status in statuses or ()},
        decode=model.read,
        row=_row,
        facts=_facts,
        brief=partial(_brief, fields),
        read=read,
        missing=_missing,
        listed=_listed(pages, None) if pages else None,
        states=_listed(pages, raw_page, *shown) if pages else None,
        listed_as=as_int,
        sent_description=_sent("description"),
        **more,
    )


def _version_pages(*, page: int, page_size: int, name: str | None, user_id: int | None) -> Request[Page[Any]]:  # noqa: ARG001
    return dataset_management.list_dataset_versions(page=page, page_size=page_size)


TRAINING = _kind(
    "training",
    "training",
    model_training.Training,
    model_training.TrainingStatus,
    model_training.list_trainings,
    model_training.get_training,
    "created_at",
    "virtual_cluster",
    "avg_gpu_util",
    stop=model_training.stop_training,
    parts=pods(
        model_training.list_training_pods,
        model_training.get_training_pod_logs,
        model_training.get_training_pod_events,
    ),
    notes=cluster_notes(model_training.list_trainings, model_training.TrainingStatus.WAITING, "training"),
)
QUOTA_TASK = _kind(
    "quota_task",
    "quota task",
    quota_schedule.QuotaTask,
    quota_schedule.QuotaTaskStatus,
    quota_schedule.list_quota_tasks,
    quota_schedule.get_quota_task,
    "created_at",
    "virtual_cluster",
    stop=quota_schedule.stop_quota_task,
    parts=pods(
        quota_schedule.list_quota_task_pods,
        quota_schedule.get_quota_task_pod_logs,
        quota_schedule.get_quota_task_pod_events,
    ),
    notes=cluster_notes(quota_schedule.list_quota_tasks, quota_schedule.QuotaTaskStatus.WAITING, "quota task"),
)
SEARCH = _kind(
    "search",
    "search",
    data_warehouse.Search,
    data_warehouse.SearchStatus,
    data_warehouse.list_searches,
    data_warehouse.get_search,
)
DATASET_VERSION = _kind(
    "dataset_version",
    "dataset version",
    dataset_management.DatasetVersion,
    dataset_management.VersionStatus,
    _version_pages,
    _read_dataset_version,
)


def _workflow_kind(name: str, *fields: str) -> JobKind:
    return _kind(
        name,
        "workflow run",
        workflow_center.WorkflowRun,
        workflow_center.RunStatus,
        workflow_center.list_workflow_runs,
        _read_workflow_run,
        "task_nodes",
        *fields,
        stop=workflow_center.stop_workflow_run,
        # The document of newer platforms does not say that a run in a list comes with its nodes.
        listed_whole=lambda row: bool(row.get("task_nodes")),
        part_noun="node",
        parts_within=workflow_nodes,
    )


def _template_run_facts(data: Any) -> Facts:
    facts = _facts(data)
    return replace(facts, description=facts.name)


WORKFLOW_RUN = _workflow_kind("workflow_run")
TEMPLATE_RUN = replace(
    _workflow_kind("template_run", "name"),
    # It has no description, so its name is signed, and what AIHub makes of a part of a name is not documented.
    facts=_template_run_facts,
    lists_by_name=False,
    sent_description=_sent("name"),
    sent_name=_sent("name"),
)
MODEL_EVAL = replace(
    _workflow_kind("model_eval"),
    noun="model evaluation",
    decode=_undecoded,
    row=_model_eval_row,
    facts=_model_eval_facts,
    read=_read_model_eval,
    stop=model_tasks.stop_model_eval,
    # AIHub lists those of one model alone, and without their runs.
    listed=None,
    states=None,
    lists_by_name=False,
    sent_description=_sent("task_name"),
    sent_name=_sent("task_name"),
    parts_within=lambda found: workflow_nodes(found.run) if found.run else [],
)
MODEL = replace(
    _kind("model", "model", model_center.ModelRecord, None, _model_pages, _read_model),
    phases={
        model_center.ModelStatus.INIT.value: Phase.WAITING,
        model_center.ModelStatus.UPLOADING.value: Phase.RUNNING,
        model_center.ModelStatus.READY.value: Phase.SUCCEEDED,
        model_center.ModelStatus.FAILED.value: Phase.FAILED,
    },
    row=_model_row,
    # A model is no task's own: whoever knows its name may have created it.
    facts=lambda data: Facts(name=_text(_reader(data)("name"))),
    listed=None,
)
LABEL_PROJECT = _LabelKind(
    platform="AIHub",
    key="aihub.label_project",
    noun="label project",
    phases={
        labelfree.LabelProjectStatus.PENDING.value: Phase.WAITING,
        labelfree.LabelProjectStatus.LOADING.value: Phase.RUNNING,
        labelfree.LabelProjectStatus.READY.value: Phase.RUNNING,
        labelfree.LabelProjectStatus.FINISHED.value: Phase.SUCCEEDED,
        labelfree.LabelProjectStatus.FAILED.value: Phase.FAILED,
        NOT_EXPORTED: Phase.RUNNING,
    },
    decode=labelfree.LabelProject.read,
    row=_label_row,
    facts=_label_facts,
    brief=partial(_brief, ("data_exported_count", "global_stats")),
    read=_read_label_project,
    missing=_missing,
)
EXPORTED_LABEL_PROJECT = replace(
    LABEL_PROJECT, key="aihub.exported_label_project", row=_export_row, page_of=LABEL_PROJECT.name
)
QUOTA = _QuotaKind(
    platform="AIHub",
    key="aihub.quota",
    noun="quota",
    phases={"used": Phase.WAITING, "free": Phase.SUCCEEDED, "unknown": Phase.FAILED},
    decode=quota_schedule.QuotaLeft.read,
    row=_quota_row,
    facts=_quota_facts,
    brief=lambda data: data,
    read=_read_quota,
    missing=_missing,
    notes=_quota_notes,
)
# AIHub has no call that reads one.
EVALUATION = _kind("evaluation", "evaluation", Answer, None, None, _unreadable)

DEPLOYMENT = replace(
    _kind("deployment", "deployment", Answer, None, None, model_deployment.read_served),
    phases={
        # AIHub's own numbers are not documented, so nobody can tell one that starts from one that has failed.
        model_deployment.NO_SERVICE: Phase.WAITING,
        model_deployment.OFFLINE: Phase.WAITING,
        model_deployment.ONLINE: Phase.SUCCEEDED,
    },
    decode=_undecoded,
    row=_served_row,
    # A deployment is no task's own: whoever knows its name may have created it.
    facts=lambda data: Facts(name=data.deployment.name) if isinstance(data, model_deployment.Served) else Facts(),
    stop=model_deployment.stop_deployment,
)
DEPLOYMENT_TO_STOP = replace(
    DEPLOYMENT,
    phases={
        model_deployment.NO_SERVICE: Phase.STOPPED,
        model_deployment.OFFLINE: Phase.STOPPED,
        model_deployment.ONLINE: Phase.RUNNING,
    },
)
"""The same for a task that waits until it is offline."""

KINDS: Mapping[str, JobKind] = {
    kind.name: kind
    for kind in (
        TRAINING,
        QUOTA_TASK,
        SEARCH,
        DATASET_VERSION,
        WORKFLOW_RUN,
        MODEL,
        EVALUATION,
        TEMPLATE_RUN,
        MODEL_EVAL,
        DEPLOYMENT,
        *(LABEL_PROJECT, EXPORTED_LABEL_PROJECT, QUOTA),
    )
}
