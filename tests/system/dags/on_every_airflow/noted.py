"""Trainings that note what Airflow tells them of their tries; a run is told where, besides connection and command."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import DAG, conf

from airflow_provider_aihub.operators.training import TrainingOperator


class NotedTraining(TrainingOperator):
    """A training that notes each begin of a try, each resumption and each kill."""

    def execute(self, context: Any) -> Any:
        """Note the begin of a try; submit the job or take it up."""
        self._note("begins", context)
        return super().execute(context)

    def execute_complete(self, context: Any, event: Any) -> Any:
        """Note that the task resumes; go on."""
        self._note("resumes", context)
        return super().execute_complete(context, event)

    def on_kill(self) -> None:
        """Note that the task is killed in its worker; stop the job."""
        task_try = self._life.task_try
        self._write({"event": "is killed", "try": task_try.tries.try_number, "holds a job": task_try.job is not None})
        super().on_kill()

    def _note(self, event: str, context: Any) -> None:
        self.notes, ti, store = context["dag_run"].conf["notes"], context["ti"], context.get("task_state_store")
        entry = store.get("aihub_job") if store is not None else None
        keys = ("job_id", "return_value")
        self._write(
            {
                "event": event,
                "try": ti.try_number,
                "max_tries": ti.max_tries,
                "retries": context["task"].retries,
                "record": entry["state"] if entry else None,
                "xcoms": [key for key in keys if ti.xcom_pull(task_ids=ti.task_id, key=key) is not None],
                "run_began": context["dag_run"].start_date.timestamp(),
            }
        )

    def _write(self, note: dict[str, Any]) -> None:
        with Path(self.notes).open("a") as file:
            file.write(json.dumps(note) + "\n")


RETRIES = Path(conf.get("logging", "base_log_folder"), "retries")
"""How many retries the DAG ``noted_fewer_retries`` grants; whoever changes it has the DAG read again."""
TASKS: dict[str, tuple[str, dict[str, Any]]] = {
    "noted_deferred": ("deferred", {"deferrable": True}),
    "noted_in_place": ("in_place", {}),
    "noted_time_limit": ("in_place", {"execution_timeout": timedelta(seconds=20)}),
    "noted_fewer_retries": ("in_place", {"retries": int(RETRIES.read_text()) if RETRIES.exists() else 1}),
}
for dag_id, (task_id, given) in TASKS.items():
    with DAG(dag_id, schedule=None):
        NotedTraining(
            task_id=task_id,
            name=task_id,
            aihub_conn_id="{{ dag_run.conf['conn'] }}",
            command="{{ dag_run.conf['command'] }}",
            image="any",
            virtual_cluster=1,
            project=1,
            poll_interval=2,
            **{"retries": 1, "retry_delay": timedelta(seconds=1), **given},
        )
