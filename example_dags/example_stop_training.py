"""Start a training that serves other tasks, and stop it when they are done."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_aihub.operators.stop import StopTrainingOperator
from airflow_provider_aihub.operators.training import TrainingOperator


@dag(schedule=None, catchup=False, tags=["aihub", "example"], doc_md=__doc__)
def example_stop_training() -> None:
    """Serve while one task needs it, whether that succeeds or not."""

    @task
    def use_it() -> None:
        """Stand for the tasks that need it."""

    start = TrainingOperator(
        task_id="start",
        name="example-stop",
        command="echo serving; sleep 3600",
        image="registry.local/pytorch:2.9",
        virtual_cluster="vc-cpu",
        project="research",
        category="debugging",
        wait_for_completion=False,
    )
    # Where nothing was started there is no id, and the task is skipped.
    stop = StopTrainingOperator(task_id="stop", training_id="{{ ti.xcom_pull('start', key='job_id') }}")
    start >> use_it() >> stop.as_teardown(setups=start)


example_stop_training()
