"""Plain HTTP to an emulated ModelArts."""

from __future__ import annotations

from typing import Any

import requests
from waiting import PATIENCE, until

from airflow_provider_aihub.emulators.modelarts import Emulator

ENDED = ("Completed", "Failed", "Terminated", "Abnormal")


class Arts:
    """An IAM user with a token who speaks HTTP by hand."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.http = requests.Session()
        self.http.trust_env = False
        self.login()

    def login(self) -> None:
        answer = self.http.post(f"{self.emulator.url}/v3/auth/tokens", json=login_body(self.emulator), timeout=PATIENCE)
        assert answer.status_code == 201, answer.text
        self.http.headers["X-Auth-Token"] = answer.headers["X-Subject-Token"]

    def call(self, method: str, path: str, version: str = "v2", **more: Any) -> requests.Response:
        """:param path: Behind the project's id."""
        url = f"{self.emulator.url}/{version}/{self.emulator.project_id}/{path}"
        return self.http.request(method, url, timeout=PATIENCE, **more)

    def ask(self, method: str, path: str, status: int = 200, version: str = "v2", **more: Any) -> Any:
        answer = self.call(method, path, version, **more)
        assert answer.status_code == status, (answer.status_code, answer.text)
        return answer.json() if answer.content else None

    def get(self, path: str, version: str = "v2", **query: Any) -> Any:
        return self.ask("GET", path, version=version, params=query)

    def refused(self, method: str, path: str, version: str = "v2", **more: Any) -> tuple[int, str]:
        """Status and code of a call that is refused."""
        answer = self.call(method, path, version, **more)
        assert answer.status_code >= 400, answer.text
        assert answer.json()["error_msg"]
        return answer.status_code, answer.json()["error_code"]

    def train(self, command: str, name: str = "job", **given: Any) -> str:
        return str(self.ask("POST", "training-jobs", 201, json=job(command, name, **given))["metadata"]["id"])

    def phase(self, number: str, *phases: str) -> Any:
        """Poll until the job is in one of the phases."""
        what = f"the job is {' or '.join(phases)}"
        is_so = lambda found: found["status"]["phase"] in phases  # noqa: E731
        return until(what, lambda: self.get(f"training-jobs/{number}"), is_so, every=0.02)

    def log(self, number: str, task: str = "worker-0") -> str:
        return str(self.get(f"training-jobs/{number}/tasks/{task}/logs/preview")["content"])


def login_body(emulator: Emulator, **user: Any) -> dict[str, Any]:
    who = {"name": emulator.username, "password": emulator.password, "domain": {"name": emulator.account}, **user}
    identity = {"methods": ["password"], "password": {"user": who}}
    return {"auth": {"identity": identity, "scope": {"project": {"name": emulator.region}}}}


def job(command: str = "true", name: str = "job", nodes: int = 1, **algorithm: Any) -> dict[str, Any]:
    """The body that makes a job of an image and a command."""
    made = {"engine": {"image_url": "any/image:1"}, "command": command, **algorithm}
    spec = {"resource": {"flavor_id": "modelarts.vm.cpu.2u", "node_count": nodes}}
    return {"kind": "job", "metadata": {"name": name}, "algorithm": made, "spec": spec}
