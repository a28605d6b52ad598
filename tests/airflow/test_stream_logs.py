"""The logs of pods in the task's log, each line once: in place, deferred, and across a restart of the triggerer."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from task_life import TaskLife
from waiting import eventually

from airflow_provider_aihub.aihub.errors import AIHubJobFailed
from airflow_provider_aihub.emulators.aihub import Emulator
from airflow_provider_aihub.operators.base import JobOperator
from airflow_provider_aihub.operators.quota_task import QuotaTaskOperator
from airflow_provider_aihub.operators.training import TrainingOperator
from airflow_provider_aihub.operators.workflow import WorkflowRunOperator
from airflow_provider_aihub.tasks import own_xcoms
from airflow_provider_aihub.triggers import hand_over, log_lines
from airflow_provider_aihub.triggers.job import JobTrigger
from airflow_provider_aihub.triggers.log_lines import write_lines

deferred_or_not = pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "in place"])
SLOW = "for i in 1 2 3 4 5; do echo line $i of rank $RANK; sleep 0.15; done; printf 'the end'"


class Xcoms:
    """Airflow's XComs, in memory."""

    def __init__(self) -> None:
        self.values: dict[tuple[Any, str], str] = {}
        self.sets = 0

    def get(self, ti: Any, key: str) -> str | None:
        return self.values.get((ti, key))

    def put(self, ti: Any, key: str, value: str) -> None:
        self.values[ti, key] = value
        self.sets += 1


@pytest.fixture
def xcoms(monkeypatch: pytest.MonkeyPatch) -> Xcoms:
    xcoms = Xcoms()
    monkeypatch.setattr(own_xcoms, "put", lambda *given: xcoms.put(*given))
    monkeypatch.setattr(own_xcoms, "get", lambda *given: xcoms.get(*given))
    return xcoms


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """Gives the lines of the task's log, in worker and triggerer."""
    log = logging.getLogger("test.task")
    monkeypatch.setattr(JobOperator, "log", log)
    monkeypatch.setattr(JobTrigger, "log", log)
    caplog.set_level(logging.INFO, log.name)
    return lambda: [record.getMessage() for record in caplog.records if record.name == log.name]


def make(kind: type[JobOperator] = TrainingOperator, **given: Any) -> Callable[[], JobOperator]:
    on_aihub = {"image": "any", "virtual_cluster": "vc-cpu", "project": "1"}
    return lambda: kind(**{"task_id": "t", "name": "n", "stream_logs": True, **on_aihub, **given})


@deferred_or_not
@pytest.mark.parametrize("kind", [TrainingOperator, QuotaTaskOperator])
def test_each_line_of_each_pod_once(
    aihub: Emulator, told: Callable[[], list[str]], kind: type[JobOperator], deferrable: bool
) -> None:
    TaskLife(make(kind, command=SLOW, instances=2, deferrable=deferrable)).try_once()
    lines = [line for line in told() if line.startswith("[")]
    for rank, pod in enumerate(["master-0", "worker-0"]):
        mine = [line.partition("] ")[2] for line in lines if f"{pod}]" in line]
        assert mine == [*(f"line {i} of rank {rank}" for i in range(1, 6)), "the end"]
    started = next(number for number, line in enumerate(told()) if "is running" in line)
    ended = next(number for number, line in enumerate(told()) if "has succeeded" in line)
    # They are told while the job runs.
    assert started < told().index(lines[0]) < ended


@deferred_or_not
def test_one_pod_needs_no_name(aihub: Emulator, told: Callable[[], list[str]], deferrable: bool) -> None:
    TaskLife(make(command="echo hello", deferrable=deferrable)).try_once()
    assert told().count("hello") == 1


