"""Virtual clusters and projects."""

from __future__ import annotations

from typing import Any

from ..answers import not_found
from ..call import Call, Route
from ..settings import PROJECTS, Cluster


async def clusters(call: Call) -> Any:
    query = call.query
    user = query.integer("user_id")
    if query.given("module_type") or not call.hub.platform:
        query.integer("module_type", allowed=(0, 1, 2, 3) if call.hub.platform else (1, 2))
    if user not in call.hub.credentials.users:
        raise not_found(f"user {user}")
    return {"data": [_show(cluster) for cluster in call.hub.settings.clusters]}


async def projects(_call: Call) -> Any:
    return {"data": [{"id": number, "name": name} for number, name in PROJECTS.items()]}


def _show(cluster: Cluster) -> dict[str, Any]:
    gpu = f", GPU with {cluster.gpu_memory} GiB" if cluster.gpu_memory else ""
    return {
        "id": cluster.id,
        "name": cluster.name,
        "uuid": f"0-0-{cluster.id}",
        "sku": {
            "id": cluster.id,
            "description": f"{cluster.cpu} CPU, {cluster.memory} GiB{gpu}",
            "cpu": cluster.cpu,
            "memory": cluster.memory,
            "gpu_type": cluster.gpu_type,
            "gpu_memory": cluster.gpu_memory,
            "network": cluster.network,
            "created_at": CREATED_AT,
        },
        "created_at": CREATED_AT,
    }


CREATED_AT = 1704067200000
"""When the clusters were made, as far as anybody knows: the start of 2024."""

PREFIX = "/tag-resource-management/api/v1"
ROUTES = [
    Route("D", "GET", f"{PREFIX}/select-clusters", clusters),
    Route("P", "GET", f"{PREFIX}/select-projects", projects),
]
