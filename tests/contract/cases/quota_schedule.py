from __future__ import annotations

from typing import Any

from airflow_provider_aihub.aihub.quota_schedule import QuotaTaskSpec
from airflow_provider_aihub.aihub.services import Service

from .case import Case, ok, page
from .model_training import JOB, PLATFORM, STOPPED, TRAINING, pod_case

TASKS = "/quota-schedule-management/api/v1/tasks"
TASK: dict[str, Any] = {
    "id": 0,
    "priority": 1,
    "mtp_id": 0,
    "framework": "string",
    "name": "string",
    "description": "string",
    "command": "string",
    "image": "string",
    "virtual_cluster": {
        "id": 0,
        "name": "string",
        "gpu_type": "string",
        "label": "string",
        "sku": {"cpu": 0, "gpu": 0, "memory": 0},
        "node_tasks": [
            {
                "node_name": "string",
                "node_ip": "string",
                "tasks": [
                    {
                        "id": "string",
                        "name": "string",
                        "sku_cnt": 0,
                        "category_name": "string",
                        "project_name": "string",
                        "estimate_run_time": 0,
                        "actual_run_time": 0,
                        "username": "string",
                    }
                ],
            }
        ],
    },
    "sku_cnt": 0,
    "enable_ssh": True,
    "envs": [{"key": "string", "value": "string"}],
    "storages": [
        {
            "id": 0,
            "name": "string",
            "path": "string",
            "server_path": "string",
            "server_host": "string",
            "server_type": "string",
            "permission": "string",
            "description": "string",
        }
    ],
    "instances": 0,
    "created_at": 0,
    "username": "string",
    "user_id": 0,
    "namespace": "string",
    "res_name": "string",
    "status": 1,
    "use_ib_network": True,
    "category": {"id": 0, "name": "string"},
    "project": {"id": 0, "name": "string", "description": "string"},
    "avg_gpu_util": 0,
    "estimate_run_time": 0,
    "is_vip": True,
    "cluster_partition": "string",
    "preempt_policy": 0,
    "vip_node_names": ["string"],
    "stop_op_user": {"id": 0, "name": "string"},
}
PLATFORM_TASK: dict[str, Any] = {
    **TRAINING,
    "priority": 2,
    "mtp_id": 31,
    "is_quota_schedule": True,
    "enable_reschedule": True,
    "remain_schedule_cnt": 2,
    "source_task": {"id": 6, "name": "before"},
}
PODS: dict[str, Any] = {
    "code": 0,
    "msg": "string",
    "data": {
        "total": 0,
        "page_size": 0,
        "page_num": 0,
        "data": [
            {
                "id": 0,
                "namespace": "string",
                "name": "string",
                "status": "string",
                "created_at": 0,
                "started_at": 0,
                "host_ip": "string",
                "node_name": "string",
                "ssh_port": 0,
                "ssh_info": "string",
                "duration": 0,
            }
        ],
    },
}
SENT = {"priority": 2, **JOB, "framework": "MpiJobMpiRun"}
ADDED = {"enable_reschedule": True, "notify_type": PLATFORM["notify_type"]}


def case(name: str, source: Any, method: Any, route: str, **more: Any) -> Case:
    defaults = {"id": name, "service": Service.QUOTA_SCHEDULE, "call": name, "route": TASKS + route}
    return Case(**{**defaults, "source": source, "method": method, "path": TASKS + route, **more})


