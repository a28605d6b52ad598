"""Import a model and its predictions into AIHub's evaluation."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import mkdtemp

from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_aihub.operators.evaluation import EvalImportOperator


@dag(schedule=None, catchup=False, tags=["aihub", "example"], doc_md=__doc__)
def example_evaluation() -> None:
    """Write a small model and its predictions, and import both."""

    @task
    def write_files() -> str:
        """Stand for the training that usually leaves these files; the workers share the folder they are in."""
        folder = Path(mkdtemp(prefix="example-evaluation-"))
        folder.joinpath("model.bin").write_bytes(bytes(1024))
        predictions = [{"image": f"{number}.jpg", "score": number / 10} for number in range(10)]
        folder.joinpath("predictions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in predictions))
        return str(folder)

    @task
    def remove_files(folder: str) -> None:
        """Leave nothing behind, however the other tasks end."""
        for file in Path(folder).iterdir():
            file.unlink()
        Path(folder).rmdir()

    folder = write_files()
    import_evaluation = EvalImportOperator(
        task_id="import_evaluation",
        model_name="example",
        model_type="face",
        epoch=1,
        dataset_name="faces",
        id_dataset_name="faces-id",
        gallery_dataset_name="faces-gallery",
        model_file="{{ ti.xcom_pull('write_files') }}/model.bin",
        pred_file="{{ ti.xcom_pull('write_files') }}/predictions.jsonl",
    )
    folder >> import_evaluation >> remove_files(folder).as_teardown(setups=folder)


example_evaluation()
