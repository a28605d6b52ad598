from __future__ import annotations

from typing import Any

from airflow_provider_aihub.aihub.services import Service
from airflow_provider_aihub.aihub.workflow_center import WorkflowRunSpec

from .case import Case, ok, page

RUNS = "/workflow-center/api/v1/runs"
NODE: dict[str, Any] = {
    "name": "",
    "params": {"input": "null", "output": "null"},
    "message": "",
    "status": 1,
    "pod_name": "",
    "started_at": 1,
    "finished_at": 1,
    "dependencies": [],
}
RUN: dict[str, Any] = {
    "id": 1,
    "name": "",
    "description": "",
    "duration": 1,
    "pipeline_id": 1,
    "pipeline_name": "",
    "pipeline_version_id": 1,
    "pipeline_version_name": "",
    "started_at": 1,
    "finished_at": 1,
    "created_at": 1,
    "status": 1,
    "task_nodes": [NODE],
    "params": [],
}
CLUSTER = {"id": 3, "name": "vc-a800", "sku": {"cpu": 16, "gpu": 1, "memory": 128}}
PLATFORM_NODE = {
    **NODE,
    "namespace": "workflow",
    "task_id": 7,
    "module_id": 4,
    "module_version": 2,
    "use_cache": True,
    "virtual_cluster": CLUSTER,
    "avg_gpu_util": 12.5,
}
PLATFORM_RUN = {
    **RUN,
    "task_nodes": [PLATFORM_NODE],
    "params": [{"key": "x", "value": "y"}],
    "username": "admin",
    "project": {"id": 2, "name": "research"},
    "node_virtual_clusters": [{"virtual_cluster": {"id": 4, "name": "vc-4090"}, "nodes": ["greet"]}],
    "avg_gpu_util": 0,
    "total_gpu_time": 3,
}
RUN_READS: dict[str, Any] = {
    "id": 1,
    "status": 1,
    "duration": 1,
    "task_nodes.0.params": {"input": "null", "output": "null"},
    "task_nodes.0.status": 1,
    "task_nodes.0.dependencies": [],
    "params": [],
}
PLATFORM_READS = {
    "id": 1,
    "status": 1,
    "params.0.key": "x",
    "params.0.value": "y",
    "project.name": "research",
    "total_gpu_time": 3.0,
    "node_virtual_clusters.0.virtual_cluster.id": 4,
    "node_virtual_clusters.0.nodes": ["greet"],
    "task_nodes.0.task_id": 7,
    "task_nodes.0.virtual_cluster.sku.gpu": 1,
    "task_nodes.0.module_id": 4,
    "task_nodes.0.use_cache": True,
    "task_nodes.0.avg_gpu_util": 12.5,
}


def case(name: str, source: Any, method: Any, route: str, call: str, **more: Any) -> Case:
    defaults = {"id": name, "service": Service.WORKFLOW_CENTER, "route": RUNS + route, "path": RUNS + route}
    return Case(**{**defaults, "source": source, "method": method, "call": call, **more})


def again(verb: str) -> Case:
    return case(
        f"{verb}_workflow_run",
        "P",
        "PUT",
        f"/{{id}}/{verb}",
        f"{verb}_workflow_run",
        args=(1,),
        path=f"{RUNS}/1/{verb}",
        answer=ok(PLATFORM_RUN),
        reads=PLATFORM_READS,
        vital=("id", "status"),
        real=lambda world: (world.failed_run,),
    )