CASES = (
    case(
        "create_quota_task",
        "D",
        "POST",
        "",
        args=(QuotaTaskSpec.build(**SENT),),
        body=SENT,
        answer=ok({"id": 1}),
        reads={"": 1},
        vital=("id",),
        real=lambda _: (QuotaTaskSpec.build(**{**SENT, "command": "true"}),),
    ),
    case(
        "create_quota_task-platform",
        "P",
        "POST",
        "",
        call="create_quota_task",
        args=(QuotaTaskSpec.build(**SENT, **ADDED),),
        body={**SENT, **ADDED},
        answer=ok({"id": 1}),
        reads={"": 1},
        vital=("id",),
        real=lambda _: (QuotaTaskSpec.build(**{**SENT, "command": "true", **ADDED}),),
    ),
    case(
        "get_quota_task",
        "D",
        "GET",
        "/{id}",
        args=(12,),
        path=f"{TASKS}/12",
        answer={"code": 0, "msg": "string", "data": {**TASK, "id": 12}},
        reads={
            "id": 12,
            "status": 1,
            "priority": 1,
            "mtp_id": 0,
            "virtual_cluster.node_tasks.0.tasks.0.id": "string",
            "envs.0.key": "string",
            "storages.0.path": "string",
            "vip_node_names": ["string"],
            "shm": 0,
            "finished_at": 0,
        },
        vital=("id", "status"),
        real=lambda world: (world.busy_quota_task,),
    ),
    case(
        "list_quota_task_pods",
        "D",
        "GET",
        "/{id}/pods",
        args=(12,),
        path=f"{TASKS}/12/pods",
        query="page_size=9999&page_num=1",
        answer=PODS,
        reads={"total": 0, "page_num": 1, "data.0.status": "string", "data.0.finished_at": 0, "data.0.duration": 0},
        list_key="data",
        real=lambda world: (world.quota_task,),
    ),
    case(
        "stop_quota_task",
        "D",
        "POST",
        "/{id}/stop",
        args=(12,),
        path=f"{TASKS}/12/stop",
        answer=STOPPED,
        reads={"": None},
        real=lambda world: (world.running_quota_task,),
    ),
    case(
        "list_quota_tasks",
        "P",
        "GET",
        "",
        kwargs={
            "page": 3,
            "page_size": 5,
            "name": "t",
            "status": 6,
            "user_id": 1,
            "virtual_cluster_id": 4,
            "category_id": 1,
            "project_id": 5,
            "is_quota_schedule": True,
            "priority": "high",
        },
        query="page_size=5&page_num=3&status=6&user_id=1&virtual_cluster_id=4&category_id=1&project_id=5&priority=2"
        "&name=t&is_quota_schedule=true",
        answer=page(PLATFORM_TASK, number=3),
        reads={
            "total": 1,
            "data.0.mtp_id": 31,
            "data.0.remain_schedule_cnt": 2,
            "data.0.enable_reschedule": True,
            "data.0.source_task.name": "before",
        },
        vital=("data.0.id", "data.0.status"),
        list_key="data",
        real=lambda world: (1, 20, "done", 3, world.user_id, 1, 1, 1, True, 1),
    ),
    *(
        pod_case(
            Service.QUOTA_SCHEDULE, TASKS, "quota_task", what, lambda world: (world.quota_task, world.quota_task_pod)
        )
        for what in ("logs", "events", "spec")
    ),
    Case(
        id="list_cluster_usage",
        source="P",
        service=Service.QUOTA_SCHEDULE,
        method="GET",
        route="/quota-schedule-management/api/v1/metrics/overview",
        call="list_cluster_usage",
        args=(2, 5),
        path="/quota-schedule-management/api/v1/metrics/overview",
        query="page_size=5&page_num=2",
        answer=page(
            {
                "vc_id": 3,
                "vc_name": "vc-a800",
                "machine": {"high": 2, "low": 1, "free": 5},
                "high_priority": [{"group_id": 1, "group_name": "vision", "used": 9, "total": 16}],
            },
            number=2,
        ),
        reads={
            "total": 1,
            "data.0.vc_id": 3,
            "data.0.vc_name": "vc-a800",
            "data.0.machine.free": 5,
            "data.0.high_priority.0.group_name": "vision",
            "data.0.high_priority.0.used": 9,
            "data.0.high_priority.0.total": 16,
        },
        vital=("data.0.vc_id",),
        list_key="data",
        real=lambda world: (),
    ),
)
