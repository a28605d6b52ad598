"""Run a workflow of AIHub's workflow center."""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.common.compat.sdk import dag

from airflow_provider_aihub.operators.workflow import WorkflowRunOperator


@dag(schedule=None, catchup=False, tags=["aihub", "example"], doc_md=__doc__)
def example_workflow_run() -> None:
    """Run one version of a pipeline, with a parameter for its first node."""
    WorkflowRunOperator(
        task_id="run_workflow",
        name="example",
        # By id, which every AIHub takes. On newer platforms a name will do, and no version means the latest.
        pipeline=2,
        pipeline_version=2,
        pipeline_params={"dataset": "mnist"},
        project=2,  # Its name will do where AIHub lists its projects.
        job_timeout=timedelta(hours=1),
        deferrable=True,
    )


example_workflow_run()
