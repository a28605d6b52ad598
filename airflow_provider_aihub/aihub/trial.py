"""A request to each service that changes nothing, to see whether it is there and takes the token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from airflow_provider_aihub.aihub import (
    artifacts,
    data_warehouse,
    dataset_management,
    eval_platform,
    labelfree,
    model_center,
    model_deployment,
    model_training,
    notebooks,
    quota_schedule,
    tag_system,
    workflow_center,
)
from airflow_provider_aihub.aihub.services import Service
from airflow_provider_aihub.http.request import Request

_REQUESTS: Final[tuple[Request[Any], ...]] = (
    model_training.list_storages(),
    data_warehouse.get_search(1),
    quota_schedule.get_quota_task(1),
    workflow_center.get_workflow_run(1),
    dataset_management.get_dataset_version_by_name("test/V1"),
    tag_system.list_virtual_clusters(1, tag_system.ModuleType.TRAINING),
    model_center.list_models(page_size=1),
    labelfree.get_label_project("test"),
    artifacts.list_artifacts(1, page_size=1),
    notebooks.list_notebooks(),
    eval_platform.list_eval_reports(page_size=1),
    model_deployment.list_deployments(page_size=1),
)
READS: Final[Mapping[Service, Request[Any]]] = {Service(request.service): request for request in _REQUESTS}
"""By service, the best one first. With evaluations and the S3 relay nothing can be tried without changing something."""