@deferred_or_not
def test_the_nodes_of_a_workflow_run(aihub: Emulator, told: Callable[[], list[str]], deferrable: bool) -> None:
    run = {
        "task_id": "t",
        "name": "n",
        "pipeline": 2,
        "pipeline_version": 2,
        "pipeline_params": {"dataset": "mnist"},
        "project": 1,
    }
    TaskLife(lambda: WorkflowRunOperator(**run, stream_logs=True, deferrable=deferrable)).try_once()
    assert [line for line in told() if line.startswith("[")] == ["[prepare] preparing mnist", "[report] done"]


@deferred_or_not
def test_an_aihub_without_logs(document: Emulator, told: Callable[[], list[str]], deferrable: bool) -> None:
    result = TaskLife(make(command="echo hello; sleep 0.3", deferrable=deferrable)).try_once()
    assert result["status"] == "succeeded"
    assert len([line for line in told() if "gives out no logs" in line]) == 1
    assert "hello" not in told()


def test_without_stream_logs_there_are_none(aihub: Emulator, told: Callable[[], list[str]]) -> None:
    before = _asked(aihub)
    TaskLife(make(command="echo hello", stream_logs=False)).try_once()
    assert "hello" not in told()
    assert _asked(aihub) == before


def test_a_failed_job_tells_its_lines_once(aihub: Emulator, told: Callable[[], list[str]]) -> None:
    life = TaskLife(make(command="echo first; echo last; exit 3", deferrable=True))
    with pytest.raises(AIHubJobFailed, match='its log ends with "last"'):
        life.try_once()
    assert [line for line in told() if "first" in line or "last" in line] == ["first", "last"]


class Triggerer:
    """Runs a trigger for a while, from what Airflow has kept of it."""

    def __init__(self, life: TaskLife, trigger: JobTrigger) -> None:
        self.life = life
        self.arguments = json.dumps(trigger.serialize()[1])

    async def run(self, until: Callable[[], bool] | None = None) -> None:
        """Run it to its end, or until something has come true; it is then handed over as Airflow does it."""
        trigger = JobTrigger(**json.loads(self.arguments))
        trigger.task_instance, trigger.trigger_id = self.life.ti, 1
        task = asyncio.create_task(self._events(trigger))
        await eventually("the trigger has come so far", lambda: task.done() or (until and until()))
        if until:
            assert not task.done()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await trigger.cleanup()
        else:
            assert (await task)["outcome"] == "ended"

    @staticmethod
    async def _events(trigger: JobTrigger) -> Any:
        (event,) = [event async for event in trigger.run()]
        return event.payload


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Path]:
    """The job of the test goes on when this file is there."""
    path = tmp_path / "go"
    yield path
    path.touch()


def _asked(aihub: Emulator) -> int:
    """Count how often log files were asked for."""
    return sum(entry.path.endswith("/logs/new") for entry in aihub.requests.entries)


