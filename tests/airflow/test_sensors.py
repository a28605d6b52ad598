"""The sensors against an AIHub on this machine, in all their modes."""

from __future__ import annotations

import asyncio
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferred,
)
from task_life import TaskLife, said
from waiting import until

from airflow_provider_aihub.aihub.data_warehouse import SearchSpec
from airflow_provider_aihub.aihub.dataset_management import DatasetSpec, DatasetVersionSpec
from airflow_provider_aihub.aihub.errors import (
    AIHubJobFailed,
    AIHubJobStopped,
    AIHubNotFoundError,
    AIHubParameterError,
    AIHubUnavailable,
)
from airflow_provider_aihub.aihub.model_training import TrainingSpec
from airflow_provider_aihub.aihub.quota_schedule import QuotaTaskSpec
from airflow_provider_aihub.aihub.workflow_center import WorkflowRunSpec
from airflow_provider_aihub.emulators.aihub import Emulator
from airflow_provider_aihub.hooks.aihub import AIHubHook
from airflow_provider_aihub.sensors.base import JobSensor
from airflow_provider_aihub.sensors.dataset import DatasetVersionSensor
from airflow_provider_aihub.sensors.label_project import LabelProjectSensor
from airflow_provider_aihub.sensors.model import ModelSensor
from airflow_provider_aihub.sensors.quota_task import QuotaTaskSensor
from airflow_provider_aihub.sensors.training import TrainingSensor
from airflow_provider_aihub.sensors.warehouse import WarehouseSearchSensor
from airflow_provider_aihub.sensors.workflow import WorkflowRunSensor
from airflow_provider_aihub.triggers.job import JobTrigger

MODES: dict[str, dict[str, Any]] = {
    "poke": {"mode": "poke"},
    "reschedule": {"mode": "reschedule"},
    "deferred": {"deferrable": True},
}
every_mode = pytest.mark.parametrize("mode", MODES)
TRAINING = "/model-training-platform/api/v1/trainings/*"


@pytest.fixture
def hook(aihub: Emulator) -> Iterator[AIHubHook]:
    yield AIHubHook()
    aihub.faults.clear()


def sensor(kind: type[JobSensor], mode: str = "poke", **given: Any) -> TaskLife:
    arguments: dict[str, Any] = {"task_id": "wait", "poke_interval": 0.2, "timeout": 30, **MODES[mode], **given}
    return TaskLife(lambda: kind(**arguments))


def start_training(hook: AIHubHook, command: str) -> int:
    spec = TrainingSpec.build(name="t", command=command, image="i", virtual_cluster_id=1, project_id=1)
    return hook.create_training(spec)


def start_version(hook: AIHubHook, aihub: Emulator, name: str, *, whole: bool = True) -> int:
    archive = Path(aihub.home, "storage", "shared", f"{name}.zip")
    with zipfile.ZipFile(archive, "w") as images:
        images.writestr("a.txt", "12345")
    if not whole:
        archive.write_bytes(b"no zip")
    dataset_id = hook.create_dataset(DatasetSpec.build(name=name))
    return hook.create_dataset_version(
        DatasetVersionSpec.build(dataset_id=dataset_id, upload_type="zip", upload_path=str(archive))
    )


@every_mode
def test_a_training_is_waited_for(hook: AIHubHook, mode: str) -> None:
    training_id = start_training(hook, "sleep 0.6")
    life = sensor(TrainingSensor, mode, training_id=training_id)
    assert life.try_once() == {"id": training_id, "status": "succeeded"}
    assert life.deferrals == int(mode == "deferred")
    assert (life.reschedules > 0) == (mode == "reschedule")


@every_mode
def test_a_quota_task_is_waited_for(hook: AIHubHook, mode: str) -> None:
    spec = QuotaTaskSpec.build(name="q", command="true", image="i", virtual_cluster_id=1, project_id=1)
    task_id = hook.create_quota_task(spec)
    assert sensor(QuotaTaskSensor, mode, quota_task_id=task_id).try_once() == {"id": task_id, "status": "succeeded"}


@every_mode
def test_a_search_is_waited_for(hook: AIHubHook, mode: str) -> None:
    search_id = hook.create_search(SearchSpec.build(name="s", sql="select * from meta"))
    result = sensor(WarehouseSearchSensor, mode, search_id=str(search_id)).try_once()
    assert result["id"] == search_id
    assert result["result_url"].startswith("http")


@every_mode
def test_a_workflow_run_is_waited_for(hook: AIHubHook, mode: str) -> None:
    run_id = hook.create_workflow_run(
        WorkflowRunSpec.build(name="r", pipeline_id=1, pipeline_version_id=1, project_id=1, params={"name": "x"})
    )
    assert sensor(WorkflowRunSensor, mode, workflow_run_id=run_id).try_once() == {"id": run_id, "status": "succeeded"}


