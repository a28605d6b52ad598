"""Decides why a trigger was cancelled: a user has acted on its task, or another triggerer takes it over.

Airflow 3.3.0 to 3.3.2 call ``on_kill`` in both cases, and older versions in none. So the task's state decides: if the
task is still deferred, its trigger is handed over and the job must not be stopped, unless the task was cleared and has
deferred again.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import XCom
from asgiref.sync import sync_to_async

from airflow_provider_aihub.tasks import own_xcoms
from airflow_provider_aihub.tasks.own_state import has_supervisor, state_of
from airflow_provider_aihub.triggers.cancellation import shielded

if TYPE_CHECKING:
    from airflow.models.taskinstance import TaskInstance


async def still_deferred(task_instance: Any) -> bool:
    """Whether the task is deferred, by Airflow's record.

    :param task_instance: ``task_instance`` of the trigger.
    :raises Exception: Airflow's own error if it does not answer.
    """
    return bool(await _state(task_instance) == "deferred")


async def has_newer_try(task_instance: Any, trigger_id: int | None, about: Mapping[str, Any]) -> bool:
    """Whether a deferred task has been cleared or retried, and now waits for another job.

    Airflow 2 shows for which trigger the task waits. Airflow 3 shows a trigger nothing about the tries of a task. But
    it clears the task's XComs before each try, and the worker sets XComs about the job before it defers, so these are
    compared. Jobs with the same id on two platforms whose pages have the same address cannot be distinguished.

    :param task_instance: ``task_instance`` of the trigger.
    :param trigger_id: Airflow's id of the trigger.
    :param about: The XComs, by their keys, of a task that waits for this trigger's job.
    :raises Exception: Airflow's own error if it does not answer.
    """
    if not has_supervisor():
        return (await shielded(sync_to_async(_in_database)(task_instance)))[1] != trigger_id
    if _shuts_down():
        return False
    for key, own in about.items():
        if key.startswith("_link_"):
            read = partial(own_xcoms.get, task_instance, key)
        else:
            read = partial(XCom.get_one, key=key, **_place(task_instance))
        now = await shielded(sync_to_async(read)())
        if now is not None and str(now) != str(own):
            return True
    return False


def _shuts_down() -> bool:
    """Whether the triggerer is being shut down, so that an answer of Airflow would never be read."""
    from airflow.sdk.execution_time import task_runner

    reader = getattr(getattr(task_runner, "SUPERVISOR_COMMS", None), "_reader_task", None)
    return reader is not None and reader.done()


def _place(ti: TaskInstance) -> dict[str, Any]:
    return {"dag_id": ti.dag_id, "task_id": ti.task_id, "run_id": ti.run_id, "map_index": ti.map_index}


async def _state(ti: TaskInstance) -> str | None:
    if not has_supervisor():
        return (await shielded(sync_to_async(_in_database)(ti)))[0]
    if _shuts_down():
        return "deferred"
    return await shielded(sync_to_async(state_of)(ti))


def _in_database(ti: TaskInstance) -> tuple[str | None, int | None]:
    """Return the task's state and trigger id from the metadata database, which a trigger of Airflow 2 may read."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        found = session.execute(
            select(TaskInstance.state, TaskInstance.trigger_id).where(
                TaskInstance.dag_id == ti.dag_id,
                TaskInstance.task_id == ti.task_id,
                TaskInstance.run_id == ti.run_id,
                TaskInstance.map_index == ti.map_index,
            )
        ).first()
        return (found[0], found[1]) if found else (None, None)
