"""The Airflow of these tests: several triggerers, a database to look into, and a hand on every process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

import psutil
from airflow_2 import Airflow2
from packaging.version import Version
from waiting import HANG, SLACK

from demo.postgres import Postgres
from demo.processes import end
from demo.real_airflow import RealAirflow

AIRFLOW = Version(version("apache-airflow"))
IS_2 = AIRFLOW.major == 2
REMEMBERS = Version("3.3") <= AIRFLOW
"""Whether it has a task state store."""
Installed: type[RealAirflow] = Airflow2 if IS_2 else RealAirflow
DAGS = Path(__file__).parent / "dags" / ("" if REMEMBERS else "on_every_airflow")
TRIGGERERS = ("triggerer", "triggerer-2")
TRIGGERER_GONE = 15
"""Seconds without a heartbeat after which a triggerer counts as gone."""
WORKER_GONE = 15
"""Seconds without a heartbeat after which a task counts as gone."""
SETTINGS = {
    "CORE__PARALLELISM": "16",
    "CORE__MAX_ACTIVE_TASKS_PER_DAG": "64",
    "CORE__MAX_ACTIVE_RUNS_PER_DAG": "64",
    "CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "1",
    "DATABASE__SQL_ALCHEMY_POOL_SIZE": "10",
    "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
    "TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    "TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": str(TRIGGERER_GONE),
    "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
}
"""What of Airflow's waits in minutes is not waited for here."""
if IS_2:
    # Where it looks again before it has dealt with a dead worker, it fails the next try, too.
    SETTINGS |= {"SCHEDULER__SCHEDULER_ZOMBIE_TASK_THRESHOLD": "60", "SCHEDULER__ZOMBIE_DETECTION_INTERVAL": "60"}
else:
    SETTINGS |= {
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": str(WORKER_GONE),
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    }


@dataclass(frozen=True)
class Task:
    """A task instance as the database has it.

    :param pid: The process of its code, or of the latest that it had.
    :param triggerer: Id of the triggerer that runs its trigger.
    """

    task_id: str
    map_index: int
    state: str | None
    try_number: int
    pid: int | None
    triggerer: int | None


class Cluster(Installed):
    """A :class:`~demo.real_airflow.RealAirflow` on PostgreSQL with two triggerers."""

    runners: ClassVar[tuple[str, ...]] = ("scheduler",)
    """Those of :attr:`processes` that run tasks."""
    mortals: ClassVar[tuple[str, ...]] = TRIGGERERS
    """Those of which there is another, so that one may die."""

    def __init__(self, home: Path, database: Postgres) -> None:
        self.database = database
        settings = {f"AIRFLOW__{key}": value for key, value in SETTINGS.items()}
        super().__init__(home, DAGS, settings | database.as_airflows, SLACK)

    def start(self, timeout: float = HANG) -> None:
        """Start it all; the second triggerer comes up behind."""
        super().start(timeout)
        self.bring_back(TRIGGERERS[1])

    def bring_back(self, name: str) -> None:
        """Start one of :attr:`mortals`."""
        self.start_component(name.partition("-")[0], name)

    # Looking

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask the metadata database."""
        return self.database.rows(sql, *values)

    def tasks(self, run_id: str) -> list[Task]:
        """Return the task instances of a run."""
        return [
            Task(*row)
            for row in self.rows(
                "SELECT ti.task_id, ti.map_index, ti.state, ti.try_number, ti.pid, tr.triggerer_id"
                " FROM task_instance ti LEFT JOIN trigger tr ON tr.id = ti.trigger_id"
                " WHERE ti.run_id = %s ORDER BY 1, 2",
                run_id,
            )
        ]

    def triggerer_id(self, name: str) -> int | None:
        """Return the id under which a triggerer of :attr:`processes` is known to the database."""
        newest = self.rows("SELECT max(id) FROM job WHERE job_type = 'TriggererJob' AND unixname = %s", name)
        return newest[0][0]

    # Acting as a person does

    def mark(self, dag_id: str, run_id: str, task_id: str, state: str) -> None:
        """Mark a task as ``failed`` or ``success``."""
        self.api("PATCH", f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}", json={"new_state": state})

    def clear(self, dag_id: str, run_id: str, *task_ids: str) -> None:
        """Clear tasks, whatever their state."""
        if IS_2:
            # Its REST API leaves those alone that run in a worker.
            ((date,),) = self.rows(
                "SELECT execution_date FROM dag_run WHERE dag_id = %s AND run_id = %s", dag_id, run_id
            )
            which = ("-t", f"^({'|'.join(task_ids)})$", "-s", date.isoformat(), "-e", date.isoformat())
            command = [sys.executable, "-m", "airflow", "tasks", "clear", dag_id, *which, "-y"]
            subprocess.run(command, env=self.env, check=True, capture_output=True)
            return
        body = {"dry_run": False, "dag_run_id": run_id, "task_ids": task_ids, "only_failed": False}
        self.api("POST", f"/dags/{dag_id}/clearTaskInstances", json=body)

    # Acting as fate does

    def process(self, task: Task) -> psutil.Process:
        """Return the process in which the code of a task runs.

        :raises AssertionError: There is none any more.
        """
        process = next((process for process in self._at_work() if process.pid == task.pid), None)
        assert process is not None, f"{task} has no process"
        return process

    def kill_task(self, task: Task, *, machine: bool = False) -> None:
        """Kill the process of a task with SIGKILL.

        :param machine: Kill the worker that watches over it as well, so that nobody is left to tell.
        :raises AssertionError: There is none any more.
        """
        process = self.process(task)
        worker = process.parent()
        if machine and worker:
            worker.kill()
        process.kill()

    def _at_work(self) -> list[psutil.Process]:
        """Return all that descend from those who run tasks."""
        runners = [psutil.Process(self.processes[name].pid) for name in self.runners if name in self.processes]
        return [process for runner in runners for process in runner.children(recursive=True)]

    def kill(self, name: str) -> None:
        """Kill a component and all that it started, as when its machine dies."""
        process = self.processes.pop(name)
        parent = psutil.Process(process.pid)
        for member in [parent, *parent.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                member.kill()
        process.wait()

    def end(self, name: str) -> None:
        """Ask a component to end, and wait until it has."""
        end([self.processes.pop(name)], timeout=30)

    def freeze(self, name: str, *, thaw: bool = False) -> None:
        """Stop a component in the middle of what it does, or let it go on."""
        parent = psutil.Process(self.processes[name].pid)
        for member in [parent, *parent.children(recursive=True)]:
            os.kill(member.pid, signal.SIGCONT if thaw else signal.SIGSTOP)