async def test_a_restarted_triggerer_goes_on_where_the_last_one_ended(
    aihub: Emulator, told: Callable[[], list[str]], xcoms: Xcoms, gate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Airflow of any version takes a task that is still deferred for one that is handed over.
    monkeypatch.setattr(hand_over, "still_deferred", _answering(True))
    monkeypatch.setattr(hand_over, "has_newer_try", _answering(False))
    command = f"echo 1; echo 2; printf 'and '; while [ ! -e {gate} ]; do sleep 0.02; done; echo 3; echo 4"
    life = TaskLife(make(command=command, instances=2, deferrable=True))
    trigger = await asyncio.to_thread(life.start)
    triggerer = Triggerer(life, trigger)
    for _ in range(3):
        before = len(aihub.requests)

        def looked_around(before: int = before) -> bool:
            read = sum(line.endswith("] 2") for line in told()) == 2 and xcoms.sets > 0
            return read and len(aihub.requests) > before + 10

        await triggerer.run(until=looked_around)
    await asyncio.to_thread(gate.touch)
    await triggerer.run()
    lines = [line for line in told() if line.startswith("[")]
    for pod in ("master-0", "worker-0"):
        mine = [line.partition("] ")[2] for line in lines if f"{pod}]" in line]
        assert mine == ["1", "2", "and 3", "4"]


async def test_another_job_of_the_task_begins_anew(
    aihub: Emulator, told: Callable[[], list[str]], xcoms: Xcoms
) -> None:
    for _ in range(2):
        life = TaskLife(make(command="echo hello", deferrable=True), remembers=False)
        await Triggerer(life, await asyncio.to_thread(life.start)).run()
    assert told().count("hello") == 2


async def test_an_airflow_that_keeps_nothing(
    aihub: Emulator, told: Callable[[], list[str]], xcoms: Xcoms, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("The database is away.")

    monkeypatch.setattr(xcoms, "put", fail)
    life = TaskLife(make(command=SLOW, deferrable=True))
    await Triggerer(life, await asyncio.to_thread(life.start)).run()
    assert len([line for line in told() if line.startswith("line ")]) == 5
    assert len([line for line in told() if "lines may be repeated" in line]) == 1


def _answering(answer: bool) -> Callable[..., Awaitable[bool]]:
    async def asked(*_: Any) -> bool:
        return answer

    return asked


@deferred_or_not
def test_the_connection_s_password_is_not_told(
    aihub: Emulator, told: Callable[[], list[str]], deferrable: bool
) -> None:
    password = json.loads(aihub.connection_json())["password"]
    TaskLife(make(command=f"echo the password is {password}.", deferrable=deferrable)).try_once()
    assert told().count("the password is ***.") == 1
    assert not any(password in line for line in told())


@deferred_or_not
def test_a_flood_of_lines_is_told_in_part(aihub: Emulator, told: Callable[[], list[str]], deferrable: bool) -> None:
    result = TaskLife(make(command="seq 1 30000", deferrable=deferrable)).try_once()
    assert result["status"] == "succeeded"
    numbers = [line for line in told() if line.isdigit()]
    left_out = [int(line.split()[0]) for line in told() if "are left out here" in line]
    assert left_out
    assert len(numbers) + sum(left_out) == 30_000
    assert numbers[0] == "1"
    assert numbers[-1] == "30000"


async def test_lines_of_many_triggers_leave_the_event_loop_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line takes Airflow's logger a millisecond."""
    # A busy machine takes longer, and leaves none out here.
    monkeypatch.setattr(log_lines, "LONGEST_WAIT", 60.0)
    turn, told_in = 0, Counter[int]()

    class Log(logging.Logger):
        def info(self, *_: Any) -> None:  # type: ignore[override]
            time.sleep(0.001)
            told_in[turn] += 1

    async def count_turns() -> None:
        nonlocal turn
        while True:
            turn += 1
            await asyncio.sleep(0)

    turns = asyncio.create_task(count_turns())
    told = await asyncio.gather(*(write_lines(["line"] * 100, Log("l")) for _ in range(10)))
    turns.cancel()
    assert told == [100] * 10
    # Twenty milliseconds at once, of all triggers together.
    assert max(told_in.values()) <= 21


async def test_lines_for_which_there_is_no_time_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_lines, "LONGEST_WAIT", 0.2)
    written: list[Any] = []

    class Log(logging.Logger):
        def info(self, _: object, *line: object) -> None:  # type: ignore[override]
            time.sleep(0.01)
            written.extend(line)

    lines = [str(number) for number in range(1000)]
    told = await write_lines(lines, Log("l"))
    assert written == lines[:told]
    assert 0 < told < 1000


async def test_what_was_told_comes_through_before_the_event(
    aihub: Emulator,
    told: Callable[[], list[str]],
    caplog: pytest.LogCaptureFixture,
    xcoms: Xcoms,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("airflow_provider_aihub.triggers.job.LOG_DRAIN", 0.4)
    life = TaskLife(make(command="echo hello", deferrable=True))
    await Triggerer(life, await asyncio.to_thread(life.start)).run()
    fired = time.time()
    (last,) = [record for record in caplog.records if record.getMessage() == "hello"]
    assert fired - last.created >= 0.4
