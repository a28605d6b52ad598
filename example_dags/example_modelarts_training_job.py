"""Run a training job on ModelArts, wait for it in the triggerer, and tag it."""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.common.compat.sdk import dag

from airflow_provider_aihub.operators.modelarts_training_job import (
    ModelArtsTagTrainingJobOperator,
    ModelArtsTrainingJobOperator,
)


@dag(schedule=None, catchup=False, tags=["modelarts", "example"], doc_md=__doc__)
def example_modelarts_training_job() -> None:
    """Train in a container of one's own, with its logs in the task's log."""
    train = ModelArtsTrainingJobOperator(
        task_id="train",
        name="example",
        image="team/pytorch:2.9",
        command='echo "training for $EPOCHS epochs with learning rate $LEARNING_RATE"',
        environments={"EPOCHS": 3, "LEARNING_RATE": 0.1},
        flavor_id="modelarts.p3.large.public",
        tags={"team": "vision"},
        job_timeout=timedelta(hours=1),
        stream_logs=True,
        deferrable=True,
    )
    ModelArtsTagTrainingJobOperator(task_id="tag", training_job_id=train.output["id"], tags={"run": "{{ run_id }}"})


example_modelarts_training_job()
