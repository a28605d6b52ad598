"""Start a workflow run, and stop it when the tasks beside it are done."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_aihub.operators.stop import StopWorkflowRunOperator
from airflow_provider_aihub.operators.workflow import WorkflowRunOperator


@dag(schedule=None, catchup=False, tags=["aihub", "example"], doc_md=__doc__)
def example_stop_workflow_run() -> None:
    """Let a workflow run no longer than one task."""

    @task
    def use_it() -> None:
        """Stand for the tasks that need it."""

    start = WorkflowRunOperator(
        task_id="start",
        name="example-stop",
        pipeline=2,
        pipeline_version=2,
        project=2,  # Its name will do where AIHub lists its projects.
        wait_for_completion=False,
    )
    # Where nothing was started there is no id, and the task is skipped.
    stop = StopWorkflowRunOperator(task_id="stop", workflow_run_id="{{ ti.xcom_pull('start', key='job_id') }}")
    # A job that runs on makes the DAG's run a failed one; without this a teardown that fails does not.
    start >> use_it() >> stop.as_teardown(setups=start, on_failure_fail_dagrun=True)


example_stop_workflow_run()
