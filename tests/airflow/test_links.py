"""The links from a task to AIHub: while the job runs and after, in every try, in every mode."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS
from dag_runs import run_in_airflow
from task_life import TaskInstance, TaskLife
from waiting import until

from airflow_provider_aihub.aihub.dataset_management import DatasetSpec
from airflow_provider_aihub.aihub.errors import AIHubError, AIHubJobFailed
from airflow_provider_aihub.emulators.aihub import Emulator
from airflow_provider_aihub.hooks.aihub import AIHubHook
from airflow_provider_aihub.links import ResultCsvLink, ViewInAIHubLink, link_to_result
from airflow_provider_aihub.operators.base import JobOperator
from airflow_provider_aihub.operators.call import CallOperator
from airflow_provider_aihub.operators.dataset import CreateDatasetOperator, DatasetVersionOperator
from airflow_provider_aihub.operators.stop import StopTrainingOperator
from airflow_provider_aihub.operators.training import TrainingOperator
from airflow_provider_aihub.operators.warehouse import WarehouseResultToObjectStorageOperator, WarehouseSearchOperator
from airflow_provider_aihub.sensors.base import JobSensor
from airflow_provider_aihub.sensors.dataset import DatasetVersionSensor
from airflow_provider_aihub.sensors.training import TrainingSensor
from airflow_provider_aihub.sensors.warehouse import WarehouseSearchSensor
from airflow_provider_aihub.tasks import own_xcoms
from airflow_provider_aihub.triggers.job import JobTrigger

VIEW, CSV = ViewInAIHubLink.xcom_key, ResultCsvLink.xcom_key
TRAINING: dict[str, Any] = {"task_id": "train", "name": "t", "image": "any", "virtual_cluster": 1, "project": 1}

deferred_or_not = pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "in place"])
every_mode = pytest.mark.parametrize("mode", ["poke", "reschedule", "deferred"])


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """Gives the addresses that the task's log tells, of worker and triggerer."""
    log = logging.getLogger("test.task")
    for kind in (JobOperator, CallOperator, JobSensor, JobTrigger):
        monkeypatch.setattr(kind, "log", log)
    caplog.set_level(logging.INFO, log.name)
    told = "View it at "
    return lambda: [m.removeprefix(told) for m in (r.getMessage() for r in caplog.records) if m.startswith(told)]


def train(command: str = "true", **given: Any) -> TaskLife:
    return TaskLife(lambda: TrainingOperator(**{**TRAINING, "command": command, **given}))


def wait_for(training_id: int | str, mode: str, **given: Any) -> TaskLife:
    how = {"deferrable": True} if mode == "deferred" else {"mode": mode}
    return TaskLife(
        lambda: TrainingSensor(task_id="wait", training_id=training_id, poke_interval=0.2, timeout=30, **how, **given)
    )


def start_training(command: str) -> int:
    return int(train(command, wait_for_completion=False).try_once()["id"])


def test_the_link_is_there_while_a_deferred_job_runs(aihub: Emulator, told: Callable[[], list[str]]) -> None:
    life = train(deferrable=True)
    trigger = life.start()
    address = f"{aihub.url}/#/trainings/{life.ti.xcoms['job_id']}"
    assert life.ti.xcoms[VIEW] == address
    life.resume(trigger)
    assert life.ti.xcoms[VIEW] == address
    assert told() == [address]


def test_the_link_is_there_while_a_job_is_waited_for_in_place(aihub: Emulator, told: Callable[[], list[str]]) -> None:
    life = train("sleep 60", deferrable=False)
    failures: list[AIHubError] = []

    def work() -> None:
        try:
            life.try_once()
        except AIHubError as failure:
            failures.append(failure)

    worker = threading.Thread(target=work)
    worker.start()
    until("the link is pushed", lambda: life.ti.xcoms, lambda pushed: VIEW in pushed)
    job_id = life.ti.xcoms["job_id"]
    assert life.ti.xcoms[VIEW] == f"{aihub.url}/#/trainings/{job_id}"
    assert worker.is_alive()
    AIHubHook().stop_training(job_id)
    worker.join()
    assert len(failures) == 1
    assert told() == [life.ti.xcoms[VIEW]]


@deferred_or_not
def test_a_retry_links_to_its_own_job(aihub: Emulator, told: Callable[[], list[str]], deferrable: bool) -> None:
    life = train("exit 1", deferrable=deferrable)
    addresses = []
    for _ in range(2):
        with pytest.raises(AIHubJobFailed):
            life.try_once()
        addresses.append(f"{aihub.url}/#/trainings/{life.ti.xcoms['job_id']}")
        assert life.ti.xcoms[VIEW] == addresses[-1]
    assert addresses[0] != addresses[1]
    assert told() == addresses


