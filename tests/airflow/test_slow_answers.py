"""An AIHub that takes its time, or for ever: the deadline stands, and other jobs are read all the same."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest
from aiohttp import web
from airflow.providers.common.compat.sdk import AirflowSensorTimeout
from hostile import hostile, said
from http_servers import Act
from task_life import TaskLife
from test_scale import fired
from test_trigger_kill import TASK
from waiting import crowd, eventually

from airflow_provider_aihub.aihub.errors import AIHubError, AIHubJobTimeout
from airflow_provider_aihub.aihub.kinds import TRAINING, JobState
from airflow_provider_aihub.aihub.platform import PLATFORM
from airflow_provider_aihub.http.models import BRIEF
from airflow_provider_aihub.jobs.waiting import Look
from airflow_provider_aihub.operators.training import TrainingOperator
from airflow_provider_aihub.sensors.training import TrainingSensor
from airflow_provider_aihub.triggers import job, lanes
from airflow_provider_aihub.triggers.job import JobTrigger
from airflow_provider_aihub.triggers.poller import Poller

TRAININGS = "/model-training-platform/api/v1/trainings/"
RUNNING, SUCCEEDED = 2, 3
LATE = 8.0
"""Seconds after a deadline within which it has struck, on a machine with nothing else to do; it takes less than 2."""


def training(number: int, status: int = RUNNING) -> web.Response:
    return said({"id": number, "status": status, "name": "t"})


async def dribble(request: web.Request) -> web.StreamResponse:
    """One byte a second."""
    answer = web.StreamResponse()
    answer.content_length = 3600
    await answer.prepare(request)
    for _ in range(3600):
        await answer.write(b" ")
        await asyncio.sleep(1)
    return answer


async def hang(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(3600)
    raise AssertionError("waited for an hour")


def trigger_of(number: int, **given: Any) -> JobTrigger:
    trigger = JobTrigger(aihub_conn_id="aihub_default", kind="training", job_id=number, poll_interval=0.2, **given)
    trigger.task_instance = TASK
    return trigger


async def test_a_job_that_ended_before_its_deadline_is_not_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """AIHub does not answer until the deadline has come, and says then that the job has succeeded."""
    deadline = time.time() + 1.5

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/stop"):
            return web.json_response({"code": 1, "msg": "it has ended", "data": None})
        return await hang(request) if time.time() < deadline else training(12, SUCCEEDED)

    async with hostile(answer, monkeypatch):
        trigger = trigger_of(12, deadline=deadline, owner=True, since=deadline - 1.5)
        event = await asyncio.wait_for(fired(trigger), 60 * crowd())
    assert (event["outcome"], event["status"], event["error"]) == ("ended", SUCCEEDED, None)


@pytest.mark.parametrize("misbehave", [dribble, hang])
@pytest.mark.parametrize("where", ["the job", "its pods", "the login"])
async def test_a_deadline_stands_whatever_hangs(monkeypatch: pytest.MonkeyPatch, misbehave: Any, where: str) -> None:
    stopped: list[float] = []
    monkeypatch.setattr(job, "STOP_TIMEOUT", 1.0)

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/stop"):
            stopped.append(time.time())
            return said({})
        if request.path.endswith("/pods") == (where == "its pods"):
            return await misbehave(request)
        return training(12)

    async with hostile(answer, monkeypatch, login=misbehave if where == "the login" else None):
        deadline = time.time() + 2.0
        late = LATE * crowd()
        event = await asyncio.wait_for(fired(trigger_of(12, deadline=deadline, stream_logs=True)), 60 * crowd())
        assert event["outcome"] == "deadline"
        if where == "the login":
            assert stopped == []
        else:
            assert len(stopped) == 1
            assert deadline - 0.1 <= stopped[0] <= deadline + late


@pytest.mark.parametrize("stops_last", [False, True], ids=["stops are quick", "stops last"])
async def test_a_deadline_stands_for_all_of_many(monkeypatch: pytest.MonkeyPatch, stops_last: bool) -> None:
    """All connections are taken by answers without end, and more wait for one than there will ever be."""
    stopped: dict[str, float] = {}
    all_stopped = asyncio.Event()
    monkeypatch.setattr(job, "STOP_TIMEOUT", 20.0 * crowd())

    async def answer(request: web.Request) -> web.StreamResponse:
        if not request.path.endswith("/stop"):
            return await dribble(request)
        stopped[request.path] = time.time()
        if len(stopped) == 100:
            all_stopped.set()
        if stops_last:
            await all_stopped.wait()
        return said({})

    async with hostile(answer, monkeypatch):
        deadline = time.time() + 3.0
        given = {"deadline": deadline, "since": deadline - 3, "identity": {"marker": "[airflow:1]"}}
        triggers = [trigger_of(number, **given) for number in range(1, 101)]
        events = await asyncio.gather(*map(fired, triggers))
    assert {event["outcome"] for event in events} == {"deadline"}
    assert len(stopped) == 100
    assert max(stopped.values()) <= deadline + LATE * crowd()


async def test_slow_answers_hold_up_no_other_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__AIHUB__POOL_SIZE", "4")
    monkeypatch.setenv("AIRFLOW__AIHUB__PAGE_THRESHOLD", "0")
    monkeypatch.setattr(lanes, "SLOW", 0.3)
    slow, quick = range(1, 9), range(101, 131)

    async def answer(request: web.Request) -> web.StreamResponse:
        number = int(request.path.removeprefix(TRAININGS))
        return await dribble(request) if number in slow else training(number)

    async def look(poller: Poller, number: int) -> JobState | AIHubError:
        batch = poller.batch(TRAINING)
        return await batch.look(batch.watch(number, lambda _now: 1.0), Look())

    async with hostile(answer, monkeypatch) as asked, await Poller.shared(PLATFORM, "aihub_default") as poller:
        stuck = [asyncio.create_task(look(poller, number)) for number in slow]
        await eventually(
            "all slow ones are asked for", lambda: [asked["GET", f"{TRAININGS}{one}"] for one in slow], all
        )
        for _ in range(3):
            seen = await asyncio.gather(*(look(poller, number) for number in quick))
            assert all(isinstance(one, JobState) for one in seen)
        # What was slow is asked for again beside the others.
        for task in stuck:
            task.cancel()
        await asyncio.wait(stuck)
        stuck = [asyncio.create_task(look(poller, number)) for number in slow]
        await asyncio.sleep(0)
        seen = await asyncio.gather(*(look(poller, number) for number in quick))
        assert all(isinstance(one, JobState) for one in seen)
        assert not any(task.done() for task in stuck)
        for task in stuck:
            task.cancel()
        await asyncio.wait(stuck)


async def test_of_a_large_answer_little_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of triggers may wait for jobs that are told of at length."""
    told = {"id": 1, "status": RUNNING, "name": "t", "description": "long " * 10**6, "command": "x" * 10**5}
    cluster = {"id": 3, "node_tasks": [[]] * 10**5}

    async def answer(_: web.Request) -> web.StreamResponse:
        return said({**told, "virtual_cluster": cluster})

    async with hostile(answer, monkeypatch), await Poller.shared(PLATFORM, "aihub_default") as poller:
        batch = poller.batch(TRAINING)
        seen = await batch.look(batch.watch(1, lambda _now: 1.0), Look())
    assert isinstance(seen, JobState)
    assert (seen.status, seen.raw_facts.name, seen.answer.virtual_cluster.id) == (RUNNING, "t", 3)
    assert len(seen.answer.model_dump_json()) < 3 * BRIEF
    assert seen.answer.command == ""


