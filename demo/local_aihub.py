"""The AIHub emulator as a process of its own, and a plain look at what it says about a job."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests

from demo.digits_table import write_digits_table
from demo.processes import end, last_output, start

JOBS: Mapping[str, tuple[str, str]] = {
    "WarehouseSearchOperator": ("search", "/data-warehouse/api/v1/searches/{}"),
    "DatasetVersionOperator": ("dataset version", "/dataset-mng/api/v2/dataset-versions/{}"),
    "TrainingOperator": ("training", "/model-training-platform/api/v1/trainings/{}"),
    "QuotaTaskOperator": ("quota task", "/quota-schedule-management/api/v1/tasks/{}"),
}
"""What an operator's job is called, and where AIHub says how it is."""

STATUS = {1: "waiting", 2: "running", 3: "success", 4: "failed", 5: "stopped", 6: "stopping"}


class LocalAIHub:
    """Runs the emulator in a folder, with the table ``digits`` in its warehouse.

    :param home: Folder for all that it keeps.
    :param api: ``platform`` for all of the API, ``document`` for what the OpenAPI document has.
    """

    def __init__(self, home: Path, api: str = "platform") -> None:
        self.home = home
        self.api = api
        self.address: dict[str, Any] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._http = requests.Session()
        self._http.trust_env = False

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def start(self, timeout: float = 600) -> None:
        """Write the data, start the emulator, and wait until it says that it is ready.

        :param timeout: Seconds to wait for it.
        :raises RuntimeError: if it ends or is not ready in time.
        """
        data, ready, output = self.home / "data", self.home / "ready.json", self.home / "emulator.out"
        write_digits_table(data)
        command = [sys.executable, "-m", "airflow_provider_aihub.emulators.aihub", "--port", "0"]
        command += ["--home", str(self.home / "aihub"), "--data", str(data), "--ready-file", str(ready)]
        command += ["--api", self.api]
        # Jobs run with the Python of this environment, as on a node whose image has what they need.
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
        self._process = start(command, {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1"}, output)
        deadline = time.monotonic() + timeout
        while not ready.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"The AIHub emulator did not start:\n{last_output(output)}")
            time.sleep(0.1)
        self.address = json.loads(ready.read_text())
        login = {"username": self.address["username"], "password": self.address["password"]}
        answer = self._http.post(f"{self.url}/api/v1/auth/login", json=login, timeout=60)
        answer.raise_for_status()
        self._http.headers["Authorization"] = f"Bearer {answer.json()['data']['token']}"

    def stop(self) -> None:
        """End the emulator and the jobs that it runs."""
        if self._process is not None:
            end([self._process])
            self._process = None

    @property
    def url(self) -> str:
        """Its base URL."""
        return str(self.address["url"])

    @property
    def connection(self) -> str:
        """The Airflow connection that leads to it, as JSON."""
        connection = self.address["connection"]
        return connection if isinstance(connection, str) else json.dumps(connection)

    def read(self, path: str, **query: Any) -> Any:
        """Return the ``data`` of what AIHub answers to a GET."""
        answer = self._http.get(self.url + path, params=query, timeout=10)
        answer.raise_for_status()
        return answer.json()["data"]

    def job_status(self, operator: str, job_id: int) -> tuple[str, str]:
        """Return what the job of an operator is called and how it is, e.g. ``("training 7", "running")``."""
        called, path = JOBS[operator]
        status = self.read(path.format(job_id))["status"]
        return f"{called} {job_id}", STATUS.get(status, str(status))

    def jobs(self, operator: str) -> list[dict[str, Any]]:
        """Return the jobs that AIHub lists of an operator's kind."""
        rows = self.read(JOBS[operator][1].removesuffix("/{}"), page_size=1000, page_num=1)["data"]
        # Behind every quota task is a training, which AIHub lists among the others.
        return [row for row in rows if operator != "TrainingOperator" or not row["is_quota_schedule"]]
