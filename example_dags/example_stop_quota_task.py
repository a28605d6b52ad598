"""Start a quota task that serves other tasks, and stop it when they are done."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_aihub.operators.quota_task import QuotaTaskOperator
from airflow_provider_aihub.operators.stop import StopQuotaTaskOperator


@dag(schedule=None, catchup=False, tags=["aihub", "example"], doc_md=__doc__)
def example_stop_quota_task() -> None:
    """Serve while one task needs it, whether that succeeds or not."""

    @task
    def use_it() -> None:
        """Stand for the tasks that need it."""

    start = QuotaTaskOperator(
        task_id="start",
        name="example-stop",
        command="echo serving; sleep 3600",
        image="registry.local/pytorch:2.9",
        virtual_cluster="vc-cpu",
        project="research",
        category="inference",
        wait_for_completion=False,
    )
    # Where nothing was started there is no id, and the task is skipped.
    stop = StopQuotaTaskOperator(task_id="stop", quota_task_id="{{ ti.xcom_pull('start', key='job_id') }}")
    start >> use_it() >> stop.as_teardown(setups=start)


example_stop_quota_task()
