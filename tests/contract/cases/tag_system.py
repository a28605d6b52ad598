from __future__ import annotations

from airflow_provider_aihub.aihub.services import Service

from .case import Case, ok

BASE = "/tag-resource-management/api/v1"
CLUSTER = {
    "id": 29,
    "name": "vc-a800-train",
    "uuid": "5-0-14",
    "sku": {
        "id": 2,
        "description": "",
        "cpu": 67,
        "memory": 34,
        "gpu_type": 2,
        "gpu_memory": 12,
        "network": 0,
        "created_at": 1721382073775,
    },
    "created_at": 1721396303983,
}

CASES = (
    Case(
        id="list_virtual_clusters",
        source="D",
        service=Service.TAG_SYSTEM,
        method="GET",
        route=f"{BASE}/select-clusters",
        call="list_virtual_clusters",
        args=(1, "training"),
        path=f"{BASE}/select-clusters",
        query="user_id=1&module_type=1",
        answer=ok({"data": [CLUSTER]}),
        reads={
            "0.id": 29,
            "0.name": "vc-a800-train",
            "0.sku.gpu_type": 2,
            "0.sku.gpu_memory": 12,
            "0.sku.created_at": 1721382073775,
        },
        list_key="data",
        real=lambda world: (world.user_id, "training"),
    ),
    Case(
        id="list_virtual_clusters-quota",
        source="P",
        service=Service.TAG_SYSTEM,
        method="GET",
        route=f"{BASE}/select-clusters",
        call="list_virtual_clusters",
        args=("4", 3),
        path=f"{BASE}/select-clusters",
        query="user_id=4&module_type=3",
        answer=ok({"data": [CLUSTER]}),
        reads={"0.id": 29},
        list_key="data",
        real=lambda world: (world.user_id, "quota"),
    ),
    Case(
        id="list_projects",
        source="P",
        service=Service.TAG_SYSTEM,
        method="GET",
        route=f"{BASE}/select-projects",
        call="list_projects",
        path=f"{BASE}/select-projects",
        answer=ok({"data": [{"id": 1, "name": "default"}]}),
        reads={"0.id": 1, "0.name": "default", "0.description": ""},
        list_key="data",
        real=lambda _: (),
    ),
)
