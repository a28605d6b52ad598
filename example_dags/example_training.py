"""Run a training on a virtual cluster and wait for it in the triggerer."""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.common.compat.sdk import dag

from airflow_provider_aihub.operators.training import TrainingOperator


@dag(schedule=None, catchup=False, tags=["aihub", "example"], doc_md=__doc__)
def example_training() -> None:
    """Train with two environment variables and one storage."""
    TrainingOperator(
        task_id="train",
        name="example",
        command='echo "training for $EPOCHS epochs with learning rate $LEARNING_RATE"',
        image="registry.local/pytorch:2.9",
        virtual_cluster="vc-cpu",
        project=2,  # Its name will do where AIHub lists its projects.
        storages=["shared"],
        envs={"EPOCHS": 3, "LEARNING_RATE": 0.1},
        estimate_run_time=60,
        job_timeout=timedelta(hours=1),
        deferrable=True,
    )


example_training()
