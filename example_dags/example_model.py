"""Upload a model, wait for it as another team would, and download it. Newer platforms only, with the extra s3."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import mkdtemp

from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_aihub.operators.model import ModelDownloadOperator, ModelUploadOperator
from airflow_provider_aihub.sensors.model import ModelSensor


@dag(schedule=None, catchup=False, tags=["aihub", "example"], doc_md=__doc__)
def example_model() -> None:
    """Take a model to AIHub and back."""

    @task
    def write_model() -> str:
        """Stand for a training; the workers share the folder. An s3:// URI would do as well."""
        folder = Path(mkdtemp(prefix="example-model-"))
        folder.joinpath("model").mkdir()
        folder.joinpath("model", "weights.bin").write_bytes(bytes(1000))
        folder.joinpath("model", "config.json").write_text("{}")
        return str(folder)

    @task
    def remove_model(folder: str) -> None:
        """Leave nothing behind, however the other tasks end."""
        shutil.rmtree(folder)

    folder = write_model()
    upload = ModelUploadOperator(
        task_id="upload",
        model="example",
        local_path=f"{folder}/model",
        description="Two small files",
        deferrable=True,
    )
    wait = ModelSensor(task_id="wait", model="example", poke_interval=5, timeout=3600, deferrable=True)
    download = ModelDownloadOperator(task_id="download", model="example", local_path=f"{folder}/copy")
    folder >> upload >> wait >> download >> remove_model(folder).as_teardown(setups=folder)


example_model()
