"""A trigger follows its own job, whatever stands under the job's id on the AIHub that the connection points to now."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections import Counter
from typing import Any

import pytest
from aiohttp import web
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS
from hostile import hostile, said
from test_scale import fired, serving
from test_trigger_kill import TASK, airflow_says
from waiting import eventually

from airflow_provider_aihub.aihub.errors import AIHubOtherJob
from airflow_provider_aihub.aihub.platform import PLATFORM
from airflow_provider_aihub.jobs.identity import Identity
from airflow_provider_aihub.tasks import own_xcoms
from airflow_provider_aihub.triggers import hand_over, poller
from airflow_provider_aihub.triggers.job import JobTrigger, error_of
from benchmarks.server import Hub

MARKER = "[airflow:0123456789abcdef.01234567.2.1.89abcdef]"
STRANGERS = "[airflow:fedcba9876543210.01234567.2.1.89abcdef]"
BEGAN = 1_800_000_000.0
IDENTITY = Identity(marker=MARKER, name="nightly", submitted_at=BEGAN).plain()
TRAINING = "/model-training-platform/api/v1/trainings/12"
RUNNING, SUCCEEDED, FAILED = 2, 3, 4


def trigger_of(**given: Any) -> JobTrigger:
    arguments = {"aihub_conn_id": "aihub_default", "kind": "training", "job_id": 12, "poll_interval": 0.2, **given}
    # As Airflow keeps it.
    trigger = JobTrigger(**json.loads(json.dumps(JobTrigger(**arguments).serialize()[1])))
    trigger.task_instance = TASK
    return trigger


class Training:
    """One training under id 12."""

    def __init__(self, status: int = RUNNING, description: str = MARKER, **given: Any) -> None:
        self.row = {"id": 12, "name": "nightly", "created_at": int(BEGAN * 1000), **given}
        self.row |= {"status": status, "description": description}

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        if request.path == f"{TRAINING}/stop":
            self.row["status"] = 5
            return said({})
        if request.path == TRAINING:
            return said(self.row)
        return web.Response(status=404, text="404 page not found")


def stops(asked: Counter[tuple[str, str]]) -> int:
    return asked["POST", f"{TRAINING}/stop"]


@pytest.mark.parametrize("status", [RUNNING, SUCCEEDED, FAILED])
@pytest.mark.parametrize(
    "shown",
    [{"description": STRANGERS}, {"description": "their own"}, {"description": "", "name": "theirs"}],
    ids=["another marker", "no marker", "no description"],
)
async def test_another_s_job_is_neither_waited_for_nor_stopped(
    monkeypatch: pytest.MonkeyPatch, status: int, shown: dict[str, Any]
) -> None:
    theirs = Training(**{"status": status, "user_id": 9, "created_at": 1, **shown})
    async with hostile(theirs, monkeypatch) as asked:
        event = await fired(trigger_of(identity=IDENTITY, deadline=time.time() + 60))
    assert (event["outcome"], event["status"]) == ("unreadable", None)
    assert isinstance(error_of(event, PLATFORM.errors), AIHubOtherJob)
    assert stops(asked) == 0


@pytest.mark.parametrize("description", [MARKER, f"{MARKER} added by Li", MARKER[:30], "", "edited by Li"])
async def test_the_task_s_own_job_is_known_again(monkeypatch: pytest.MonkeyPatch, description: str) -> None:
    async with hostile(Training(SUCCEEDED, description), monkeypatch):
        event = await fired(trigger_of(identity=IDENTITY))
    assert event["outcome"] == "ended"


async def test_without_an_identity_whatever_is_there_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    async with hostile(Training(SUCCEEDED, STRANGERS), monkeypatch):
        event = await fired(trigger_of(owner=False))
    assert event["outcome"] == "ended"


async def test_another_s_job_is_not_stopped_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has come under the id after the last look."""
    theirs = Training(RUNNING)

    async def exchanged(request: web.Request) -> web.StreamResponse:
        answer = await theirs(request)
        if request.path == TRAINING and time.time() > deadline - 0.1:
            theirs.row["description"] = STRANGERS
        return answer

    deadline = time.time() + 1.0
    async with hostile(exchanged, monkeypatch) as asked:
        event = await fired(trigger_of(identity=IDENTITY, deadline=deadline))
    assert event["outcome"] in ("deadline", "unreadable")
    assert isinstance(error_of(event, PLATFORM.errors), AIHubOtherJob)
    assert stops(asked) == 0


@pytest.mark.parametrize(("description", "count"), [(MARKER, 1), (STRANGERS, 0)], ids=["its own", "another's"])
async def test_who_kills_the_task_stops_its_own_job_alone(
    monkeypatch: pytest.MonkeyPatch, description: str, count: int
) -> None:
    airflow_says(monkeypatch, deferred=False)
    async with hostile(Training(RUNNING, description), monkeypatch) as asked:
        await trigger_of(identity=IDENTITY).on_kill()
    assert stops(asked) == count


