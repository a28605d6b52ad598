"""Make a version of a dataset from a zip file that the S3 relay takes."""

from __future__ import annotations

import zipfile
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_aihub.operators.dataset import DatasetVersionOperator


@dag(schedule=None, catchup=False, tags=["aihub", "example"], doc_md=__doc__)
def example_dataset_version() -> None:
    """Upload three texts and make them a dataset version."""

    @task
    def upload() -> str:
        """Make sure that the dataset exists, and put the data where AIHub can read it."""
        from airflow_provider_aihub.api.dataset_management import DatasetSpec
        from airflow_provider_aihub.api.errors import AIHubExistsError
        from airflow_provider_aihub.client.transfer import file_from_path
        from airflow_provider_aihub.hooks.aihub import AIHubHook

        hook = AIHubHook()
        with suppress(AIHubExistsError):
            hook.create_dataset(DatasetSpec(name="example-texts", description="Three short texts"))
        with TemporaryDirectory() as folder:
            archive = Path(folder, "texts.zip")
            with zipfile.ZipFile(archive, "w") as texts:
                for number in range(3):
                    texts.writestr(f"{number}.txt", f"Text number {number}.\n")
            return hook.upload_to_relay("examples", "texts.zip", file_from_path(archive)).path

    DatasetVersionOperator(
        task_id="make_version",
        dataset="example-texts",
        upload_path=upload(),
        upload_type="zip",
        description="Uploaded by run {{ run_id }}",
        deferrable=True,
    )


example_dataset_version()
