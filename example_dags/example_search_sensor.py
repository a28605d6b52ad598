"""Wait for a search that another task has started."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import dag

from airflow_provider_aihub.operators.warehouse import WarehouseSearchOperator
from airflow_provider_aihub.sensors.warehouse import WarehouseSearchSensor


@dag(schedule=None, catchup=False, tags=["aihub", "example"], doc_md=__doc__)
def example_search_sensor() -> None:
    """Start a search and wait for it; the sensor gives the address of the result."""
    start = WarehouseSearchOperator(
        task_id="start",
        name="example-awaited",
        sql="select image_id from digits where label = 7",
        wait_for_completion=False,
    )
    WarehouseSearchSensor(
        task_id="wait",
        search_id=start.output["id"],
        poke_interval=5,
        timeout=3600,
        deferrable=True,
    )


example_search_sensor()
