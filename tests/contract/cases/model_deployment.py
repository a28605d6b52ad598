from __future__ import annotations

from typing import Any

from airflow_provider_aihub.aihub.model_deployment import DeploymentSpec
from airflow_provider_aihub.aihub.services import Service

from .case import Case, newer, ok, page

DEPLOYMENTS = "/mldp/api/v1/deployment"
SERVICE_PATH = "/model-center/api/v1/infer-services/{id}"
FULL: dict[str, Any] = {
    "name": "d",
    "virtual_cluster_id": 2,
    "deploy_template": "default",
    "health_check_path": "/well",
    "container_concurrency": 4,
    "docker_image_name": "registry/serve:1",
    "image_id": 5,
    "model_id": 6,
    "envs": {"A": "x"},
    "description": "why",
    "command_args": "python serve.py",
    "storage_ids": [1],
    "container_port": 8000,
    "sku_cnt": 1,
    "share_machine": True,
}
DEPLOYMENT: dict[str, Any] = {
    **FULL,
    "id": 1,
    "status": 2,
    "version": 1,
    "api_host": "h",
    "infer_service_id": 3,
    "model_name": "m",
    "user_id": 1,
    "user_name": "admin",
    "created_at": "2026-01-01 00:00:00",
    "updated_at": "2026-01-01 00:00:00",
}
POD = {"name": "p", "node_name": "n", "gpu_type": "", "status": 1, "gpu_num": 0, "cpu_num": 1, "memory": 4}
INFER_SERVICE: dict[str, Any] = {
    "id": 1,
    "model_id": 6,
    "model_name": "m",
    "name": "s",
    "endpoint_url": "http://10.0.0.9:8000",
    "status": "online",
    "api_key": "sk",
}

case = newer(Service.MODEL_DEPLOYMENT, DEPLOYMENTS)

CASES = (
    case(
        "create_deployment",
        "POST",
        "",
        args=(DeploymentSpec.build(**FULL),),
        body=FULL,
        answer=ok({"id": 1}),
        reads={"": 1},
        vital=("id",),
        real=lambda world: (DeploymentSpec.build(**{**FULL, "name": world.new_name(), "model_id": world.model}),),
    ),
    case(
        "list_deployments",
        "GET",
        "",
        kwargs={"name": "d", "project_id": "3", "model_type": 4, "status": 2},
        query="page_size=20&page_num=1&project_id=3&model_type=4&name=d&status=2",
        answer=page(DEPLOYMENT),
        reads={"total": 1, "data.0.id": 1, "data.0.infer_service_id": 3, "data.0.model_name": "m"},
        vital=("data.0.id",),
        list_key="data",
        real=lambda world: (1, 20, world.deployment_name),
    ),
    case(
        "get_deployment",
        "GET",
        "/{id}",
        args=("1",),
        answer=ok(DEPLOYMENT),
        reads={"id": 1, "name": "d", "status": 2, "infer_service_id": 3, "api_host": "h"},
        vital=("id",),
        real=lambda world: (world.deployment,),
    ),
    case(
        "start_deployment",
        "POST",
        "/{id}/start",
        args=("1",),
        answer=ok({}),
        reads={"": None},
        real=lambda world: (world.deployment,),
    ),
    case(
        "list_deployment_pods",
        "GET",
        "/{id}/pods",
        args=("1",),
        answer=page(POD),
        reads={"total": 1, "data.0.name": "p", "data.0.cpu_num": 1, "data.0.memory": 4},
        list_key="data",
        real=lambda world: (world.deployment,),
    ),
    case(
        "get_deployment_logs",
        "GET",
        "/{id}/logs",
        args=("1", "p", "5"),
        query="pod_name=p&page_size=5",
        answer=ok({"data": "a line"}),
        reads={"": "a line"},
        real=lambda world: (world.deployment,),
    ),
    Case(
        id="get_infer_service",
        source="P",
        service=Service.MODEL_CENTER,
        method="GET",
        route=SERVICE_PATH,
        call="get_infer_service",
        args=("1",),
        path=SERVICE_PATH.replace("{id}", "1"),
        answer=ok(INFER_SERVICE),
        reads={"id": 1, "status": "online", "endpoint_url": "http://10.0.0.9:8000", "api_key": "sk"},
        vital=("id",),
        real=lambda world: (world.infer_service,),
    ),
    case(
        "stop_deployment",
        "POST",
        "/{id}/stop",
        args=("1",),
        answer=ok({}),
        reads={"": None},
        real=lambda world: (world.new_deployment(),),
    ),
    case(
        "delete_deployment",
        "DELETE",
        "/{id}",
        args=("1",),
        answer=ok({}),
        reads={"": None},
        real=lambda world: (world.new_deployment(),),
    ),
)
