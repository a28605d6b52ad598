"""Workflows, their executions and steps, and subscriptions to what becomes of them."""

from __future__ import annotations

import json
import uuid
from typing import Any, Literal

from pydantic import Field

from ...store import Row
from .. import errors
from ..answers import local
from ..call import Call, Given, Route, window
from ..jobs.executions import ENDED
from ..settings import Workflow


class Parameter(Given):
    name: str = Field(min_length=1)
    type: str | None = None
    value: Any = None
    default: Any = None


class DataRequirement(Given):
    name: str = Field(min_length=1)
    type: str | None = None
    value: dict[str, Any] | None = None


class Filled(Given):
    parameters: list[Parameter] | None = None
    data_requirements: list[DataRequirement] | None = None


class NewExecution(Filled):
    name: str | None = None
    description: str | None = None
    workspace_id: str | None = None
    workflow_name: str | None = None
    scene_id: str | None = None
    labels: list[str] | None = None
    policies: dict[str, Any] | None = None


class Policies(Given):
    rerun_steps: list[str] | None = None


class ExecutionAction(Filled):
    action_name: Literal["stop", "rerun"]
    policies: Policies | None = None


class StepAction(Filled):
    action_name: Literal["stop", "retry", "continue"]


class Asked(Given):
    """What a list shows. Numbers come as text, and count rows."""

    workspace_id: str | None = None
    limit: int = Field(10, ge=1, le=1000)
    offset: int = Field(0, ge=0)
    sort_by: str | None = None
    order: Literal["asc", "desc"] = "desc"
    labels: str | None = None
    status: str | None = None
    scene_id: str | None = None


class Subscription(Given):
    """What the manual lists besides, ``created_at`` and ``subscription_id``, is the server's and is not heeded."""

    topic_urns: list[str] = Field(min_length=1)
    entity: str | None = None
    events: list[str] | None = None


async def create(call: Call) -> Any:
    given = call.body(NewExecution)
    workspace = call.arts.workspace(given.workspace_id, writing=True)
    row = call.arts.executions.submit(_workflow(call), given.model_dump(exclude_none=True), workspace.id)
    shown = show(call, row)
    del shown["status"]
    return {**shown, "steps_execution": None}


async def find(call: Call) -> Any:
    asked = call.query(Asked)
    if asked.sort_by not in (None, "create_time"):
        raise call.refused(f"Executions cannot be sorted by {asked.sort_by}.")
    workflow = _workflow(call)
    labels = {label for label in (asked.labels or "").split(",") if label}
    shown_until = call.arts.clock.now() - call.arts.settings.lag
    rows = [
        row
        for row in call.arts.store.executions
        if row["workflow_id"] == workflow.id
        and row["created"] <= shown_until
        and asked.workspace_id in (None, row["workspace_id"])
        and asked.status in (None, row["status"])
        and asked.scene_id in (None, row["scene_id"])
        and labels.issubset(row["labels"])
    ]
    if asked.order == "desc":
        rows.reverse()
    shown = [show(call, row) for row in window(rows, asked.offset, asked.limit)]
    return {"total": len(rows), "count": len(shown), "items": shown}


async def get(call: Call) -> Any:
    return show(call, _execution(call))


async def delete(call: Call) -> Any:
    call.arts.executions.delete(_execution(call))


async def act(call: Call) -> Any:
    row, given = _execution(call), call.body(ExecutionAction)
    filled = given.model_dump(exclude_none=True, include={"parameters", "data_requirements"})
    if given.action_name == "stop":
        call.arts.executions.stop(row)
    else:
        if row["status"] in ENDED:
            call.arts.executions.fill_in(row, filled)
        call.arts.executions.rerun(row, (given.policies and given.policies.rerun_steps) or [])
    return show(call, row)


async def act_on_step(call: Call) -> Any:
    row, given = _execution(call), call.body(StepAction)
    step = next((step for step in row["steps"] if step["uuid"] == call.path("step")), None)
    if step is None:
        raise call.refused(f"The execution has no step {call.path('step')}.")
    executions = call.arts.executions
    if given.action_name == "stop":
        executions.stop_step(row, step)
    else:
        executions.fill_in(row, given.model_dump(exclude_none=True, include={"parameters", "data_requirements"}))
        if given.action_name == "retry":
            executions.retry_step(row, step)
        else:
            executions.continue_step(row, step)
    return show_step(call, row, step)


async def list_workflows(call: Call) -> Any:
    workflows = [_show_workflow(call, workflow) for workflow in call.arts.settings.workflows]
    return {"total": len(workflows), "count": len(workflows), "items": workflows}


async def get_workflow(call: Call) -> Any:
    return _show_workflow(call, _workflow(call))


async def subscribe(call: Call) -> Any:
    workflow, given = _workflow(call), call.body(Subscription)
    number = uuid.uuid4().hex
    row = {"id": number, "workflow_id": workflow.id, "created": call.arts.clock.now(), **_subscribed(given)}
    return _show_subscription(call.arts.store.subscriptions.add(row))


async def get_subscription(call: Call) -> Any:
    return _show_subscription(_subscription(call))


async def change_subscription(call: Call) -> Any:
    row = _subscription(call)
    call.arts.store.subscriptions.save(row, **_subscribed(call.body(Subscription)))
    return _show_subscription(row)


