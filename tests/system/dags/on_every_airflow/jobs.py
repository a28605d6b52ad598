"""Trainings of all kinds of patience; each DAG has one that waits in the triggerer and one that waits in its worker.

A run is told the connection and the command of its jobs; a job is named after its task.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_aihub.operators.training import TrainingOperator

JOB: dict[str, Any] = {
    "aihub_conn_id": "{{ dag_run.conf['conn'] }}",
    "command": "{{ dag_run.conf['command'] }}",
    "image": "any",
    "virtual_cluster": 1,
    "project": 1,
    "poll_interval": 2,
    "retries": 2,
    "retry_delay": timedelta(seconds=1),
}
JOBS: dict[str, dict[str, Any]] = {
    "plain": {},
    "one_try": {"retries": 0},
    "job_timeout": {"job_timeout": 5, "retries": 0},
    "execution_timeout": {"execution_timeout": timedelta(seconds=20), "retries": 0},
    "impatient": {"poll_tolerance": 2, "retries": 1, "retry_delay": timedelta(seconds=15)},
    "left_alone": {"cancel_on_kill": False, "retries": 0},
}


WAYS = {"deferred": True, "in_place": False}


def job(task_id: str, **given: Any) -> None:
    """A job to wait for in the triggerer or here, as the task's name says."""
    TrainingOperator(task_id=task_id, name=task_id, deferrable=WAYS[task_id], **{**JOB, **given})


def both(**given: Any) -> None:
    """A job to wait for in the triggerer, and one to wait for here."""
    for task_id in WAYS:
        job(task_id, **given)


for way in WAYS:
    with DAG(f"only_{way}", schedule=None):
        job(way)
    with DAG(f"resubmits_{way}", schedule=None):
        job(way, on_ambiguous_submit="resubmit")

with DAG("kept", schedule=None):
    job("in_place", cancel_on_kill=False)

for dag_id, given in JOBS.items():
    with DAG(dag_id, schedule=None):
        both(**given)

with DAG("run_timeout", schedule=None, dagrun_timeout=timedelta(seconds=45)):
    both(retries=0)

with DAG("mapped", schedule=None):
    for task_id, deferrable in WAYS.items():
        TrainingOperator.partial(task_id=task_id, deferrable=deferrable, **JOB).expand(
            name=[f"{task_id}-{number}" for number in range(3)]
        )

with DAG("deferred", schedule=None):
    TrainingOperator.partial(task_id="job", deferrable=True, **JOB).expand(
        name=[f"job-{number}" for number in range(4)]
    )
