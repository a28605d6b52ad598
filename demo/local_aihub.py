"""The AIHub emulator as a process of its own, and a plain look at what it says about a job."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from demo.digits_table import write_digits_table
from demo.local_platform import LocalPlatform

JOBS: Mapping[str, tuple[str, str]] = {
    "WarehouseSearchOperator": ("search", "/data-warehouse/api/v1/searches/{}"),
    "DatasetVersionOperator": ("dataset version", "/dataset-mng/api/v2/dataset-versions/{}"),
    "TrainingOperator": ("training", "/model-training-platform/api/v1/trainings/{}"),
    "QuotaTaskOperator": ("quota task", "/quota-schedule-management/api/v1/tasks/{}"),
    "ModelUploadOperator": ("model", "/model-center/api/v1/models/{}"),
    "StartDeploymentOperator": ("deployment", "/mldp/api/v1/deployment/{}"),
}
"""What an operator's job is called, and where AIHub says how it is."""

STATUS = {1: "waiting", 2: "running", 3: "success", 4: "failed", 5: "stopped", 6: "stopping"}


class LocalAIHub(LocalPlatform):
    """Runs the emulator in a folder, with the table ``digits`` in its warehouse.

    :param home: Folder for all that it keeps.
    :param api: ``platform`` for all of the API, ``document`` for what the OpenAPI document has.
    """

    name = "AIHub"
    module = "airflow_provider_aihub.emulators.aihub"

    def __init__(self, home: Path, api: str = "platform") -> None:
        super().__init__(home)
        self.api = api

    def prepare(self) -> list[str]:
        """Write the data."""
        data = self.home / "data"
        write_digits_table(data)
        return ["--data", str(data), "--api", self.api]

    def log_in(self) -> None:
        """Log the administrator in."""
        login = {"username": self.address["username"], "password": self.address["password"]}
        answer = self._http.post(f"{self.url}/api/v1/auth/login", json=login, timeout=60)
        answer.raise_for_status()
        self._http.headers["Authorization"] = f"Bearer {answer.json()['data']['token']}"

    def read(self, path: str, **query: Any) -> Any:
        """Return the ``data`` of what AIHub answers to a GET."""
        return self.get(path, **query)["data"]

    def job_status(self, operator: str, job_id: Any) -> tuple[str, str] | None:
        """Return what the job of an operator is called and how it is, e.g. ``("training 7", "running")``."""
        if operator not in JOBS:
            return None
        called, path = JOBS[operator]
        status = self.read(path.format(job_id))["status"]
        return f"{called} {job_id}", STATUS.get(status, str(status))

    def jobs(self, operator: str) -> list[dict[str, Any]]:
        """Return the jobs that AIHub lists of an operator's kind."""
        rows = self.read(JOBS[operator][1].removesuffix("/{}"), page_size=1000, page_num=1)["data"]
        # Behind every quota task is a training, which AIHub lists among the others.
        return [row for row in rows if operator != "TrainingOperator" or not row["is_quota_schedule"]]