@every_mode
@pytest.mark.parametrize("server", ["aihub", "document"])
def test_a_version_that_does_not_exist_yet_is_waited_for(
    request: pytest.FixtureRequest, mode: str, new_name: str, server: str
) -> None:
    emulator: Emulator = request.getfixturevalue(server)
    starter = threading.Timer(0.7, start_version, (AIHubHook(), emulator, new_name))
    starter.start()
    result = sensor(DatasetVersionSensor, mode, dataset_version=f"{new_name}/V1").try_once()
    starter.join()
    assert (result["version"], result["data_count"], result["data_size"]) == (1, 1, 5)


@every_mode
def test_a_job_that_failed_fails_the_sensor_at_once(hook: AIHubHook, mode: str) -> None:
    training_id = start_training(hook, "exit 3")
    with pytest.raises(AIHubJobFailed, match=rf"training {training_id} .* failed") as failure:
        sensor(TrainingSensor, mode, training_id=training_id).try_once()
    assert isinstance(failure.value, AirflowFailException)


@every_mode
def test_a_version_that_failed_gives_aihubs_message(aihub: Emulator, hook: AIHubHook, mode: str, new_name: str) -> None:
    start_version(hook, aihub, new_name, whole=False)
    with pytest.raises(AIHubJobFailed, match="zip"):
        sensor(DatasetVersionSensor, mode, dataset_version=f"{new_name}/V1").try_once()


@every_mode
def test_a_job_that_was_stopped_fails_the_sensor(hook: AIHubHook, mode: str) -> None:
    training_id = start_training(hook, "sleep 60")
    threading.Timer(0.5, hook.stop_training, (training_id,)).start()
    with pytest.raises(AIHubJobStopped, match="by admin"):
        sensor(TrainingSensor, mode, training_id=training_id).try_once()


@every_mode
def test_soft_fail_skips_instead(hook: AIHubHook, mode: str) -> None:
    training_id = start_training(hook, "exit 3")
    with pytest.raises(AirflowSkipException):
        sensor(TrainingSensor, mode, training_id=training_id, soft_fail=True).try_once()


@every_mode
@pytest.mark.parametrize("soft_fail", [True, False])
def test_the_timeout_ends_the_waiting_and_not_the_job(hook: AIHubHook, mode: str, soft_fail: bool) -> None:
    training_id = start_training(hook, "sleep 60")
    with pytest.raises(AirflowSkipException if soft_fail else AirflowSensorTimeout):
        sensor(TrainingSensor, mode, training_id=training_id, timeout=1, soft_fail=soft_fail).try_once()
    assert hook.get_training(training_id).status == 2
    hook.stop_training(training_id)


@every_mode
def test_polls_that_fail_do_not_fail_the_sensor(aihub: Emulator, hook: AIHubHook, mode: str) -> None:
    training_id = start_training(hook, "sleep 0.6")
    aihub.faults.add("status", method="GET", path=TRAINING, status=502, count=3)
    assert sensor(TrainingSensor, mode, training_id=training_id).try_once()["status"] == "succeeded"


@pytest.mark.usefixtures("short_pauses")
def test_a_sensor_that_resumes_while_aihub_is_down_waits_on(aihub: Emulator, hook: AIHubHook, tmp_path: Path) -> None:
    training_id = start_training(hook, f"for _ in $(seq 600); do [ ! -e {tmp_path}/go ] || exit 0; sleep 0.05; done")
    life = sensor(TrainingSensor, "deferred", training_id=training_id, timeout=100)
    trigger = life.start()
    (tmp_path / "go").touch()
    event = asyncio.run(life._event(trigger))
    aihub.faults.add("status", method="GET", path=TRAINING, status=503)
    for rounds in range(1, 6):
        with pytest.raises(TaskDeferred) as deferred:
            life.make().execute_complete(life.context, event)
        again = deferred.value.trigger
        assert again.rounds == rounds
        # The job has ended in time, so it cannot be late any more.
        assert again.deadline > trigger.deadline
        event["rounds"] = rounds
    with pytest.raises(AIHubUnavailable):
        life.make().execute_complete(life.context, event)
    aihub.faults.clear()
    assert life.resume(again)["status"] == "succeeded"


def test_a_sensor_that_is_cleared_while_it_resumes_waits_anew(hook: AIHubHook, tmp_path: Path) -> None:
    """Airflow 3.3 resumes the next try with the same event."""
    training_id = start_training(hook, f"for _ in $(seq 600); do [ ! -e {tmp_path}/go ] || exit 0; sleep 0.05; done")
    life = sensor(TrainingSensor, "deferred", training_id=training_id, timeout=1)
    event = asyncio.run(life._event(life.start()))
    assert event["outcome"] == "deadline"
    (tmp_path / "go").touch()
    until("the job is done", lambda: hook.get_training(training_id).status, (3).__eq__)
    life.clear()
    life.ti.try_number += 1
    came = life.make().execute_complete(life.context, {**event, "try_number": 1})
    assert came["status"] == "succeeded"


@pytest.mark.parametrize("mode", ["poke", "deferred"])
def test_polls_that_fail_for_too_long_do(aihub: Emulator, hook: AIHubHook, mode: str) -> None:
    training_id = start_training(hook, "sleep 60")
    aihub.faults.add("status", method="GET", path=TRAINING, status=502)
    with pytest.raises(AIHubUnavailable):
        sensor(TrainingSensor, mode, training_id=training_id, poll_tolerance=1).try_once()
    aihub.faults.clear()
    hook.stop_training(training_id)


