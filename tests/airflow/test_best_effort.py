"""Work besides a task's result may fail; the task may not fail because of it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
from http_servers import answering
from task_life import TaskInstance, TaskLife
from test_what_is_sent import DATASETS, LEAST_ON_A_CLUSTER, Recorder

from airflow_provider_aihub import assets
from airflow_provider_aihub.aihub.client import AIHubClient
from airflow_provider_aihub.emulators.aihub import Emulator
from airflow_provider_aihub.hooks.aihub import AIHubHook
from airflow_provider_aihub.jobs import log_stream
from airflow_provider_aihub.jobs.best_effort import best_effort
from airflow_provider_aihub.operators.dataset import DatasetVersionOperator
from airflow_provider_aihub.operators.quota_task import QuotaTaskOperator
from airflow_provider_aihub.operators.training import TrainingOperator
from airflow_provider_aihub.operators.warehouse import WarehouseSearchOperator
from airflow_provider_aihub.operators.workflow import WorkflowRunOperator
from airflow_provider_aihub.sensors.training import TrainingSensor
from airflow_provider_aihub.tasks import links
from airflow_provider_aihub.triggers.poller import Poller

S = TypeVar("S", bound=Recorder)
in_both_ways = pytest.mark.parametrize("deferrable", [False, True], ids=["in place", "deferred"])


@contextmanager
def serving(server: S, monkeypatch: pytest.MonkeyPatch) -> Iterator[S]:
    """Let a server be the AIHub of the tests."""
    with answering(server) as server.url:
        monkeypatch.setenv("AIRFLOW_CONN_AIHUB_DEFAULT", server.connection("me"))
        yield server


def broken(*_: Any, **__: Any) -> Any:
    raise RuntimeError("a secret of somebody")


@pytest.fixture
def warned(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> Callable[[], list[str]]:
    """Gives the warnings that something is lacking; Airflow 3 writes its log out, Airflow 2 logs."""

    def lines() -> list[str]:
        logged = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
        written = [line for line in capsys.readouterr().out.splitlines() if "warning" in line.lower()]
        logged, written = ([line for line in of if "The task goes on without" in line] for of in (logged, written))
        return logged or written

    return lines


NAMES = {
    "full-width blank": "car\u3000pictures",
    "family": "the \U0001f468\u200d\U0001f469\u200d\U0001f467 family",
    "long": "数" * 170,
    "slash": "a/b?c",
    "blank": " ",
}


class Named(Recorder):
    """An AIHub that has a dataset of any name."""

    name = ""

    def data(self, method: str, path: str, query: str) -> Any:
        found = super().data(method, path, query)
        return {"id": 62, "name": self.name} if path == f"{DATASETS}/datasets/62" else found


@in_both_ways
@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_version_of_a_dataset_of_any_name_is_built_and_told(
    name: str, deferrable: bool, monkeypatch: pytest.MonkeyPatch, warned: Callable[[], list[str]]
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(assets, "announce", lambda *given: told.append(given[2:]))
    with serving(Named(), monkeypatch) as server:
        server.name = name
        data = {"dataset": 62, "upload_path": "s3://b/a", "upload_type": "s3"}
        life = TaskLife(lambda: DatasetVersionOperator(task_id="version", deferrable=deferrable, **data))
        assert life.try_once()["dataset_version"] == f"{name}/V4"
        ((uri, facts),) = told
        assert facts["dataset"] == name
        assert assets.dataset_asset(name).uri == uri
    assert warned() == []


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> None:
    """An Airflow that takes nothing but results and the job's id."""
    push = TaskInstance.xcom_push

    def refuse(self: TaskInstance, key: str, value: Any) -> None:
        if key != "job_id":
            broken()
        push(self, key, value)

    monkeypatch.setattr(TaskInstance, "xcom_push", refuse)
    monkeypatch.setattr("airflow_provider_aihub.jobs.failure_report.summary", broken)
    monkeypatch.setattr(assets, "announce", broken)
    monkeypatch.setattr("airflow.providers.common.compat.lineage.hook.get_hook_lineage_collector", broken)


@in_both_ways
@pytest.mark.usefixtures("failing")
def test_a_training_succeeds_although_nothing_beside_it_does(
    aihub: Emulator, new_name: str, deferrable: bool, warned: Callable[[], list[str]]
) -> None:
    given = {**LEAST_ON_A_CLUSTER, "virtual_cluster": 1, "project": 1, "name": new_name, "stream_logs": True}
    life = TaskLife(lambda: TrainingOperator(task_id="train", deferrable=deferrable, **given))
    assert life.try_once()["status"] == "succeeded"
    found = warned()
    assert any("its link" in line for line in found)
    assert any("a summary of its job" in line for line in found)
    assert not any("secret" in line for line in found)
    job = life.ti.xcoms.get("job_id")
    sensor = TaskLife(
        lambda: TrainingSensor(
            task_id="wait", training_id=job or AIHubHook().list_trainings().data[0].id, deferrable=deferrable
        )
    )
    assert sensor.try_once()["status"] == "succeeded"


@pytest.mark.usefixtures("failing")
def test_a_search_succeeds_and_is_saved_although_nothing_beside_it_does(
    aihub: Emulator, new_name: str, tmp_path: Path
) -> None:
    target = tmp_path / "found.csv"
    given: dict[str, Any] = {"name": new_name, "sql": "select * from meta", "output_path": str(target)}
    life = TaskLife(lambda: WarehouseSearchOperator(task_id="search", **given))
    assert life.try_once()["output_path"] == str(target)
    assert target.exists()