def test_another_s_job_in_a_list_is_looked_at_more_closely(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Hub(20, lists=True)

    async def all_of_them() -> list[dict[str, Any]]:
        async with serving(hub, monkeypatch):
            triggers = [trigger_of(job_id=number, identity=IDENTITY) for number in range(1, 21)]
            return list(await asyncio.gather(*map(fired, triggers)))

    events = asyncio.run(all_of_them())
    assert {event["error_type"] for event in events} == {"AIHubOtherJob"}


def test_an_end_that_only_the_list_shows_does_not_wake_a_task_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The task has resumed once because of it, found the job running, and deferred again."""
    hub = Hub(20, lists=True)
    rows = hub.rows.copy()
    page = hub.page

    def ended_long_ago(query: str) -> tuple[int, bytes]:
        hub.rows[:] = [row.replace('"status": 2', '"status": 3') for row in rows]
        try:
            return page(query)
        finally:
            hub.rows[:] = rows

    monkeypatch.setattr(hub, "page", ended_long_ago)

    async def for_a_while() -> set[asyncio.Task[Any]]:
        async with serving(hub, monkeypatch):
            running = [
                asyncio.create_task(fired(trigger_of(job_id=number, rounds=1, poll_interval=0.1)))
                for number in range(1, 21)
            ]
            await eventually("lists were read", lambda: hub.counts["pages"], lambda pages: pages >= 3)
            done, pending = await asyncio.wait(running, timeout=0.5)
            assert len(pending) == 20
            rows[:] = [row.replace('"status": 2', '"status": 3') for row in rows]
            hub.rows[:] = rows
            await asyncio.gather(*running)
            return done

    assert asyncio.run(for_a_while()) == set()


async def test_a_connection_that_points_elsewhere_concerns_those_that_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poller, "CONNECTION_FRESHNESS", 0.0)
    airflow_says(monkeypatch, deferred=False)
    before, after = Training(RUNNING), Training(RUNNING, STRANGERS)
    async with hostile(before, monkeypatch) as asked_before:
        old = trigger_of(identity=IDENTITY)
        running = asyncio.create_task(fired(old))
        await eventually("the old trigger has looked", lambda: asked_before["GET", TRAINING] > 1)
        async with hostile(after, monkeypatch) as asked_after:
            new = trigger_of(identity=IDENTITY | {"marker": STRANGERS})
            running_new = asyncio.create_task(fired(new))
            await eventually("the new trigger has looked", lambda: asked_after["GET", TRAINING] > 1)
            # Each goes on with its own job, and stops it.
            assert not running.done()
            running.cancel("__airflow_user_action__")
            await asyncio.wait([running])
            await old.on_kill()
            assert (stops(asked_before), stops(asked_after)) == (1, 0)
            await new.on_kill()
            assert (stops(asked_before), stops(asked_after)) == (1, 1)
            assert (await running_new)["status"] == 5


class Xcoms:
    """The XComs of a task, as Airflow gives them to a trigger."""

    def __init__(self, **values: Any) -> None:
        self.values = values

    def get_one(self, *, key: str, **_: Any) -> Any:
        assert not key.startswith("_link_"), "no XCom backend of the users knows it"
        return self.values.get(key)

    def own(self, _: Any, key: str) -> Any:
        return self.values.get(key)


@pytest.mark.airflow(">=3.0", lacks="a supervisor of its triggerers")
@pytest.mark.parametrize(
    ("now", "count"),
    [
        ({"job_id": 12, "_link_ViewInAIHubLink": "{host}/#/trainings/12"}, 0),
        ({"job_id": 13, "_link_ViewInAIHubLink": "{host}/#/trainings/13"}, 1),
        ({"job_id": 12, "_link_ViewInAIHubLink": "http://other-aihub/#/trainings/12"}, 1),
        ({}, 0),
    ],
    ids=["handed over", "another job", "the same id elsewhere", "nobody knows"],
)
async def test_a_task_that_was_cleared_and_has_deferred_again(
    monkeypatch: pytest.MonkeyPatch, now: dict[str, Any], count: int
) -> None:
    """Its state is what it was before; the job of the try that is over is stopped all the same."""
    airflow_says(monkeypatch, deferred=True)
    async with hostile(Training(RUNNING), monkeypatch) as asked:
        host = json.loads(os.environ["AIRFLOW_CONN_AIHUB_DEFAULT"])["host"]
        given = {key: value.format(host=host) if isinstance(value, str) else value for key, value in now.items()}
        xcoms = Xcoms(**given)
        monkeypatch.setattr(hand_over, "XCom", xcoms)
        monkeypatch.setattr(own_xcoms, "get", xcoms.own)
        trigger = trigger_of(identity=IDENTITY)
        running = asyncio.create_task(fired(trigger))
        await eventually("the trigger has looked", lambda: asked["GET", TRAINING] > 0)
        running.cancel("__airflow_user_action__")
        await asyncio.wait([running])
        await trigger.on_kill()
    assert stops(asked) == count


if not AIRFLOW_V_3_0_PLUS:

    @pytest.mark.parametrize(("trigger_id", "count"), [(5, 0), (6, 1)], ids=["handed over", "deferred anew"])
    async def test_airflow_2_shows_which_trigger_the_task_waits_for(
        monkeypatch: pytest.MonkeyPatch, trigger_id: int, count: int
    ) -> None:
        monkeypatch.setattr(hand_over, "_in_database", lambda _: ("deferred", trigger_id))
        async with hostile(Training(RUNNING), monkeypatch) as asked:
            trigger = trigger_of(identity=IDENTITY)
            trigger.trigger_id = 5
            await trigger.on_kill()
        assert stops(asked) == count


async def test_an_airflow_that_does_not_answer_keeps_the_job_alive(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: Any) -> bool:
        raise RuntimeError("Airflow's API server is away")

    airflow_says(monkeypatch, deferred=True)
    monkeypatch.setattr(hand_over, "has_newer_try", fail)
    monkeypatch.setattr(JobTrigger, "log", logging.getLogger("test.trigger"))
    async with hostile(Training(RUNNING), monkeypatch) as asked:
        await trigger_of(identity=IDENTITY).on_kill()
    assert stops(asked) == 0