@every_mode
def test_a_sensor_links_to_its_job(aihub: Emulator, told: Callable[[], list[str]], mode: str) -> None:
    job_id = start_training("sleep 0.6")
    address = f"{aihub.url}/#/trainings/{job_id}"
    life = wait_for(str(job_id), mode)
    life.try_once()
    assert life.ti.xcoms[VIEW] == address
    # The first is the operator's that started it.
    assert told() == [address, address]


def test_a_deferred_sensor_has_its_link_before_it_resumes(aihub: Emulator) -> None:
    job_id = start_training("sleep 60")
    life = wait_for(job_id, "deferred")
    assert isinstance(life.start(), JobTrigger)
    assert life.ti.xcoms[VIEW] == f"{aihub.url}/#/trainings/{job_id}"
    AIHubHook().stop_training(job_id)


def test_a_job_that_was_not_seen_has_no_link(aihub: Emulator, told: Callable[[], list[str]]) -> None:
    with pytest.raises(AIHubError):
        wait_for(99999, "poke").try_once()
    assert told() == []


def waiting_from_the_start(life: TaskLife, job_id: int) -> Any:
    """Let a sensor wait as the scheduler starts it in the triggerer; gives the trigger's event."""

    async def wait() -> Any:
        trigger = JobTrigger(aihub_conn_id="aihub_default", kind="training", training_id=job_id, owner=False)
        trigger.task_instance = life.ti
        (event,) = [event async for event in trigger.run()]
        return event.payload

    return asyncio.run(wait())


@pytest.mark.parametrize("taken", [True, False], ids=["airflow takes it", "airflow does not take it"])
def test_a_sensor_that_starts_in_the_triggerer(
    aihub: Emulator, told: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch, taken: bool
) -> None:
    job_id = start_training("sleep 0.6")
    life = wait_for(job_id, "deferred", start_from_trigger=True)
    address = f"{aihub.url}/#/trainings/{job_id}"
    with monkeypatch.context() as patch:
        if not taken:
            patch.setattr(own_xcoms, "put", Mock(side_effect=RuntimeError("no API server")))
        event = waiting_from_the_start(life, job_id)
    assert life.ti.xcoms.get(VIEW) == (address if taken else None)
    life.make().execute_complete(life.context, event)
    assert life.ti.xcoms[VIEW] == address
    assert told()[1:] == ([address] if taken else [address, address])


def test_a_trigger_of_a_worker_leaves_the_link_to_it(aihub: Emulator) -> None:
    job_id = start_training("sleep 0.4")
    life = wait_for(job_id, "deferred")
    trigger = life.start()
    trigger.task_instance = life.ti
    life.ti.xcoms.clear()

    async def wait() -> None:
        assert len([event async for event in trigger.run()]) == 1

    asyncio.run(wait())
    assert life.ti.xcoms == {}


@deferred_or_not
def test_a_search_links_to_its_result(aihub: Emulator, deferrable: bool) -> None:
    life = TaskLife(
        lambda: WarehouseSearchOperator(task_id="search", name="s", sql="select * from meta", deferrable=deferrable)
    )
    result = life.try_once()
    assert life.ti.xcoms[VIEW] == f"{aihub.url}/#/searches/{result['id']}"
    assert life.ti.xcoms[CSV] == result["result_url"]
    sensor = TaskLife(lambda: WarehouseSearchSensor(task_id="wait", search_id=result["id"], deferrable=deferrable))
    sensor.try_once()
    assert (sensor.ti.xcoms[VIEW], sensor.ti.xcoms[CSV]) == (life.ti.xcoms[VIEW], life.ti.xcoms[CSV])


def test_a_search_that_failed_has_no_result(aihub: Emulator) -> None:
    life = TaskLife(lambda: WarehouseSearchOperator(task_id="search", name="s", sql="no sql at all"))
    with pytest.raises(AIHubJobFailed):
        life.try_once()
    assert VIEW in life.ti.xcoms
    assert CSV not in life.ti.xcoms


@pytest.mark.parametrize(("url", "linked"), [("https://h/r.csv", True), ("javascript:alert(1)", False), ("", False)])
def test_only_web_addresses_become_links(url: str, linked: bool) -> None:
    ti = TaskInstance("search")
    operator = WarehouseSearchOperator(task_id="search", name="s", sql="select 1")
    link_to_result({"ti": ti}, operator, url)  # type: ignore[arg-type,typeddict-item]
    assert ti.xcoms == ({CSV: url} if linked else {})
    if AIRFLOW_V_3_0_PLUS:
        # It asks when the task ends, or has deferred; an XCom that is not there would be logged as an error.
        assert ResultCsvLink().get_link(operator, ti_key=None) == (url if linked else "")  # type: ignore[arg-type]


