"""What an evaluation with a large model file takes: ``python -m benchmarks.uploading URL MODEL PREDICTIONS``."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path
from types import SimpleNamespace

from airflow_provider_aihub.operators.evaluation import EvalImportOperator

TASK = SimpleNamespace(
    dag_id="bench",
    run_id="now",
    task_id="evaluate",
    map_index=-1,
    try_number=1,
    max_tries=0,
    xcom_push=lambda **_: None,
    xcom_pull=lambda **_: None,
)
"""As much of a task instance as the operator needs."""


def peak() -> int:
    """Give the most memory that this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main(url: str, model: str, predictions: str) -> dict[str, float]:
    connection = {"conn_type": "aihub", "host": url, "login": "research", "password": "not-a-secret"}
    os.environ["AIRFLOW_CONN_AIHUB_DEFAULT"] = json.dumps(connection)

    def run(model_file: str) -> None:
        task = EvalImportOperator(
            task_id="evaluate",
            model_name="detector",
            model_type="face",
            epoch=1,
            dataset_name="queries",
            id_dataset_name="ids",
            gallery_dataset_name="gallery",
            model_file=model_file,
            pred_file=predictions,
            durable=False,
        )
        task.execute({"ti": TASK, "task": task})  # type: ignore[typeddict-item]

    # Once with a small file, so that what is imported and opened in any case is there.
    run(predictions)
    before, began, cpu = peak(), time.perf_counter(), time.process_time()
    run(model)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    return {"seconds": seconds, "cpu": cpu, "bytes": Path(model).stat().st_size, "memory": peak() - before}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))  # noqa: T201 - it is what the caller reads
