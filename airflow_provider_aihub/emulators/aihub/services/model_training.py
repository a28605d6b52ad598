"""Trainings, their pods, and storages."""

from __future__ import annotations

from typing import Any

from ..call import Call, Route, public
from ..jobs.trainings import NORMAL, RUNNING, VIP
from ..store import Row
from . import job_requests, pods

PLATFORM_FIELDS = ("is_quota_schedule", "notify_type", "enable_sys_admin")
FRAMEWORKS = ("PyTorchJob", "MpiJob", "MpiJobMpiRun", "MpiJobDeepspeed")


async def create(call: Call) -> Any:
    body = await call.body()
    row = job_requests.read(call, body, FRAMEWORKS if call.hub.platform else FRAMEWORKS[:2])
    row["estimate_run_time"] = body.integer("estimate_run_time", call.unless_document(0), minimum=0)
    row["is_vip"] = body.boolean("is_vip", call.unless_document(False))
    # Of use to VIP trainings alone, so nobody else needs to send them. 0 stands for none.
    if row["is_vip"]:
        row["preempt_policy"] = body.integer("preempt_policy", allowed=(1, 2))
        row["vip_node_names"] = [name for name in body.texts("vip_node_names") if name] or None
        row["cluster_partition"] = "vip"
        row["_rank"] = VIP
    else:
        row["preempt_policy"] = body.integer("preempt_policy", 0, allowed=(0, 1, 2))
        row["vip_node_names"] = [name for name in body.texts("vip_node_names", []) if name] or None
        row["cluster_partition"] = ""
        row["_rank"] = NORMAL
    row["is_quota_schedule"] = body.boolean("is_quota_schedule", False)
    return {"id": call.hub.trainings.submit(row)["id"]}


async def get(call: Call) -> Any:
    return _show(call, call.hub.store.trainings.get(call.id()))


async def find(call: Call) -> Any:
    rows = (row for row in call.hub.store.trainings.newest() if job_requests.wanted(call, row))
    return call.page(rows, lambda row: _show(call, row))


async def stop(call: Call) -> Any:
    return job_requests.stop(call, call.hub.store.trainings.get(call.id()))


async def storages(call: Call) -> Any:
    return {"data": list(call.hub.storages.values())}


async def containers(call: Call) -> Any:
    def show(row: Row) -> Row:
        pods = call.hub.trainings.pods(row)
        return {
            "training_id": row["id"],
            "training_name": row["name"],
            "containers": [
                {"namespace": pod["namespace"], "pod_name": pod["name"], "container_name": "main"} for pod in pods
            ],
        }

    return call.page((row for row in call.hub.store.trainings.newest() if row["status"] == RUNNING), show)


def training(call: Call) -> Row:
    return call.hub.store.trainings.get(call.id())


def _show(call: Call, row: Row) -> Row:
    return public(row, () if call.hub.platform else PLATFORM_FIELDS)


PREFIX = "/model-training-platform/api/v1"
ROUTES = [
    Route("D", "POST", f"{PREFIX}/trainings", create),
    Route("D", "GET", f"{PREFIX}/trainings/{{id}}", get),
    Route("D", "GET", f"{PREFIX}/storages", storages),
    Route("D", "POST", f"{PREFIX}/trainings/{{id}}/stop", stop),
    Route("P", "GET", f"{PREFIX}/trainings", find),
    Route("P", "GET", f"{PREFIX}/training-containers", containers),
    *pods.routes(f"{PREFIX}/trainings", training),
]
