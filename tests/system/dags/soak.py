"""Jobs of all kinds by the dozen; the first of each kind that can fails, so that there is a failure to get right."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, ExceptionRetryPolicy, RetryAction, RetryRule

from airflow_provider_aihub.aihub.errors import AIHubJobFailed
from airflow_provider_aihub.operators.dataset import DatasetVersionOperator
from airflow_provider_aihub.operators.evaluation import EvalImportOperator
from airflow_provider_aihub.operators.quota_task import QuotaTaskOperator
from airflow_provider_aihub.operators.training import TrainingOperator
from airflow_provider_aihub.operators.warehouse import WarehouseSearchOperator
from airflow_provider_aihub.operators.workflow import WorkflowRunOperator

COMMON: dict[str, Any] = {
    "aihub_conn_id": "{{ dag_run.conf['conn'] }}",
    "poll_interval": 3,
    # Enough for all the deaths that a task may die, and for an AIHub that is down for long; a job that has failed is
    # not tried again.
    "retries": 200,
    "retry_delay": timedelta(seconds=1),
    "retry_policy": ExceptionRetryPolicy(rules=[RetryRule(exception=AIHubJobFailed, action=RetryAction.FAIL)]),
}
ON_AIHUB: dict[str, Any] = {
    "command": "sleep {{ 2 + ti.map_index * 4 }}; exit {{ 0 if ti.map_index else 3 }}",
    "image": "any",
    "virtual_cluster": 1,
    "project": 1,
}


def names(count: int) -> list[str]:
    """Names for so many mapped tasks."""
    return [f"job-{number}" for number in range(count)]


with DAG("soak", schedule=None):
    for prefix, deferrable, count in (("deferred", True, 4), ("in_place", False, 2)):
        given = {**COMMON, "deferrable": deferrable}
        TrainingOperator.partial(task_id=f"{prefix}_training", **ON_AIHUB, **given).expand(name=names(count))
        QuotaTaskOperator.partial(task_id=f"{prefix}_quota_task", **ON_AIHUB, **given).expand(name=names(count - 1))
    given = {**COMMON, "deferrable": True}
    WarehouseSearchOperator.partial(
        task_id="search", sql="SELECT * FROM {{ 'meta' if ti.map_index else 'nothing' }}", **given
    ).expand(name=names(2))
    WorkflowRunOperator.partial(
        task_id="workflow_run", pipeline=2, pipeline_version=2, project="research", **given
    ).expand(name=names(2))
    DatasetVersionOperator.partial(
        task_id="dataset_version", upload_type="host", upload_path="{{ dag_run.conf['data'] }}", **given
    ).expand(dataset=["soak"])
    predictions = "{{ dag_run.conf['data'] }}/predictions.jsonl"
    EvalImportOperator.partial(
        task_id="evaluation",
        model_type="face",
        epoch=1,
        **dict.fromkeys(("dataset_name", "id_dataset_name", "gallery_dataset_name"), "soak"),
        **dict.fromkeys(("model_file", "pred_file"), predictions),
        **COMMON,
    ).expand(model_name=[f"{{{{ run_id }}}}-{number}" for number in range(2)])
