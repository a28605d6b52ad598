"""Run a quota task, a job that the quota scheduler starts when its turn has come."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import dag

from airflow_provider_aihub.operators.quota_task import QuotaTaskOperator


@dag(schedule=None, catchup=False, tags=["aihub", "example"], doc_md=__doc__)
def example_quota_task() -> None:
    """Run an inference with high priority."""
    QuotaTaskOperator(
        task_id="infer",
        name="example",
        command="echo inferring",
        image="registry.local/pytorch:2.9",
        virtual_cluster="vc-cpu",
        project=2,  # Its name will do where AIHub lists its projects.
        category="inference",
        priority="high",
        estimate_run_time=60,
        deferrable=True,
    )


example_quota_task()
