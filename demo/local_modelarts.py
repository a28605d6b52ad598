"""The ModelArts emulator as a process of its own, and a plain look at what it says about a job."""

from __future__ import annotations

from typing import Any

from demo.local_platform import LocalPlatform


class LocalModelArts(LocalPlatform):
    """Runs the emulator in a folder."""

    name = "ModelArts"
    module = "airflow_provider_aihub.emulators.modelarts"

    def log_in(self) -> None:
        """Get a token of the emulated IAM."""
        known = self.address
        user = {"name": known["username"], "password": known["password"], "domain": {"name": known["account"]}}
        identity = {"methods": ["password"], "password": {"user": user}}
        body = {"auth": {"identity": identity, "scope": {"project": {"name": known["region"]}}}}
        answer = self._http.post(f"{self.url}/v3/auth/tokens", json=body, timeout=60)
        answer.raise_for_status()
        self._http.headers["X-Auth-Token"] = answer.headers["X-Subject-Token"]

    def job_status(self, operator: str, job_id: Any) -> tuple[str, str] | None:
        """Return what a training job is called, and its phase."""
        if operator != "ModelArtsTrainingJobOperator":
            return None
        job = self.get(f"/v2/{self.address['project_id']}/training-jobs/{job_id}")
        return f"training job {job['metadata']['name']}", job["status"]["phase"].lower()
