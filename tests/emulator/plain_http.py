"""Plain HTTP to an emulator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import requests
from waiting import PATIENCE, until

from airflow_provider_aihub.emulators.aihub import Emulator

TRAININGS = "/model-training-platform/api/v1/trainings"
TASKS = "/quota-schedule-management/api/v1/tasks"
SEARCHES = "/data-warehouse/api/v1/searches"
DATASETS = "/dataset-mng/api/v2/datasets"
VERSIONS = "/dataset-mng/api/v2/dataset-versions"
RUNS = "/workflow-center/api/v1/runs"


def gone(pid: int) -> bool:
    """Whether a process has ended, though its parent may not have heard of it yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


class Api:
    """A user who is logged in to an emulator and speaks HTTP by hand."""

    def __init__(self, aihub: Emulator) -> None:
        self.aihub = aihub
        self.http = requests.Session()
        self.http.trust_env = False
        self.login()

    def login(self) -> None:
        body = {"username": self.aihub.username, "password": self.aihub.password}
        token = self.http.post(f"{self.aihub.url}/api/v1/auth/login", json=body).json()["data"]["token"]
        self.http.headers["Authorization"] = f"Bearer {token}"

    def call(self, method: str, path: str, **more: Any) -> requests.Response:
        return self.http.request(method, self.aihub.url + path, timeout=PATIENCE, **more)

    def get(self, path: str, **query: Any) -> Any:
        return self._data(self.call("GET", path, params=query))

    def post(self, path: str, body: Any = None) -> Any:
        return self._data(self.call("POST", path, json=body))

    def put(self, path: str) -> Any:
        return self._data(self.call("PUT", path))

    def refused(self, path: str, body: Any) -> tuple[int, str]:
        """The code and message of a POST that is refused with HTTP 200."""
        return self.refused_text(path, json.dumps(body).encode())

    def refused_text(self, path: str, body: bytes) -> tuple[int, str]:
        """The same for a body as it goes over the wire."""
        answer = self.call("POST", path, data=body)
        assert answer.status_code == 200, answer.text
        values = answer.json()
        assert values["code"] != 0, values
        return values["code"], values["msg"]

    def until(self, path: str, *status: int) -> Any:
        """Poll until the status is one of those."""
        what = f"{path} has the status {' or '.join(map(str, status))}"
        return until(what, lambda: self.get(path), lambda found: found["status"] in status, every=0.02)

    def train(self, command: str, **given: Any) -> int:
        return int(self.post(TRAININGS, training(command, **given))["id"])

    def quota(self, command: str, **given: Any) -> int:
        return int(self.post(TASKS, quota_task(command, **given))["id"])

    def log(self, path: str) -> str:
        """The log of the first pod of a training or quota task."""
        pod = self.get(f"{path}/pods", page_size=9999, page_num=1)["data"][0]
        url = self.get(f"{path}/pods/{pod['id']}/logs/new")["logs"][0]["url"]
        return requests.get(url, timeout=10).text

    @staticmethod
    def _data(answer: requests.Response) -> Any:
        assert answer.status_code == 200, answer.text
        values = answer.json()
        assert values["code"] == 0, values
        return values.get("data")


def training(command: str = "true", **given: Any) -> dict[str, Any]:
    """The body that makes a training, as the document prints it."""
    return {
        "framework": "PyTorchJob",
        "name": "t",
        "command": command,
        "image": "any",
        "virtual_cluster_id": 1,
        "sku_cnt": 1,
        "enable_ssh": False,
        "envs": [],
        "storage_ids": [1, 2],
        "instances": 1,
        "use_ib_network": False,
        "always_pull_image": False,
        "shm": 1,
        "category_id": 1,
        "project_id": 1,
        "estimate_run_time": 60,
        "is_vip": False,
        "preempt_policy": 1,
        "vip_node_names": [],
        **given,
    }


def quota_task(command: str = "true", **given: Any) -> dict[str, Any]:
    body = {"priority": 1, **training(command), **given}
    for name in ("is_vip", "preempt_policy", "vip_node_names", "estimate_run_time"):
        body.pop(name)
    return body
