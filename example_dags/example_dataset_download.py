"""Fetch the files of a dataset version. Needs the extra s3, for the version's index."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import mkdtemp

from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_aihub.operators.dataset import (
    CreateDatasetOperator,
    DatasetDownloadOperator,
    DatasetVersionOperator,
)


@dag(schedule=None, catchup=False, tags=["aihub", "example"], doc_md=__doc__)
def example_dataset_download() -> None:
    """Make a version of two texts, and fetch it again."""

    @task
    def write_texts() -> str:
        """Stand for what usually fills the folder; the workers share it."""
        folder = Path(mkdtemp(prefix="example-dataset-download-"))
        folder.joinpath("texts").mkdir()
        for number in range(2):
            folder.joinpath("texts", f"{number}.txt").write_text(f"Text number {number}.\n")
        return str(folder)

    @task
    def remove_texts(folder: str) -> None:
        """Leave nothing behind, however the other tasks end."""
        shutil.rmtree(folder)

    create = CreateDatasetOperator(task_id="create_dataset", name="example-fetched", description="Fetched again")
    folder = write_texts()
    make_version = DatasetVersionOperator(
        task_id="make_version",
        # Newer platforms find a dataset by its name alone, and need no bucket.
        dataset=create.output["id"],
        dataset_name="example-fetched",
        local_path=f"{folder}/texts",
        bucket="examples",
        deferrable=True,
    )
    fetch = DatasetDownloadOperator(
        task_id="fetch", dataset_version=make_version.output["dataset_version"], local_path=f"{folder}/copy"
    )
    folder >> make_version
    make_version >> fetch >> remove_texts(folder).as_teardown(setups=folder)


example_dataset_download()
