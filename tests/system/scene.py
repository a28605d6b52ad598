"""A scene of these tests: a run of a DAG, with a platform of its own that nothing else disturbs."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from cluster import Cluster, Task
from waiting import until

from airflow_provider_aihub.emulators.aihub import Emulator

T = TypeVar("T")

RUNNING, SUCCEEDED, FAILED, STOPPED = 2, 3, 4, 5
ENDED = {"success", "failed", "skipped", "upstream_failed", "removed"}
TRAININGS = "/model-training-platform/api/v1/trainings"
BOTH = ("deferred", "in_place")
"""The tasks of the DAGs: one waits in the triggerer, the other in its worker. Each names its job after itself."""
SECRETS = ("password", "relay_token", "secret_key")
"""What nobody may be told of an emulator."""
HELD = "sleep 3600"
"""The command of a job that runs until :meth:`Scene.finish`, which is soon, or until it is stopped."""


class Scene:
    """One run of a DAG against an emulator.

    :param name: Becomes the id of the connection.
    :param secrets: What must not be found anywhere.
    :param home: Folder of the emulator, of which there may be several, one after the other.
    :param emulator: What emulates the platform: an AIHub, unless it is said.
    :param settings: For the emulator.
    """

    def __init__(
        self,
        airflow: Cluster,
        secrets: set[str],
        name: str,
        home: Path,
        *,
        emulator: Callable[..., Any] = Emulator,
        **settings: Any,
    ) -> None:
        self.airflow = airflow
        self.secrets = secrets
        self.conn_id = name
        self.home = home
        self.emulator, self.settings = emulator, settings
        self.dag_id = self.run_id = ""
        self.aihub = emulator(home, **settings).start()
        secrets.update(getattr(self.aihub, name) for name in SECRETS if hasattr(self.aihub, name))
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
        """End this platform. Its jobs of plain sleeps sleep on."""
        self.port = int(self.aihub.url.rpartition(":")[2])
        self.aihub.stop()

    def come_up(self, **changed: Any) -> None:
        """Let it come back where it was."""
        self.aihub = self.emulator(self.home, **{**self.settings, "port": self.port, **changed}).start()

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

        return self._until(
            f"{task_id} is {' or '.join(states)}, beyond try {beyond_try}",
            lambda: self.task(task_id, map_index),
            lambda task: task.state in states and task.try_number > beyond_try,
        )

    def end(self) -> dict[str, str | None]:
        """Wait until all tasks have ended, and return their states."""

        tasks = self._until(
            "all tasks have ended",
            lambda: self.airflow.tasks(self.run_id),
            lambda tasks: tasks and all(task.state in ENDED for task in tasks),
        )
        return {f"{t.task_id}[{t.map_index}]" if t.map_index >= 0 else t.task_id: t.state for t in tasks}

    def finish(self) -> None:
        """Let the jobs whose command is :data:`HELD` come to their ends."""
        self.aihub.clock.advance(3600)

    def log(self, task_id: str, try_number: int = 1) -> Any:
        return self.airflow.log(self.dag_id, self.run_id, task_id, try_number)

    # What the platform has

    def rows(self, kind: str) -> list[dict[str, Any]]:
        """Return the platform's jobs of a kind from its own database, where no fault is in the way."""
        (file,) = self.home.glob("*.sqlite")
        with sqlite3.connect(file) as database:
            found = database.execute("SELECT body FROM row WHERE kind = ? ORDER BY id", (kind,)).fetchall()
        database.close()
        return [json.loads(body) for (body,) in found]

    def statuses(self, name: str) -> list[int]:
        """Return the statuses of the trainings of a name, in the order in which they were created."""
        return [row["status"] for row in self.rows("training") if row["name"] == name]

    def running(self, task_id: str) -> Task:
        """Wait until the job of a task runs on AIHub and the task waits for it, in a worker or in a triggerer."""
        self._until(f"the job of {task_id} runs", lambda: self.statuses(task_id), lambda now: now[-1:] == [RUNNING])
        if task_id != "deferred":
            return self.reaches(task_id, "running")
        self._until(f"a triggerer has {task_id}", lambda: self.task(task_id), lambda task: task.triggerer)
        task = self.reaches(task_id, "deferred")
        # The database names a triggerer before that triggerer begins with the trigger.
        looks = self._looks(task_id)
        self._until(f"a triggerer looks at {task_id}", lambda: self._looks(task_id), lambda now: now > looks)
        return task

    def _looks(self, name: str) -> int:
        """Count how often the latest training of a name was read, alone or in a list."""
        job_id = [row["id"] for row in self.rows("training") if row["name"] == name][-1]
        return sum(self.aihub.requests.count("GET", path) for path in (TRAININGS, f"{TRAININGS}/{job_id}"))

    def becomes(self, name: str, *statuses: int) -> None:
        """Wait until the jobs of a name are as given, in the order in which they were created."""
        self._until(f"the jobs {name} have the statuses {statuses}", lambda: self.statuses(name), [*statuses].__eq__)

    def stopped(self, name: str) -> None:
        """Wait until the latest job of a name is stopped."""
        self._until(f"job {name} is stopped", lambda: self.statuses(name), lambda now: now[-1:] == [STOPPED])

    def _until(self, what: str, look: Callable[[], T], is_so: Callable[[T], Any]) -> T:
        return until(f"{what} ({self.dag_id}, {self.conn_id})", look, is_so, every=0.2)
