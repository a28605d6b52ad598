"""Put a model on the net, ask it, and take it off again. Newer platforms only, with the extra s3."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from urllib.request import urlopen

from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_aihub.operators.deployment import StartDeploymentOperator, StopDeploymentOperator
from airflow_provider_aihub.operators.model import ModelUploadOperator


@dag(schedule=None, catchup=False, tags=["aihub", "example"], doc_md=__doc__)
def example_deployment() -> None:
    """Upload a model, serve it, and stop that however the tasks end."""

    @task
    def write_model() -> str:
        """Stand for a training; the workers share the folder."""
        folder = Path(mkdtemp(prefix="example-deployment-"))
        folder.joinpath("weights.bin").write_bytes(bytes(1000))
        return str(folder)

    @task
    def ask(service: dict[str, Any]) -> Any:
        """Ask the service; that of the emulator tells which files its model has."""
        with urlopen(service["endpoint_url"], timeout=30) as answer:  # noqa: S310 - AIHub has given the address
            return json.load(answer)

    @task
    def remove_model(folder: str) -> None:
        """Leave nothing behind, however the other tasks end."""
        shutil.rmtree(folder)

    folder = write_model()
    upload = ModelUploadOperator(task_id="upload", model="deployed", local_path=folder, deferrable=True)
    start = StartDeploymentOperator(
        task_id="start",
        deployment="example",
        # What is created where there is no such deployment.
        create={"model": "deployed", "virtual_cluster": "vc-cpu", "docker_image_name": "registry.local/serve:1"},
        job_timeout=timedelta(minutes=30),
        deferrable=True,
    )
    stop = StopDeploymentOperator(task_id="stop", deployment=start.output["id"])
    answer = ask(start.output)
    folder >> upload >> start
    answer >> stop.as_teardown(setups=start)
    stop >> remove_model(folder).as_teardown(setups=folder)


example_deployment()
