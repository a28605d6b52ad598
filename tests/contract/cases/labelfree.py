from __future__ import annotations

from airflow_provider_aihub.aihub.services import Service

from .case import Case, ok

PATH = "/labelfree/api/v2/projects/global_stats"
PROJECT = {
    "status": "ready",
    "data_exported_count": 2,
    "exported_dataset_name": "cars",
    "valid_ten_percent": True,
    "valid_fifty_percent": False,
    "valid_hundred_percent": False,
    "global_stats": {
        "total_annotations": 40,
        "labeled_annotations": 12,
        "total_labels": 31,
        "total_reviews": 4,
        "unlabeled_reviews": 3,
        "labeled_reviews": 1,
        "accepted_count": 1,
        "rejected_count": 0,
    },
}

CASES = (
    Case(
        id="get_label_project",
        source="P",
        service=Service.LABELFREE,
        method="GET",
        route=PATH,
        call="get_label_project",
        args=("a/b",),
        path=PATH,
        query="project_name=a%2Fb",
        answer=ok(PROJECT),
        reads={
            "name": "a/b",
            "status": "ready",
            "data_exported_count": 2,
            "exported_dataset_name": "cars",
            "valid_ten_percent": True,
            "valid_hundred_percent": False,
            "global_stats.total_annotations": 40,
            "global_stats.labeled_annotations": 12,
            "global_stats.total_labels": 31,
        },
        vital=("status",),
        real=lambda world: ("example",),
    ),
)
