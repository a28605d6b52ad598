"""Whether a trigger was cancelled because somebody acted on its task, or merely handed to another triggerer.

Airflow 3.3.0 to 3.3.2 call ``on_kill`` in both cases, and older ones tell neither, so the task's state decides: a
task that is still deferred is being handed over, and its job must live.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async

from airflow_provider_aihub.triggers.undisturbed import undisturbed

if TYPE_CHECKING:
    from airflow.models.taskinstance import TaskInstance


async def still_deferred(task_instance: Any) -> bool:
    """Whether Airflow still holds the task to be deferred.

    :param task_instance: What the triggerer gave the trigger.
    :raises Exception: Whatever Airflow raises where it cannot tell.
    """
    return bool(await _state(task_instance) == "deferred")


async def _state(ti: TaskInstance) -> str | None:
    try:
        import airflow.sdk.execution_time.task_runner as task_runner
    except ImportError:
        return await undisturbed(sync_to_async(_state_in_database)(ti))
    reader = getattr(getattr(task_runner, "SUPERVISOR_COMMS", None), "_reader_task", None)
    if reader is not None and reader.done():
        # The triggerer is being shut down, and Airflow's answer would be read by nobody.
        return "deferred"
    call = sync_to_async(task_runner.RuntimeTaskInstance.get_task_states)(
        dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id], map_index=ti.map_index
    )
    states: dict[str, dict[str, Any]] = await undisturbed(call)
    of_run = states.get(ti.run_id, {})
    # A mapped task stands under "<task_id>_<map_index>", any other under its id.
    return of_run.get(f"{ti.task_id}_{ti.map_index}", of_run.get(ti.task_id))


def _state_in_database(ti: TaskInstance) -> str | None:
    """Ask the metadata database, as Airflow 2 lets a trigger do."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        state: str | None = session.scalar(
            select(TaskInstance.state).where(
                TaskInstance.dag_id == ti.dag_id,
                TaskInstance.task_id == ti.task_id,
                TaskInstance.run_id == ti.run_id,
                TaskInstance.map_index == ti.map_index,
            )
        )
        return state
