"""What the task's log says while a job waits and runs, and what it and the error say of one that failed."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from task_life import TaskLife, said

from airflow_provider_aihub.aihub.errors import AIHubJobFailed, AIHubJobStopped
from airflow_provider_aihub.aihub.model_training import TrainingSpec
from airflow_provider_aihub.emulators.aihub import Cluster, Emulator, Node, Pipeline, PipelineVersion
from airflow_provider_aihub.emulators.aihub.call import public
from airflow_provider_aihub.emulators.aihub.services import pods
from airflow_provider_aihub.hooks.aihub import AIHubHook
from airflow_provider_aihub.operators.base import JobOperator
from airflow_provider_aihub.operators.quota_task import QuotaTaskOperator
from airflow_provider_aihub.operators.training import TrainingOperator
from airflow_provider_aihub.operators.workflow import WorkflowRunOperator
from airflow_provider_aihub.triggers.job import JobTrigger

deferred_or_not = pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "in place"])
SECRET = "eyJhbGciOiJIUzI1NiJ9.eyJ1aWQiOjF9.c2lnbmF0dXJl"


SILENT = (Node(name="only", command="exit 4"),)


def held(gate: Path) -> str:
    """Give a command that ends when a file is there, or fails after half a minute without it."""
    return f"for _ in $(seq 600); do [ ! -e {gate} ] || break; sleep 0.05; done; [ -e {gate} ]"


@pytest.fixture(scope="module")
def gate_of_nodes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The node of the pipeline that fails does so when this file is there."""
    return tmp_path_factory.mktemp("gates") / "train"


@pytest.fixture(scope="module")
def small_server(tmp_path_factory: pytest.TempPathFactory, gate_of_nodes: Path) -> Iterator[Emulator]:
    nodes = (
        Node(name="prepare", command="echo preparing"),
        Node(
            name="train",
            command=f"{held(gate_of_nodes)}; echo ValueError: no data; exit 3",
            dependencies=("prepare",),
        ),
        Node(name="report", command="true", dependencies=("train",)),
    )
    with Emulator(
        home=tmp_path_factory.mktemp("small"),
        clusters=(Cluster(id=1, name="small", capacity=2),),
        pipelines=(
            Pipeline(id=1, name="failing", versions=(PipelineVersion(id=1, name="V1", nodes=nodes),)),
            Pipeline(id=2, name="silent", versions=(PipelineVersion(id=2, name="V1", nodes=SILENT),)),
        ),
    ) as emulator:
        yield emulator


