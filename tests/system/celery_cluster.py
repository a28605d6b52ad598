"""The Airflow of these tests on more than one machine: two schedulers, and two of Celery's workers."""

from __future__ import annotations

import sys
from pathlib import Path

from broker import Broker
from cluster import HANG, TRIGGERERS, Cluster, Task

from demo.postgres import Postgres
from demo.processes import start

SCHEDULERS = ("scheduler", "scheduler-2")
WORKERS = ("worker", "worker-2")
SLOTS = 10
"""Tasks at a time in each worker."""
SCHEDULER_GONE = 15
"""Seconds without a heartbeat after which a scheduler counts as gone."""
LONGEST_QUEUED = 60
"""Seconds after which a task that is still queued is queued again; what a worker gets to begin it is good as long."""
SETTINGS = {
    "CORE__EXECUTOR": "CeleryExecutor",
    "CELERY__WORKER_CONCURRENCY": str(SLOTS),
    # Its default; without it, every part of Airflow complains of that.
    "CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": "86400",
    # Twice as many processes as without it, on as many cores: an API server that is slow to answer is no failed task.
    "WORKERS__EXECUTION_API_TIMEOUT": "60",
    "SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": str(SCHEDULER_GONE),
    "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
    "SCHEDULER__TASK_QUEUED_TIMEOUT": str(LONGEST_QUEUED),
    "SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "5",
}


class CeleryCluster(Cluster):
    """A :class:`~cluster.Cluster` whose tasks run in workers, each with a home of its own as on a machine of its own.

    Logs are in one place for all, as on shared storage.
    """

    runners = WORKERS
    mortals = (*TRIGGERERS, *WORKERS, *SCHEDULERS)

    def __init__(self, home: Path, database: Postgres, broker: Broker) -> None:
        super().__init__(home, database)
        self.broker = broker
        places = {
            "CELERY__BROKER_URL": broker.url,
            "CELERY__RESULT_BACKEND": "db+" + self.env["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"],
            "LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        }
        self.env |= {f"AIRFLOW__{key}": value for key, value in (SETTINGS | places).items()}

    def start(self, timeout: float = HANG) -> None:
        """Start it all; the second scheduler and the workers come up behind."""
        super().start(timeout)
        for name in (SCHEDULERS[1], *WORKERS):
            self.bring_back(name)

    def bring_back(self, name: str) -> None:
        """Start one of :attr:`mortals`."""
        if name not in WORKERS:
            super().bring_back(name)
            return
        command = [sys.executable, "-m", "airflow", "celery", "worker", "--skip-serve-logs", "-H", f"{name}@%h"]
        env = {**self.env, "AIRFLOW_HOME": str(self.home / name), "LOGNAME": name}
        self.processes[name] = start(command, env, self.home / f"{name}.out")

    def worker_of(self, task: Task) -> str:
        """Return the name of the worker in which a task runs.

        :raises AssertionError: There is none any more.
        """
        above = {parent.pid for parent in self.process(task).parents()}
        return next(name for name in WORKERS if name in self.processes and self.processes[name].pid in above)
