"""Wait for a training that another task has started."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import dag

from airflow_provider_aihub.operators.training import TrainingOperator
from airflow_provider_aihub.sensors.training import TrainingSensor


@dag(schedule=None, catchup=False, tags=["aihub", "example"], doc_md=__doc__)
def example_training_sensor() -> None:
    """Start a training, do something else meanwhile, then wait for it."""
    start = TrainingOperator(
        task_id="start",
        name="example-awaited",
        command="sleep 3",
        image="registry.local/pytorch:2.9",
        virtual_cluster="vc-cpu",
        project=2,  # Its name will do where AIHub lists its projects.
        wait_for_completion=False,
    )
    wait = TrainingSensor(
        task_id="wait",
        training_id="{{ ti.xcom_pull('start', map_indexes=-1)['id'] }}",
        poke_interval=5,
        timeout=3600,
        deferrable=True,
        # The waiting begins in the triggerer; a worker is needed only to take the result.
        start_from_trigger=True,
    )
    start >> wait


example_training_sensor()
