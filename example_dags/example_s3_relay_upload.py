"""Upload a folder through AIHub's S3 relay, file by file and as one archive."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import mkdtemp

from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_aihub.operators.s3_relay import S3RelayUploadOperator


@dag(schedule=None, catchup=False, tags=["aihub", "example"], doc_md=__doc__)
def example_s3_relay_upload() -> None:
    """Upload three texts."""

    @task
    def write_texts() -> str:
        """Stand for what usually fills the folder; the workers share it. An s3:// URI would do as well."""
        folder = Path(mkdtemp(prefix="example-s3-relay-upload-"))
        for number in range(3):
            folder.joinpath(f"{number}.txt").write_text(f"Text number {number}.\n")
        return str(folder)

    @task
    def remove_texts(folder: str) -> None:
        """Leave nothing behind, however the other tasks end."""
        shutil.rmtree(folder)

    folder = write_texts()
    files = S3RelayUploadOperator(
        task_id="upload_files", local_path=folder, bucket="examples", key="{{ dag.dag_id }}/texts"
    )
    archive = S3RelayUploadOperator(
        task_id="upload_archive", local_path=folder, bucket="examples", key="{{ dag.dag_id }}/texts.zip", archive=True
    )
    folder >> [files, archive] >> remove_texts(folder).as_teardown(setups=folder)


example_s3_relay_upload()
