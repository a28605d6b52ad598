"""Data and evaluation on AIHub, training on ModelArts: handwritten digits.

Find images with SQL and make a dataset version of them on AIHub, train a classifier of them on ModelArts, and import
model and predictions into AIHub's evaluation. All waiting is done in the triggerer.

Needs connections ``aihub_default``, with an S3 relay and a warehouse table ``digits``, and ``modelarts_default``; and a
file system that both Airflow's workers and ModelArts' nodes mount, such as SFS Turbo, at the same place.
"""

from __future__ import annotations

import csv
import json
import shutil
import zipfile
from datetime import timedelta
from pathlib import Path
from tempfile import gettempdir, mkdtemp
from typing import Any

from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_aihub.operators.dataset import CreateDatasetOperator, DatasetVersionOperator
from airflow_provider_aihub.operators.evaluation import EvalImportOperator
from airflow_provider_aihub.operators.modelarts_training_job import ModelArtsTrainingJobOperator
from airflow_provider_aihub.operators.warehouse import WarehouseSearchOperator

DATASET = "digits-both"
VERSION = "{{ ti.xcom_pull('make_version')['dataset_version'] }}"
SHARED = {"nfs_server_path": "sfs-turbo.example:/", "local_path": gettempdir(), "read_only": False}
"""The file system; a temporary folder stands for it where both are one machine."""
FOLDER = "{{ ti.xcom_pull('make_folder') }}"
SCRIPTS = Path(__file__).parent / "digits"


@dag(
    schedule=None,
    catchup=False,
    tags=["aihub", "modelarts", "example"],
    # The query is the one of digits_end_to_end.
    params={"labels": list(range(10))},
    doc_md=__doc__,
)
def example_two_platforms() -> None:
    """Train on one platform with what another one has."""
    find_images = WarehouseSearchOperator(
        task_id="find_images", name="digits-both", sql="digits/training_images.sql", deferrable=True
    )

    @task
    def make_folder() -> str:
        """Make a folder on the file system that both platforms see."""
        return mkdtemp(prefix="digits-both-", dir=SHARED["local_path"])

    @task
    def fetch_images(search: dict[str, Any], place: str) -> str:
        """Put images and scripts into the folder, and the images where AIHub can read them, too."""
        from airflow_provider_aihub.aihub.files import file_from_path
        from airflow_provider_aihub.hooks.aihub import AIHubHook

        hook, folder = AIHubHook(), Path(place)
        for script in SCRIPTS.glob("*.py"):
            shutil.copy(script, folder)
        table, archive = folder / "found.csv", folder / "digits.zip"
        with table.open("wb") as target:
            hook.download(search["result_url"], target)
        with table.open(newline="") as rows, zipfile.ZipFile(archive, "w") as images:
            for row in csv.DictReader(rows):
                pgm = b"P5 8 8 16\n" + bytes(map(int, row["pixels"].split()))
                images.writestr(f"{row['split']}/{row['label']}/{int(row['image_id']):04}.pgm", pgm)
        shutil.unpack_archive(archive, folder / "images")
        return hook.upload_to_relay("digits-both", f"search-{search['id']}.zip", file_from_path(archive)).path

    create_dataset = CreateDatasetOperator(
        task_id="create_dataset", name=DATASET, description="Handwritten digits, 8x8"
    )
    folder = make_folder()
    make_version = DatasetVersionOperator(
        task_id="make_version",
        # Newer platforms find a dataset by its name alone.
        dataset=create_dataset.output["id"],
        dataset_name=DATASET,
        upload_path=fetch_images(find_images.output, folder),
        upload_type="zip",
        description="Found by search {{ ti.xcom_pull('find_images')['id'] }}",
        deferrable=True,
    )
    train = ModelArtsTrainingJobOperator(
        task_id="train",
        name="digits-both",
        description=f"On version {VERSION} of {DATASET}",
        image="team/sklearn:1.7",
        command=(
            "cd $FOLDER && python train.py --images images/train --model model.pkl"
            " && python predict.py --images images/test --model model.pkl"
            " --predictions predictions.jsonl --metrics metrics.json"
        ),
        environments={"FOLDER": FOLDER},
        volumes=[{"nfs": SHARED}],
        flavor_id="modelarts.vm.cpu.8u",
        job_timeout=timedelta(minutes=10),
        deferrable=True,
    )
    import_evaluation = EvalImportOperator(
        task_id="import_evaluation",
        model_name="digits-both",
        model_type="face",
        epoch=1,
        dataset_name=DATASET,
        id_dataset_name=VERSION,
        gallery_dataset_name=VERSION,
        model_file=f"{FOLDER}/model.pkl",
        pred_file=f"{FOLDER}/predictions.jsonl",
    )

    @task
    def check_accuracy(place: str) -> float:
        """Return the accuracy that was reached on the held-out images; below 0.9 the model is not good enough."""
        accuracy = float(json.loads(Path(place, "metrics.json").read_text())["accuracy"])
        if accuracy < 0.9:
            raise ValueError(f"The model names {accuracy:.1%} of the held-out digits right; 90% are wanted.")
        return accuracy

    @task
    def remove_files(place: str) -> None:
        """Leave nothing behind, however the other tasks end."""
        shutil.rmtree(place)

    ended = [import_evaluation, check_accuracy(folder)]
    make_version >> train >> ended >> remove_files(folder).as_teardown(setups=folder)


example_two_platforms()
