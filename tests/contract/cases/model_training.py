from __future__ import annotations

from typing import Any

from airflow_provider_aihub.aihub.model_training import TrainingSpec
from airflow_provider_aihub.aihub.services import Service

from .case import Case, ok, page

BASE = "/model-training-platform/api/v1"
TRAININGS = f"{BASE}/trainings"
TRAINING: dict[str, Any] = {
    "id": 1,
    "framework": "1",
    "name": "",
    "description": "",
    "command": "",
    "image": "",
    "virtual_cluster": {
        "id": 1,
        "name": "",
        "gpu_type": "",
        "label": "",
        "sku": {"cpu": 1, "gpu": 1, "memory": 1},
    },
    "sku_cnt": 1,
    "enable_ssh": False,
    "envs": None,
    "storages": None,
    "instances": 1,
    "created_at": 1,
    "username": "",
    "user_id": 1,
    "namespace": "",
    "res_name": "",
    "status": 1,
    "use_ib_network": False,
    "always_pull_image": True,
    "shm": 0,
    "category": {"id": 1, "name": ""},
    "project": {"id": 1, "name": "", "description": ""},
    "avg_gpu_util": 0,
    "finished_at": 1,
    "started_at": 1,
    "estimate_run_time": 1,
    "is_vip": False,
    "cluster_partition": "",
    "preempt_policy": 0,
    "vip_node_names": None,
    "stop_op_user": {"id": 1, "name": ""},
    "use_new_log": True,
}
PODS: dict[str, Any] = {
    "code": 0,
    "data": {
        "total": 1,
        "page_size": 9999,
        "page_num": 1,
        "data": [
            {
                "id": 395,
                "namespace": "live-training-1",
                "name": "u-1-84-kfqblmgwg2s0957dqmo4bybb-hrkpg",
                "status": "Deleted",
                "created_at": 1729063122000,
                "started_at": 1729063124000,
                "finished_at": 1729063223227,
                "host_ip": "192.168.13.108",
                "node_name": "ai-13-108",
                "ssh_port": 0,
                "ssh_info": "",
                "use_new_log": True,
            }
        ],
    },
}
STORAGE = {
    "id": 1,
    "name": "13-160-data1",
    "path": "/mnt/13-160-data1",
    "server_path": "/data1/model_training_platform",
    "server_host": "192.168.13.160",
    "server_type": "nfs",
    "permission": "rw",
    "description": "",
}
STOPPED = {"code": 0, "msg": ""}
JOB: dict[str, Any] = {
    "framework": "MpiJob",
    "name": "t",
    "description": "d",
    "command": "python train.py --lr 0.1",
    "image": "registry/a:1",
    "virtual_cluster_id": 1,
    "sku_cnt": 1,
    "enable_ssh": False,
    "envs": [{"key": "x", "value": "y"}],
    "storage_ids": [1, 2],
    "instances": 1,
    "use_ib_network": False,
    "always_pull_image": False,
    "shm": 1,
    "category_id": 1,
    "project_id": 1,
    "estimate_run_time": 1,
}
"""A body as the document prints it. It is what the request is built from, too."""
VIP = {"is_vip": True, "preempt_policy": 2, "vip_node_names": ["ai-13-108"]}
NO_VIP = {"is_vip": False, "preempt_policy": 1, "vip_node_names": []}
PLATFORM: dict[str, Any] = {"is_quota_schedule": True, "notify_type": 3, "enable_sys_admin": True}


def pod_case(service: Service, jobs: str, job: str, what: str, real: Any) -> Case:
    """The case of a call that is about one pod of a job: its ``logs``, ``events`` or ``spec``."""
    logs = what == "logs"
    path = "/logs/new" if logs else f"/{what}"
    text = "0:01 Scheduled\n0:02 Pulled\n"
    return Case(
        id=f"get_{job}_pod_{what}",
        source="P",
        service=service,
        method="GET",
        route=f"{jobs}/{{id}}/pods/{{pod_id}}{path}",
        call=f"get_{job}_pod_{what}",
        args=(12, "395"),
        path=f"{jobs}/12/pods/395{path}",
        answer=ok({"logs": [{"name": "a.log", "url": "http://10.0.0.9/a.log"}]} if logs else {what: text}),
        reads={"0.name": "a.log", "0.url": "http://10.0.0.9/a.log"} if logs else {"": text},
        list_key="logs" if logs else "",
        real=real,
    )


