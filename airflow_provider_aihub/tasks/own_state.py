"""The state of a task by Airflow's record, as the task itself or its trigger asks for it in Airflow 3."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, Final

ENDED_BY_OTHERS: Final = {"failed", "success", "skipped", "removed", "restarting"}
"""States of a task that runs in a worker by which somebody else has ended it: marked or cleared it, or a time limit of
its run, or another task of a DAG with ``fail_fast``."""


def has_supervisor() -> bool:
    """Whether this is Airflow 3, in which a task asks its supervisor for what it wants of Airflow."""
    return find_spec("airflow.sdk") is not None


def state_of(ti: Any) -> str | None:
    """Return the state of a task instance; ``None`` if there is none.

    :raises Exception: Airflow's own error if it does not answer.
    """
    from airflow.sdk.execution_time import task_runner

    states: dict[str, dict[str, Any]] = task_runner.RuntimeTaskInstance.get_task_states(
        dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id], map_index=ti.map_index
    )
    of_run = states.get(ti.run_id, {})
    # A mapped task stands under "<task_id>_<map_index>", any other under its id.
    return of_run.get(f"{ti.task_id}_{ti.map_index}", of_run.get(ti.task_id))
