"""Wait for a dataset version, made by whomever; it need not exist when the waiting begins."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import mkdtemp

from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_aihub.operators.dataset import CreateDatasetOperator, DatasetVersionOperator
from airflow_provider_aihub.sensors.dataset import DatasetVersionSensor


@dag(schedule=None, catchup=False, tags=["aihub", "example"], doc_md=__doc__)
def example_dataset_version_sensor() -> None:
    """Have a version made, as another team might do, and wait for it by its name."""

    @task
    def write_text() -> str:
        """Stand for what that other team has."""
        folder = Path(mkdtemp(prefix="example-dataset-version-sensor-"))
        folder.joinpath("1.txt").write_text("A text.\n")
        return str(folder)

    @task
    def remove_text(folder: str) -> None:
        """Leave nothing behind, however the other tasks end."""
        shutil.rmtree(folder)

    create = CreateDatasetOperator(task_id="create_dataset", name="example-awaited", description="Waited for by name")
    folder = write_text()
    make_version = DatasetVersionOperator(
        task_id="make_version",
        # Newer platforms find a dataset by its name alone.
        dataset=create.output["id"],
        dataset_name="example-awaited",
        local_path=folder,
        bucket="examples",
        wait_for_completion=False,
    )
    wait = DatasetVersionSensor(
        task_id="wait", dataset_version="example-awaited/V1", poke_interval=5, timeout=3600, deferrable=True
    )
    make_version >> [wait, remove_text(folder).as_teardown(setups=folder)]


example_dataset_version_sensor()
