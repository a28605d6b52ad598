"""Run a workflow, keep a file with it as an artifact, and fetch it again. Newer platforms only, with the extra s3."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import mkdtemp

from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_aihub.operators.artifact import ArtifactDownloadOperator, ArtifactUploadOperator
from airflow_provider_aihub.operators.workflow import WorkflowRunOperator


@dag(schedule=None, catchup=False, tags=["aihub", "example"], doc_md=__doc__)
def example_artifact() -> None:
    """Give a run what was found out about it, and read it elsewhere."""

    @task
    def write_report() -> str:
        """Stand for what judges a run; the workers share the folder. An s3:// URI would do as well."""
        folder = Path(mkdtemp(prefix="example-artifact-"))
        folder.joinpath("report").mkdir()
        folder.joinpath("report", "report.json").write_text('{"good": true}')
        return str(folder)

    @task
    def remove_report(folder: str) -> None:
        """Leave nothing behind, however the other tasks end."""
        shutil.rmtree(folder)

    folder = write_report()
    run = WorkflowRunOperator(
        task_id="run", name="example-artifact", pipeline=1, pipeline_version=1, project=1, deferrable=True
    )
    upload = ArtifactUploadOperator(
        task_id="upload",
        workflow_run_id=run.output["id"],  # type: ignore[arg-type]
        local_path=f"{folder}/report",
        artifact_type="metrics",
    )
    download = ArtifactDownloadOperator(
        task_id="download",
        workflow_run_id=run.output["id"],  # type: ignore[arg-type]
        artifact_path="report",
        local_path=f"{folder}/copy",
    )
    [folder, run] >> upload >> download >> remove_report(folder).as_teardown(setups=folder)


example_artifact()