@pytest.fixture
def small(small_server: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[AIHubHook]:
    """An AIHub whose only cluster has room for two pods."""
    monkeypatch.setenv("AIRFLOW_CONN_AIHUB_DEFAULT", small_server.connection_json())
    yield AIHubHook()
    small_server.faults.clear()


class Told(logging.Handler):
    """The lines of the task's log, in worker and triggerer; a gate opens as soon as a line is there."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.gates: list[tuple[str, Path]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())
        for part, gate in self.gates:
            if part in self.texts[-1]:
                gate.touch()

    def opens(self, gate: Path, part: str) -> Path:
        """Make a file once a line with this text is told."""
        gate.unlink(missing_ok=True)
        self.gates.append((part, gate))
        return gate

    def __call__(self) -> list[str]:
        """Give the lines, with "N" for numbers that no test can know."""
        texts = [re.sub(r"((?:training|task|run|pytorch)[- ])\d+", r"\1N", text) for text in self.texts]
        return [re.sub(r"\d+ s\b", "N s", text) for text in texts]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    log = logging.getLogger("test.task")
    monkeypatch.setattr(JobOperator, "log", log)
    monkeypatch.setattr(JobTrigger, "log", log)
    monkeypatch.setattr(log, "level", logging.INFO)
    told = Told()
    log.addHandler(told)
    yield told
    log.removeHandler(told)


def make(kind: type[JobOperator] = TrainingOperator, **given: Any) -> TaskLife:
    on_aihub = {"image": "any", "virtual_cluster": 1, "project": 1}
    return TaskLife(lambda: kind(**{"task_id": "t", "name": "mine", **on_aihub, **given}))


def fail(life: TaskLife) -> str:
    with pytest.raises(AIHubJobFailed) as failure:
        life.try_once()
    assert "\n" not in str(failure.value)
    return re.sub(r"\d+", "N", said(failure.value))


def fill(hook: AIHubHook, command: str, **given: Any) -> int:
    """Take all room on the small cluster."""
    spec = {"name": "other", "image": "i", "virtual_cluster_id": 1, "project_id": 1, "instances": 2, **given}
    return hook.create_training(TrainingSpec.build(command=command, **spec))


@deferred_or_not
def test_a_job_that_waits_for_its_turn(small: AIHubHook, told: Told, tmp_path: Path, deferrable: bool) -> None:
    others = held(told.opens(tmp_path / "others", "all 2 pods Pending"))
    mine = held(told.opens(tmp_path / "mine", "all 2 pods Running"))
    fill(small, others)
    fill(small, others)
    make(command=mine, instances=2, deferrable=deferrable).try_once()
    lines = [line for line in told() if line.startswith("training N")]
    assert re.fullmatch(r"training N: all 2 pods Running \(small-node-\d(, small-node-\d)?\)", lines.pop(4))
    assert lines == [
        "training N is waiting, N s after its submission",
        "training N: 1 other training waits on small, for longer",
        "training N: all 2 pods Pending",
        "training N is running, N s after its submission",
        "training N has succeeded, N s after its submission",
        "training N has succeeded, waited N s, ran N s",
    ]


@deferred_or_not
def test_a_quota_task_that_waits_tells_who_uses_the_cluster(
    small: AIHubHook, told: Told, tmp_path: Path, deferrable: bool
) -> None:
    fill(small, held(told.opens(tmp_path / "other", "no other quota task waits")))
    make(QuotaTaskOperator, command="true", deferrable=deferrable).try_once()
    uses = [line for line in told() if "run now" in line]
    assert len(uses) == 1
    assert re.fullmatch(r"quota task N: on small run now: other of admin \(small-node-.*\)", uses[0])
    assert "quota task N: no other quota task waits on small" in told()


@deferred_or_not
def test_the_last_lines_of_the_pods_that_failed(small: AIHubHook, told: Told, deferrable: bool) -> None:
    command = f"for i in $(seq 1 3000); do echo line $i; done; echo {SECRET}; echo; echo 'ValueError: \"x\"'; exit 3"
    error = fail(make(command=command, deferrable=deferrable))
    assert re.match(
        r"AIHub's training N \(mine\) failed: pod pytorch-N-master-N failed on node small-node-N, "
        r'its log ends with "ValueError: "x""\.$',
        error,
    )
    (tail,) = [line for line in told() if line.startswith("The last lines")]
    assert tail.splitlines() == [
        "The last lines of the log of pod pytorch-N-master-0:",
        *(f"line {i}" for i in range(2983, 3001)),
        "***",
        'ValueError: "x"',
    ]


def test_the_last_lines_of_a_few_pods_only(aihub: Emulator, told: Told) -> None:
    error = fail(make(command="echo pod $RANK; sleep 0.3; exit 1", instances=8))
    assert 0 < error.count("its log ends with") <= 3
    assert 0 < len([line for line in told() if line.startswith("The last lines")]) <= 3
    assert len(error) < 4096


@pytest.mark.parametrize("state", ["Deleted", "Evicted"])
def test_pods_that_are_gone_tell_where_they_were(small: AIHubHook, monkeypatch: pytest.MonkeyPatch, state: str) -> None:
    def gone(row: dict[str, Any]) -> dict[str, Any]:
        shown = public(row)
        return {**shown, "status": state if shown["status"] == "Failed" else shown["status"]}

    monkeypatch.setattr(pods, "public", gone)
    error = fail(make(command="echo ValueError; exit 3"))
    assert error == (
        f"AIHub's training N (mine) failed: pod pytorch-N-master-N ended as {state} on node small-node-N, "
        'its log ends with "ValueError".'
    )


@deferred_or_not
def test_a_workflow_run_that_failed(small: AIHubHook, told: Told, gate_of_nodes: Path, deferrable: bool) -> None:
    told.opens(gate_of_nodes, "Running (train)")
    run = {"task_id": "t", "name": "mine", "pipeline": 1, "pipeline_version": 1, "project": 1}
    error = fail(TaskLife(lambda: WorkflowRunOperator(**run, deferrable=deferrable)))
    assert error == (
        'AIHub\'s workflow run N (mine) failed: node train failed: "exited with code N", '
        'its log ends with "ValueError: no data".'
    )
    lines = told()
    assert "workflow run N: 1 of 3 nodes Running (train); 1 Pending (report); 1 Succeeded (prepare)" in lines
    assert "The last lines of the log of node train:\nValueError: no data" in lines


def test_events_where_there_is_no_log(small: AIHubHook, told: Told) -> None:
    assert 'its last event is "' in fail(make(command="exit 7"))
    (events,) = [line for line in told() if line.startswith("The last events of pod")]
    assert events.endswith("exited with code 7")


def test_events_of_a_node_that_has_no_log(small: AIHubHook, small_server: Emulator, told: Told) -> None:
    run = {"task_id": "t", "name": "mine", "pipeline": "silent", "project": 1}
    error = fail(TaskLife(lambda: WorkflowRunOperator(**run)))
    assert re.search(r'node only failed: "exited with code N", its last event is ".* exited with code N"\.$', error)
    (events,) = [line for line in told() if line.startswith("The last events of node only")]
    assert [line.split(maxsplit=1)[1] for line in events.splitlines()[1:]] == [
        "created",
        "started",
        "exited with code 4",
    ]


@pytest.mark.parametrize("path", ["*/pods", "*/logs/new", "/files/*", "*/events"])
@pytest.mark.parametrize("fault", ["status", "garbage", "reset", "truncate"])
def test_the_failure_is_told_whatever_else_fails(
    small: AIHubHook, small_server: Emulator, path: str, fault: str
) -> None:
    life = make(command="echo last words; exit 1")
    small_server.faults.add(fault, path=path)
    before = len(small_server.requests)
    error = fail(life)
    assert error.startswith("AIHub's training N (mine) failed: ")
    # Nothing of all that is tried again and again.
    assert len(small_server.requests) - before < 16


def test_a_failure_on_an_aihub_without_logs(document: Emulator, told: Told) -> None:
    error = fail(make(command="echo last words; exit 1", virtual_cluster="vc-cpu"))
    assert re.fullmatch(
        r"AIHub's training N \(mine\) failed: pod pytorch-N-master-N failed on node vc-cpu-node-N\.", error
    )
    assert not any("last words" in line for line in told())


def test_addresses_of_logs_are_told_to_nobody(small: AIHubHook, small_server: Emulator, caplog: Any) -> None:
    caplog.set_level(logging.DEBUG)
    small_server.faults.add("status", path="/files/*", status=403)
    with pytest.raises(AIHubJobFailed) as failure:
        make(command="echo hello; sleep 0.2; exit 1", stream_logs=True).try_once()
    assert "/files/" not in str(failure.value)
    assert not any(
        "/files/" in record.getMessage() for record in caplog.records if "airflow_provider" in record.pathname
    )


def test_who_stopped_it(small: AIHubHook) -> None:
    life = make(command="sleep 60", deferrable=True)
    trigger = life.start()
    small.stop_training(life.ti.xcoms["job_id"])
    with pytest.raises(AIHubJobStopped, match=r"was stopped on AIHub by admin\."):
        life.resume(trigger)