async def test_a_trigger_survives_whatever_goes_wrong_besides(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not only what AIHub's errors are made for."""

    async def fail(*_: Any) -> None:
        raise ValueError("Invalid IPv6 URL")

    statuses = iter([RUNNING, RUNNING, 3])

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == f"{TRAININGS}12":
            return training(12, next(statuses, 3))
        return web.Response(status=404, text="404 page not found")

    monkeypatch.setattr(Poller, "perform", fail)
    async with hostile(answer, monkeypatch):
        event = await fired(trigger_of(12, stream_logs=True))
    assert (event["outcome"], event["status"]) == ("ended", 3)


class Served:
    """A server of its own thread and event loop, for tests of what blocks."""

    def __init__(self, answer: Act, monkeypatch: pytest.MonkeyPatch) -> None:
        self._answer, self._monkeypatch = answer, monkeypatch
        self._up, self._over = threading.Event(), asyncio.Event()

    def __enter__(self) -> Served:
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        assert self._up.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with hostile(self._answer, self._monkeypatch):
            self._up.set()
            await self._over.wait()


@pytest.mark.parametrize("misbehave", [dribble, hang])
def test_a_task_that_waits_in_place_keeps_its_deadline(monkeypatch: pytest.MonkeyPatch, misbehave: Any) -> None:
    began = time.time()
    stopped: list[float] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/stop"):
            stopped.append(time.time())
            return said({})
        if request.method == "POST":
            nonlocal began
            began = time.time()
            return said({"id": 12})
        return await misbehave(request)

    given = {
        "name": "t",
        "image": "i",
        "command": "true",
        "virtual_cluster": 1,
        "project": 1,
        "shm": 1,
        "job_timeout": 2.0,
    }
    with Served(answer, monkeypatch), pytest.raises(AIHubJobTimeout):
        TaskLife(lambda: TrainingOperator(task_id="t", deferrable=False, **given)).try_once()
    assert len(stopped) == 1
    assert stopped[0] - began <= 2.0 + LATE * crowd()


@pytest.mark.parametrize("misbehave", [dribble, hang])
def test_a_sensor_in_place_keeps_its_timeout(monkeypatch: pytest.MonkeyPatch, misbehave: Any) -> None:
    with Served(misbehave, monkeypatch):
        life = TaskLife(lambda: TrainingSensor(task_id="t", training_id=12, timeout=1.0, poke_interval=0.1))
        began = time.time()
        with pytest.raises(AirflowSensorTimeout):
            life.try_once()
        assert time.time() - began <= 1.0 + LATE * crowd()
