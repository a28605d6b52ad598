"""Trainings that wait for a file, so that a person has time to look at their tasks.

A run is told the folder in which the file ``go`` will be.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG

from airflow_provider_aihub.operators.training import TrainingOperator

WAIT = "until [ -e {{ dag_run.conf['folder'] }}/go ]; do sleep 0.2; done"
JOB: dict[str, Any] = {
    "image": "any",
    "virtual_cluster": 2,
    "project": 1,
    "poll_interval": 2,
    "deferrable": True,
    "retries": 1,
    "retry_delay": timedelta(seconds=1),
}

with DAG("patient", schedule=None):
    TrainingOperator.partial(task_id="mapped", command=WAIT, **JOB).expand(name=["first", "second"])
    TrainingOperator(
        task_id="second_try",
        name="second-try",
        # Its first try makes the folder and fails, its second finds it.
        command="mkdir {{ dag_run.conf['folder'] }}/tried && exit 1; " + WAIT,
        **JOB,
    )
    TrainingOperator(task_id="in_place", name="in-place", command=WAIT, **{**JOB, "deferrable": False})
