from __future__ import annotations

from typing import Any

from airflow_provider_aihub.aihub.eval_platform import EvalReportSpec, EvalRunSpec
from airflow_provider_aihub.aihub.services import Service

from .case import newer, ok, page

V1, V2 = "/eval-platform/api/v1/run/", "/eval-platform/api/v2/run/"
REPORT: dict[str, Any] = {
    "id": 1,
    "name": "r",
    "description": "",
    "type": "cv",
    "user_id": 1,
    "user_name": "admin",
    "model_id": 2,
    "model_name": "m",
    "dataset_id": None,
    "dataset_version_id": None,
    "dataset_name": None,
    "status": "completed",
    "run_id": "12",
    "prediction_artifact_path": "",
    "evaled_artifact_path": "",
    "dataset_summary": {},
    "metrics_summary": {},
    "viz_summary": None,
    "eval_config": None,
    "is_public": True,
    "multi_datasets": None,
    "created_at": 1,
    "updated_at": 1,
}
REID = {
    "gallery_dataset_id": 11,
    "gallery_dataset_version_id": 12,
    "query_dataset_id": 13,
    "query_dataset_version_id": 14,
    "id_dataset_id": 15,
    "id_dataset_version_id": 16,
    "search_result_artifact_path": "s3://b/found",
    "metrics_viz_artifacts": [{"MetricVizConfigID": 1, "MetricArtifactPath": "s3://b/viz"}],
}
FULL: dict[str, Any] = {
    "run_id": "12",
    "name": "r",
    "datasets": [
        {
            "dataset_name": "d/V1",
            "dataset_id": 3,
            "dataset_version_id": 4,
            "metrics": {"metrics": {"map": 0.5}, "categories": {}},
            "viz": {"a": 1},
            "prediction_artifact_path": "s3://b/p",
            "evaled_artifact_path": "s3://b/e",
            "ground_truth_artifact_path": "s3://b/g",
            "metrics_artifact_path": "s3://b/m",
            "sort_order": 0,
        }
    ],
    "type": "reid",
    "model_id": 2,
    "user_id": 1,
    "is_public": False,
    "eval_config": {"shots": 5},
    "overall_metrics": {
        "overall": {"map": 0.5},
        "overall_description": {"map": "mean"},
        "sub_domain": [{"sub_domain_name": "night", "metrics": {"map": 0.4}}],
    },
    "arctern_model_group_id": 8,
    "arctern_model_name": "a",
    "reid_config": REID,
    "performance_artifact_path": "s3://b/f",
    "performance": [{"metric_name": "p99", "value": 1.5, "unit": "ms"}],
}
OLDER: dict[str, Any] = {
    "run_id": "12",
    "type": "cv",
    "is_public": True,
    "client_type": "workflow",
    "user_id": 0,
    "prediction_artifact_path": "s3://b/p",
    "metrics_artifact_path": "s3://b/m",
    "ground_truth_artifact_path": "s3://b/g",
}

case = newer(Service.EVAL_PLATFORM)

CASES = (
    case(
        "create_eval_report",
        "POST",
        V2,
        args=(EvalReportSpec.build(**FULL),),
        body=FULL,
        answer=ok({"id": 1}),
        reads={"": 1},
        vital=("id",),
        real=lambda world: (EvalReportSpec.build(**{**FULL, "model_id": world.model, "user_id": world.user_id}),),
    ),
    case(
        "create_eval_report-least",
        "POST",
        V2,
        args=(EvalReportSpec.build(run_id=12, name="r"),),
        body={"run_id": "12", "name": "r", "datasets": [], "is_public": True},
        answer=ok({"id": 1}),
        reads={"": 1},
        vital=("id",),
        real=lambda world: (EvalReportSpec.build(run_id=12, name="r"),),
    ),
    case(
        "create_eval_run",
        "POST",
        V1,
        args=(EvalRunSpec.build(**OLDER),),
        body=OLDER,
        answer=ok({"eval_run": REPORT}),
        reads={"": 1},
        vital=("eval_run", "eval_run.id"),
        real=lambda world: (EvalRunSpec.build(**OLDER),),
    ),
    case(
        "list_eval_reports",
        "GET",
        V1,
        kwargs={
            "name": "r",
            "run_id": "12",
            "type": "cv",
            "status": "completed",
            "user_id": "1",
            "model_ids": [2, "3"],
            "dataset_ids": "4",
            "dataset_version_ids": [5],
        },
        query="page_size=20&page_num=1&user_id=1&name=r&run_id=12&type=cv&status=completed&model_ids=2%2C3"
        "&dataset_ids=4&dataset_version_ids=5",
        answer=page({**REPORT, "metrics_summary": {"metrics": {"map": 0.5}}}),
        reads={
            "total": 1,
            "data.0.id": 1,
            "data.0.run_id": "12",
            "data.0.metrics_summary": {"metrics": {"map": 0.5}},
            "data.0.is_public": True,
        },
        vital=("data.0.id",),
        list_key="data",
        real=lambda world: (1, 20, "night"),
    ),
    case(
        "share_eval_report",
        "POST",
        f"{V1}{{id}}/permissions",
        path=f"{V1}1/permissions",
        args=("1", [1, "2"]),
        body={"user_ids": [1, 2]},
        answer=ok({"eval_run": REPORT}),
        reads={"": None},
        real=lambda world: (world.report, [world.user_id]),
    ),
)
