"""From a warehouse query to an evaluated model: handwritten digits, every step a job on AIHub.

Find the images wanted with SQL, make a dataset version of them, train a classifier on a GPU node, let it name
held-out images, and register model and predictions for evaluation. All waiting is done in the triggerer.

Needs a connection ``aihub_default`` with an S3 relay, a warehouse table ``digits`` (``image_id``, ``label``,
``split``, ``pixels``), and AIHub's storage ``shared`` mounted on the Airflow workers at the path AIHub knows it by.
"""

from __future__ import annotations

import csv
import json
import shutil
import zipfile
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from airflow.providers.common.compat.sdk import Param, dag, task

from airflow_provider_aihub.operators.dataset import CreateDatasetOperator, DatasetVersionOperator
from airflow_provider_aihub.operators.evaluation import EvalImportOperator
from airflow_provider_aihub.operators.quota_task import QuotaTaskOperator
from airflow_provider_aihub.operators.training import TrainingOperator
from airflow_provider_aihub.operators.warehouse import WarehouseSearchOperator

DATASET = "digits"
VERSION = "{{ ti.xcom_pull('make_version')['dataset_version'] }}"
SCRIPTS = Path(__file__).parent / "digits"
WORKSPACE = "{{ ti.xcom_pull('prepare_workspace')['path'] }}"
IMAGES = "{{ ti.xcom_pull('prepare_workspace')['images'] }}"
ON_AIHUB: dict[str, Any] = {
    "image": "registry.local/sklearn:1.7",
    "virtual_cluster": "vc-cpu",
    "project": 2,  # Its name will do where AIHub lists its projects.
    "storages": ["datasets", "shared"],
    "estimate_run_time": 600,
}


@dag(
    schedule=None,
    catchup=False,
    tags=["aihub", "example"],
    params={"labels": Param(list(range(10)), type="array", description="Digits to tell apart")},
    default_args={"aihub_conn_id": "aihub_default", "retries": 2, "retry_delay": timedelta(seconds=10)},
    doc_md=__doc__,
)
def digits_end_to_end() -> None:
    """Train and evaluate a classifier of handwritten digits."""
    find_images = WarehouseSearchOperator(
        task_id="find_images",
        name="digits",
        sql="digits/training_images.sql",
        deferrable=True,
    )

    @task
    def pack_images(search: dict[str, Any]) -> str:
        """Write the images that were found as a zip, and put it where AIHub can read it."""
        from airflow_provider_aihub.aihub.files import file_from_path
        from airflow_provider_aihub.hooks.aihub import AIHubHook

        hook = AIHubHook()
        with TemporaryDirectory() as folder:
            table, archive = Path(folder, "found.csv"), Path(folder, "digits.zip")
            with table.open("wb") as target:
                hook.download(search["result_url"], target)
            with table.open(newline="") as rows, zipfile.ZipFile(archive, "w") as images:
                for row in csv.DictReader(rows):
                    pgm = b"P5 8 8 16\n" + bytes(map(int, row["pixels"].split()))
                    images.writestr(f"{row['split']}/{row['label']}/{int(row['image_id']):04}.pgm", pgm)
            return hook.upload_to_relay("digits", f"search-{search['id']}.zip", file_from_path(archive)).path

    create_dataset = CreateDatasetOperator(
        task_id="create_dataset", name=DATASET, description="Handwritten digits, 8x8"
    )

    make_version = DatasetVersionOperator(
        task_id="make_version",
        # Newer platforms find a dataset by its name alone.
        dataset=create_dataset.output["id"],
        dataset_name=DATASET,
        upload_path=pack_images(find_images.output),
        upload_type="zip",
        description="Found by search {{ ti.xcom_pull('find_images')['id'] }}",
        deferrable=True,
    )

    @task
    def prepare_workspace(version: dict[str, Any]) -> dict[str, str]:
        """Put the scripts of this run on the shared storage, and say where everything is."""
        from airflow_provider_aihub.hooks.aihub import AIHubHook

        storages = {storage.name: Path(storage.path) for storage in AIHubHook().list_storages()}
        workspace = storages["shared"] / version["dataset_version"]
        workspace.mkdir(parents=True, exist_ok=True)
        for script in SCRIPTS.glob("*.py"):
            shutil.copy(script, workspace)
        return {"path": str(workspace), "images": str(storages["datasets"] / version["dataset_version"])}

    train = TrainingOperator(
        task_id="train",
        name="digits-train",
        command=f"cd {WORKSPACE} && python train.py --images {IMAGES}/train --model model.pkl",
        job_timeout=timedelta(minutes=10),
        deferrable=True,
        **ON_AIHUB,
    )

    predict = QuotaTaskOperator(
        task_id="predict",
        name="digits-predict",
        command=(
            f"cd {WORKSPACE} && python predict.py --images {IMAGES}/test --model model.pkl"
            " --predictions predictions.jsonl --metrics metrics.json"
        ),
        category="inference",
        priority="high",
        job_timeout=timedelta(minutes=10),
        deferrable=True,
        **ON_AIHUB,
    )

    import_evaluation = EvalImportOperator(
        task_id="import_evaluation",
        model_name="digits",
        model_type="face",
        epoch=1,
        dataset_name=DATASET,
        id_dataset_name=VERSION,
        gallery_dataset_name=VERSION,
        model_file=f"{WORKSPACE}/model.pkl",
        pred_file=f"{WORKSPACE}/predictions.jsonl",
    )

    @task
    def check_accuracy(workspace: dict[str, str]) -> float:
        """Return the accuracy that was reached on the held-out images; below 0.9 the model is not good enough."""
        accuracy = float(json.loads(Path(workspace["path"], "metrics.json").read_text())["accuracy"])
        if accuracy < 0.9:
            raise ValueError(f"The model names {accuracy:.1%} of the held-out digits right; 90% are wanted.")
        return accuracy

    workspace = prepare_workspace(make_version.output)
    workspace >> train >> predict >> [import_evaluation, check_accuracy(workspace)]


digits_end_to_end()
