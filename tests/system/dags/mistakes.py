"""A task for each of the ways in which a task that talks to AIHub fails."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG

from airflow_provider_aihub.operators.training import TrainingOperator

MISTAKES: dict[str, dict[str, Any]] = {
    "wrong_password": {"aihub_conn_id": "{{ dag_run.conf['conn'] }}_wrong_password", "virtual_cluster": "vc-cpu"},
    "connection_refused": {"aihub_conn_id": "{{ dag_run.conf['conn'] }}_refused"},
    "no_address": {"aihub_conn_id": "{{ dag_run.conf['conn'] }}_no_address"},
    "html": {"virtual_cluster": "vc-cpu"},
    "unknown_id": {"virtual_cluster": 99},
    "wrong_parameter": {"category": "cooking"},
    "job_fails": {},
    "job_fails_deferred": {"deferrable": True},
}

with DAG("mistakes", schedule=None):
    for task_id, given in MISTAKES.items():
        TrainingOperator(
            task_id=task_id,
            name=task_id,
            command="echo it broke >&2; exit 3",
            **{
                "aihub_conn_id": "{{ dag_run.conf['conn'] }}",
                "image": "any",
                "virtual_cluster": 1,
                "project": 1,
                "poll_interval": 2,
                **given,
            },
        )
