"""Workflow runs."""

from __future__ import annotations

import json
import uuid
from typing import Any

from ..answers import Refused, not_found
from ..call import Call, Route, public
from ..fields import Fields
from ..jobs.workflows import ENDED, FAILED, TERMINATED, new_nodes
from ..settings import PROJECTS
from ..store import Row
from . import pipelines, templates
from .pods import told
from .runs import new_run

PLATFORM_FIELDS = ("username", "project", "node_virtual_clusters", "avg_gpu_util", "total_gpu_time", "use_cache")


async def create(call: Call) -> Any:
    body = await call.body()
    pipeline, version = pipelines.find_version(call, body.integer("pipeline_id"), body.integer("pipeline_version_id"))
    # The newer platform wants a project, the document does not know of any.
    project = body.integer("project_id") if call.hub.platform else 1
    if project not in PROJECTS:
        raise not_found(f"project {project}")
    owner = call.optional_user(body, "user_id")
    row = new_run(
        call,
        pipeline,
        version,
        name=body.text("name"),
        description=body.text("description", ""),
        params=body.pairs("params", call.unless_document([]), value=call.unless_document("")),
        user_id=owner.id,
        username=owner.name,
        project={"id": project, "name": PROJECTS[project]},
        node_virtual_clusters=_placement(call, body, {node.name for node in version.nodes}),
        use_cache=body.boolean("use_cache", False),
    )
    return {"id": call.hub.workflows.submit(row, new_nodes(version))["id"]}


async def get(call: Call) -> Any:
    return _show(call, call.hub.store.runs.get(call.id()))


async def find(call: Call) -> Any:
    rows = (row for row in call.hub.store.runs.newest() if call.matches(row, ("name", "user_id", "status")))
    return call.page(rows, lambda row: _show(call, row))


async def stop(call: Call) -> Any:
    row = call.hub.store.runs.get(call.id())
    call.hub.workflows.stop(row, call.user)
    return _show(call, row)


async def retry(call: Call) -> Any:
    row = call.hub.store.runs.get(call.id())
    if row["status"] not in (FAILED, TERMINATED):
        raise Refused(f"workflow run {row['id']} has neither failed nor been terminated")
    call.hub.workflows.retry(row)
    return _show(call, row)


async def resubmit(call: Call) -> Any:
    old = call.hub.store.runs.get(call.id())
    _, version = pipelines.find_version(call, old["pipeline_id"], old["pipeline_version_id"])
    left_out = ("id", "task_nodes", "status", "started_at")
    row = {**public(old, left_out), "created_at": call.hub.clock.ms(), "finished_at": 0}
    return _show(call, call.hub.workflows.submit(row, new_nodes(version)))


async def log(call: Call) -> Any:
    file = call.hub.workflows.log_file(*_node(call))
    file.touch()
    return {"log": file.read_text(errors="replace"), "log_s3_url": call.link(file)}


async def events(call: Call) -> Any:
    row, node = _node(call)
    happened = [
        (row["created_at"], "created"),
        (node["started_at"], "started"),
        (node["finished_at"], node["message"] or "exited with code 0"),
    ]
    return {"events": told((when, text) for when, text in happened if when)}


def _node(call: Call) -> tuple[Row, Row]:
    row = call.hub.store.runs.get(call.id())
    pod = call.request.match_info["pod_name"]
    for node in row["task_nodes"]:
        if node["pod_name"] == pod:
            return row, node
    raise not_found(f"pod {pod} of workflow run {row['id']}")


def _placement(call: Call, body: Fields, nodes: set[str]) -> list[dict[str, Any]]:
    clusters = {cluster.id for cluster in call.hub.settings.clusters}
    placement = []
    for item in body.objects("node_virtual_clusters", []):
        cluster, names = item.integer("virtual_cluster_id"), item.texts("nodes")
        if cluster not in clusters:
            raise not_found(f"virtual cluster {cluster}")
        for name in names:
            if name not in nodes:
                raise not_found(f"node {name}")
        placement.append({"virtual_cluster_id": cluster, "nodes": names})
    return placement


def _show(call: Call, row: Row) -> Row:
    hub = call.hub
    end = row["finished_at"] if row["status"] in ENDED else hub.clock.ms()
    shown = public(row, () if hub.platform else (*PLATFORM_FIELDS, "user_id"))
    first = next(node["name"] for node in row["task_nodes"] if not node["dependencies"])
    if hub.platform:
        shown["node_virtual_clusters"] = [
            {"virtual_cluster": _show_cluster(call, item["virtual_cluster_id"]), "nodes": item["nodes"]}
            for item in row["node_virtual_clusters"]
        ]
    return {
        **shown,
        "duration": max(0, end - row["started_at"]) // 1000,
        "task_nodes": [_show_node(call, row, node, node["name"] == first) for node in row["task_nodes"]],
    }


def _show_node(call: Call, row: Row, node: Row, first: bool) -> Row:
    # Input and output are text in AIHub, the text "null" where there is nothing.
    shown = public(node)
    shown["params"] = {"input": _as_text(row["params"]) if first else "null", "output": "null"}
    if call.hub.platform:
        # A node that was placed nowhere runs on the first cluster: there it always is on one.
        placed = [item["virtual_cluster_id"] for item in row["node_virtual_clusters"] if node["name"] in item["nodes"]]
        first_cluster = call.hub.settings.clusters[0].id if call.hub.settings.clusters else 0
        shown.update(
            namespace="workflow",
            task_id=row["id"] * 1000 + [item["name"] for item in row["task_nodes"]].index(node["name"]) + 1,
            module_id=0,
            module_version=0,
            use_cache=row["use_cache"],
            virtual_cluster=_show_cluster(call, (placed or [first_cluster])[0]),
            avg_gpu_util=0,
            dependencies=[_uuid(row, name) for name in node["dependencies"]],
        )
    return shown


def _show_cluster(call: Call, number: int) -> dict[str, Any]:
    cluster = next((item for item in call.hub.settings.clusters if item.id == number), None)
    sku = cluster.sku() if cluster else {"cpu": 0, "gpu": 0, "memory": 0}
    return {"id": number, "name": cluster.name if cluster else "", "sku": sku}


def _uuid(row: Row, node: str) -> str:
    """The id by which a version of a pipeline knows its node."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{row['pipeline_version_id']}/{node}"))


def _as_text(params: list[dict[str, str]]) -> str:
    return json.dumps(params, ensure_ascii=False) if params else "null"


PREFIX = "/workflow-center/api/v1"
ROUTES = [
    Route("D", "POST", f"{PREFIX}/runs", create),
    Route("D", "POST", f"{PREFIX}/runs/{{id}}", get),
    Route("P", "GET", f"{PREFIX}/runs/{{id}}", get),
    Route("P", "GET", f"{PREFIX}/runs", find),
    Route("P", "PUT", f"{PREFIX}/runs/{{id}}/stop", stop),
    Route("P", "PUT", f"{PREFIX}/runs/{{id}}/retry", retry),
    Route("P", "PUT", f"{PREFIX}/runs/{{id}}/resubmit", resubmit),
    Route("P", "GET", f"{PREFIX}/runs/{{id}}/tasks/{{pod_name}}/logs", log),
    Route("P", "GET", f"{PREFIX}/runs/{{id}}/tasks/{{pod_name}}/events", events),
    *pipelines.ROUTES,
    *templates.ROUTES,
]
