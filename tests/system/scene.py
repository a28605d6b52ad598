"""A scene of these tests: a run of a DAG, with an AIHub of its own that nothing else disturbs."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

from cluster import Cluster, Task, until

from airflow_provider_aihub.emulator import Emulator

RUNNING, SUCCEEDED, FAILED, STOPPED = 2, 3, 4, 5
ENDED = {"success", "failed", "skipped", "upstream_failed", "removed"}
TRAININGS = "/model-training-platform/api/v1/trainings"
BOTH = ("deferred", "in_place")
"""The tasks of the DAGs: one waits in the triggerer, the other in its worker. Each names its job after itself."""
PROMPT = 30
"""Seconds within which a job is stopped after its task was."""


class Scene:
    """One run of a DAG against an emulator.

    :param name: Becomes the id of the connection.
    :param secrets: What must not be found anywhere.
    :param home: Folder of the emulator, of which there may be several, one after the other.
    :param settings: For the emulator.
    """

    def __init__(self, airflow: Cluster, secrets: set[str], name: str, home: Path, **settings: Any) -> None:
        self.airflow = airflow
        self.secrets = secrets
        self.conn_id = name
        self.home = home
        self.settings = settings
        self.dag_id = self.run_id = ""
        self.aihub = Emulator(home, **settings).start()
        secrets.update((self.aihub.password, self.aihub.relay_token))
        self.extra: dict[str, Any] = {"timeout": 4}
        airflow.api("POST", "/connections", json=self.connection())

    def connection(self, **changed: Any) -> dict[str, Any]:
        """Return the connection as Airflow's REST API takes it."""
        known = json.loads(self.aihub.connection_json())
        extra = json.dumps({**known.pop("extra"), **self.extra, **changed.pop("extra", {})})
        return {"connection_id": self.conn_id, **known, "extra": extra, **changed}

    def change_connection(self, **changed: Any) -> None:
        """Change the connection in Airflow, as a person does."""
        self.airflow.api("PATCH", f"/connections/{self.conn_id}", json=self.connection(**changed))

    def go_down(self) -> None:
        """End this AIHub. Its jobs of plain sleeps sleep on."""
        self.port = int(self.aihub.url.rpartition(":")[2])
        self.aihub.stop()

    def come_up(self, **changed: Any) -> None:
        """Let it come back where it was."""
        self.aihub = Emulator(self.home, **{**self.settings, "port": self.port, **changed}).start()

    # The run

    def play(self, dag_id: str, command: str = "sleep 2", **conf: Any) -> None:
        """Start a run of a DAG.

        :param command: What the jobs do.
        """
        self.dag_id = dag_id
        self.airflow.trigger(dag_id, conf={"conn": self.conn_id, "command": command, **conf}, run_id=self.conn_id)
        self.run_id = self.conn_id

    def task(self, task_id: str, map_index: int = -1) -> Task:
        tasks = self.airflow.tasks(self.run_id)
        return next(task for task in tasks if (task.task_id, task.map_index) == (task_id, map_index))

    def reaches(self, task_id: str, *states: str, map_index: int = -1, beyond_try: int = 0) -> Task:
        """Wait until a task is in one of the states.

        :param beyond_try: Number of the try that is not meant any more.
        """

        def there() -> Task | None:
            task = self.task(task_id, map_index)
            return task if task.state in states and task.try_number > beyond_try else None

        return until(there, f"{self.dag_id}.{task_id} is {' or '.join(states)} ({self.conn_id})")

    def end(self) -> dict[str, str | None]:
        """Wait until all tasks have ended, and return their states."""

        def ended() -> list[Task]:
            tasks = self.airflow.tasks(self.run_id)
            return tasks if all(task.state in ENDED for task in tasks) else []

        tasks = until(ended, f"the tasks of {self.dag_id} have ended ({self.conn_id})")
        return {f"{t.task_id}[{t.map_index}]" if t.map_index >= 0 else t.task_id: t.state for t in tasks}

    def log(self, task_id: str, try_number: int = 1) -> Any:
        return self.airflow.log(self.dag_id, self.run_id, task_id, try_number)

    # What AIHub has

    def rows(self, kind: str) -> list[dict[str, Any]]:
        """Return AIHub's jobs of a kind from its own database, where no fault is in the way."""
        with sqlite3.connect(self.home / "aihub.sqlite") as database:
            found = database.execute("SELECT body FROM row WHERE kind = ? ORDER BY id", (kind,)).fetchall()
        database.close()
        return [json.loads(body) for (body,) in found]

    def statuses(self, name: str) -> list[int]:
        """Return the statuses of the trainings of a name, in the order in which they were created."""
        return [row["status"] for row in self.rows("training") if row["name"] == name]

    def running(self, task_id: str) -> Task:
        """Wait until the job of a task runs on AIHub and the task waits for it, in a worker or in a triggerer."""
        until(lambda: self.statuses(task_id)[-1:] == [RUNNING], f"the job of {task_id} runs ({self.conn_id})")
        if task_id != "deferred":
            return self.reaches(task_id, "running")
        until(lambda: self.task(task_id).triggerer, f"a triggerer has the trigger of {task_id} ({self.conn_id})")
        return self.reaches(task_id, "deferred")

    def becomes(self, name: str, *statuses: int) -> None:
        """Wait until the jobs of a name are as given, in the order in which they were created."""
        until(lambda: self.statuses(name) == [*statuses], f"jobs {name} are {statuses} ({self.conn_id})")

    def stopped(self, name: str) -> None:
        """Wait until the job of a name is stopped, as long as was promised and not more."""
        until(lambda: self.statuses(name)[-1:] == [STOPPED], f"job {name} is stopped ({self.conn_id})", PROMPT, 0.1)
