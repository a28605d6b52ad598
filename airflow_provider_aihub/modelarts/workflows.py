"""Workflows: their executions, the steps of these, and notifications about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from airflow_provider_aihub.http.models import Answer, nothing, rows
from airflow_provider_aihub.http.request import Request
from airflow_provider_aihub.http.values import Flag, NotEmpty, Number, Text, Words
from airflow_provider_aihub.modelarts.errors import ModelArtsParameterError
from airflow_provider_aihub.modelarts.services import V2, WORKSPACE, to
from airflow_provider_aihub.modelarts.values import Spec, check_text

_WORKFLOW = f"{V2}/workflows/{{}}"
_EXECUTIONS = _WORKFLOW + "/executions"
_EXECUTION = _EXECUTIONS + "/{}"
_STEP = _EXECUTION + "/step-executions/{}"
_SUBSCRIPTIONS = _WORKFLOW + "/subscriptions"
_SUBSCRIPTION = _SUBSCRIPTIONS + "/{}"

ExecutionAction = Literal["stop", "rerun"]
StepAction = Literal["stop", "retry", "continue"]
WAITS_FOR_A_PERSON = frozenset({"wait_inputs", "hold"})
"""States of a step that only a person, or a call for a person, can end."""


class DataRequirement(Spec):
    """Data that a workflow is run with.

    :param type: ``dataset``, ``obs``, ``swr``, ``model_list``, ``label_task`` or ``service``.
    :param value: What it is, in ModelArts' own form.
    :param used_steps: Names of the steps that use it.
    :param delay: Whether it is filled in while the workflow runs.
    """

    noun: ClassVar[str] = "data requirement"

    name: Text
    type: Literal["dataset", "obs", "swr", "model_list", "label_task", "service"]
    conditions: list[dict[str, Any]] | None = None
    value: dict[str, Any] | None = None
    used_steps: list[Text] | None = None
    delay: Flag | None = None


class Parameter(Spec):
    """A parameter that a workflow is run with.

    :param type: ``str``, ``int``, ``bool`` or ``float``.
    :param value: Its value.
    :param delay: Whether it is filled in while the workflow runs.
    """

    noun: ClassVar[str] = "parameter"

    name: Text
    type: Literal["str", "int", "bool", "float"] | None = None
    value: Any = Field(default=None, repr=False)
    default: Any = Field(default=None, repr=False)
    enum: list[Any] | None = None
    format: Text | None = None
    description: Words | None = None
    delay: Flag | None = None
    used_steps: list[Text] | None = None


class Inputs(Spec):
    """Inputs of a workflow, or of a step that waits."""

    noun: ClassVar[str] = "input of a workflow"

    parameters: list[Parameter] | None = None
    data_requirements: list[DataRequirement] | None = None


class WorkflowExecutionSpec(Inputs):
    """An execution to start.

    :param workspace_id: Default: that of the connection.
    :param labels: Words to find it by.
    :param use_cache: Whether results of earlier executions may be used.
    """

    noun: ClassVar[str] = "workflow execution"

    name: Text | None = None
    description: Words | None = None
    workspace_id: Text = WORKSPACE
    workflow_name: Text | None = None
    scene_id: Text | None = None
    labels: list[Text] | None = None
    use_cache: Flag | None = Field(default=None)

    def body(self) -> dict[str, Any]:
        """Return the JSON body, without what was not given."""
        body = super().body()
        cache = body.pop("use_cache", None)
        return body if cache is None else {**body, "policies": {"use_cache": cache}}


class SubscriptionSpec(Spec):
    """Which topics get notifications about the executions of a workflow.

    :param topic_urns: URNs of topics.
    :param entity: What it is about, in ModelArts' own word.
    :param events: ``<step, or * for all>:<states>``, such as ``*:failed,completed``.
    """

    noun: ClassVar[str] = "subscription"

    topic_urns: Annotated[list[Text], NotEmpty]
    entity: Text | None = None
    events: list[Text] | None = None


class ErrorInfo(Answer):
    """Why a step failed."""

    error_code: str = ""
    error_message: str = ""


class Step(Answer):
    """A step of an execution.

    :param uuid: The id for calls that act on it.
    :param status: The document knows init, pending, creating, created, running, stopping, stopped, completed, skipped,
        failed, create_failed, timeout, wait_inputs and hold; others may appear.
    :param duration: Seconds.
    :param instance_id: What it runs, as an object or as the JSON text of one.
    """

    uuid: str = ""
    step_name: str = ""
    step_title: str = ""
    status: str = ""
    type: str = ""
    created_at: str = ""
    duration: Number = 0
    instance_id: Any = None
    error_info: ErrorInfo = Field(default_factory=ErrorInfo)


class WorkflowExecution(Answer):
    """An execution of a workflow.

    :param status: init, running, completed, abnormal or stopped; others may appear. The answer that creates one has
        none.
    :param created_at: ISO 8601.
    :param duration: As ModelArts gives it; it does not match the durations of the steps.
    """

    execution_id: str
    workflow_id: str = ""
    status: str = ""
    name: str = ""
    description: str = ""
    created_at: str = ""
    workspace_id: str = ""
    workflow_name: str = ""
    labels: list[str] = Field(default_factory=list)
    duration: Number = 0
    steps_execution: list[Step] = Field(default_factory=list)
    events: list[str] = Field(default_factory=list)


class Subscription(Answer):
    """A subscription.

    :param created_at: ISO 8601.
    """

    subscription_id: str
    topic_urns: list[str] = Field(default_factory=list)
    entity: str = ""
    events: list[str] = Field(default_factory=list)
    created_at: str = ""


class Workflow(Answer):
    """A workflow; its steps, parameters and data requirements are kept as they are.

    :param created_at: ISO 8601.
    :param run_count: How often it was run.
    :param subscription_id: Its subscription, "" for none.
    """

    workflow_id: str
    name: str = ""
    description: str = ""
    workspace_id: str = ""
    created_at: str = ""
    run_count: Number = 0
    subscription_id: str = ""
    labels: list[str] = Field(default_factory=list)
    steps: list[dict[str, Any]] = Field(default_factory=list)


def list_workflows(
    offset: int = 0, limit: int = 50, name: str | None = None, status: str | None = None, labels: str | None = None
) -> Request[list[Workflow]]:
    """List workflows.

    :param offset: How many are skipped.
    :param name: Only those of this name; likewise ``status`` and ``labels``.
    """
    return Request(
        asks="list workflows",
        **to("GET", f"{V2}/workflows"),
        read=rows(Workflow, "items"),
        query={"offset": offset, "limit": limit, "name": name, "status": status, "labels": labels},
    )


def get_workflow(workflow_id: str) -> Request[Workflow]:
    """Read a workflow: what it consists of, and its subscription.

    :raises ModelArtsParameterError: The id is not valid.
    """
    return Request(
        asks=f"read workflow {workflow_id}",
        **to("GET", _WORKFLOW, workflow_id=workflow_id),
        read=Workflow.read,
        about={"workflow_id": workflow_id},
    )


def list_workflow_executions(
    workflow_id: str,
    offset: int = 0,
    limit: int = 50,
    status: str | None = None,
    labels: str | None = None,
    scene_id: str | None = None,
    workspace_id: str = WORKSPACE,
) -> Request[list[WorkflowExecution]]:
    """List executions of a workflow, newest first.

    :param offset: How many are skipped.
    :param status: Only those in this state; likewise ``labels`` and ``scene_id``.
    :param workspace_id: Default: that of the connection.
    :raises ModelArtsParameterError: The id is not valid.
    """
    return Request(
        asks=f"list the executions of workflow {workflow_id}",
        **to("GET", _EXECUTIONS, workflow_id=workflow_id),
        read=lambda data: rows(WorkflowExecution, "items")(of_workflow(workflow_id, data)),
        query={
            "workspace_id": workspace_id,
            "offset": offset,
            "limit": limit,
            "sort_by": "create_time",
            "order": "desc",
            "status": status,
            "labels": labels,
            "scene_id": scene_id,
        },
    )


def create_workflow_execution(workflow_id: str, spec: WorkflowExecutionSpec) -> Request[WorkflowExecution]:
    """Start an execution of a workflow; the answer has neither a state nor steps.

    :raises ModelArtsParameterError: The id is not valid.
    """
    return Request(
        asks=f"start an execution of workflow {workflow_id}",
        **to("POST", _EXECUTIONS, workflow_id=workflow_id),
        read=_execution_of(workflow_id),
        json=spec.body(),
        creates=True,
    )


def get_workflow_execution(workflow_id: str, execution_id: str) -> Request[WorkflowExecution]:
    """Read an execution and its steps.

    :raises ModelArtsParameterError: An id is not valid.
    """
    return Request(
        asks=f"read execution {execution_id} of workflow {workflow_id}",
        **to("GET", _EXECUTION, workflow_id=workflow_id, execution_id=execution_id),
        read=_execution_of(workflow_id),
        about={"execution_id": execution_id},
    )


def delete_workflow_execution(workflow_id: str, execution_id: str) -> Request[None]:
    """Delete an execution.

    :raises ModelArtsParameterError: An id is not valid.
    """
    return Request(
        asks=f"delete execution {execution_id} of workflow {workflow_id}",
        **to("DELETE", _EXECUTION, workflow_id=workflow_id, execution_id=execution_id),
        read=nothing,
        already=frozenset({"ModelArts.7511"}),
    )


def act_on_workflow_execution(
    workflow_id: str,
    execution_id: str,
    action: ExecutionAction,
    *,
    rerun_steps: Sequence[str] | None = None,
    inputs: Inputs | None = None,
) -> Request[WorkflowExecution]:
    """Stop an execution, or run it again.

    :param rerun_steps: Names of the steps to run again. Default: as ModelArts chooses.
    :param inputs: Inputs with which it is run again.
    :raises ModelArtsParameterError: A value is wrong.
    """
    policies = {} if rerun_steps is None else {"policies": {"rerun_steps": _names("rerun_steps", rerun_steps)}}
    return Request(
        asks=f"{action} execution {execution_id} of workflow {workflow_id}",
        **to("POST", _EXECUTION + "/actions", workflow_id=workflow_id, execution_id=execution_id),
        read=_execution_of(workflow_id),
        json={"action_name": action, **policies, **(inputs.body() if inputs else {})},
        about={"execution_id": execution_id},
        creates=action != "stop",
    )


def stop_workflow_execution(workflow_id: str, execution_id: str) -> Request[None]:
    """Stop an execution.

    :raises ModelArtsParameterError: An id is not valid.
    """
    return Request(
        asks=f"stop execution {execution_id} of workflow {workflow_id}",
        **to("POST", _EXECUTION + "/actions", workflow_id=workflow_id, execution_id=execution_id),
        # A stop that was taken must not fail over what came with it.
        read=nothing,
        json={"action_name": "stop"},
    )


def act_on_workflow_step(
    workflow_id: str,
    execution_id: str,
    step_execution_id: str,
    action: StepAction,
    inputs: Inputs | None = None,
) -> Request[Step]:
    """Stop or retry a step, or continue a step that waits for a person.

    :param step_execution_id: ``uuid`` of the step.
    :param inputs: Inputs with which it continues.
    :raises ModelArtsParameterError: A value is wrong.
    """
    check_text("action", action, "stop|retry|continue", "stop, retry or continue")
    return Request(
        asks=f"{action} step {step_execution_id} of execution {execution_id} of workflow {workflow_id}",
        **to(
            "POST",
            _STEP + "/actions",
            workflow_id=workflow_id,
            execution_id=execution_id,
            step_execution_id=step_execution_id,
        ),
        read=Step.read,
        json={"action_name": action, **(inputs.body() if inputs else {})},
        creates=action != "stop",
    )


def create_workflow_subscription(workflow_id: str, spec: SubscriptionSpec) -> Request[Subscription]:
    """Subscribe topics to notifications about the executions of a workflow.

    :raises ModelArtsParameterError: The id is not valid.
    """
    return Request(
        asks=f"create a subscription of workflow {workflow_id}",
        **to("POST", _SUBSCRIPTIONS, workflow_id=workflow_id),
        read=Subscription.read,
        json=spec.body(),
        creates=True,
    )


def get_workflow_subscription(workflow_id: str, subscription_id: str) -> Request[Subscription]:
    """Read a subscription.

    :raises ModelArtsParameterError: An id is not valid.
    """
    return _on_subscription("read", "GET", workflow_id, subscription_id, Subscription.read)


def update_workflow_subscription(workflow_id: str, subscription_id: str, spec: SubscriptionSpec) -> Request[None]:
    """Change a subscription.

    :raises ModelArtsParameterError: An id is not valid.
    """
    return _on_subscription("change", "PUT", workflow_id, subscription_id, nothing, spec.body())


def delete_workflow_subscription(workflow_id: str, subscription_id: str) -> Request[None]:
    """Delete a subscription. It is no error if it does not exist.

    :raises ModelArtsParameterError: An id is not valid.
    """
    return _on_subscription("delete", "DELETE", workflow_id, subscription_id, nothing)


def of_workflow(workflow_id: str, data: Any) -> Any:
    """Add to each row of a list, or to an execution, the id of its workflow, if it is missing."""
    if not isinstance(data, dict):
        return data
    if "items" in data:
        items = data["items"] if isinstance(data["items"], list) else []
        return {**data, "items": [of_workflow(workflow_id, item) for item in items]}
    return {"workflow_id": workflow_id, **{name: value for name, value in data.items() if value not in (None, "")}}


def _execution_of(workflow_id: str) -> Callable[[Any], WorkflowExecution]:
    return lambda data: WorkflowExecution.read(of_workflow(workflow_id, data))


def _names(parameter: str, given: Any) -> list[str]:
    if not isinstance(given, list | tuple):
        raise ModelArtsParameterError(f"{parameter} must be a list of names, not {given!r:.60}.")
    return [check_text(parameter, name) for name in given]


def _on_subscription(
    verb: str,
    method: Literal["GET", "PUT", "DELETE"],
    workflow_id: str,
    subscription_id: str,
    read: Callable[[Any], Any],
    body: Mapping[str, Any] | None = None,
) -> Request[Any]:
    return Request(
        asks=f"{verb} subscription {subscription_id} of workflow {workflow_id}",
        **to(method, _SUBSCRIPTION, workflow_id=workflow_id, subscription_id=subscription_id),
        read=read,
        json=body,
        about={"subscription_id": subscription_id} if method == "GET" else {},
        already=frozenset({"ModelArts.7519"}) if method == "DELETE" else frozenset(),
    )