async def unsubscribe(call: Call) -> Any:
    call.arts.store.subscriptions.remove(_subscription(call))


def show(call: Call, row: Row) -> Row:
    """An execution as it is told of."""
    end = row["ended"] if row["status"] in ENDED else call.arts.clock.now()
    names = ("name", "description", "status", "workspace_id", "workflow_id", "workflow_name", "scene_id", "labels")
    return {
        "created_at": local(row["created"]),
        "execution_id": row["id"],
        **{name: row[name] for name in names},
        "steps_execution": [show_step(call, row, step) for step in row["steps"]],
        "duration": int(end - row["started"]) if row["started"] else 0,
        "events": row["events"],
        "data_requirements": row["data_requirements"],
        "parameters": row["parameters"],
        "policies": row["policies"],
    }


def show_step(call: Call, row: Row, step: Row) -> Row:
    end = step["ended"] or call.arts.clock.now()
    index = [item["uuid"] for item in row["steps"]].index(step["uuid"])
    instance: Any = {"job_id": step["uuid"]} if step["started"] else {}
    values = {item["name"]: item for item in [*row["parameters"], *row["data_requirements"]]}
    shown: Row = {
        "created_at": local(row["created"]),
        "uuid": step["uuid"],
        "step_name": step["name"],
        "step_title": step["title"] or step["name"],
        "type": step["type"],
        "status": step["status"],
        "duration": int(end - step["started"]) if step["started"] else 0,
        # The manual shows both: JSON as text in one step, an object in the next.
        "instance_id": json.dumps(instance) if index % 2 == 0 else instance,
        "inputs": [
            {
                "name": name,
                "type": values.get(name, {}).get("type", ""),
                "data": name,
                "value": values.get(name, {}).get("value"),
            }
            for name in step["waits_for"]
        ],
        "outputs": [],
        "properties": {},
        "events": step["events"],
        "policy": {},
    }
    if step["error"]:
        shown["error_info"] = {"error_code": "ModelArts.7000", "error_message": step["error"]}
    return shown


def _show_workflow(call: Call, workflow: Workflow) -> Row:
    subscriptions = [row["id"] for row in call.arts.store.subscriptions if row["workflow_id"] == workflow.id]
    latest = next((row for row in call.arts.store.executions.newest() if row["workflow_id"] == workflow.id), None)
    return {
        "workflow_id": workflow.id,
        "name": workflow.name,
        "description": workflow.description,
        "workspace_id": workflow.workspace_id,
        "steps": [{"name": step.name, "title": step.title or step.name, "type": step.type} for step in workflow.steps],
        "parameters": list(workflow.parameters),
        "data_requirements": list(workflow.data_requirements),
        "latest_execution": show(call, latest) if latest else None,
        "run_count": sum(row["workflow_id"] == workflow.id for row in call.arts.store.executions),
        "subscription_id": subscriptions[-1] if subscriptions else "",
    }


def _show_subscription(row: Row) -> Row:
    shown = {name: row[name] for name in ("topic_urns", "entity", "events")}
    return {"created_at": local(row["created"]), "subscription_id": row["id"], **shown}


def _subscribed(given: Subscription) -> Row:
    return {"topic_urns": given.topic_urns, "entity": given.entity or "", "events": given.events or []}


def _workflow(call: Call) -> Workflow:
    number = call.path("workflow")
    for workflow in call.arts.settings.workflows:
        if workflow.id == number:
            return workflow
    raise errors.no_workflow(number)


def _execution(call: Call) -> Row:
    workflow, row = _workflow(call), call.arts.store.executions.get(call.path("execution"))
    if row["workflow_id"] != workflow.id:
        raise errors.no_execution(row["id"])
    return row


def _subscription(call: Call) -> Row:
    workflow, row = _workflow(call), call.arts.store.subscriptions.get(call.path("subscription"))
    if row["workflow_id"] != workflow.id:
        raise errors.no_subscription(row["id"])
    return row


WORKFLOW = "/v2/{project}/workflows/{workflow}"
EXECUTION = f"{WORKFLOW}/executions/{{execution}}"
SUBSCRIPTION = f"{WORKFLOW}/subscriptions/{{subscription}}"
ROUTES = [
    Route("V", "GET", "/v2/{project}/workflows", list_workflows),
    Route("V", "GET", WORKFLOW, get_workflow),
    Route("S", "GET", f"{WORKFLOW}/executions", find),
    Route("V", "POST", f"{WORKFLOW}/executions", create, 201),
    Route("V", "GET", EXECUTION, get),
    Route("V", "DELETE", EXECUTION, delete, 204),
    Route("S", "POST", f"{EXECUTION}/actions", act, 201),
    # The manual spells it with a hyphen where it lists the call, and with an underscore in its example.
    *(
        Route("S", "POST", f"{EXECUTION}/{steps}/{{step}}/actions", act_on_step, 201)
        for steps in ("step-executions", "step_executions")
    ),
    Route("S", "POST", f"{WORKFLOW}/subscriptions", subscribe, 201),
    Route("S", "GET", SUBSCRIPTION, get_subscription),
    Route("V", "PUT", SUBSCRIPTION, change_subscription),
    Route("V", "DELETE", SUBSCRIPTION, unsubscribe, 204),
]
