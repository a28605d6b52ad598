"""Make a version of a dataset from a zip file that the S3 relay takes."""

from __future__ import annotations

import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_aihub.operators.dataset import CreateDatasetOperator, DatasetVersionOperator


@dag(schedule=None, catchup=False, tags=["aihub", "example"], doc_md=__doc__)
def example_dataset_version() -> None:
    """Upload three texts and make them a dataset version."""

    @task
    def upload() -> str:
        """Put the data where AIHub can read it."""
        from airflow_provider_aihub.aihub.files import file_from_path
        from airflow_provider_aihub.hooks.aihub import AIHubHook

        with TemporaryDirectory() as folder:
            archive = Path(folder, "texts.zip")
            with zipfile.ZipFile(archive, "w") as texts:
                for number in range(3):
                    texts.writestr(f"{number}.txt", f"Text number {number}.\n")
            return AIHubHook().upload_to_relay("examples", "texts.zip", file_from_path(archive)).path

    create = CreateDatasetOperator(task_id="create_dataset", name="example-texts", description="Three short texts")
    DatasetVersionOperator(
        task_id="make_version",
        # Newer platforms find a dataset by its name alone.
        dataset=create.output["id"],
        dataset_name="example-texts",
        upload_path=upload(),
        upload_type="zip",
        description="Uploaded by run {{ run_id }}",
        deferrable=True,
    )


example_dataset_version()
