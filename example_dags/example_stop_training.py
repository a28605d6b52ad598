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
        project=2,  # Its name will do where AIHub lists its projects.
        category="debugging",
        wait_for_completion=False,
    )
    # Where nothing was started there is no id, and the task is skipped.
    stop = StopTrainingOperator(task_id="stop", training_id="{{ ti.xcom_pull('start', key='job_id') }}")
    # A job that runs on makes the DAG's run a failed one; without this a teardown that fails does not.
    start >> use_it() >> stop.as_teardown(setups=start, on_failure_fail_dagrun=True)


example_stop_training()
