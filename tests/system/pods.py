"""An executor that plays the one for Kubernetes with processes: each task has one of its own, begun as in a pod.

What it does not play: images, volumes, nodes, and the API server of Kubernetes.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from airflow.executors.base_executor import BaseExecutor
from cluster import Cluster, Task

from demo.postgres import Postgres


class PodExecutor(BaseExecutor):
    """Begins what the container of a pod begins, and tells the scheduler how it ended."""

    def start(self) -> None:
        """Begin with no pods."""
        self.pods: dict[Any, subprocess.Popen[bytes]] = {}

    def _process_workloads(self, workloads: Sequence[Any]) -> None:
        for workload in workloads:
            self.queued_tasks.pop(workload.key)
            command = [sys.executable, "-m", "airflow.sdk.execution_time.execute_workload", "--json-string"]
            self.pods[workload.key] = subprocess.Popen([*command, workload.model_dump_json()], start_new_session=True)

    def sync(self) -> None:
        """Tell of the pods that have ended."""
        for key, pod in list(self.pods.items()):
            code = pod.poll()
            if code is not None:
                del self.pods[key]
                self.fail(key) if code else self.success(key)

    def end(self) -> None:
        """Leave the pods to themselves."""

    def terminate(self) -> None:
        """Likewise."""


class PodCluster(Cluster):
    """A :class:`~cluster.Cluster` whose tasks run in pods."""

    def __init__(self, home: Path, database: Postgres) -> None:
        super().__init__(home, database)
        here = Path(__file__).parent
        self.env |= {
            "AIRFLOW__CORE__EXECUTOR": f"{PodExecutor.__module__}.{PodExecutor.__name__}",
            "PYTHONPATH": f"{here}:{here.parent}:{here.parents[1]}",
        }

    def delete_pod(self, task: Task, grace: float) -> None:
        """Delete the pod of a task: its first process gets SIGTERM, and what is left after some seconds SIGKILL.

        :param grace: How many seconds, as ``terminationGracePeriodSeconds`` says. 0: it is lost with its node.
        """
        process = self.process(task)
        first = process.parent()
        assert first is not None
        pod = [first, *first.children(recursive=True)]
        if grace:
            first.terminate()
        for member in psutil.wait_procs(pod, timeout=grace)[1]:
            with suppress(psutil.NoSuchProcess):
                member.kill()
