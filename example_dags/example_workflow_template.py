"""Run a workflow template of AIHub. Newer platforms only."""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.common.compat.sdk import dag

from airflow_provider_aihub.operators.workflow_template import WorkflowTemplateRunOperator


@dag(schedule=None, catchup=False, tags=["aihub", "example"], doc_md=__doc__)
def example_workflow_template() -> None:
    """Run a template on one virtual cluster."""
    WorkflowTemplateRunOperator(
        task_id="run_template",
        name="example",
        template="prepare-train-report",
        template_params={"dataset": "mnist"},
        virtual_cluster="vc-cpu",
        job_timeout=timedelta(hours=1),
        deferrable=True,
    )


example_workflow_template()