CASES = (
    case(
        "create_workflow_run",
        "D",
        "POST",
        "",
        "create_workflow_run",
        args=(
            WorkflowRunSpec.build(
                name="r", description="d", pipeline_id=1, pipeline_version_id=1, params={"x": "y", "n": 3, "b": True}
            ),
        ),
        body={
            "name": "r",
            "description": "d",
            "pipeline_id": 1,
            "pipeline_version_id": 1,
            "params": [{"key": "x", "value": "y"}, {"key": "n", "value": "3"}, {"key": "b", "value": "true"}],
        },
        answer=ok({"id": 1}),
        reads={"": 1},
        vital=("id",),
        real=lambda world: (world.run_spec("greet", project_id=None if world.document else 1),),
    ),
    case(
        "create_workflow_run-placed",
        "P",
        "POST",
        "",
        "create_workflow_run",
        args=(
            WorkflowRunSpec.build(
                name="r",
                pipeline_id=1,
                pipeline_version_id=1,
                project_id=2,
                user_id=3,
                use_cache=False,
                node_virtual_clusters=[{"virtual_cluster_id": 4, "nodes": ["greet"]}],
            ),
        ),
        body={
            "name": "r",
            "pipeline_id": 1,
            "pipeline_version_id": 1,
            "params": [],
            "project_id": 2,
            "user_id": 3,
            "use_cache": False,
            "node_virtual_clusters": [{"virtual_cluster_id": 4, "nodes": ["greet"]}],
        },
        answer=ok({"id": 1}),
        reads={"": 1},
        vital=("id",),
        real=lambda world: (
            world.run_spec(
                "greet",
                project_id=2,
                user_id=world.user_id,
                use_cache=True,
                node_virtual_clusters=[{"virtual_cluster_id": 1, "nodes": ["greet"]}],
            ),
        ),
    ),
    case(
        "get_workflow_run-post",
        "D",
        "POST",
        "/{id}",
        "get_workflow_run",
        args=(1,),
        path=f"{RUNS}/1",
        answer=ok(RUN),
        reads=RUN_READS,
        vital=("id", "status"),
        real=lambda world: (world.run,),
    ),
    case(
        "get_workflow_run",
        "P",
        "GET",
        "/{id}",
        "get_workflow_run",
        args=("1",),
        path=f"{RUNS}/1",
        answer=ok(PLATFORM_RUN),
        reads=PLATFORM_READS,
        vital=("id", "status"),
        real=lambda world: (world.run,),
    ),
    case(
        "list_workflow_runs",
        "P",
        "GET",
        "",
        "list_workflow_runs",
        kwargs={"name": "r", "status": 2, "user_id": 1},
        query="page_size=20&page_num=1&status=2&user_id=1&name=r",
        answer=page(PLATFORM_RUN),
        reads={"total": 1, "data.0.id": 1, "data.0.task_nodes.0.module_version": 2},
        vital=("data.0.id", "data.0.status"),
        list_key="data",
        real=lambda world: (1, 20, "done", 3, world.user_id),
    ),
    case(
        "stop_workflow_run",
        "P",
        "PUT",
        "/{id}/stop",
        "stop_workflow_run",
        args=(7,),
        path=f"{RUNS}/7/stop",
        answer=ok(PLATFORM_RUN),
        reads={"": None},
        real=lambda world: (world.running_run,),
    ),
    again("retry"),
    again("resubmit"),
    case(
        "get_workflow_task_log",
        "P",
        "GET",
        "/{id}/tasks/{pod_name}/logs",
        "get_workflow_task_log",
        args=(7, "greet-x1.y-2"),
        path=f"{RUNS}/7/tasks/greet-x1.y-2/logs",
        answer=ok({"log": "hello\nworld\n", "log_s3_url": "http://10.0.0.9/greet.log"}),
        reads={"log": "hello\nworld\n", "log_s3_url": "http://10.0.0.9/greet.log"},
        real=lambda world: (world.run, world.pod_name),
    ),
    case(
        "get_workflow_task_events",
        "P",
        "GET",
        "/{id}/tasks/{pod_name}/events",
        "get_workflow_task_events",
        args=(7, "greet-x1.y-2"),
        path=f"{RUNS}/7/tasks/greet-x1.y-2/events",
        answer=ok({"events": "pulled\nstarted\n"}),
        reads={"": "pulled\nstarted\n"},
        real=lambda world: (world.run, world.pod_name),
    ),
)
