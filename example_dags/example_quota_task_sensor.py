"""Wait for a quota task that another task has started."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import dag

from airflow_provider_aihub.operators.quota_task import QuotaTaskOperator
from airflow_provider_aihub.sensors.quota_task import QuotaTaskSensor


@dag(schedule=None, catchup=False, tags=["aihub", "example"], doc_md=__doc__)
def example_quota_task_sensor() -> None:
    """Start a quota task and wait for it, with pauses that grow."""
    start = QuotaTaskOperator(
        task_id="start",
        name="example-awaited",
        command="sleep 3",
        image="registry.local/pytorch:2.9",
        virtual_cluster="vc-cpu",
        project=2,  # Its name will do where AIHub lists its projects.
        priority="high",
        wait_for_completion=False,
    )
    QuotaTaskSensor(
        task_id="wait",
        quota_task_id=start.output["id"],
        poke_interval=5,
        exponential_backoff=True,
        max_wait=60,
        timeout=3600,
        deferrable=True,
    )


example_quota_task_sensor()
