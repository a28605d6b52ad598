from __future__ import annotations

from typing import Any

from airflow_provider_aihub.aihub.services import Service
from airflow_provider_aihub.aihub.templates import TemplateRunSpec

from .case import newer, ok, page

TEMPLATES = "/workflow-center/api/v1/templates"
TEMPLATE: dict[str, Any] = {
    "id": 1,
    "name": "greet",
    "description": "d",
    "pipeline_id": 2,
    "pipeline_name": "p",
    "pipeline_version_id": 3,
    "pipeline_version_name": "V1",
    "inputs": None,
    "outputs": None,
    "user": {"id": 1, "name": "admin"},
    "tags": None,
    "status": 1,
    "created_at": 1,
}

case = newer(Service.WORKFLOW_CENTER, TEMPLATES)

CASES = (
    case(
        "list_templates",
        "GET",
        "",
        kwargs={"name": "greet", "tags": "3", "user_id": "1", "filter": 3},
        query="page_size=20&page_num=1&user_id=1&filter=3&name=greet&tags=3",
        answer=page(TEMPLATE),
        reads={
            "total": 1,
            "data.0.id": 1,
            "data.0.pipeline_id": 2,
            "data.0.pipeline_version_id": 3,
            "data.0.user.name": "admin",
        },
        list_key="data",
        real=lambda world: (1, 20, "greet"),
    ),
    case(
        "search_templates",
        "POST",
        "/search",
        args=([1, "2"], "greet"),
        body={"ids": [1, 2], "name": "greet"},
        answer=page({"id": 1, "name": "greet"}),
        reads={"total": 1, "data.0.id": 1, "data.0.name": "greet"},
        list_key="data",
        real=lambda world: (None, "greet"),
    ),
    case(
        "get_template",
        "GET",
        "/{id}",
        args=("1",),
        answer=ok(TEMPLATE),
        reads={"id": 1, "name": "greet", "pipeline_name": "p", "pipeline_version_name": "V1", "status": 1},
        real=lambda world: (1,),
    ),
    case(
        "list_template_params",
        "GET",
        "/{id}/input-params",
        args=(1,),
        answer=ok({"data": [{"input_param": "name"}]}),
        reads={"": ["name"]},
        list_key="data",
        vital=("data.0.input_param",),
        real=lambda world: (1,),
    ),
    case(
        "run_template",
        "POST",
        "/{id}/run",
        args=("1", TemplateRunSpec.build(name="r", params={"name": "you"}, virtual_cluster_id=2)),
        body={"name": "r", "params": [{"key": "name", "value": "you"}], "virtual_cluster_id": 2},
        answer=ok({"id": 1}),
        reads={"": 1},
        vital=("id",),
        real=lambda world: (1, TemplateRunSpec.build(name="r", params={"name": "you"}, virtual_cluster_id=2)),
    ),
)
