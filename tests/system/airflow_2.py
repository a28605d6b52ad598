"""A real Airflow 2 for the tests that run on every Airflow: web server, scheduler and triggerer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from waiting import HANG

from demo.real_airflow import RealAirflow, TaskLog


class Airflow2(RealAirflow):
    """A :class:`~demo.real_airflow.RealAirflow` that wants PostgreSQL: on SQLite it runs a task at a time, slowly."""

    components: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "webserver": (),
        "scheduler": ("--skip-serve-logs",),
        "triggerer": ("--skip-serve-logs",),
    }
    api_path = "/api/v1"
    health_path = "/health"
    with_heartbeat = ("scheduler", "triggerer")

    def __init__(self, home: Path, dags: Path, env: Mapping[str, str] | None = None, slack: float = 0.0) -> None:
        super().__init__(home, dags, env, slack)
        settings = {
            "API__AUTH_BACKENDS": "airflow.api.auth.backend.default",
            "API__ENABLE_XCOM_DESERIALIZE_SUPPORT": "True",
            "WEBSERVER__WEB_SERVER_HOST": "127.0.0.1",
            "WEBSERVER__WEB_SERVER_PORT": self.url.rpartition(":")[2],
            "WEBSERVER__BASE_URL": self.url,
            "WEBSERVER__WORKERS": "1",
        }
        self.env |= {f"AIRFLOW__{key}": value for key, value in settings.items()}

    def start(self, timeout: float = HANG) -> None:
        """Start it; everybody who can reach the web server is an administrator."""
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / "webserver_config.py").write_text("AUTH_ROLE_PUBLIC = 'Admin'\n")
        super().start(timeout)

    def log_in(self) -> None:
        """Nobody has to; but logs are given as JSON only to those who ask."""
        self._http.headers["Accept"] = "application/json"

    def api(self, method: str, path: str, json: Any = None, **query: Any) -> Any:
        """Call the REST API, which wants a run to have a date and gives values of XComs as text unless asked, and does
        nothing to a task unless asked."""
        if json is not None:
            json = {name: value for name, value in json.items() if value is not None}
        if method == "PATCH" and "/taskInstances/" in path:
            json = {"dry_run": False, **json}
        if "/xcomEntries/" in path:
            query |= {"deserialize": "true", "stringify": "false"}
        return super().api(method, path, json, **query)

    def log(self, dag_id: str, run_id: str, task_id: str, try_number: int = 1) -> TaskLog:
        """Return what a try of a task wrote, which Airflow 2 gives as one text."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{try_number}"
        lines = str(self.api("GET", path, full_content="true")["content"]).replace("\\n", "\n").splitlines()
        files = [line for line in lines if line.lstrip("* ").startswith("/")]
        return TaskLog([{"event": line} for line in ["", *files, "::endgroup::", *lines]])