@in_both_ways
def test_reading_the_logs_may_fail_in_any_way(
    aihub: Emulator,
    new_name: str,
    deferrable: bool,
    monkeypatch: pytest.MonkeyPatch,
    warned: Callable[[], list[str]],
) -> None:
    calls: list[bool] = []

    def follow(self: Any, parts: Any, **_: Any) -> Iterator[Any]:
        calls.append(True)
        yield log_stream.LoadOffsets()
        raise ValueError("Invalid IPv6 URL")

    monkeypatch.setattr(log_stream.PartLogs, "follow", follow)
    given = {**LEAST_ON_A_CLUSTER, "virtual_cluster": 1, "project": 1, "name": new_name, "stream_logs": True}
    given["command"] = "sleep 1"
    life = TaskLife(lambda: TrainingOperator(task_id="train", deferrable=deferrable, **given))
    assert life.try_once()["status"] == "succeeded"
    assert len(calls) > 1
    (line,) = [line for line in warned() if "goes on without the logs of training" in line]
    assert "Invalid IPv6 URL" in line


@in_both_ways
def test_errands_that_fail_in_any_way_are_no_failure(
    aihub: Emulator, new_name: str, deferrable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    perform, poll = AIHubClient.perform, Poller.perform

    def breaking(self: AIHubClient, errand: Any) -> Any:
        return broken() if "pods" in str(errand) else perform(self, errand)

    async def also_breaking(self: Poller, errand: Any) -> Any:
        return broken() if "pods" in str(errand) else await poll(self, errand)

    monkeypatch.setattr(AIHubClient, "perform", breaking)
    monkeypatch.setattr(Poller, "perform", also_breaking)
    given = {**LEAST_ON_A_CLUSTER, "virtual_cluster": 1, "project": 1, "name": new_name, "stream_logs": True}
    life = TaskLife(lambda: TrainingOperator(task_id="train", deferrable=deferrable, **given))
    assert life.try_once()["status"] == "succeeded"


ODD_NUMBERS = [10**400, -(10**400), 2**64, 1e300, "soon", None, [], {}, True, "9" * 400, -1]


class Odd(Recorder):
    """An AIHub whose answers hold the same odd value in every place that does not say which job it is, and how."""

    value: Any = None

    @property
    def description(self) -> str:
        """The newest job's, by which its task knows it."""
        return next((body["description"] for line, body in reversed(self.sent) if line.startswith("POST")), "")

    def data(self, method: str, path: str, query: str) -> Any:
        if method == "GET" and path.endswith(("/98", "/99")):
            names = ("created_at", "started_at", "finished_at", "update_at", "duration", "avg_gpu_util", "sku_cnt")
            names += ("virtual_cluster", "stop_op_user", "storages", "mtp_id", "task_nodes")
            names += ("instances", "message", "version", "data_size", "data_count", "total_gpu_time")
            status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
            known = {"id": int(path[-2:]), "name": "a job", "description": self.description, "status": status}
            return {**dict.fromkeys(names, self.value), **known}
        return super().data(method, path, query)


@pytest.fixture
def odd(monkeypatch: pytest.MonkeyPatch) -> Iterator[Odd]:
    with serving(Odd(), monkeypatch) as server:
        yield server


CLUSTER_JOBS = [(TrainingOperator, LEAST_ON_A_CLUSTER), (QuotaTaskOperator, LEAST_ON_A_CLUSTER)]
JOBS: list[tuple[Any, dict[str, Any]]] = [
    *CLUSTER_JOBS,
    (WorkflowRunOperator, {"name": "a job", "pipeline": 1, "pipeline_version": 2, "project": 3}),
]


@in_both_ways
@pytest.mark.parametrize("value", ODD_NUMBERS, ids=lambda value: f"{type(value).__name__} {str(value)[:8]}")
def test_odd_values_in_an_answer_fail_no_task(odd: Odd, value: Any, deferrable: bool) -> None:
    odd.value = value
    for kind, given in JOBS:
        odd.statuses = [2, 2, 3]
        how = {"deferrable": deferrable, "stream_logs": True, "durable": False}
        result = TaskLife(partial(kind, task_id="task", **how, **given)).try_once()
        assert (result["id"], result["status"]) == (99, "succeeded")
        # An XCom holds numbers of 64 bits.
        assert all(abs(number) < 2**63 for number in result.values() if isinstance(number, int))
        json.dumps(result, allow_nan=False)
    odd.statuses = [2, 2, 3]
    sensor = partial(TrainingSensor, task_id="w", training_id=98, deferrable=deferrable, poke_interval=0.1)
    assert TaskLife(sensor).try_once() == {"id": 98, "status": "succeeded"}


def test_a_link_that_the_triggerer_cannot_set_is_one_line(warned: Callable[[], list[str]]) -> None:
    log = logging.getLogger("test")
    asyncio.run(links.link_in_triggerer(None, "key", broken, log))
    assert warned() == ["The task goes on without its link until a worker ends it: RuntimeError"]


def test_what_ends_a_task_is_not_held_back() -> None:
    for error in (KeyboardInterrupt, SystemExit, GeneratorExit):
        with pytest.raises(error), best_effort(logging.getLogger("test"), "it"):
            raise error
