"""The flagship DAG in a real Airflow, with the waiting done in a real triggerer."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from airflow_2 import Airflow2
from waiting import SLACK

from demo.local_aihub import LocalAIHub
from demo.postgres import Postgres
from demo.real_airflow import RealAirflow

EXAMPLES = Path(__file__).resolve().parents[2] / "example_dags"
DAG_ID, SENSOR_DAG_ID = "digits_end_to_end", "example_training_sensor"
WAITING = {
    "find_images": "WarehouseSearchOperator",
    "make_version": "DatasetVersionOperator",
    "train": "TrainingOperator",
    "predict": "QuotaTaskOperator",
    "register_model": "ModelUploadOperator",
}
"""The tasks that wait for a job, and their operators."""


@dataclass
class Run:
    """One run of the flagship DAG that has ended."""

    airflow: RealAirflow
    aihub: LocalAIHub
    run_id: str = ""
    seen: dict[str, list[str]] = field(default_factory=dict)
    """For each task, the states in which it was seen, in order."""

    def result(self, task_id: str, key: str = "return_value") -> Any:
        return self.airflow.xcom(DAG_ID, self.run_id, task_id, key)


@pytest.fixture(scope="module")
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    home = tmp_path_factory.mktemp("flagship")
    with ExitStack() as stack:
        aihub = stack.enter_context(LocalAIHub(home / "emulator"))
        kind, env = RealAirflow, {"AIRFLOW_CONN_AIHUB_DEFAULT": aihub.connection}
        if find_spec("airflow.sdk") is None:
            request.getfixturevalue("postgresql")
            kind, env = Airflow2, env | stack.enter_context(Postgres()).as_airflows
        # These alone: an Airflow that has all examples reads them all, again and again.
        dags = home / "dags"
        shutil.copytree(EXAMPLES / "digits", dags / "digits")
        for dag_id in (DAG_ID, SENSOR_DAG_ID):
            shutil.copy(EXAMPLES / f"{dag_id}.py", dags)
        airflow = stack.enter_context(kind(home / "airflow", dags, env, SLACK))
        yield Run(airflow, aihub, *followed(airflow, DAG_ID))


def followed(airflow: RealAirflow, dag_id: str) -> tuple[str, dict[str, list[str]]]:
    """Run a DAG to its end; give the id of the run, and for each task the states in which it was seen."""
    run_id = airflow.trigger(dag_id)
    seen: dict[str, list[str]] = {}
    for tasks in airflow.watch(dag_id, run_id):
        for task in tasks:
            states = seen.setdefault(task["task_id"], [])
            if task["state"] and task["state"] not in states[-1:]:
                states.append(task["state"])
    return run_id, seen


def test_every_task_succeeds(run: Run) -> None:
    ended = {task_id: states[-1] for task_id, states in run.seen.items()}
    failed = [task_id for task_id, state in ended.items() if state == "failed"]
    assert set(ended.values()) == {"success"}, "\n".join(
        run.airflow.log(DAG_ID, run.run_id, task).tail() for task in failed
    )
    assert run.airflow.run_state(DAG_ID, run.run_id) == "success"


def test_no_task_needs_a_second_try(run: Run) -> None:
    tries = {task["task_id"]: task["try_number"] for task in run.airflow.task_instances(DAG_ID, run.run_id)}
    assert set(tries.values()) == {1}, tries


@pytest.mark.parametrize("task_id", WAITING)
def test_waiting_is_done_in_the_triggerer(run: Run, task_id: str) -> None:
    assert "deferred" in run.seen[task_id]
    assert run.airflow.log(DAG_ID, run.run_id, task_id).deferred


@pytest.mark.parametrize("task_id", WAITING)
def test_aihub_has_exactly_one_job_for_a_task(run: Run, task_id: str) -> None:
    jobs = run.aihub.jobs(WAITING[task_id])
    done = "ready" if task_id == "register_model" else 3
    assert [(job["id"], job["status"]) for job in jobs] == [(run.result(task_id, "job_id"), done)]
    assert run.result(task_id)["id"] == run.result(task_id, "job_id")


def test_the_evaluation_is_imported_once(run: Run) -> None:
    assert run.result("import_evaluation") == {"id": 1}


def test_the_model_is_good(run: Run) -> None:
    assert 0.9 < run.result("check_accuracy") <= 1


def test_the_model_is_registered_and_reported(run: Run) -> None:
    model, report = run.result("register_model"), run.result("report_accuracy")
    assert (model["name"], model["status"], model["count"]) == ("digits", "succeeded", 2)
    (found,) = run.aihub.read("/eval-platform/api/v1/run/", run_id=report["run_id"])["data"]
    assert (found["id"], found["model_name"]) == (report["id"], "digits")
    assert found["metrics_summary"] == {"metrics": {"accuracy": run.result("check_accuracy")}}


def test_the_model_is_deployed_and_answers(run: Run) -> None:
    service = run.result("deploy")
    assert run.airflow.log(DAG_ID, run.run_id, "deploy").deferred
    assert (service["name"], service["status"]) == ("digits/V1", "online")
    assert 0.9 < run.result("ask_service") <= 1


def test_the_results_say_what_was_done(run: Run) -> None:
    assert run.result("find_images")["result_count"] == 1797
    version = run.result("make_version")
    assert (version["dataset_version"], version["data_count"]) == ("digits/V1", 1797)


def test_no_secret_is_in_the_logs(run: Run) -> None:
    secrets = [run.aihub.address["password"], run.aihub.address["relay_token"]]
    for file in run.airflow.home.rglob("*.log"):
        text = file.read_text(errors="replace")
        assert not any(secret in text for secret in secrets), file


@pytest.mark.airflow(">=3.3", lacks="templates that are rendered in the triggerer")
def test_a_sensor_can_wait_without_any_worker(run: Run) -> None:
    run_id, seen = followed(run.airflow, SENSOR_DAG_ID)
    states = seen["wait"]
    assert states[-1] == "success"
    assert "running" not in states[: states.index("deferred")]
    started, awaited = (run.airflow.xcom(SENSOR_DAG_ID, run_id, task, "return_value") for task in ("start", "wait"))
    assert awaited == {"id": started["id"], "status": "succeeded"}
