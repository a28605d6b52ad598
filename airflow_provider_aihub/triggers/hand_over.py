"""Whether a trigger was cancelled because somebody acted on its task, or merely handed to another triggerer.

Airflow 3.3.0 to 3.3.2 call ``on_kill`` in both cases, and older ones tell neither, so the task's state decides: a
task that is still deferred is being handed over, and its job must live. Unless it was cleared and has deferred anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import XCom
from asgiref.sync import sync_to_async

from airflow_provider_aihub.tasks import own_xcoms
from airflow_provider_aihub.triggers.cancellation import shielded

if TYPE_CHECKING:
    from airflow.models.taskinstance import TaskInstance


async def still_deferred(task_instance: Any) -> bool:
    """Whether Airflow still holds the task to be deferred.

    :param task_instance: What the triggerer gave the trigger.
    :raises Exception: Whatever Airflow raises where it cannot tell.
    """
    return bool(await _state(task_instance) == "deferred")


async def has_newer_try(task_instance: Any, trigger_id: int | None, about: Mapping[str, Any]) -> bool:
    """Whether a task that is deferred was cleared or tried again meanwhile, and waits for another job.

    Airflow 2 shows which trigger the task waits for. Airflow 3 shows a trigger nothing of a task's tries (the task
    instance has another id in each, but can be looked up by none); but it clears the task's XComs before each, and
    what the worker put there of its job before it deferred tells. Jobs of the same id on two AIHubs whose pages have
    the same address cannot be told apart.

    :param about: XComs, by their keys, of the task that waits for the trigger's own job.
    :raises Exception: Whatever Airflow raises where it cannot tell.
    """
    if not _has_supervisor():
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


def _has_supervisor() -> bool:
    return find_spec("airflow.sdk") is not None


def _shuts_down() -> bool:
    """Whether the triggerer is being shut down, and Airflow's answers would be read by nobody."""
    from airflow.sdk.execution_time import task_runner

    reader = getattr(getattr(task_runner, "SUPERVISOR_COMMS", None), "_reader_task", None)
    return reader is not None and reader.done()


def _place(ti: TaskInstance) -> dict[str, Any]:
    return {"dag_id": ti.dag_id, "task_id": ti.task_id, "run_id": ti.run_id, "map_index": ti.map_index}


async def _state(ti: TaskInstance) -> str | None:
    if not _has_supervisor():
        return (await shielded(sync_to_async(_in_database)(ti)))[0]
    if _shuts_down():
        return "deferred"
    from airflow.sdk.execution_time import task_runner

    call = sync_to_async(task_runner.RuntimeTaskInstance.get_task_states)(
        dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id], map_index=ti.map_index
    )
    states: dict[str, dict[str, Any]] = await shielded(call)
    of_run = states.get(ti.run_id, {})
    # A mapped task stands under "<task_id>_<map_index>", any other under its id.
    return of_run.get(f"{ti.task_id}_{ti.map_index}", of_run.get(ti.task_id))


def _in_database(ti: TaskInstance) -> tuple[str | None, int | None]:
    """Ask the metadata database for state and trigger, as Airflow 2 lets a trigger do."""
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
