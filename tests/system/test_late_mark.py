"""Tasks that a person marks or clears in a real Airflow while their workers, which hear of it only with their next
heartbeats, are about to defer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from scene import STOPPED, SUCCEEDED, TRAININGS
from waiting import until

from airflow_provider_aihub.emulators.aihub import Emulator
from airflow_provider_aihub.hooks.aihub import AIHubHook
from demo.real_airflow import NOTICE, RealAirflow

DAG = """
from datetime import timedelta

from airflow.providers.common.compat.sdk import DAG
from airflow_provider_aihub.operators.training import TrainingOperator

for action in ("mark", "clear"):
    with DAG(action, schedule=None) as dag:
        TrainingOperator(
            task_id="train",
            name=action,
            command="sleep 5",
            image="any",
            virtual_cluster="vc-cpu",
            project="research",
            deferrable=True,
            poll_interval=2,
            retry_delay=timedelta(seconds=1),
        )
    globals()[action] = dag
"""
SAID = {"mark": "Somebody has marked or cleared the task", "clear": "Airflow has given this task to another try"}


@pytest.fixture(scope="module")
def aihub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(tmp_path_factory.mktemp("aihub")) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def unhurried(tmp_path_factory: pytest.TempPathFactory, aihub: Emulator) -> Iterator[RealAirflow]:
    """An Airflow whose workers send heartbeats 20 s apart."""
    home = tmp_path_factory.mktemp("unhurried")
    (home / "dags").mkdir()
    (home / "dags" / "late.py").write_text(DAG)
    env = {"AIRFLOW_CONN_AIHUB_DEFAULT": aihub.connection_json(), NOTICE: "20"}
    with RealAirflow(home / "airflow", home / "dags", env) as airflow:
        yield airflow


@pytest.mark.parametrize("action", ["mark", "clear"])
def test_a_worker_that_has_not_heard_of_it_leaves_no_job(
    unhurried: RealAirflow, aihub: Emulator, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_AIHUB_DEFAULT", aihub.connection_json())
    creating = aihub.faults.add("delay", method="POST", path=TRAININGS, seconds=6, count=1)
    run_id = unhurried.trigger(action)
    until("the job is being created", lambda: creating.struck)
    if action == "mark":
        path = f"/dags/{action}/dagRuns/{run_id}/taskInstances/train"
        unhurried.api("PATCH", path, json={"new_state": "failed"})
    else:
        body = {"dry_run": False, "dag_run_id": run_id, "task_ids": ["train"], "only_failed": False}
        unhurried.api("POST", f"/dags/{action}/clearTaskInstances", json=body)
    until("the task has heard of it", lambda: SAID[action] in unhurried.log(action, run_id, "train").tail(), every=0.5)
    for _ in unhurried.watch(action, run_id):
        pass
    (task,) = unhurried.task_instances(action, run_id)
    jobs = sorted(AIHubHook().list_trainings(name=action).data, key=lambda job: job.id)
    expected = ("failed", [STOPPED]) if action == "mark" else ("success", [STOPPED, SUCCEEDED])
    assert (task["state"], [job.status for job in jobs]) == expected, unhurried.log(action, run_id, "train").tail()
