"""Save the result of a search as a CSV file, from the search itself or later."""

from __future__ import annotations

import shutil
from tempfile import mkdtemp

from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_aihub.operators.warehouse import WarehouseResultToObjectStorageOperator, WarehouseSearchOperator


@dag(schedule=None, catchup=False, tags=["aihub", "example"], doc_md=__doc__)
def example_warehouse_result() -> None:
    """Save the same result twice."""

    @task
    def make_folder() -> str:
        """Stand for a bucket: ``s3://bucket`` or ``gs://bucket`` is what one would give."""
        return mkdtemp(prefix="example-warehouse-result-")

    @task
    def remove_folder(folder: str) -> None:
        """Leave nothing behind, however the other tasks end."""
        shutil.rmtree(folder)

    folder = make_folder()
    search = WarehouseSearchOperator(
        task_id="search",
        name="example-result",
        sql="SELECT image_id, label FROM digits",
        output_path="{{ ti.xcom_pull('make_folder') }}/digits.csv",
        deferrable=True,
    )
    save_later = WarehouseResultToObjectStorageOperator(
        task_id="save_later",
        search_id=search.output["id"],
        output_path="{{ ti.xcom_pull('make_folder') }}/digits-again.csv",
    )
    folder >> search >> save_later >> remove_folder(folder).as_teardown(setups=folder)


example_warehouse_result()
