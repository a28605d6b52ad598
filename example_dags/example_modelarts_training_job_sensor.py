"""Wait for a training job on ModelArts that another task has started, and delete it in the end."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import dag

from airflow_provider_aihub.operators.modelarts_training_job import (
    ModelArtsDeleteTrainingJobOperator,
    ModelArtsTrainingJobOperator,
)
from airflow_provider_aihub.sensors.modelarts import ModelArtsTrainingJobSensor


@dag(schedule=None, catchup=False, tags=["modelarts", "example"], doc_md=__doc__)
def example_modelarts_training_job_sensor() -> None:
    """Start a training job, do something else meanwhile, then wait for it."""
    start = ModelArtsTrainingJobOperator(
        task_id="start",
        name="example-awaited",
        image="team/pytorch:2.9",
        command="sleep 3",
        flavor_id="modelarts.p3.large.public",
        wait_for_completion=False,
    )
    wait = ModelArtsTrainingJobSensor(
        task_id="wait",
        training_job_id="{{ ti.xcom_pull('start', map_indexes=-1)['id'] }}",
        poke_interval=5,
        timeout=3600,
        deferrable=True,
        # The waiting begins in the triggerer; a worker is needed only to take the result.
        start_from_trigger=True,
    )
    # Where nothing was started there is no id, and the task is skipped.
    delete = ModelArtsDeleteTrainingJobOperator(
        task_id="delete", training_job_id="{{ ti.xcom_pull('start', key='job_id') }}"
    )
    start >> wait >> delete.as_teardown(setups=start, on_failure_fail_dagrun=True)


example_modelarts_training_job_sensor()
