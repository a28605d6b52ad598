from __future__ import annotations

from typing import Any

from airflow_provider_aihub.aihub.model_tasks import ModelEvalSpec
from airflow_provider_aihub.aihub.services import Service

from .case import newer, ok, page
from .model_center import MODELS

TASK: dict[str, Any] = {
    "id": 7,
    "model_id": 1,
    "model_name": "m",
    "task_name": "t",
    "task_type": "eval",
    "status": "s",
    "workflow_run_id": 3,
    "workflow_run_name": "r",
    "workflow_tmp_id": 2,
    "workflow_tmp_name": "w",
    "eval_report_id": 4,
    "eval_report_name": "e",
}
case = newer(Service.MODEL_CENTER, MODELS)

CASES = (
    case(
        "create_model_eval_task",
        "POST",
        "/{id}/eval_task",
        args=(
            "1",
            ModelEvalSpec.build(
                task_name="t",
                eval_type="e",
                infer_service_id=5,
                workflow_tmp_id="2",
                eval_config={"a": 1},
                params={"x": True},
                virtual_cluster_id=6,
            ),
        ),
        body={
            "task_name": "t",
            "eval_method": "service",
            "eval_type": "e",
            "infer_service_id": 5,
            "workflow_tmp_id": 2,
            "eval_config": {"a": 1},
            "params": [{"key": "x", "value": "true"}],
            "virtual_cluster_id": 6,
        },
        answer=ok({"id": 7}),
        reads={"": 7},
        vital=("id",),
        real=lambda world: (world.model, ModelEvalSpec.build(task_name="t", workflow_tmp_id=1, virtual_cluster_id=1)),
    ),
    case(
        "list_model_tasks",
        "GET",
        "/{id}/tasks",
        args=(1, "2", 5),
        query="page_size=5&page_num=2",
        answer=page(TASK, number=2),
        reads={
            "total": 1,
            "data.0.id": 7,
            "data.0.task_name": "t",
            "data.0.workflow_run_id": 3,
            "data.0.workflow_tmp_id": 2,
            "data.0.eval_report_id": 4,
            "data.0.status": "s",
        },
        vital=("data.0.id",),
        list_key="data",
        real=lambda world: (world.model,),
    ),
)
