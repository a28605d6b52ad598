from __future__ import annotations

from typing import Any

from airflow_provider_aihub.aihub.services import Service

from .case import Case, ok

PREFIX = "/workflow-center/api/v1"
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


def case(name: str, route: str, **more: Any) -> Case:
    path = f"{PREFIX}/{route}"
    common: dict[str, Any] = {"id": name, "call": name, "source": "P", "service": Service.WORKFLOW_CENTER}
    return Case(**{**common, "method": "GET", "route": path, "path": path, **more})


CASES = (
    case(
        "list_pipelines",
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
        "pipelines/{id}",
        args=("1",),
        path=f"{PREFIX}/pipelines/1",
        answer=ok(PIPELINE),
        reads={"id": 1, "name": "greet", "latest_version_id": 3, "latest_version_name": "V2", "version_cnt": 2},
        real=lambda world: (1,),
    ),
    case(
        "list_pipeline_versions",
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
        "pipeline-versions/{id}/input-params",
        args=(3,),
        path=f"{PREFIX}/pipeline-versions/3/input-params",
        answer=ok({"data": ["name", "day"]}),
        reads={"": ["name", "day"]},
        real=lambda world: (1,),
    ),
)
