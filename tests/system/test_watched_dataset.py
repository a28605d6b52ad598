"""A DAG that is scheduled on a dataset runs once for each new version, though every triggerer dies in between."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cluster import TRIGGERERS, Cluster
from scene import Scene
from waiting import until

from airflow_provider_aihub.aihub.client import AIHubClient
from airflow_provider_aihub.aihub.config import Config
from airflow_provider_aihub.aihub.dataset_management import DatasetSpec, DatasetVersionSpec

pytestmark = pytest.mark.usefixtures("alone")
DAG_ID = "watched"
EVENTS = "SELECT e.extra FROM asset_event e JOIN asset a ON a.id = e.asset_id WHERE a.uri LIKE '%%/datasets/pictures'"


@pytest.fixture
def add(airflow: Cluster, new_scene: Callable[..., Scene], tmp_path: Path) -> Callable[[bool], int]:
    """Creates a version of the dataset, good or bad, and gives its id when it is done."""
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.txt").write_text("123")
    scene = new_scene("watched_dataset", data=tmp_path)
    known = json.loads(scene.aihub.connection_json())
    known.pop("conn_type")
    client = AIHubClient(Config.from_connection(**known, environ={}))
    dataset_id = client.create_dataset(DatasetSpec(name="pictures"))

    def create(good: bool) -> int:
        path = tmp_path / ("pictures" if good else "nowhere")
        spec = DatasetVersionSpec.build(dataset_id=dataset_id, upload_path=str(path), upload_type="host")
        version_id = client.create_dataset_version(spec)
        status = 3 if good else 4
        until(f"version {version_id} is done", lambda: client.get_dataset_version(version_id).status, status.__eq__)
        return version_id

    return create


def notes(airflow: Cluster) -> list[dict[str, Any]]:
    kept = [json.loads(value) for (value,) in airflow.rows("SELECT value FROM asset_state_store")]
    return [note for note in kept if isinstance(note, dict)]


def told(airflow: Cluster) -> list[Any]:
    return [extra["payload"] for (extra,) in airflow.rows(f"{EVENTS} ORDER BY e.id")]


def test_each_version_starts_one_run(airflow: Cluster, add: Callable[[bool], int]) -> None:
    add(True)
    dag = until(
        "the DAG is there",
        lambda: next((d for d in airflow.api("GET", "/dags")["dags"] if d["dag_id"] == DAG_ID), None),
    )
    airflow.api("PATCH", f"/dags/{DAG_ID}", json={"is_paused": False})
    airflow.api("PUT", f"/parseDagFile/{dag['file_token']}")
    until("the watcher has begun", lambda: notes(airflow))
    first = add(True)
    until("the event is recorded", lambda: told(airflow), every=0.02)
    # Right now: the event is in the database, and the trigger has hardly heard of it.
    for name in TRIGGERERS:
        airflow.kill(name)
    (left,) = notes(airflow)
    assert [*left["firing"]] in ([], [str(first)])
    add(False)
    second = add(True)
    for name in TRIGGERERS:
        airflow.start_component("triggerer", name)
    expected = [
        {"id": first, "version": 2, "dataset": "pictures", "size": 3, "count": 1},
        {"id": second, "version": 4, "dataset": "pictures", "size": 3, "count": 1},
    ]
    until(
        "all is told and written down",
        lambda: notes(airflow),
        lambda found: [note["number"] for note in found if not note["firing"]] == [4],
    )
    runs = until(
        "the runs have ended",
        lambda: airflow.api("GET", f"/dags/{DAG_ID}/dagRuns")["dag_runs"],
        lambda runs: len(runs) >= 2 and {run["state"] for run in runs} == {"success"},
    )
    assert told(airflow) == expected
    assert len(runs) == 2
    came = [
        airflow.xcom(DAG_ID, run["dag_run_id"], "what_came") for run in sorted(runs, key=lambda run: run["run_after"])
    ]
    assert came == [[{"from_trigger": True, "payload": payload}] for payload in expected]
