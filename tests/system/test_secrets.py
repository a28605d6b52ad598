"""No password and no token is anywhere but in the connection, which Airflow encrypts."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from cluster import Cluster
from cryptography.fernet import Fernet
from scene import HELD, Scene
from waiting import until

DATA = Path(__file__).parent / "data"


@pytest.mark.aihub(data=DATA)
def test_every_operator_does_its_work(scene: Scene) -> None:
    folder = scene.home / "files"
    folder.mkdir()
    scene.play("everything", folder=str(folder))
    states = scene.end()
    assert states.pop("sensor") == "failed"
    assert set(states.values()) == {"success"}, states


def test_no_secret_is_in_the_arguments_of_a_trigger(scene: Scene) -> None:
    scene.play("deferred", HELD)
    deferred = ["deferred"] * 4
    until("all are deferred", lambda: [task.state for task in scene.airflow.tasks(scene.run_id)], deferred.__eq__)
    found = scene.airflow.rows(
        "SELECT kwargs FROM trigger JOIN task_instance ti ON ti.trigger_id = trigger.id WHERE ti.run_id = %s",
        scene.run_id,
    )
    # Airflow may encrypt them, which would hide a secret from those who look through the database.
    key = Fernet(scene.airflow.env["AIRFLOW__CORE__FERNET_KEY"])
    arguments = [text if text.startswith("{") else key.decrypt(text.encode()).decode() for (text,) in found]
    assert arguments
    assert all(scene.conn_id in text for text in arguments)
    assert found_in("\n".join(arguments), scene.secrets) == []
    scene.finish()
    scene.end()


@pytest.mark.usefixtures("alone")
def test_no_secret_is_in_the_database(airflow: Cluster, secrets: set[str]) -> None:
    dump = airflow.database.dump()
    for table in ("task_instance", "xcom", "rendered_task_instance_fields", "connection", "task_state_store", "log"):
        assert f"INSERT INTO public.{table} " in dump, table
    assert len(secrets) > 4
    assert found_in(dump, secrets) == []


@pytest.mark.usefixtures("alone")
def test_no_secret_is_in_a_log(airflow: Cluster, secrets: set[str]) -> None:
    """In none of a task, a trigger, the scheduler, the DAG processor, a triggerer or the API server."""
    logs = [*airflow.home.rglob("*.log"), *airflow.home.glob("*.out")]
    assert {log.stem for log in logs} >= {"api-server", "scheduler", "dag-processor", "triggerer", "triggerer-2"}
    assert any(".trigger." in log.name for log in logs)
    assert {str(log): found for log in logs if (found := found_in(log.read_text(errors="replace"), secrets))} == {}


def found_in(text: str, secrets: set[str]) -> list[str]:
    """Return the secrets in a text, also where they are encoded, and of a token also its parts."""
    parts = {part for one in set(secrets) for part in (one.split(".")[1:] if one.count(".") == 2 else [one])}
    return [part for part in parts if any(form in text for form in forms(part))]


def forms(secret: str) -> set[str]:
    """Return a secret as it is, and as JSON, bytes and base64 show it."""
    in_base64 = base64.b64encode(secret.encode()).decode().rstrip("=")
    return {secret, json.dumps(secret)[1:-1], secret.encode().hex(), in_base64}
