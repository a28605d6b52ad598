"""Every operator and a sensor once; a run is told the connection and a folder for files."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_aihub.operators.dataset import CreateDatasetOperator, DatasetVersionOperator
from airflow_provider_aihub.operators.evaluation import EvalImportOperator
from airflow_provider_aihub.operators.quota_task import QuotaTaskOperator
from airflow_provider_aihub.operators.s3_relay import S3RelayUploadOperator
from airflow_provider_aihub.operators.stop import StopTrainingOperator
from airflow_provider_aihub.operators.training import TrainingOperator
from airflow_provider_aihub.operators.warehouse import WarehouseResultToObjectStorageOperator, WarehouseSearchOperator
from airflow_provider_aihub.operators.workflow import WorkflowRunOperator
from airflow_provider_aihub.sensors.training import TrainingSensor

FOLDER = "{{ dag_run.conf['folder'] }}"
ON_AIHUB: dict[str, Any] = {"image": "any", "virtual_cluster": "vc-cpu", "project": "research", "poll_interval": 2}

with DAG("everything", schedule=None, default_args={"aihub_conn_id": "{{ dag_run.conf['conn'] }}"}):

    @task
    def write_files(folder: str) -> None:
        """Write what is uploaded and imported."""
        Path(folder, "data").mkdir()
        Path(folder, "data", "text.txt").write_text("text\n")
        Path(folder, "model.bin").write_bytes(bytes(64))
        Path(folder, "predictions.jsonl").write_text(json.dumps({"score": 1}) + "\n")

    files = write_files(FOLDER)
    search = WarehouseSearchOperator(
        task_id="search", name="wide", sql="SELECT * FROM meta", output_path=f"{FOLDER}/found.csv", deferrable=True
    )
    search >> WarehouseResultToObjectStorageOperator(
        task_id="save", search_id="{{ ti.xcom_pull('search')['id'] }}", output_path=f"{FOLDER}/again.csv"
    )
    (
        [files, CreateDatasetOperator(task_id="create_dataset", name="texts")]
        >> S3RelayUploadOperator(task_id="upload", local_path=f"{FOLDER}/data/text.txt", bucket="files", key="text.txt")
        >> DatasetVersionOperator(
            task_id="version", dataset="texts", local_path=f"{FOLDER}/data", bucket="files", deferrable=True
        )
    )
    files >> EvalImportOperator(
        task_id="evaluation",
        model_name="model",
        model_type="face",
        epoch=1,
        dataset_name="a",
        id_dataset_name="b",
        gallery_dataset_name="c",
        model_file=f"{FOLDER}/model.bin",
        pred_file=f"{FOLDER}/predictions.jsonl",
    )
    QuotaTaskOperator(task_id="quota_task", name="infer", command="echo done", **ON_AIHUB)
    WorkflowRunOperator(task_id="workflow", name="flow", pipeline=1, pipeline_version=1, project="research")
    training = TrainingOperator(
        task_id="training",
        name="served",
        command="sleep 600",
        envs={"EPOCHS": 3},
        wait_for_completion=False,
        job_timeout=timedelta(hours=1),
        **ON_AIHUB,
    )
    training_id = "{{ ti.xcom_pull('training', key='job_id') }}"
    # A training that was stopped has not succeeded, so this one fails.
    sensor = TrainingSensor(task_id="sensor", training_id=training_id, deferrable=True)
    training >> StopTrainingOperator(task_id="stop", training_id=training_id) >> sensor
