"""When a trigger that is cancelled stops its job: only if somebody acted on the task."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.triggers.base import BaseTrigger
from task_life import stopped
from waiting import eventually

from airflow_provider_aihub.aihub.model_training import TrainingSpec
from airflow_provider_aihub.emulators.aihub import Emulator
from airflow_provider_aihub.hooks.aihub import AIHubHook
from airflow_provider_aihub.triggers import hand_over
from airflow_provider_aihub.triggers.job import JobTrigger

TASK = SimpleNamespace(dag_id="d", task_id="t", run_id="r", map_index=-1, id="1")


@pytest.fixture
def training_id(aihub: Emulator) -> Iterator[int]:
    spec = TrainingSpec.build(name="t", command="sleep 600", image="i", virtual_cluster_id=1, project_id=1)
    training_id = AIHubHook().create_training(spec)
    yield training_id
    AIHubHook().stop_training(training_id)


def airflow_says(monkeypatch: pytest.MonkeyPatch, deferred: bool | Exception) -> None:
    async def still_deferred(_: Any) -> bool:
        if isinstance(deferred, Exception):
            raise deferred
        return deferred

    monkeypatch.setattr(hand_over, "still_deferred", still_deferred)


def trigger_of(training_id: int, **given: Any) -> JobTrigger:
    trigger = JobTrigger(aihub_conn_id="aihub_default", kind="training", job_id=training_id, **given)
    trigger.task_instance = TASK
    return trigger


async def cancelled(trigger: JobTrigger) -> None:
    """Run a trigger for a moment and cancel it, as a triggerer does."""

    async def run() -> None:
        async for _ in trigger.run():
            raise AssertionError("the job has not ended")

    running = asyncio.create_task(run())
    await asyncio.sleep(0.3)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


@pytest.mark.parametrize("age", [0, 3600])
def test_a_job_that_aihub_does_not_know_yet_is_stopped_as_soon_as_it_does(
    aihub: Emulator, training_id: int, monkeypatch: pytest.MonkeyPatch, age: float
) -> None:
    airflow_says(monkeypatch, deferred=False)
    stop = f"/model-training-platform/api/v1/trainings/{training_id}/stop"
    aihub.faults.add("status", method="POST", path=stop, status=404, code=2, count=2)
    before = aihub.requests.count("POST", stop)
    asyncio.run(trigger_of(training_id, since=time.time() - age).on_kill())
    aihub.faults.clear()
    # Its worker's clock may differ, so its age tells nothing.
    assert aihub.requests.count("POST", stop) - before == 3


def test_somebody_acted_on_the_task(training_id: int, monkeypatch: pytest.MonkeyPatch) -> None:
    airflow_says(monkeypatch, deferred=False)
    asyncio.run(trigger_of(training_id).on_kill())
    stopped(lambda: AIHubHook().get_training(training_id))


@pytest.mark.parametrize(
    ("deferred", "given"),
    [
        (True, {}),
        (RuntimeError("Airflow cannot tell"), {}),
        (False, {"cancel_on_kill": False}),
        (False, {"owner": False}),
    ],
    ids=["handed to another triggerer", "nobody knows", "not wanted", "not its own"],
)
def test_a_job_lives_on(
    aihub: Emulator,
    training_id: int,
    monkeypatch: pytest.MonkeyPatch,
    deferred: bool | Exception,
    given: dict[str, Any],
) -> None:
    airflow_says(monkeypatch, deferred)
    before = aihub.requests.count("POST", "*/stop")
    asyncio.run(trigger_of(training_id, **given).on_kill())
    assert aihub.requests.count("POST", "*/stop") == before


@pytest.mark.parametrize("deferred", [True, False], ids=["shut down", "acted upon"])
def test_airflow_before_3_3_says_nothing_but_cancels(
    aihub: Emulator, training_id: int, monkeypatch: pytest.MonkeyPatch, deferred: bool
) -> None:
    monkeypatch.delattr(BaseTrigger, "on_kill", raising=False)
    airflow_says(monkeypatch, deferred)
    before = aihub.requests.count("POST", "*/stop")
    asyncio.run(cancelled(trigger_of(training_id)))
    assert aihub.requests.count("POST", "*/stop") == before + (not deferred)


@pytest.mark.parametrize("says_why", [True, False], ids=["Airflow 3.3", "before"])
async def test_a_trigger_that_is_cancelled_again_and_again_still_stops_its_job(
    training_id: int, monkeypatch: pytest.MonkeyPatch, says_why: bool
) -> None:
    """As Airflow 3 does about once a second."""
    asked = asyncio.Event()

    async def slowly(_: Any) -> bool:
        asked.set()
        await asyncio.sleep(0.5)
        return False

    async def run() -> None:
        try:
            async for _ in trigger.run():
                raise AssertionError("the job has not ended")
        except asyncio.CancelledError:
            if says_why:
                await trigger.on_kill()

    if says_why:
        monkeypatch.setattr(BaseTrigger, "on_kill", BaseTrigger.cleanup, raising=False)
    else:
        monkeypatch.delattr(BaseTrigger, "on_kill", raising=False)
    monkeypatch.setattr(hand_over, "still_deferred", slowly)
    trigger = trigger_of(training_id)
    running = asyncio.create_task(run())
    await asyncio.sleep(0.3)
    running.cancel()
    await eventually("Airflow is asked", asked.is_set)
    for _ in range(3):
        running.cancel()
        await asyncio.sleep(0.01)
    await eventually("the trigger has ended", running.done)
    await asyncio.to_thread(stopped, lambda: AIHubHook().get_training(training_id))


@pytest.mark.airflow(">=3.0", lacks="a supervisor of its triggerers")
async def test_a_triggerer_that_reads_no_answers_any_more_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Airflow 3.2 does when it shuts down: only then it cancels its triggers."""
    from airflow.sdk.execution_time import task_runner

    reader = asyncio.ensure_future(asyncio.sleep(0))
    await reader
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", SimpleNamespace(_reader_task=reader), raising=False)
    assert await hand_over.still_deferred(TASK)


def test_a_cancelled_trigger_alone_stops_nothing_where_airflow_says_why(
    aihub: Emulator, training_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BaseTrigger, "on_kill", BaseTrigger.cleanup, raising=False)
    airflow_says(monkeypatch, deferred=False)
    before = aihub.requests.count("POST", "*/stop")
    asyncio.run(cancelled(trigger_of(training_id)))
    assert aihub.requests.count("POST", "*/stop") == before