def test_a_job_that_does_not_exist(hook: AIHubHook) -> None:
    with pytest.raises(AIHubNotFoundError, match="99999"):
        sensor(TrainingSensor, "poke", training_id=99999).try_once()


@pytest.mark.parametrize(
    ("given", "pauses"),
    [
        ({"poke_interval": 7}, [7, 7, 7, 7]),
        ({"poke_interval": 7, "exponential_backoff": True}, [7, 14, 28, 56]),
        ({"poke_interval": 7, "exponential_backoff": True, "max_wait": 20}, [7, 14, 20, 20]),
    ],
)
def test_the_trigger_pauses_as_the_sensor_says(hook: AIHubHook, given: dict[str, Any], pauses: list[int]) -> None:
    training_id = start_training(hook, "sleep 60")
    trigger = sensor(TrainingSensor, "deferred", training_id=training_id, **given).start()
    hook.stop_training(training_id)
    assert isinstance(trigger, JobTrigger)
    watch = trigger.watch()
    assert [watch.pause(looks, 0.0) for looks in (1, 2, 3, 4)] == pauses


def test_the_waiting_can_start_in_the_triggerer() -> None:
    from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS, AIRFLOW_V_3_3_PLUS

    arguments: dict[str, Any] = {"task_id": "wait", "start_from_trigger": True, "timeout": 60}
    plain = TrainingSensor(training_id=12, **arguments).start_trigger_args
    templated = TrainingSensor(training_id="{{ params.id }}", **arguments).start_trigger_args
    if AIRFLOW_V_3_0_PLUS and not AIRFLOW_V_3_3_PLUS:
        assert plain is None
        assert templated is None
        return
    assert plain is not None
    assert plain.timeout.total_seconds() == 60
    trigger = JobTrigger(**plain.trigger_kwargs)
    assert trigger.training_id == 12
    assert not trigger.owner
    if AIRFLOW_V_3_3_PLUS:
        assert templated is not None
        assert templated.trigger_kwargs["training_id"] == "{{ params.id }}"
        for pull, works in (("ti.xcom_pull('a')", False), ("ti.xcom_pull('a', map_indexes=-1)", True)):
            sensor = TrainingSensor(training_id=f"{{{{ {pull}['id'] }}}}", **arguments)
            assert (sensor.start_trigger_args is not None) == works
    else:
        assert templated is None


@every_mode
@pytest.mark.parametrize(("word", "skipped"), [("False", False), ("true", True)])
def test_a_switch_is_what_its_word_says(hook: AIHubHook, mode: str, word: str, skipped: bool) -> None:
    """A template renders a boolean to its word, and the word for no is a text that is not empty."""
    training_id = start_training(hook, "exit 3")
    expected: type[Exception] = AirflowSkipException if skipped else AIHubJobFailed
    how = {"poke_interval": "0.2", "timeout": "30", "exponential_backoff": "False", "max_wait": "None"}
    with pytest.raises(expected):
        sensor(TrainingSensor, mode, training_id=training_id, soft_fail=word, **how).try_once()


@pytest.mark.parametrize(
    "how",
    [
        {"poll_tolerance": "{{ params.tolerance }}"},
        {"timeout": "{{ params.timeout }}"},
        {"soft_fail": "perhaps"},
        {"poke_interval": -1},
    ],
)
def test_what_a_worker_must_read_first_starts_in_a_worker(how: dict[str, Any]) -> None:
    assert TrainingSensor(task_id="wait", training_id=12, start_from_trigger=True, **how).start_trigger_args is None


def test_the_waiting_starts_in_a_worker_unless_told_otherwise() -> None:
    assert TrainingSensor(task_id="wait", training_id=12).start_trigger_args is None
    # Airflow would give every mapped task what the class has.
    assert TrainingSensor.start_trigger_args is None


@pytest.mark.parametrize("mode", MODES)
def test_a_wrong_id_is_told_of_by_the_parameter_s_own_name(aihub: Emulator, mode: str) -> None:
    before = len(aihub.requests)
    for kind, wrong in (
        (DatasetVersionSensor, "wide-V1"),
        (DatasetVersionSensor, 0),
        (WorkflowRunSensor, "first"),
        (TrainingSensor, "first"),
        (TrainingSensor, "None"),
        (QuotaTaskSensor, "first"),
        (WarehouseSearchSensor, "first"),
        (ModelSensor, "None"),
        (ModelSensor, ["m"]),
        (LabelProjectSensor, "None"),
        (LabelProjectSensor, {"p": 1}),
    ):
        with pytest.raises(AIHubParameterError) as told:
            sensor(kind, mode, **{kind.job_field: wrong}).try_once()
        assert str(told.value).startswith(f"{kind.job_field} must be ")
        end = ", as a template renders when it finds nothing" if wrong == "None" else ""
        assert said(told.value).endswith(f", not {wrong!r}{end}.")
    assert len(aihub.requests) == before
