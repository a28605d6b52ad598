"""Search the data warehouse by SQL and use the rows that were found."""

from __future__ import annotations

import csv
import io
from typing import Any

from airflow.providers.common.compat.sdk import Param, dag, task

from airflow_provider_aihub.operators.warehouse import WarehouseSearchOperator


@dag(
    schedule=None,
    catchup=False,
    tags=["aihub", "example"],
    params={"label": Param(7, type="integer", minimum=0, maximum=9)},
    doc_md=__doc__,
)
def example_warehouse_search() -> None:
    """Find the images of one digit."""
    search = WarehouseSearchOperator(
        task_id="search",
        name="example",
        sql="SELECT image_id, label FROM digits WHERE label = {{ params.label }}",
        deferrable=True,
    )

    @task
    def first_images(found: dict[str, Any]) -> list[str]:
        """Return the ids of the first images that were found."""
        from airflow_provider_aihub.hooks.aihub import AIHubHook

        content = io.BytesIO()
        AIHubHook().download(found["result_url"], content)
        rows = csv.DictReader(io.StringIO(content.getvalue().decode()))
        return [row["image_id"] for row in rows][:10]

    first_images(search.output)


example_warehouse_search()
