"""Create a dataset unless it is there, and make a version of it from a folder."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import mkdtemp

from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_aihub.operators.dataset import CreateDatasetOperator, DatasetVersionOperator


@dag(schedule=None, catchup=False, tags=["aihub", "example"], doc_md=__doc__)
def example_create_dataset() -> None:
    """Write three texts into a folder, upload them and make them a dataset version."""

    @task
    def write_texts() -> str:
        """Stand for what usually fills the folder; the workers share it. An s3:// URI would do as well."""
        folder = Path(mkdtemp(prefix="example-create-dataset-"))
        for number in range(3):
            folder.joinpath(f"{number}.txt").write_text(f"Text number {number}.\n")
        return str(folder)

    @task
    def remove_texts(folder: str) -> None:
        """Leave nothing behind, however the other tasks end."""
        shutil.rmtree(folder)

    create = CreateDatasetOperator(
        task_id="create_dataset", name="example-folder", description="Texts from a folder, a version for each run"
    )
    folder = write_texts()
    make_version = DatasetVersionOperator(
        task_id="make_version",
        # Newer platforms find a dataset by its name alone.
        dataset=create.output["id"],
        dataset_name="example-folder",
        local_path=folder,
        bucket="examples",
        deferrable=True,
    )
    make_version >> remove_texts(folder).as_teardown(setups=folder)


example_create_dataset()
