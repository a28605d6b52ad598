from __future__ import annotations

from airflow_provider_aihub.aihub.services import Service

from .case import newer, ok

PREFIX = "/workflow-center/api/v1/"
PIPELINE = {
    "id": 1,
    "name": "greet",
    "description": "d",
    "latest_version_id": 3,
    "latest_version_name": "V2",
    "version_cnt": 2,
    "ran_cnt": 1,
    "created_at": 1,
    "user_id": 1,
    "username": "admin",
}
NAMED = {"data": [{"id": 1, "name": "greet"}]}

case = newer(Service.WORKFLOW_CENTER, PREFIX)

CASES = (
    case(
        "list_pipelines",
        "GET",
        "select-pipelines",
        args=("greet",),
        query="name=greet",
        answer=ok(NAMED),
        reads={"0.id": 1, "0.name": "greet"},
        list_key="data",
        real=lambda world: ("greet",),
    ),
    case(
        "get_pipeline",
        "GET",
        "pipelines/{id}",
        args=("1",),
        answer=ok(PIPELINE),
        reads={"id": 1, "name": "greet", "latest_version_id": 3, "latest_version_name": "V2", "version_cnt": 2},
        real=lambda world: (1,),
    ),
    case(
        "list_pipeline_versions",
        "GET",
        "select-pipeline-versions",
        args=(1, "V2"),
        query="pipeline_id=1&name=V2",
        answer=ok({"data": [{"id": 3, "name": "V2"}]}),
        reads={"0.id": 3, "0.name": "V2"},
        list_key="data",
        real=lambda world: (1, "V1"),
    ),
    case(
        "list_pipeline_params",
        "GET",
        "pipeline-versions/{id}/input-params",
        args=(3,),
        path=f"{PREFIX}pipeline-versions/3/input-params",
        answer=ok({"data": ["name", "day"]}),
        reads={"": ["name", "day"]},
        real=lambda world: (1,),
    ),
)
