"""Jobs of all kinds by the dozen; the first of each kind that can fails, so that there is a failure to get right."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, ExceptionRetryPolicy, RetryAction, RetryRule

from airflow_provider_aihub.aihub.errors import AIHubJobFailed
from airflow_provider_aihub.modelarts.errors import ModelArtsJobFailed
from airflow_provider_aihub.operators.dataset import DatasetVersionOperator
from airflow_provider_aihub.operators.evaluation import EvalImportOperator
from airflow_provider_aihub.operators.modelarts_training_job import ModelArtsTrainingJobOperator
from airflow_provider_aihub.operators.modelarts_workflow import ModelArtsWorkflowExecutionOperator
from airflow_provider_aihub.operators.quota_task import QuotaTaskOperator
from airflow_provider_aihub.operators.training import TrainingOperator
from airflow_provider_aihub.operators.warehouse import WarehouseSearchOperator
from airflow_provider_aihub.operators.workflow import WorkflowRunOperator

PATIENT: dict[str, Any] = {
    "poll_interval": 3,
    # Enough for all the deaths that a task may die, and for a platform that is down for long.
    "retries": 200,
    "retry_delay": timedelta(seconds=1),
}
# A job that has failed is not tried again.
COMMON: dict[str, Any] = {
    **PATIENT,
    "aihub_conn_id": "{{ dag_run.conf['conn'] }}",
    "retry_policy": ExceptionRetryPolicy(rules=[RetryRule(exception=AIHubJobFailed, action=RetryAction.FAIL)]),
}
ON_MODELARTS: dict[str, Any] = {
    **PATIENT,
    "modelarts_conn_id": "{{ dag_run.conf['modelarts'] }}",
    "retry_policy": ExceptionRetryPolicy(rules=[RetryRule(exception=ModelArtsJobFailed, action=RetryAction.FAIL)]),
}
COMMAND: dict[str, Any] = {
    "command": "sleep {{ 2 + ti.map_index * 4 }}; exit {{ 0 if ti.map_index else 3 }}",
    "image": "any",
}
ON_AIHUB: dict[str, Any] = {**COMMAND, "virtual_cluster": 1, "project": 1}


def names(count: int) -> list[str]:
    """Names for so many mapped tasks."""
    return [f"job-{number}" for number in range(count)]


with DAG("soak", schedule=None):
    for prefix, deferrable, count in (("deferred", True, 4), ("in_place", False, 2)):
        given = {**COMMON, "deferrable": deferrable}
        TrainingOperator.partial(task_id=f"{prefix}_training", **ON_AIHUB, **given).expand(name=names(count))
        QuotaTaskOperator.partial(task_id=f"{prefix}_quota_task", **ON_AIHUB, **given).expand(name=names(count - 1))
        given = {**ON_MODELARTS, "deferrable": deferrable}
        ModelArtsTrainingJobOperator.partial(
            task_id=f"{prefix}_training_job", flavor_id="any", **COMMAND, **given
        ).expand(name=names(count - 1))
        ModelArtsWorkflowExecutionOperator.partial(task_id=f"{prefix}_workflow_execution", **given).expand(
            workflow_id=["fails", "succeeds"][: count - 1]
        )
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
