"""Wait for a workflow run that another task has started."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import dag

from airflow_provider_aihub.operators.workflow import WorkflowRunOperator
from airflow_provider_aihub.sensors.workflow import WorkflowRunSensor


@dag(schedule=None, catchup=False, tags=["aihub", "example"], doc_md=__doc__)
def example_workflow_run_sensor() -> None:
    """Start a workflow run and wait for it."""
    start = WorkflowRunOperator(
        task_id="start",
        name="example-awaited",
        pipeline=1,
        pipeline_version=1,
        pipeline_params={"name": "AIHub"},
        project=2,  # Its name will do where AIHub lists its projects.
        wait_for_completion=False,
    )
    WorkflowRunSensor(
        task_id="wait",
        workflow_run_id=start.output["id"],
        poke_interval=5,
        timeout=3600,
        deferrable=True,
    )


example_workflow_run_sensor()
