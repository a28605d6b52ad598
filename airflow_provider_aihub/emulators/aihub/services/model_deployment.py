"""Deployments of models."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ..answers import Refused, not_found
from ..answers import page as page_of
from ..call import Call, Route, public
from ..fields import Fields
from ..jobs.deployments import RUNNING, STARTING, STOPPED
from ..store import Row
from .templates import check_cluster

TEMPLATES = ("default",)
TEXTS = ("docker_image_name", "description", "command_args")
NUMBERS = ("image_id", "model_id", "container_port", "sku_cnt")


async def create(call: Call) -> Any:
    body = await call.body()
    name, cluster = body.text("name"), body.integer("virtual_cluster_id")
    check_cluster(call, cluster)
    if any(row["name"] == name and not row["_gone"] for row in call.hub.store.deployments):
        raise Refused(f"deployment {name} exists already", 8)
    now = call.hub.clock.ms()
    row: Row = {
        "name": name,
        "virtual_cluster_id": cluster,
        "deploy_template": body.text("deploy_template", allowed=TEMPLATES),
        "health_check_path": body.text("health_check_path"),
        "container_concurrency": body.integer("container_concurrency", 1, minimum=1),
        **{name: body.text(name, "") for name in TEXTS},
        **{name: body.integer(name, 0) for name in NUMBERS},
        "envs": _envs(body),
        "storage_ids": body.integers("storage_ids", []),
        "share_machine": body.boolean("share_machine", False),
        "status": STOPPED,
        "version": 0,
        "api_host": "",
        "infer_service_id": 0,
        "user_id": call.user.id,
        "user_name": call.user.name,
        "need_force_start": False,
        "is_vip": False,
        "_gone": False,
        "_created_at": now,
        "_updated_at": now,
        "_pid": 0,
        "_born": "",
    }
    if row["model_id"]:
        call.hub.store.models.get(row["model_id"])
    for storage in row["storage_ids"]:
        if storage not in call.hub.storages:
            raise not_found(f"storage {storage}")
    return {"id": call.hub.store.deployments.add(row)["id"]}


async def find(call: Call) -> Any:
    status = call.query.integer("status", -1)
    rows = (
        row
        for row in call.hub.store.deployments.newest()
        if not row["_gone"] and call.matches(row, ("name",)) and status in (-1, row["status"])
    )
    return call.page(rows, lambda row: _show(call, row))


async def get(call: Call) -> Any:
    return _show(call, _deployment(call))


async def start(call: Call) -> Any:
    call.hub.deployments.start(_deployment(call))
    return {}


async def stop(call: Call) -> Any:
    call.hub.deployments.stop(_deployment(call))
    return {}


async def delete(call: Call) -> Any:
    row = _deployment(call)
    if row["status"] in (STARTING, RUNNING):
        raise Refused(f"deployment {row['id']} must be stopped first")
    call.hub.store.deployments.save(row, _gone=True)
    return {}


async def pods(call: Call) -> Any:
    row = _deployment(call)
    cluster = next(one for one in call.hub.settings.clusters if one.id == row["virtual_cluster_id"])
    pod = {
        "name": call.hub.deployments.pod_name(row),
        "node_name": cluster.nodes[0],
        "gpu_type": "",
        "status": row["status"],
        "gpu_num": int(cluster.gpu_memory > 0),
        "cpu_num": cluster.cpu,
        "memory": cluster.memory,
    }
    return page_of([pod] if row["status"] in (STARTING, RUNNING) else [], 20, 1)


async def logs(call: Call) -> Any:
    row = _deployment(call)
    name, size = call.query.text("pod_name", ""), call.query.integer("page_size", 20, minimum=1)
    file = call.hub.deployments.log_file(row)
    known = name in ("", call.hub.deployments.pod_name(row)) and file.exists()
    lines = file.read_text(errors="replace").splitlines(keepends=True) if known else []
    return {"data": "".join(lines[-size:])}


async def service(call: Call) -> Any:
    row = call.hub.store.infer_services.get(call.id())
    model = call.hub.store.models.get(row["model_id"]) if row["model_id"] else {"name": ""}
    return {**public(row), "model_name": model["name"]}


def _deployment(call: Call) -> Row:
    row = call.hub.store.deployments.get(call.id())
    if row["_gone"]:
        raise not_found(f"deployment {row['id']}")
    return row


def _envs(body: Fields) -> dict[str, str]:
    envs = body.anything("envs", {})
    if not isinstance(envs, dict) or not all(isinstance(value, str) for value in envs.values()):
        raise Refused("envs must be a JSON object of texts")
    return envs


def _show(call: Call, row: Row) -> Row:
    model = call.hub.store.models.get(row["model_id"])["name"] if row["model_id"] else ""
    times = {name: _time(row[f"_{name}"]) for name in ("created_at", "updated_at")}
    return {**public(row), "model_name": model, **times}


def _time(moment: int) -> str:
    return datetime.fromtimestamp(moment / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


PREFIX = "/mldp/api/v1/deployment"
ROUTES = [
    Route("P", "POST", PREFIX, create),
    Route("P", "GET", PREFIX, find),
    Route("P", "GET", f"{PREFIX}/{{id}}", get),
    Route("P", "DELETE", f"{PREFIX}/{{id}}", delete),
    Route("P", "POST", f"{PREFIX}/{{id}}/start", start),
    Route("P", "POST", f"{PREFIX}/{{id}}/stop", stop),
    Route("P", "GET", f"{PREFIX}/{{id}}/pods", pods),
    Route("P", "GET", f"{PREFIX}/{{id}}/logs", logs),
]
SERVICES = [Route("P", "GET", "/model-center/api/v1/infer-services/{id}", service)]
"""What the model center has of them."""
