"""Wait until enough of a quota is left, then start a quota task of high priority. Newer platforms only."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import dag

from airflow_provider_aihub.operators.quota_task import QuotaTaskOperator
from airflow_provider_aihub.sensors.quota import QuotaSensor


@dag(schedule=None, catchup=False, tags=["aihub", "example"], doc_md=__doc__)
def example_quota_sensor() -> None:
    """Begin once two GPUs are there to be had."""
    wait = QuotaSensor(
        task_id="wait",
        virtual_cluster="vc-4090",
        group="everybody",
        gpus=2,
        poke_interval=60,
        timeout=24 * 3600,
        deferrable=True,
    )
    predict = QuotaTaskOperator(
        task_id="predict",
        name="example-quota",
        command="echo predicting",
        image="registry.local/pytorch:2.9",
        virtual_cluster="vc-4090",
        project="research",
        sku_cnt=2,
        priority="high",
        deferrable=True,
    )
    wait >> predict


example_quota_sensor()
