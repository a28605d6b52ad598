"""Evaluations of models: each is a workflow run, whose node may report what it found."""

from __future__ import annotations

from typing import Any

from ..answers import Refused
from ..call import Call, Route
from ..jobs.workflows import ENDED, SUCCEEDED, new_nodes
from ..settings import Node, Pipeline, PipelineVersion
from ..store import Row
from .runs import new_run, placed
from .templates import check_cluster, check_params, template

METHODS = ("service",)
_SERVICE_CHECK = (
    "python -c \"import os, urllib.request as u; print(u.urlopen(os.environ['AIHUB_SERVICE_URL']).status)\""
)
_OF_SERVICE = PipelineVersion(id=0, name="", nodes=(Node(name="ask-service", command=_SERVICE_CHECK),), params=())
OF_SERVICE = Pipeline(id=0, name="ask-service", versions=(_OF_SERVICE,))
"""What is run where no template is given: whether the service answers."""


async def evaluate(call: Call) -> Any:
    model = call.hub.store.models.get(call.id())
    body = await call.body()
    body.text("eval_method", "service", allowed=METHODS)
    body.text("eval_type", "")
    name, number = body.text("task_name"), body.integer("workflow_tmp_id", 0)
    pipeline, version = template(call, number) if number else (OF_SERVICE, _OF_SERVICE)
    service = body.integer("infer_service_id", 0)
    if not number and not service:
        raise Refused("workflow_tmp_id or infer_service_id is required")
    cluster = body.integer("virtual_cluster_id", 0)
    if cluster:
        check_cluster(call, cluster)
    envs = {
        # What a node needs to ask AIHub for the model, and to report.
        "AIHUB_URL": f"http://127.0.0.1:{call.hub.port}",
        "AIHUB_MODEL_ID": str(model["id"]),
        "AIHUB_MODEL_NAME": model["name"],
    }
    if service:
        envs["AIHUB_SERVICE_URL"] = call.hub.store.infer_services.get(service)["endpoint_url"]
    run = new_run(
        call,
        pipeline,
        version,
        name=f"evaluate {model['name']}",
        params=check_params(version, body.pairs("params", [], value="")),
        node_virtual_clusters=placed(version, cluster) if cluster else [],
        _envs=envs,
    )
    row = {
        "model_id": model["id"],
        "task_name": name,
        "workflow_tmp_id": number,
        "workflow_tmp_name": pipeline.name if number else "",
        "_run": call.hub.workflows.submit(run, new_nodes(version))["id"],
    }
    return {"id": call.hub.store.model_tasks.add(row)["id"]}


async def tasks(call: Call) -> Any:
    model = call.hub.store.models.get(call.id())
    rows = [row for row in call.hub.store.model_tasks.newest() if row["model_id"] == model["id"]]
    # The newer platform says nothing at all where there is none.
    return call.page(rows, lambda row: _show(call, row)) if rows else None


def _show(call: Call, row: Row) -> Row:
    run = call.hub.store.runs.get(row["_run"])
    report: Row = next(
        (report for report in call.hub.store.eval_reports.newest() if report["run_id"] == str(run["id"])), {}
    )
    ended = "success" if run["status"] == SUCCEEDED else "failed"
    return {
        "id": row["id"],
        "model_id": row["model_id"],
        "model_name": call.hub.store.models.get(row["model_id"])["name"],
        "task_name": row["task_name"],
        "task_type": "eval",
        "status": ended if run["status"] in ENDED else "running",
        "workflow_run_id": run["id"],
        "workflow_run_name": run["name"],
        "workflow_tmp_id": row["workflow_tmp_id"],
        "workflow_tmp_name": row["workflow_tmp_name"],
        "eval_report_id": report.get("id", 0),
        "eval_report_name": report.get("name", ""),
    }


PREFIX = "/model-center/api/v1/models"
ROUTES = [
    Route("P", "POST", f"{PREFIX}/{{id}}/eval_task", evaluate),
    Route("P", "GET", f"{PREFIX}/{{id}}/tasks", tasks),
]
