"""Evaluate a model on AIHub, and report results of one's own. Newer platforms only, with the extra s3."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from tempfile import mkdtemp

from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_aihub.operators.eval_report import EvalReportOperator
from airflow_provider_aihub.operators.model import ModelUploadOperator
from airflow_provider_aihub.operators.model_eval import ModelEvalOperator


@dag(schedule=None, catchup=False, tags=["aihub", "example"], doc_md=__doc__)
def example_model_evaluation() -> None:
    """Upload a model, let a workflow template of AIHub evaluate it, and report a number besides."""

    @task
    def write_model() -> str:
        """Stand for a training; the workers share the folder."""
        folder = Path(mkdtemp(prefix="example-model-evaluation-"))
        folder.joinpath("weights.bin").write_bytes(bytes(1000))
        return str(folder)

    @task
    def remove_model(folder: str) -> None:
        """Leave nothing behind, however the other tasks end."""
        shutil.rmtree(folder)

    folder = write_model()
    upload = ModelUploadOperator(task_id="upload", model="evaluated", local_path=folder, deferrable=True)
    evaluate = ModelEvalOperator(
        task_id="evaluate",
        model="evaluated",
        name="nightly",
        template="evaluate-model",
        template_params={"DATASET_NAME": "faces/V1"},
        virtual_cluster="vc-cpu",
        job_timeout=timedelta(hours=1),
        deferrable=True,
    )
    report = EvalReportOperator(
        task_id="report",
        name="accuracy on faces",
        eval_type="cv",
        model="evaluated",
        # What produced the results; without it, this task and run do.
        eval_run_id="{{ ti.xcom_pull('evaluate')['workflow_run_id'] }}",
        datasets=[{"dataset_name": "faces/V1", "metrics": {"metrics": {"accuracy": 0.97}}}],
    )
    folder >> upload >> evaluate >> report >> remove_model(folder).as_teardown(setups=folder)


example_model_evaluation()