def test_calls_link_to_what_they_are_about(aihub: Emulator, new_name: str, tmp_path: Path) -> None:
    def call(operator: CallOperator) -> tuple[dict[str, Any], Any]:
        ti = TaskInstance(operator.task_id)
        return ti.xcoms, operator.execute({"ti": ti})  # type: ignore[arg-type,typeddict-item]

    xcoms, dataset = call(CreateDatasetOperator(task_id="create", name=new_name))
    assert xcoms == {VIEW: f"{aihub.url}/#/datasets/{dataset['id']}"}
    job_id = start_training("sleep 60")
    xcoms, _ = call(StopTrainingOperator(task_id="stop", training_id=job_id))
    assert xcoms == {VIEW: f"{aihub.url}/#/trainings/{job_id}"}
    search = TaskLife(lambda: WarehouseSearchOperator(task_id="search", name="s", sql="select 1")).try_once()
    save = WarehouseResultToObjectStorageOperator(
        task_id="save", search_id=search["id"], output_path=str(tmp_path / "r.csv")
    )
    xcoms, _ = call(save)
    assert xcoms == {VIEW: f"{aihub.url}/#/searches/{search['id']}", CSV: search["result_url"]}


def test_a_dataset_version_read_by_name_is_linked_by_its_id(aihub: Emulator, new_name: str) -> None:
    folder = Path(aihub.home, "storage", "shared", new_name)
    folder.mkdir(parents=True)
    data = {"upload_type": "host", "upload_path": str(folder)}
    AIHubHook().create_dataset(DatasetSpec.build(name=new_name))
    made = TaskLife(lambda: DatasetVersionOperator(task_id="make", dataset=new_name, **data))
    version = made.try_once()["id"]
    assert made.ti.xcoms[VIEW] == f"{aihub.url}/#/dataset-versions/{version}"
    life = TaskLife(lambda: DatasetVersionSensor(task_id="wait", dataset_version=f"{new_name}/V1", poke_interval=0.2))
    life.try_once()
    assert life.ti.xcoms[VIEW] == f"{aihub.url}/#/dataset-versions/{version}"


@pytest.mark.parametrize("extra", [{"link_templates": {"training": "https://train.example/{id}"}}, {}])
def test_an_aihub_without_an_address_for_people(
    aihub: Emulator, monkeypatch: pytest.MonkeyPatch, told: Callable[[], list[str]], extra: dict[str, Any]
) -> None:
    services = ("user_system", "model_training", "tag_system")
    connection = {
        "conn_type": "aihub",
        "login": aihub.username,
        "password": aihub.password,
        "extra": {**{f"{service}_url": aihub.url for service in services}, **extra},
    }
    monkeypatch.setenv("AIRFLOW_CONN_AIHUB_DEFAULT", json.dumps(connection))
    life = train(deferrable=True)
    result = life.try_once()
    assert life.ti.xcoms.get(VIEW) == (f"https://train.example/{result['id']}" if extra else None)
    assert len(told()) == len(extra)


@pytest.mark.parametrize(("stored", "given"), [("http://h/1", "http://h/1"), (None, "")])
def test_a_link_is_read_from_xcom_alone(monkeypatch: pytest.MonkeyPatch, stored: str | None, given: str) -> None:
    key: Any = "key of the task instance"
    monkeypatch.setattr(own_xcoms, "get", lambda *asked: {(key, VIEW): stored}[asked])
    assert ViewInAIHubLink().get_link(TrainingOperator(**TRAINING, command="true"), ti_key=key) == given


@pytest.mark.parametrize(
    ("next_method", "asked", "given"), [(None, 0, ""), ("execute_complete", 1, "http://h/1")], ids=["begun", "resumed"]
)
def test_a_try_that_ended_before_it_had_a_link_is_not_asked_for_one(
    monkeypatch: pytest.MonkeyPatch, next_method: str | None, asked: int, given: str
) -> None:
    """Airflow 3 would write an error about an XCom that is not there below the one that the task failed with."""
    read = Mock(return_value="http://h/1")
    monkeypatch.setattr(own_xcoms, "get", read)
    ti: Any = SimpleNamespace(_ti_context_from_server=SimpleNamespace(next_method=next_method))
    assert ViewInAIHubLink().get_link(TrainingOperator(**TRAINING, command="true"), ti_key=ti) == given
    assert read.call_count == asked


