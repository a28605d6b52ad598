"""XComs of this package: links, and the offsets of logs.

They are saved in Airflow's database even if users have configured a custom XCom backend. Such a backend may store each
value elsewhere and put only its address into the database, and Airflow 3 would show that address as the link. Airflow
bypasses the backend for its own links, too.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_aihub.tasks.uninterrupted import uninterrupted


def put(task_instance: Any, key: str, value: str) -> None:
    """Save a text.

    :param task_instance: A task instance, its key, or ``task_instance`` of a trigger.
    """
    base = _base()
    uninterrupted(lambda: base.set(key=key, value=value, **_place(task_instance)))


def get(task_instance: Any, key: str) -> str | None:
    """Return a saved text; ``None`` if there is none."""
    base, place = _base(), _place(task_instance)
    read = base.get_one if AIRFLOW_V_3_0_PLUS else partial(_in_database, base)
    value = uninterrupted(lambda: read(key=key, **place))
    return None if value is None else str(value)


def _base() -> Any:
    if AIRFLOW_V_3_0_PLUS:
        from airflow.sdk.bases.xcom import BaseXCom
    else:
        from airflow.models.xcom import BaseXCom  # type: ignore[no-redef]
    return BaseXCom


def _in_database(base: Any, **wanted: Any) -> Any:
    """Read an XCom from the database of Airflow 2, whose own ``get_one`` always uses the custom backend."""
    from airflow.utils.session import create_session

    with create_session() as session:
        found = session.query(base.value).filter_by(**wanted).first()
        return found and base.deserialize_value(found)


def _place(ti: Any) -> dict[str, Any]:
    return {"dag_id": ti.dag_id, "task_id": ti.task_id, "run_id": ti.run_id, "map_index": ti.map_index}
