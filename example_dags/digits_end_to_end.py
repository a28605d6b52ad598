"""From a warehouse query to a model on the net: handwritten digits, every step a job on AIHub.

Find the images wanted with SQL, make a dataset version of them, train a classifier on a GPU node, let it name
held-out images, and register model and predictions for evaluation. Then, where AIHub is a newer platform: register the
model, report how good it is, deploy it and ask it. All waiting is done in the triggerer.

Needs a connection ``aihub_default`` with an S3 relay, a warehouse table ``digits`` (``image_id``, ``label``,
``split``, ``pixels``), the extra ``s3``, and AIHub's storage ``shared`` mounted on the Airflow workers at the path
AIHub knows it by.
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
from urllib.request import Request, urlopen

from airflow.providers.common.compat.sdk import Param, dag, task

from airflow_provider_aihub.operators.dataset import CreateDatasetOperator, DatasetVersionOperator
from airflow_provider_aihub.operators.deployment import StartDeploymentOperator
from airflow_provider_aihub.operators.eval_report import EvalReportOperator
from airflow_provider_aihub.operators.evaluation import EvalImportOperator
from airflow_provider_aihub.operators.model import ModelUploadOperator
from airflow_provider_aihub.operators.quota_task import QuotaTaskOperator
from airflow_provider_aihub.operators.training import TrainingOperator
from airflow_provider_aihub.operators.warehouse import WarehouseSearchOperator

DATASET = MODEL = "digits"
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
    """Train, evaluate and deploy a classifier of handwritten digits."""
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
        workspace.joinpath("model").mkdir(parents=True, exist_ok=True)
        for script in SCRIPTS.glob("*.py"):
            # What serves a model goes with it.
            shutil.copy(script, workspace / "model" if script.stem == "serve" else workspace)
        return {"path": str(workspace), "images": str(storages["datasets"] / version["dataset_version"])}

    train = TrainingOperator(
        task_id="train",
        name="digits-train",
        command=f"cd {WORKSPACE} && python train.py --images {IMAGES}/train --model model/model.pkl",
        job_timeout=timedelta(minutes=10),
        deferrable=True,
        **ON_AIHUB,
    )

    predict = QuotaTaskOperator(
        task_id="predict",
        name="digits-predict",
        command=(
            f"cd {WORKSPACE} && python predict.py --images {IMAGES}/test --model model/model.pkl"
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
        model_file=f"{WORKSPACE}/model/model.pkl",
        pred_file=f"{WORKSPACE}/predictions.jsonl",
    )

    @task
    def check_accuracy(workspace: dict[str, str]) -> float:
        """Return the accuracy that was reached on the held-out images; below 0.9 the model is not good enough."""
        accuracy = float(json.loads(Path(workspace["path"], "metrics.json").read_text())["accuracy"])
        if accuracy < 0.9:
            raise ValueError(f"The model names {accuracy:.1%} of the held-out digits right; 90% are wanted.")
        return accuracy

    register_model = ModelUploadOperator(
        task_id="register_model",
        model=MODEL,
        local_path=f"{WORKSPACE}/model",
        description="Names handwritten digits",
        deferrable=True,
    )

    workspace = prepare_workspace(make_version.output)
    accuracy = check_accuracy(workspace)
    report_accuracy = EvalReportOperator(
        task_id="report_accuracy",
        name="digits, held out",
        eval_type="cv",
        model=MODEL,
        datasets=[{"dataset_name": VERSION, "metrics": {"metrics": {"accuracy": accuracy}}}],
    )

    deploy = StartDeploymentOperator(
        task_id="deploy",
        # One for each version: one that is there serves the model that it was started with.
        deployment=VERSION,
        create={
            "model": MODEL,
            "virtual_cluster": "vc-cpu",
            "docker_image_name": ON_AIHUB["image"],
            "command_args": "exec python $MODEL_PATH/serve.py",
        },
        job_timeout=timedelta(minutes=10),
        deferrable=True,
    )

    @task
    def ask_service(service: dict[str, Any], workspace: dict[str, str]) -> float:
        """Return the share of held-out images, ten of each digit, that the deployed model names right."""
        images = [
            image
            for digit in sorted(Path(workspace["images"], "test").iterdir())
            for image in sorted(digit.iterdir())[:10]
        ]
        right = 0
        for image in images:
            with urlopen(Request(service["endpoint_url"], image.read_bytes()), timeout=30) as answer:  # noqa: S310
                right += json.load(answer)["digit"] == int(image.parent.name)
        return right / len(images)

    workspace >> train >> predict >> [import_evaluation, accuracy]
    accuracy >> register_model >> [report_accuracy, deploy]
    ask_service(deploy.output, workspace)


digits_end_to_end()