def case(name: str, source: Any, method: Any, route: str, **more: Any) -> Case:
    defaults = {
        "id": name,
        "service": Service.MODEL_TRAINING,
        "call": name,
        "route": BASE + route,
        "path": BASE + route,
    }
    return Case(**{**defaults, "source": source, "method": method, **more})


CASES = (
    case(
        "create_training",
        "D",
        "POST",
        "/trainings",
        args=(TrainingSpec.build(**JOB, **VIP),),
        body={**JOB, **VIP},
        answer=ok({"id": 1}),
        reads={"": 1},
        vital=("id",),
        real=lambda _: (TrainingSpec.build(**{**JOB, "command": "true", **VIP}),),
    ),
    case(
        "create_training-platform",
        "P",
        "POST",
        "/trainings",
        call="create_training",
        args=(TrainingSpec.build(**JOB, **PLATFORM),),
        body={**JOB, **NO_VIP, **PLATFORM},
        answer=ok({"id": 1}),
        reads={"": 1},
        vital=("id",),
        real=lambda _: (TrainingSpec.build(**{**JOB, "command": "true", **PLATFORM, "framework": "PyTorchJob"}),),
    ),
    case(
        "get_training",
        "D",
        "GET",
        "/trainings/{id}",
        args=("1",),
        path=f"{TRAININGS}/1",
        answer=ok(TRAINING),
        reads={
            "id": 1,
            "framework": "1",
            "status": 1,
            "virtual_cluster.sku.memory": 1,
            "envs": [],
            "storages": [],
            "vip_node_names": [],
            "always_pull_image": True,
            "avg_gpu_util": 0.0,
            "preempt_policy": 0,
            "stop_op_user.id": 1,
            "use_new_log": True,
        },
        vital=("id", "status"),
        real=lambda world: (world.training,),
    ),
    case(
        "list_training_pods",
        "D",
        "GET",
        "/trainings/{id}/pods",
        args=(12,),
        path=f"{TRAININGS}/12/pods",
        query="page_size=9999&page_num=1",
        answer=PODS,
        reads={
            "total": 1,
            "page_size": 9999,
            "page_num": 1,
            "data.0.id": 395,
            "data.0.status": "Deleted",
            "data.0.finished_at": 1729063223227,
            "data.0.node_name": "ai-13-108",
            "data.0.duration": 0,
        },
        list_key="data",
        real=lambda world: (world.training,),
    ),
    case(
        "list_storages",
        "D",
        "GET",
        "/storages",
        answer=ok({"data": [STORAGE]}),
        reads={"0.id": 1, "0.name": "13-160-data1", "0.server_type": "nfs", "0.permission": "rw"},
        list_key="data",
        real=lambda _: (),
    ),
    case(
        "stop_training",
        "D",
        "POST",
        "/trainings/{id}/stop",
        args=(12,),
        path=f"{TRAININGS}/12/stop",
        answer=STOPPED,
        reads={"": None},
        real=lambda world: (world.running_training,),
    ),
    case(
        "list_trainings",
        "P",
        "GET",
        "/trainings",
        kwargs={
            "name": "t",
            "status": 2,
            "user_id": 3,
            "virtual_cluster_id": 4,
            "category_id": 1,
            "project_id": 5,
            "is_quota_schedule": False,
        },
        query="page_size=20&page_num=1&status=2&user_id=3&virtual_cluster_id=4&category_id=1&project_id=5&name=t"
        "&is_quota_schedule=false",
        answer=page({**TRAINING, **PLATFORM}),
        reads={"total": 1, "data.0.id": 1, "data.0.notify_type": 3, "data.0.enable_sys_admin": True},
        vital=("data.0.id", "data.0.status"),
        list_key="data",
        real=lambda world: (1, 20, "done", 3, world.user_id, 1, 1, 1, False),
    ),
    *(
        pod_case(
            Service.MODEL_TRAINING, TRAININGS, "training", what, lambda world: (world.training, world.training_pod)
        )
        for what in ("logs", "events", "spec")
    ),
    case(
        "list_training_containers",
        "P",
        "GET",
        "/training-containers",
        args=(2, 5),
        query="page_size=5&page_num=2",
        answer=page(
            {
                "training_id": 1,
                "training_name": "t",
                "containers": [{"namespace": "n", "pod_name": "p", "container_name": "c"}],
            },
            number=2,
        ),
        reads={
            "total": 1,
            "data.0.training_id": 1,
            "data.0.training_name": "t",
            "data.0.containers.0.namespace": "n",
            "data.0.containers.0.pod_name": "p",
            "data.0.containers.0.container_name": "c",
        },
        vital=("data.0.training_id",),
        list_key="data",
        real=lambda world: (),
    ),
)