def test_what_a_try_has_linked_to_is_told_without_reading_it(aihub: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    operator = TrainingOperator(**TRAINING, command="true", wait_for_completion=False)
    life = TaskLife(lambda: operator)
    ti: Any = life.ti
    address = f"{aihub.url}/#/trainings/{life.try_once()['id']}"
    read = Mock(return_value="http://h/1")
    monkeypatch.setattr(own_xcoms, "get", read)
    assert ViewInAIHubLink().get_link(operator, ti_key=ti) == address
    assert not read.called
    ti.try_number += 1
    assert ViewInAIHubLink().get_link(operator, ti_key=ti) == "http://h/1"


@every_mode
def test_what_a_sensor_has_linked_to_is_told_without_reading_it(
    aihub: Emulator, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = train().try_once()["id"]
    how: dict[str, Any] = {"deferrable": True} if mode == "deferred" else {"mode": mode}
    sensor = TrainingSensor(task_id="wait", training_id=training, **how)
    life = TaskLife(lambda: sensor)
    ti: Any = life.ti
    monkeypatch.setattr(own_xcoms, "get", lambda *_: None)
    assert ViewInAIHubLink().get_link(sensor, ti_key=ti) == ""
    life.try_once()
    assert ViewInAIHubLink().get_link(sensor, ti_key=ti) == f"{aihub.url}/#/trainings/{training}"


DAG_FILE = """
from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_aihub.operators.s3_relay import S3RelayUploadOperator
from airflow_provider_aihub.operators.warehouse import WarehouseSearchOperator
from airflow_provider_aihub.sensors.training import TrainingSensor


@dag(schedule=None)
def links() -> None:
    @task.aihub_training(image="any", virtual_cluster=1, project=1, stream_logs=True, deferrable=True)
    def train(word: str) -> str:
        return f"echo {word}"

    @task
    def ids(found) -> list:
        return [one["id"] for one in found]

    WarehouseSearchOperator(task_id="search", name="s", sql="select 1 as one", deferrable=False)
    trained = train.expand(word=["a", "b"])
    TrainingSensor.partial(task_id="wait", mode="reschedule").expand(training_id=ids(trained))


links()
"""


BACKEND = """
import json
import uuid
from pathlib import Path

try:
    from airflow.sdk.bases.xcom import BaseXCom
except ImportError:
    from airflow.models.xcom import BaseXCom

OBJECTS = Path({objects!r})


class Backend(BaseXCom):
    @staticmethod
    def serialize_value(value, *, key=None, **place):
        file = OBJECTS / f"{{key}}-{{uuid.uuid4()}}"
        file.write_text(json.dumps(value))
        return BaseXCom.serialize_value(file.as_uri())

    @staticmethod
    def deserialize_value(result):
        value = BaseXCom.deserialize_value(result)
        assert str(value).startswith("file://"), f"{{value}} is of no object"
        return json.loads(Path(value.removeprefix("file://")).read_text())
"""


@pytest.mark.parametrize("backend", ["airflow's", "the users'"])
def test_airflow_shows_the_links(aihub: Emulator, tmp_path: Path, backend: str) -> None:
    """With Airflow's own database and serialized DAGs, also for mapped tasks."""
    file = tmp_path / "links.py"
    file.write_text(DAG_FILE)
    env = {"AIRFLOW_CONN_AIHUB_DEFAULT": aihub.connection_json()}
    objects = tmp_path / "objects"
    if backend == "the users'":
        objects.mkdir()
        (tmp_path / "users").mkdir()
        (tmp_path / "users" / "users_xcoms.py").write_text(BACKEND.format(objects=str(objects)))
        env["PYTHONPATH"] = os.pathsep.join([str(tmp_path / "users"), *filter(None, [os.environ.get("PYTHONPATH")])])
        env["AIRFLOW__CORE__XCOM_BACKEND"] = "users_xcoms.Backend"
    links = json.loads(run_in_airflow("links_of_dags.py", tmp_path / "airflow", tmp_path, file, env=env))
    trained = [links[f"train[{index}]"] for index in range(2)]
    assert sorted(link["View in AIHub"] for link in trained) == [f"{aihub.url}/#/trainings/{n}" for n in (1, 2)]
    assert [links[f"wait[{index}]"] for index in range(2)] == trained
    assert links["search[-1]"].keys() == {"Result CSV", "View in AIHub"}
    assert links["search[-1]"]["View in AIHub"] == f"{aihub.url}/#/searches/1"
    assert links["search[-1]"]["Result CSV"].startswith("http://")
    assert links["ids[-1]"] == {}
    if objects.exists():
        kept = {path.name[:-37] for path in objects.iterdir()}
        assert {"job_id", "return_value", "id", "status"} <= kept
        assert not {key for key in kept if key.startswith(("_", "aihub"))}, "what is the provider's own makes no object"
