"""Evaluations of models that AIHub carries out itself, each as a workflow run. Newer platforms only."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from pydantic import Field

from airflow_provider_aihub.aihub.errors import AIHubNotFoundError, AIHubRejectedError
from airflow_provider_aihub.aihub.models import Page, Spec, new_id, page_of
from airflow_provider_aihub.aihub.services import Service
from airflow_provider_aihub.aihub.values import check_id, check_text, page_query
from airflow_provider_aihub.aihub.workflow_center import WorkflowRun, get_workflow_run, stop_workflow_run
from airflow_provider_aihub.http.models import Answer, nothing
from airflow_provider_aihub.http.request import Request, path
from airflow_provider_aihub.http.values import JsonObject, Number, Pairs, Positive, Text, Whole

_MODEL = "/model-center/api/v1/models/{}"
PAGE_SIZE = 100
MOST_PAGES = 100
"""Pages after which a list is taken to have no end."""


class ModelEvalSpec(Spec):
    """An evaluation of a model.

    :param task_name: Name of the evaluation.
    :param eval_method: AIHub's own word; ``service``, the default, is the only one known.
    :param eval_type: AIHub's own word; the possible ones are not documented.
    :param infer_service_id: Id of the inference service that is asked.
    :param workflow_tmp_id: Id of the workflow template that evaluates.
    :param eval_config: In any form.
    :param params: Input parameters of the template: a dict, or a list of ``{key, value}``.
    :param virtual_cluster_id: Where it runs.
    """

    noun: ClassVar[str] = "evaluation of a model"

    task_name: Text
    eval_method: Text = "service"
    eval_type: Text | None = None
    infer_service_id: Positive | None = None
    workflow_tmp_id: Positive | None = None
    eval_config: JsonObject | None = None
    params: Pairs | None = Field(default=None, repr=False)
    virtual_cluster_id: Positive | None = None


class ModelTask(Answer):
    """A task about a model, as AIHub lists it.

    :param task_type: AIHub's own word.
    :param status: AIHub's own word; the possible ones are not documented.
    :param workflow_run_id: Id of the workflow run that does it; 0 as long as there is none.
    :param workflow_tmp_id: Id of the workflow template that is run.
    :param eval_report_id: Id of the report; 0 as long as there is none.
    """

    id: Whole
    model_id: Number = 0
    model_name: str = ""
    task_name: str = ""
    task_type: str = ""
    status: str = ""
    workflow_run_id: Number = 0
    workflow_run_name: str = ""
    workflow_tmp_id: Number = 0
    workflow_tmp_name: str = ""
    eval_report_id: Number = 0
    eval_report_name: str = ""


@dataclass(frozen=True, slots=True)
class ModelEval:
    """An evaluation of a model, with the workflow run that does it.

    :param key: ``<model>/<task>``, the two ids by which AIHub knows it.
    :param run: ``None`` as long as there is none.
    """

    key: str
    task: ModelTask
    run: WorkflowRun | None = None


def create_model_eval_task(model_id: int | str, spec: ModelEvalSpec) -> Request[int]:
    """Start the evaluation of a model and return the id of the task. Newer platforms only.

    :raises AIHubParameterError: The id is not a whole number of at least 1.
    """
    number = check_id("model_id", model_id)
    return Request(
        asks=f"evaluate model {number} as {spec.task_name!r}",
        service=Service.MODEL_CENTER,
        method="POST",
        path=path(_MODEL + "/eval_task", number),
        read=new_id,
        json=spec.body(),
        creates=True,
        optional=True,
    )


def list_model_tasks(model_id: int | str, page: int = 1, page_size: int = 20) -> Request[Page[ModelTask]]:
    """List the tasks about a model. Newer platforms only.

    :raises AIHubParameterError: A number is not a whole number of at least 1.
    """
    number = check_id("model_id", model_id)
    read = page_of(ModelTask)
    return Request(
        asks=f"list the tasks of model {number}",
        service=Service.MODEL_CENTER,
        method="GET",
        path=path(_MODEL + "/tasks", number),
        # It answers nothing at all where there is no task.
        read=lambda data: Page([], 0, page_size, page) if data is None else read(data),
        query=page_query(page, page_size),
        optional=True,
    )


def key_of(model_id: int, task_id: int) -> str:
    """Return the key of an evaluation. It has both ids, since AIHub lists tasks only by their model."""
    return f"{model_id}/{task_id}"


def read_model_eval(key: int | str) -> Request[ModelEval]:
    """Find an evaluation among the tasks of its model, and read the workflow run that does it.

    :param key: ``<model>/<task>``.
    :raises AIHubParameterError: The key has another form.
    """

    def with_run(task: ModelTask) -> Request[ModelEval] | None:
        if task.workflow_run_id < 1:
            return None
        request = get_workflow_run(task.workflow_run_id)
        read = request.read
        return replace(  # type: ignore[return-value]
            request,
            read=lambda data: ModelEval(str(key), task, read(data)),  # type: ignore[arg-type, return-value]
            fallback=None,
        )

    return _of_task(key, with_run, lambda task: ModelEval(str(key), task))


def stop_model_eval(key: int | str) -> Request[None]:
    """Stop the workflow run of an evaluation.

    :param key: ``<model>/<task>``.
    :raises AIHubParameterError: The key has another form.
    """

    def of_run(task: ModelTask) -> Request[None]:
        if task.workflow_run_id < 1:
            refusal = AIHubRejectedError(
                f"Evaluation {key} has no workflow run yet, and AIHub can stop nothing else of it.",
                service=Service.MODEL_CENTER,
                asks=f"stop evaluation {key}",
            )
            refusal.early = True
            raise refusal
        return stop_workflow_run(task.workflow_run_id)

    return _of_task(key, of_run, nothing)


def _of_task(key: int | str, follow: Any, read: Any, page: int = 1) -> Request[Any]:
    """Make the request for a page of the tasks of a model, and for what follows once the task was found."""
    text = check_text("key", key, r"[1-9]\d*/[1-9]\d*", "<model>/<task>, two ids")
    model_id, _, task_id = text.partition("/")
    request = list_model_tasks(model_id, page, PAGE_SIZE)

    def found(data: Any) -> ModelTask | None:
        return next((task for task in request.read(data).data if task.id == int(task_id)), None)

    def then(data: Any) -> Request[Any] | None:
        task = found(data)
        if task is not None:
            following: Request[Any] | None = follow(task)
            return following
        if not request.read(data).data or page >= MOST_PAGES:
            raise AIHubNotFoundError(
                f"AIHub has no task {task_id} of model {model_id}; check whether the model was deleted.",
                service=Service.MODEL_CENTER,
                asks=request.asks,
            )
        return _of_task(key, follow, read, page + 1)

    return replace(request, read=lambda data: read(found(data)), then=then)
