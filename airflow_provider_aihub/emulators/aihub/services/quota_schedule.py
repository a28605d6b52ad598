"""Quota tasks: trainings with a priority."""

from __future__ import annotations

from typing import Any

from ..call import Call, Route, public
from ..jobs.trainings import HIGH, LOW, RUNNING
from ..settings import CATEGORIES, Cluster
from ..store import Row
from . import job_requests, pods
from .model_training import FRAMEWORKS

STOPPING = 6
KILL_LOW_PRIORITY, NO_PREEMPTION = 2, 1
PLATFORM_FIELDS = (
    "is_quota_schedule",
    "notify_type",
    "enable_sys_admin",
    "enable_reschedule",
    "remain_schedule_cnt",
    "source_task",
)


async def create(call: Call) -> Any:
    body = await call.body()
    priority = body.integer("priority", allowed=(1, 2))
    row = job_requests.read(call, body, FRAMEWORKS if call.hub.platform else FRAMEWORKS[:3])
    row.update(
        # The document explains this field but its example leaves it out.
        estimate_run_time=body.integer("estimate_run_time", 0, minimum=0),
        is_vip=False,
        preempt_policy=NO_PREEMPTION,
        vip_node_names=None,
        cluster_partition="",
        is_quota_schedule=True,
        _rank=HIGH if priority == 2 else LOW,
    )
    enable_reschedule = body.boolean("enable_reschedule", False)
    with call.hub.store.together():
        training = call.hub.trainings.submit(row)
        task = call.hub.store.quota_tasks.add(
            {"priority": priority, "mtp_id": training["id"], "enable_reschedule": enable_reschedule}
        )
    return {"id": task["id"]}


async def get(call: Call) -> Any:
    return _show(call, call.hub.store.quota_tasks.get(call.id()))


async def find(call: Call) -> Any:
    rows = (
        task
        for task in call.hub.store.quota_tasks.newest()
        if call.matches(task, ("priority",)) and job_requests.wanted(call, _as_task(_training(call, task)))
    )
    return call.page(rows, lambda row: _show(call, row))


async def stop(call: Call) -> Any:
    return job_requests.stop(call, training(call))


async def overview(call: Call) -> Any:
    return call.page([_usage(call, cluster) for cluster in call.hub.settings.clusters], dict)


def training(call: Call) -> Row:
    return _training(call, call.hub.store.quota_tasks.get(call.id()))


def _training(call: Call, task: Row) -> Row:
    return call.hub.store.trainings.get(task["mtp_id"])


def _as_task(row: Row) -> Row:
    return {**row, "status": STOPPING} if row["_stopping"] and row["status"] == RUNNING else row


def _show(call: Call, task: Row) -> Row:
    row = {
        **public(_as_task(_training(call, task))),
        **task,
        "remain_schedule_cnt": 0,
        "source_task": {"id": 0, "name": ""},
    }
    row["virtual_cluster"] = {**row["virtual_cluster"], "node_tasks": _node_tasks(call, row["virtual_cluster"]["id"])}
    return public(row, () if call.hub.platform else PLATFORM_FIELDS)


def _usage(call: Call, cluster: Cluster) -> Row:
    """How much of a cluster is in use, with all of its GPUs as the quota of one group."""
    running = [(row, pod) for row, pod in call.hub.trainings.running_on(cluster.id) if row["is_quota_schedule"]]
    high = {pod["node_name"] for row, pod in running if row["_rank"] == HIGH}
    low = {pod["node_name"] for row, pod in running if row["_rank"] == LOW} - high
    gpus = cluster.sku()["gpu"]
    used = sum(row["sku_cnt"] * gpus for row, _ in running if row["_rank"] == HIGH)
    return {
        "vc_id": cluster.id,
        "vc_name": cluster.name,
        "machine": {"high": len(high), "low": len(low), "free": len(set(cluster.nodes) - high - low)},
        "high_priority": [{"group_id": 1, "group_name": "everybody", "used": used, "total": cluster.capacity * gpus}],
    }


def _node_tasks(call: Call, cluster: int) -> list[dict[str, Any]]:
    nodes: dict[str, dict[str, Any]] = {}
    for row, pod in call.hub.trainings.running_on(cluster):
        node = nodes.setdefault(
            pod["node_name"], {"node_name": pod["node_name"], "node_ip": pod["host_ip"], "tasks": []}
        )
        node["tasks"].append(
            {
                "id": str(row["id"]),
                "name": row["name"],
                "sku_cnt": row["sku_cnt"],
                "category_name": CATEGORIES[row["category"]["id"]],
                "project_name": row["project"]["name"],
                "estimate_run_time": row["estimate_run_time"],
                "actual_run_time": max(0, call.hub.clock.ms() - row["started_at"]) // 1000,
                "username": row["username"],
            }
        )
    return list(nodes.values())


PREFIX = "/quota-schedule-management/api/v1"
ROUTES = [
    Route("D", "POST", f"{PREFIX}/tasks", create),
    Route("D", "GET", f"{PREFIX}/tasks/{{id}}", get),
    Route("D", "POST", f"{PREFIX}/tasks/{{id}}/stop", stop),
    Route("P", "GET", f"{PREFIX}/tasks", find),
    Route("P", "GET", f"{PREFIX}/metrics/overview", overview),
    *pods.routes(f"{PREFIX}/tasks", training, with_duration=True),
]
