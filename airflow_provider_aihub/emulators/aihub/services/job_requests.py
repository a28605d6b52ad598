"""What trainings and quota tasks have in common: the request that makes one, stopping it, finding it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ..answers import NO_DATA, not_found
from ..call import Call
from ..fields import Fields
from ..jobs.trainings import WAITING
from ..settings import CATEGORIES, GPU_TYPES, PROJECTS, Cluster
from ..store import Row


def read(call: Call, body: Fields, frameworks: Collection[str]) -> Row:
    """The row of a new training, but for what only trainings or only quota tasks have.

    :raises Refused: A field is missing or wrong (code 1), or names something that does not exist (code 2).
    """
    hub = call.hub
    cluster_id = body.integer("virtual_cluster_id")
    storage_ids = body.integers("storage_ids", call.unless_document([]))
    category = body.integer("category_id")
    project = body.integer("project_id")
    row = {
        "framework": body.text("framework", allowed=frameworks),
        "name": body.text("name"),
        "description": body.text("description", ""),
        "command": body.text("command", call.unless_document("")),
        "image": body.text("image"),
        "sku_cnt": body.integer("sku_cnt", minimum=0),
        "enable_ssh": body.boolean("enable_ssh", call.unless_document(False)),
        "envs": body.pairs("envs", call.unless_document([])) or None,
        "instances": body.integer("instances", minimum=1),
        "use_ib_network": body.boolean("use_ib_network", call.unless_document(False)),
        "always_pull_image": body.boolean("always_pull_image", call.unless_document(False)),
        "shm": body.integer("shm", call.unless_document(0), minimum=0),
        "notify_type": body.integer("notify_type", 1, allowed=(1, 2, 3)),
        "enable_sys_admin": body.boolean("enable_sys_admin", False),
        "created_at": hub.clock.ms(),
        "username": call.user.name,
        "user_id": call.user.id,
        "namespace": "model-training",
        "res_name": "",
        "status": WAITING,
        "avg_gpu_util": 0,
        "finished_at": 0,
        "started_at": 0,
        "stop_op_user": {"id": 0, "name": ""},
        "use_new_log": True,
        "_stopping": False,
    }
    cluster = next((item for item in hub.settings.clusters if item.id == cluster_id), None)
    if cluster is None:
        raise not_found(f"virtual cluster {cluster_id}")
    for storage in storage_ids:
        if storage not in hub.storages:
            raise not_found(f"storage {storage}")
    if category not in CATEGORIES:
        raise not_found(f"category {category}")
    if project not in PROJECTS:
        raise not_found(f"project {project}")
    row["virtual_cluster"] = _show_cluster(cluster)
    row["storages"] = [hub.storages[storage] for storage in storage_ids] or None
    row["category"] = {"id": category, "name": CATEGORIES[category]}
    row["project"] = {"id": project, "name": PROJECTS[project], "description": ""}
    return row


def stop(call: Call, row: Row) -> Any:
    """Stop a training. To stop it again, or after its end, changes nothing and is no failure."""
    call.hub.trainings.stop(row, call.user)
    return NO_DATA


def wanted(call: Call, row: Row) -> bool:
    """Whether a list with the query's filters has this training in it."""
    query = call.query
    if query.given("is_quota_schedule") and query.boolean("is_quota_schedule") != row["is_quota_schedule"]:
        return False
    for name in ("virtual_cluster", "category", "project"):
        if query.given(f"{name}_id") and query.integer(f"{name}_id") != row[name]["id"]:
            return False
    return call.matches(row, ("name", "status", "user_id"))


def _show_cluster(cluster: Cluster) -> Row:
    return {
        "id": cluster.id,
        "name": cluster.name,
        "gpu_type": GPU_TYPES[cluster.gpu_type],
        "label": cluster.name,
        "sku": cluster.sku(),
    }
