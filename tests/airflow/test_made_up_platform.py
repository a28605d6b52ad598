"""A made-up platform's jobs go through operator, sensor, trigger and poller, which know nothing of it."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import forge
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from forge import ForgeJobFailed, ForgeJobTimeout, ForgeNotFoundError, ForgeOperator, ForgeSensor
from forge_server import ForgeServer
from http_servers import answering
from task_life import TaskLife, said
from waiting import eventually, until

from airflow_provider_aihub.triggers import hand_over
from airflow_provider_aihub.triggers.job import JobTrigger

deferred_or_not = pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "in place"])


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ForgeServer]:
    forge = ForgeServer()
    with answering(forge) as forge.url:
        monkeypatch.setenv("AIRFLOW_CONN_FORGE_DEFAULT", json.dumps({"conn_type": "generic", "host": forge.url}))
        yield forge


def operator(**given: Any) -> ForgeOperator:
    return ForgeOperator(task_id="melt", name="melt", command="melt", poll_interval=0.1, **given)


def life(*, remembers: bool = True, **given: Any) -> TaskLife:
    make: Callable[[], Any] = lambda: operator(**given)  # noqa: E731
    return TaskLife(make, remembers=remembers)


def ends(server: ForgeServer, phase: str, **how: Any) -> threading.Timer:
    """Let the jobs come to their ends soon."""
    timer = threading.Timer(0.5, server.end, (phase,), how)
    timer.start()
    return timer


@deferred_or_not
def test_a_job_is_created_waited_for_and_returned(server: ForgeServer, deferrable: bool) -> None:
    task = life(deferrable=deferrable)
    ends(server, "done")
    assert task.try_once() == {"id": "j-000", "status": "succeeded"}
    assert task.deferrals == deferrable
    assert task.ti.xcoms["job_id"] == "j-000"
    assert task.ti.xcoms[forge.PLATFORM.page_link] == f"{server.url}/see/job/j-000"
    assert server.asked["create"] == 1
    assert "[airflow:" in server.jobs["j-000"]["description"]


@deferred_or_not
def test_a_failure_says_which_part_and_its_last_line(server: ForgeServer, deferrable: bool) -> None:
    ends(server, "broken", log="melting\nout of coal\n")
    with pytest.raises(ForgeJobFailed) as failed:
        life(deferrable=deferrable).try_once()
    assert str(failed.value).startswith("Forge's job j-000 (melt-")
    assert said(failed.value).endswith('failed: step one failed, its log ends with "out of coal".')


@pytest.mark.parametrize("remembers", [True, False], ids=["Airflow remembers", "by the marker alone"])
def test_a_lost_answer_makes_no_second_job(server: ForgeServer, remembers: bool) -> None:
    server.lost = 1
    ends(server, "done")
    assert life(remembers=remembers).try_once() == {"id": "j-000", "status": "succeeded"}
    assert len(server.jobs) == server.asked["create"] == 1


@pytest.mark.parametrize("remembers", [True, False], ids=["Airflow remembers", "by the marker alone"])
def test_a_retry_takes_the_job_up_and_a_clear_does_not(server: ForgeServer, remembers: bool) -> None:
    task = life(remembers=remembers, deferrable=True, retries=1)
    assert isinstance(task.start(), JobTrigger)
    # The worker died. Many jobs of others are newer.
    mine = server.jobs["j-000"]
    others = {
        f"x-{n}": mine | {"id": f"x-{n}", "name": f"x-{n}", "description": "", "phase": "done"} for n in range(30)
    }
    server.jobs |= others
    ends(server, "done")
    assert task.try_once()["id"] == "j-000"
    task.clear()
    ends(server, "done")
    assert task.try_once()["id"] not in {"j-000", *others}


def test_after_a_failed_job_a_retry_creates_another(server: ForgeServer) -> None:
    task = life(retries=1)
    ends(server, "broken")
    with pytest.raises(ForgeJobFailed):
        task.try_once()
    ends(server, "done")
    assert task.try_once()["id"] == "j-001"


@deferred_or_not
def test_a_deadline_stops_the_job(server: ForgeServer, deferrable: bool) -> None:
    with pytest.raises(ForgeJobTimeout, match="Forge was asked to stop it"):
        life(deferrable=deferrable, job_timeout=0.7).try_once()
    assert server.jobs["j-000"]["phase"] == "cold"


def test_a_worker_that_is_killed_stops_the_job(server: ForgeServer) -> None:
    task = operator()
    running = threading.Thread(target=_fails, args=(task, life().context))
    running.start()
    until("the job is there", lambda: list(server.jobs))
    task.on_kill()
    running.join()
    assert server.jobs["j-000"]["phase"] == "cold"
    assert server.asked["stop"] >= 1


def _fails(task: ForgeOperator, context: Any) -> None:
    with pytest.raises(forge.ForgeError):
        task.execute(context | {"ti": SimpleNamespace(**vars(context["ti"]) | {"try_number": 1}, xcom_push=_nothing)})


def _nothing(**_: Any) -> None: ...


def test_a_trigger_that_is_killed_stops_the_job(server: ForgeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_more(_: Any) -> bool:
        return False

    monkeypatch.setattr(hand_over, "still_deferred", no_more)
    trigger = life(deferrable=True).start()
    trigger.task_instance = SimpleNamespace(dag_id="d", task_id="t", run_id="r", map_index=-1, id="1")
    asyncio.run(trigger.on_kill())
    assert server.jobs["j-000"]["phase"] == "cold"


@pytest.mark.parametrize("mode", [{"mode": "poke"}, {"mode": "reschedule"}, {"deferrable": True}], ids=str)
def test_a_sensor_waits_for_a_job(server: ForgeServer, mode: dict[str, Any]) -> None:
    job_id = life(wait_for_completion=False).try_once()["id"]

    def sensor() -> Any:
        return ForgeSensor(task_id="see", forge_job=job_id, poke_interval=0.2, **mode)

    ends(server, "done")
    came = TaskLife(sensor).try_once()
    assert getattr(came, "xcom_value", came) == {"id": "j-000", "status": "succeeded"}
    server.jobs[job_id]["phase"] = "broken"
    with pytest.raises(ForgeJobFailed) as failed:
        TaskLife(sensor).try_once()
    assert isinstance(failed.value, AirflowFailException)


def test_a_job_that_is_not_there_is_told(server: ForgeServer) -> None:
    with pytest.raises(ForgeNotFoundError, match="The forge of Forge was asked to read job j-777"):
        TaskLife(lambda: ForgeSensor(task_id="see", forge_job="j-777")).try_once()  # type: ignore[arg-type, return-value]


async def test_many_jobs_are_read_out_of_lists_with_cursors(server: ForgeServer) -> None:
    for number in range(40):
        server.answer("POST", "/jobs", {}, {"name": f"n{number}", "description": ""})
    since = time.time() - 10.0
    triggers = [
        JobTrigger(forge_conn_id="forge_default", kind="forge.job", job_id=job_id, since=since, poll_interval=0.2)
        for job_id in server.jobs
    ]

    async def event(trigger: JobTrigger) -> Any:
        return [event.payload["phase"] async for event in trigger.run()]

    running = [asyncio.create_task(event(trigger)) for trigger in triggers]
    await eventually("lists were read", lambda: server.asked["list"], lambda count: count >= 15)
    assert server.asked["read"] <= len(triggers)
    server.end("done")
    assert await asyncio.gather(*running) == [["succeeded"]] * 40
