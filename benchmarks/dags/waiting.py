"""A job to wait for in the triggerer; the benchmark of a triggerer multiplies it."""

from __future__ import annotations

from airflow.sdk import DAG

from airflow_provider_aihub.operators.training import TrainingOperator

with DAG("waiting", schedule=None):
    TrainingOperator.partial(
        task_id="job", image="any", command="true", virtual_cluster=1, project=1, deferrable=True
    ).expand(name=["first"])
