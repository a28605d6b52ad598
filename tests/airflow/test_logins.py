"""A process that works for a task logs in once, whatever it does there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from task_life import TaskInstance, TaskLife

from airflow_provider_aihub.aihub.model_training import TrainingSpec
from airflow_provider_aihub.emulators.aihub import Emulator
from airflow_provider_aihub.hooks.aihub import AIHubHook
from airflow_provider_aihub.operators.dataset import CreateDatasetOperator, DatasetVersionOperator
from airflow_provider_aihub.operators.stop import StopTrainingOperator
from airflow_provider_aihub.operators.training import TrainingOperator
from airflow_provider_aihub.operators.warehouse import WarehouseSearchOperator
from airflow_provider_aihub.sensors.training import TrainingSensor

LOGIN = "/api/v1/auth/login"
ON_AIHUB: dict[str, Any] = {"image": "any", "virtual_cluster": "vc-cpu", "project": 2, "poll_interval": 1}


@pytest.fixture(params=["aihub", "document"])
def hub(request: pytest.FixtureRequest) -> Emulator:
    return request.getfixturevalue(request.param)


@pytest.fixture
def logins(hub: Emulator) -> Callable[[], int]:
    """Say how often somebody has logged in since this was asked last."""
    seen = hub.requests.count("POST", LOGIN)

    def since() -> int:
        nonlocal seen
        before, seen = seen, hub.requests.count("POST", LOGIN)
        return seen - before

    return since


def training(**given: Any) -> TaskLife:
    arguments = {"task_id": "t", "name": "t", "command": "sleep 1", **ON_AIHUB, **given}
    return TaskLife(lambda: TrainingOperator(**arguments))


def test_a_task_that_waits_in_its_worker(logins: Callable[[], int]) -> None:
    """It finds ids for names, creates, polls and gives its result."""
    training().try_once()
    assert logins() == 1


def test_a_task_that_fails(hub: Emulator, logins: Callable[[], int]) -> None:
    """It also reads what is known of the pods."""
    with pytest.raises(Exception, match="failed"):
        training(command="exit 1").try_once()
    assert logins() == 1


def test_a_deferred_task(logins: Callable[[], int]) -> None:
    """Its worker, its triggerer and the worker in which it resumes are three processes."""
    life = training(deferrable=True)
    trigger = life.start()
    assert logins() == 1
    life.resume(trigger)
    assert logins() == 2


def test_a_task_that_is_killed(hub: Emulator, logins: Callable[[], int]) -> None:
    operator = TrainingOperator(task_id="t", name="t", command="sleep 60", wait_for_completion=True, **ON_AIHUB)

    def kill(*_: Any) -> None:
        operator.on_kill()
        raise SystemExit

    operator.__dict__["link"] = kill
    with pytest.raises(SystemExit):
        operator.execute(TaskLife(lambda: operator).context)
    assert hub.requests.count("POST", "*/stop") == 1
    assert logins() == 1


def test_files_datasets_and_results(hub: Emulator, logins: Callable[[], int], new_name: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("12345")
    made = CreateDatasetOperator(task_id="create", name=new_name).execute({"ti": TaskInstance("create")})
    assert logins() == 1
    version = {"local_path": str(tmp_path), "bucket": "b12", "dataset": made["id"], "dataset_name": new_name}
    TaskLife(lambda: DatasetVersionOperator(task_id="v", poll_interval=1, **version)).try_once()
    assert logins() == 1
    search = {"name": "s", "sql": "SELECT 1", "output_path": str(tmp_path / "s.csv"), "poll_interval": 1}
    TaskLife(lambda: WarehouseSearchOperator(task_id="s", **search)).try_once()
    assert logins() == 1


def test_sensors_and_stops(hub: Emulator, logins: Callable[[], int]) -> None:
    hook = AIHubHook()
    given = {"image": "i", "virtual_cluster_id": 1, "project_id": 1}
    number = hook.create_training(TrainingSpec.build(name="t", command="sleep 1", **given))
    assert logins() == 1
    TaskLife(lambda: TrainingSensor(task_id="w", training_id=number, poke_interval=0.2)).try_once()
    assert logins() == 1
    number = hook.create_training(TrainingSpec.build(name="t", command="sleep 60", **given))
    stop = StopTrainingOperator(task_id="stop", training_id=number, poll_interval=1)
    assert stop.execute({"ti": TaskInstance("stop")})["status"] == "stopped"
    assert logins() == 1
