"""Whatever ends a try, and whenever: the next one ends with one job on AIHub."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred
from task_life import Store, TaskInstance, TaskLife, stopped
from waiting import until

from airflow_provider_aihub.aihub import kinds as jobs_of_aihub
from airflow_provider_aihub.aihub.client import AIHubClient
from airflow_provider_aihub.aihub.errors import (
    AIHubAmbiguousSubmit,
    AIHubAuthError,
    AIHubJobFailed,
    AIHubJobStopped,
    AIHubUnavailable,
)
from airflow_provider_aihub.aihub.model_training import Training
from airflow_provider_aihub.emulators.aihub import Emulator, Node, Pipeline, PipelineVersion
from airflow_provider_aihub.hooks.aihub import AIHubHook
from airflow_provider_aihub.operators.training import TrainingOperator
from airflow_provider_aihub.operators.warehouse import WarehouseSearchOperator
from airflow_provider_aihub.operators.workflow import WorkflowRunOperator
from airflow_provider_aihub.tasks import task_try
from airflow_provider_aihub.triggers.job import JobTrigger

TRAININGS = "/model-training-platform/api/v1/trainings"

deferred_or_not = pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "in place"])
old_and_new = pytest.mark.parametrize("remembers", [True, False], ids=["Airflow remembers", "by the marker alone"])


class WorkerKilled(BaseException):
    """Nothing in the task's code runs after it, as after SIGKILL."""


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        task_try, "PATIENCE", task_try.Patience(settled=0.3, shown=0.2, first_pause=0.05, longest_pause=0.1)
    )
    monkeypatch.setattr(task_try, "HIDDEN", 0.1)


def life(name: str, *, remembers: bool = True, map_index: int = -1, **given: Any) -> TaskLife:
    arguments: dict[str, Any] = {
        "task_id": "train",
        "name": name,
        "command": "sleep 0.5",
        "image": "any",
        "virtual_cluster": 1,
        "project": 1,
        **given,
    }
    return TaskLife(lambda: TrainingOperator(**arguments), remembers=remembers, map_index=map_index)


def jobs(name: str) -> list[Training]:
    return [job for job in AIHubHook().list_trainings(name=name, page_size=100).data if job.name == name]


def killed_in(
    monkeypatch: pytest.MonkeyPatch,
    where: type,
    method: str,
    when: Callable[..., bool] = lambda *_: True,
    *,
    after: bool = False,
) -> None:
    """Kill the worker once, when it comes to a call of that kind, or leaves it."""
    real: Callable[..., Any] = getattr(where, method)

    def kill(*args: Any, **kwargs: Any) -> Any:
        if not when(*args):
            return real(*args, **kwargs)
        monkeypatch.setattr(where, method, real)
        if after:
            real(*args, **kwargs)
        raise WorkerKilled

    monkeypatch.setattr(where, method, kill)


def creates(_client: AIHubClient, request: Any) -> bool:
    return bool(request.creates)


def writes(state: str) -> Callable[..., bool]:
    return lambda _store, _key, entry: bool(entry["state"] == state)


def pushes(_ti: TaskInstance, key: str = "job_id", _value: Any = None) -> bool:
    return key == "job_id"


MOMENTS: dict[str, tuple[type, str, Callable[..., bool], bool]] = {
    "before the intent is written": (Store, "set", writes("submitting"), False),
    "after the intent is written": (Store, "set", writes("submitting"), True),
    "before the create call": (AIHubClient, "send", creates, False),
    "after the create call": (AIHubClient, "send", creates, True),
    "before the id is written": (Store, "set", writes("submitted"), False),
    "after the id is written": (Store, "set", writes("submitted"), True),
    "before the id is pushed": (TaskInstance, "xcom_push", pushes, False),
    "after the id is pushed": (TaskInstance, "xcom_push", pushes, True),
    "before the end is written": (Store, "set", writes("done"), False),
    "after the end is written": (Store, "set", writes("done"), True),
    "before the end": (TrainingOperator, "success", lambda *_: True, False),
    "at the end": (TrainingOperator, "success", lambda *_: True, True),
}


@deferred_or_not
@pytest.mark.parametrize(
    ("remembers", "moment"),
    [
        *((True, moment) for moment in MOMENTS),
        *((False, moment) for moment, (where, *_) in MOMENTS.items() if where is not Store),
    ],
)
def test_a_killed_worker_leaves_one_job(
    aihub: Emulator, monkeypatch: pytest.MonkeyPatch, new_name: str, moment: str, deferrable: bool, remembers: bool
) -> None:
    task = life(new_name, deferrable=deferrable, remembers=remembers)
    *call, after = MOMENTS[moment]
    killed_in(monkeypatch, *call, after=after)
    with pytest.raises(WorkerKilled):
        task.try_once()
    result = task.try_once()
    assert [job.id for job in jobs(new_name)] == [result["id"]]
    assert result["status"] == "succeeded"


def test_a_worker_killed_while_waiting_leaves_one_job(aihub: Emulator, new_name: str) -> None:
    task = life(new_name, deferrable=True)
    assert isinstance(task.start(), JobTrigger)
    result = task.try_once()
    assert [job.id for job in jobs(new_name)] == [result["id"]]


@deferred_or_not
def test_a_lost_answer_leaves_one_job(aihub: Emulator, new_name: str, deferrable: bool) -> None:
    aihub.faults.add("lost", method="POST", path=TRAININGS, count=1)
    result = life(new_name, deferrable=deferrable).try_once()
    assert [job.id for job in jobs(new_name)] == [result["id"]]


def test_a_create_call_that_may_have_failed_is_not_repeated_at_once(aihub: Emulator, new_name: str) -> None:
    aihub.faults.add("status", method="POST", path=TRAININGS, status=502, count=1)
    task = life(new_name)
    with pytest.raises(AIHubAmbiguousSubmit) as failure:
        task.try_once()
    assert not isinstance(failure.value, AirflowFailException)
    assert jobs(new_name) == []
    # The next try has looked, found nothing, and is free to create the job.
    result = task.try_once()
    assert [job.id for job in jobs(new_name)] == [result["id"]]


def test_without_a_list_a_lost_answer_fails_for_good_and_says_what_to_check(document: Emulator, new_name: str) -> None:
    created = document.requests.count("POST", TRAININGS)
    document.faults.add("lost", method="POST", path=TRAININGS, count=1)
    task = life(new_name)
    with pytest.raises(AIHubAmbiguousSubmit, match=rf"look there whether the training '{new_name}' exists") as failure:
        task.try_once()
    assert isinstance(failure.value, AirflowFailException)
    assert document.requests.count("POST", TRAININGS) == created + 1
    # A person has checked, and clears the task.
    task.clear()
    assert task.try_once()["status"] == "succeeded"
    assert document.requests.count("POST", TRAININGS) == created + 2


def test_without_a_list_a_worker_killed_in_the_create_call_fails_for_good(
    document: Emulator, monkeypatch: pytest.MonkeyPatch, new_name: str
) -> None:
    created = document.requests.count("POST", TRAININGS)
    task = life(new_name)
    killed_in(monkeypatch, AIHubClient, "send", creates, after=True)
    with pytest.raises(WorkerKilled):
        task.try_once()
    with pytest.raises(AIHubAmbiguousSubmit, match="ended while it created a training"):
        task.try_once()
    assert document.requests.count("POST", TRAININGS) == created + 1


def test_without_a_list_a_lost_answer_is_repeated_where_that_was_asked_for(document: Emulator, new_name: str) -> None:
    created = document.requests.count("POST", TRAININGS)
    document.faults.add("lost", method="POST", path=TRAININGS, count=1)
    assert life(new_name, on_ambiguous_submit="resubmit").try_once()["status"] == "succeeded"
    assert document.requests.count("POST", TRAININGS) == created + 2


def test_a_failed_job_is_followed_by_a_new_one(aihub: Emulator, new_name: str) -> None:
    task = life(new_name, command="exit 3")
    for count in (1, 2):
        with pytest.raises(AIHubJobFailed):
            task.try_once()
        assert len(jobs(new_name)) == count


def test_a_stopped_job_is_followed_by_a_new_one(aihub: Emulator, new_name: str) -> None:
    task = life(new_name, command="sleep 60; exit 0", deferrable=True)
    assert isinstance(task.start(), JobTrigger)
    AIHubHook().stop_training(task.ti.xcoms["job_id"])
    first = task.ti.xcoms["job_id"]
    assert isinstance(task.start(), JobTrigger)
    assert task.ti.xcoms["job_id"] != first
    AIHubHook().stop_training(task.ti.xcoms["job_id"])


@deferred_or_not
@old_and_new
def test_a_cleared_task_that_had_finished_runs_anew(
    aihub: Emulator, new_name: str, deferrable: bool, remembers: bool
) -> None:
    task = life(new_name, deferrable=deferrable, remembers=remembers)
    first = task.try_once()
    task.clear()
    second = task.try_once()
    assert {job.id for job in jobs(new_name)} == {first["id"], second["id"]}
    assert first["id"] != second["id"]


@old_and_new
@pytest.mark.parametrize(("before", "now"), [(1, 0), (3, 1), (1, 3)])
def test_a_cleared_task_that_has_other_retries_now_runs_anew(
    aihub: Emulator, new_name: str, remembers: bool, before: int, now: int
) -> None:
    task = life(new_name, remembers=remembers, retries=before)
    first = task.try_once()
    task.retries = now
    task.clear()
    assert task.try_once()["id"] != first["id"]


@old_and_new
def test_a_worker_may_know_of_more_retries_than_the_clear_did(aihub: Emulator, new_name: str, remembers: bool) -> None:
    task = life(new_name, remembers=remembers, retries=0)
    first = task.try_once()
    task.clear()
    task.retries = 3
    assert task.try_once()["id"] != first["id"]


@old_and_new
@pytest.mark.parametrize(("before", "now", "tries"), [(3, 1, 1), (1, 3, 1), (3, 0, 2)])
def test_other_retries_alone_make_no_other_job(
    aihub: Emulator, new_name: str, remembers: bool, before: int, now: int, tries: int
) -> None:
    task = life(new_name, remembers=remembers, retries=before, command="sleep 60", deferrable=True)
    for _ in range(tries):
        task.start()
    first = task.ti.xcoms["job_id"]
    task.retries = now
    task.start()
    assert task.ti.xcoms["job_id"] == first
    assert AIHubHook().get_training(first).status == 2
    AIHubHook().stop_training(first)


@old_and_new
def test_a_run_that_was_deleted_and_made_anew_gets_no_old_result(
    aihub: Emulator, monkeypatch: pytest.MonkeyPatch, new_name: str, remembers: bool
) -> None:
    old = life(new_name, remembers=remembers).try_once()
    task = life(new_name, remembers=remembers)
    killed_in(monkeypatch, AIHubClient, "send", creates)
    with pytest.raises(WorkerKilled):
        task.try_once()
    assert task.try_once()["id"] != old["id"]


@pytest.mark.parametrize("command", ["true", "sleep 60"], ids=["ended", "goes on"])
def test_a_job_of_another_airflow_is_left_to_it(
    aihub: Emulator, monkeypatch: pytest.MonkeyPatch, new_name: str, command: str
) -> None:
    """Its DAG, run and task have the same ids, and it uses the same AIHub; neither Airflow remembers anything."""
    mine = life(new_name, remembers=False)
    killed_in(monkeypatch, AIHubClient, "send", creates, after=True)
    with pytest.raises(WorkerKilled):
        mine.try_once()
    other = life(new_name, remembers=False, command=command, deferrable=True)
    other.start()
    newest = -2 if command == "true" else -1
    until("the newest jobs are done", lambda: {job.status for job in jobs(new_name)[newest:]}, {3}.__eq__)
    first = min(job.id for job in jobs(new_name))
    assert mine.try_once()["id"] == first != other.ti.xcoms["job_id"]
    # A second task of mine has no job yet, and does not take the other Airflow's either.
    later = life(new_name, remembers=False, map_index=1)
    killed_in(monkeypatch, AIHubClient, "send", creates)
    with pytest.raises(WorkerKilled):
        later.try_once()
    theirs = life(new_name, remembers=False, map_index=1, command=command, deferrable=True)
    theirs.start()
    assert later.try_once()["id"] != theirs.ti.xcoms["job_id"]
    if command != "true":
        AIHubHook().stop_training(other.ti.xcoms["job_id"])
        AIHubHook().stop_training(theirs.ti.xcoms["job_id"])


@old_and_new
def test_what_runs_on_after_a_clear_does_not_hide_the_new_job(
    aihub: Emulator, monkeypatch: pytest.MonkeyPatch, new_name: str, remembers: bool
) -> None:
    """As a search does, which AIHub cannot stop."""
    monkeypatch.setitem(jobs_of_aihub.KINDS, "training", replace(jobs_of_aihub.TRAINING, stop=None))
    task = life(new_name, remembers=remembers, command="sleep 60", deferrable=True)
    task.start()
    old = task.ti.xcoms["job_id"]
    task.clear()
    task.make = life(new_name, command="true", deferrable=True).make
    task.start()
    new = task.ti.xcoms["job_id"]
    until("the new job is done", lambda: AIHubHook().get_training(new).status, (3).__eq__)
    assert task.try_once()["id"] == new
    assert AIHubHook().get_training(old).status == 2
    AIHubHook().stop_training(old)


@old_and_new
def test_a_cleared_task_that_does_not_wait_stops_its_job_and_creates_one_new(
    aihub: Emulator, new_name: str, remembers: bool
) -> None:
    task = life(new_name, remembers=remembers, command="sleep 60", wait_for_completion=False)
    first = task.try_once()["id"]
    task.clear()
    second = task.try_once()["id"]
    assert second != first
    stopped(lambda: AIHubHook().get_training(first))
    AIHubHook().stop_training(second)


def test_a_cleared_workflow_run_that_cannot_be_stopped_runs_on(
    make_aihub: Callable[..., Emulator], new_name: str
) -> None:
    version = PipelineVersion(id=1, name="V1", nodes=(Node(name="long", command="sleep 60"),))
    make_aihub(api="document", pipelines=(Pipeline(id=1, name="slow", versions=(version,)),))
    task = TaskLife(
        lambda: WorkflowRunOperator(
            task_id="run", name=new_name, pipeline=1, pipeline_version=1, project=1, deferrable=True
        )
    )
    task.start()
    first = task.ti.xcoms["job_id"]
    task.clear()
    task.start()
    assert task.ti.xcoms["job_id"] != first
    assert AIHubHook().get_workflow_run(first).status in (1, 2)


def test_a_run_that_was_cleared_after_its_end_takes_up_what_goes_on(aihub: Emulator, new_name: str) -> None:
    """On an Airflow that remembers nothing; its job may have been left on purpose."""
    task = life(new_name, remembers=False, command="sleep 60", deferrable=True)
    task.start()
    first = task.ti.xcoms["job_id"]
    task.clear()
    task.began += timedelta(seconds=30)
    task.start()
    assert task.ti.xcoms["job_id"] == first
    assert AIHubHook().get_training(first).status == 2
    AIHubHook().stop_training(first)


@old_and_new
def test_a_failed_job_is_not_made_up_for_by_an_older_one(aihub: Emulator, new_name: str, remembers: bool) -> None:
    life(new_name, remembers=remembers).try_once()
    task = life(new_name, remembers=remembers, command="exit 3")
    for count in (2, 3):
        with pytest.raises(AIHubJobFailed):
            task.try_once()
        assert len(jobs(new_name)) == count


def test_a_job_is_found_although_each_try_names_it_otherwise(
    aihub: Emulator, monkeypatch: pytest.MonkeyPatch, new_name: str
) -> None:
    task = life(new_name)
    killed_in(monkeypatch, AIHubClient, "send", creates, after=True)
    with pytest.raises(WorkerKilled):
        task.try_once()
    other = life(f"{new_name}-2").make()
    task.make = lambda: other
    assert [task.try_once()["id"]] == [job.id for job in jobs(new_name)]
    assert jobs(f"{new_name}-2") == []


@old_and_new
def test_a_cleared_search_asks_anew(aihub: Emulator, new_name: str, remembers: bool) -> None:
    """AIHub cannot stop a search, and what was asked may have been mended."""
    asked = {"task_id": "search", "name": new_name, "deferrable": True}
    task = TaskLife(lambda: WarehouseSearchOperator(**asked, sql="select 1 as wrong"), remembers=remembers)
    assert isinstance(task.start(), JobTrigger)
    task.make = lambda: WarehouseSearchOperator(**asked, sql="select 2 as right")
    task.clear()
    assert AIHubHook().get_search(task.try_once()["id"]).sql == "select 2 as right"


@old_and_new
def test_a_retry_of_a_cleared_task_does_not_return_the_old_result(
    aihub: Emulator, monkeypatch: pytest.MonkeyPatch, new_name: str, remembers: bool
) -> None:
    task = life(new_name, remembers=remembers)
    first = task.try_once()
    task.clear()
    killed_in(monkeypatch, AIHubClient, "send", creates)
    with pytest.raises(WorkerKilled):
        task.try_once()
    second = task.try_once()
    assert sorted(job.id for job in jobs(new_name)) == [first["id"], second["id"]]


@old_and_new
@pytest.mark.parametrize("cancel_on_kill", [True, False])
def test_a_task_cleared_while_its_job_runs_first_stops_that_job(
    aihub: Emulator, new_name: str, cancel_on_kill: bool, remembers: bool
) -> None:
    task = life(new_name, command="sleep 60", deferrable=True, cancel_on_kill=cancel_on_kill, remembers=remembers)
    assert isinstance(task.start(), JobTrigger)
    first = task.ti.xcoms["job_id"]
    task.clear()
    assert isinstance(task.start(), JobTrigger)
    ids = {job.id for job in jobs(new_name)}
    if cancel_on_kill:
        stopped(lambda: AIHubHook().get_training(first))
        assert ids == {first, task.ti.xcoms["job_id"]}
    else:
        assert task.ti.xcoms["job_id"] == first
        assert ids == {first}
    AIHubHook().stop_training(task.ti.xcoms["job_id"])


def test_a_job_that_could_not_be_read_is_taken_up_by_the_next_try(
    aihub: Emulator, new_name: str, tmp_path: Path
) -> None:
    gate = tmp_path / "go"
    command = f"for _ in $(seq 600); do [ ! -e {gate} ] || exit 0; sleep 0.05; done; exit 1"
    task = life(new_name, command=command, deferrable=True, poll_tolerance=0.5)
    trigger = task.start()
    aihub.faults.add("status", method="GET", path=f"{TRAININGS}/*", status=503)
    with pytest.raises(AIHubUnavailable):
        task.resume(trigger)
    aihub.faults.clear()
    assert [job.status for job in jobs(new_name)] == [2]
    gate.touch()
    task.clear()
    result = task.try_once()
    assert [job.id for job in jobs(new_name)] == [result["id"]]


def test_mapped_tasks_have_a_job_each(aihub: Emulator, new_name: str) -> None:
    results = [life(new_name, map_index=index, remembers=False).try_once() for index in range(3)]
    assert sorted(job.id for job in jobs(new_name)) == sorted(result["id"] for result in results)


def test_an_airflow_that_remembers_nothing_finds_the_active_job_by_its_marker(
    aihub: Emulator, monkeypatch: pytest.MonkeyPatch, new_name: str
) -> None:
    other = life(new_name, remembers=False, map_index=7, deferrable=True, command="sleep 60")
    other.start()
    task = life(new_name, remembers=False, deferrable=True, command="sleep 1")
    killed_in(monkeypatch, AIHubClient, "send", creates, after=True)
    with pytest.raises(WorkerKilled):
        task.try_once()
    result = task.try_once()
    assert sorted(job.id for job in jobs(new_name)) == sorted([other.ti.xcoms["job_id"], result["id"]])
    AIHubHook().stop_training(other.ti.xcoms["job_id"])


def test_an_airflow_that_remembers_nothing_says_so_where_jobs_cannot_be_listed(
    document: Emulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, new_name: str
) -> None:
    monkeypatch.setattr(TrainingOperator, "log", logging.getLogger("task"))
    task = life(new_name, remembers=False, deferrable=True, command="sleep 60")
    for _ in range(2):
        task.start()
        AIHubHook().stop_training(task.ti.xcoms["job_id"])
    told = [record.getMessage() for record in caplog.records if record.name == "task"]
    assert len([line for line in told if "does not keep the id of the training of an earlier try" in line]) == 1


def test_what_is_not_durable_starts_anew(aihub: Emulator, new_name: str) -> None:
    task = life(new_name, deferrable=True, durable=False)
    task.start()
    task.try_once()
    assert len(jobs(new_name)) == 2


def test_a_worker_ended_while_it_creates_a_job_stops_it(
    aihub: Emulator, monkeypatch: pytest.MonkeyPatch, new_name: str
) -> None:
    """As at an ``execution_timeout``: the create call is given up, and the job is there all the same."""
    task = life(new_name, command="sleep 60")
    operator = task.make()
    task.make = lambda: operator
    killed_in(monkeypatch, AIHubClient, "send", creates, after=True)
    with pytest.raises(WorkerKilled):
        task.start()
    operator.on_kill()
    (job,) = jobs(new_name)
    stopped(lambda: AIHubHook().get_training(job.id))


def test_a_worker_told_to_end_while_it_creates_a_job_stops_it(
    aihub: Emulator, monkeypatch: pytest.MonkeyPatch, new_name: str
) -> None:
    """As when a person marks the task: Airflow lets it go on for a few seconds."""
    task = life(new_name, command="sleep 60")
    operator = task.make()
    task.make = lambda: operator
    real = AIHubClient.send

    def told_to_end(client: AIHubClient, request: Any, **given: Any) -> Any:
        if request.creates:
            operator.on_kill()
        return real(client, request, **given)

    monkeypatch.setattr(AIHubClient, "send", told_to_end)
    with pytest.raises(AIHubJobStopped):
        task.start()
    (job,) = jobs(new_name)
    stopped(lambda: AIHubHook().get_training(job.id))


@pytest.mark.usefixtures("short_pauses")
def test_a_task_that_resumes_while_aihub_is_down_waits_on(aihub: Emulator, new_name: str) -> None:
    task = life(new_name, deferrable=True)
    trigger = task.start()
    until("the job is done", lambda: [job.status for job in jobs(new_name)], [3].__eq__)
    # The trigger's one look, then the five attempts of the task that resumes.
    aihub.faults.add("status", method="GET", path=f"{TRAININGS}/*", status=503, after=1, count=5)
    again = task.resume(trigger)
    assert isinstance(again, JobTrigger)
    aihub.faults.clear()
    assert task.resume(again)["status"] == "succeeded"
    assert len(jobs(new_name)) == 1


@pytest.mark.usefixtures("aihub")
def test_a_task_that_is_cleared_while_it_resumes_runs_anew(new_name: str) -> None:
    """Airflow 3.3 resumes the next try with the same event."""
    task = life(new_name, deferrable=True)
    trigger = task.start()
    trigger.task_instance = task.ti
    event = asyncio.run(event_of(trigger))
    task.clear()
    task.ti.try_number += 1
    with pytest.raises(TaskDeferred) as deferred:
        task.make().execute_complete(task.context, event)
    result = task.resume(deferred.value.trigger)
    assert result["status"] == "succeeded"
    assert {job.id for job in jobs(new_name)} == {event["job_id"], result["id"]}
    assert result["id"] != event["job_id"]


async def event_of(trigger: JobTrigger) -> Any:
    return [event.payload async for event in trigger.run()].pop()


@pytest.mark.usefixtures("short_pauses")
def test_a_job_that_has_ended_in_time_is_not_late_because_aihub_is_down(aihub: Emulator, new_name: str) -> None:
    task = life(new_name, deferrable=True, job_timeout=100)
    trigger = task.start()
    event = asyncio.run(task._event(trigger))
    aihub.faults.add("status", method="GET", path=f"{TRAININGS}/*", status=503, count=5)
    with pytest.raises(TaskDeferred) as deferred:
        task.make().execute_complete(task.context, {**event, "deadline": time.time() - 1})
    aihub.faults.clear()
    again = deferred.value.trigger
    assert (again.deadline, again.since) == (None, trigger.since)
    assert task.resume(again)["status"] == "succeeded"


@pytest.mark.usefixtures("short_pauses")
def test_a_task_that_cannot_log_in_when_it_resumes_is_taken_up_by_the_next_try(
    aihub: Emulator, monkeypatch: pytest.MonkeyPatch, new_name: str
) -> None:
    task = life(new_name, deferrable=True)
    trigger = task.start()
    right = aihub.connection_json()
    rounds = 0
    while isinstance(trigger, JobTrigger):
        event = asyncio.run(task._event(trigger))
        monkeypatch.setenv("AIRFLOW_CONN_AIHUB_DEFAULT", json.dumps(json.loads(right) | {"password": "not-it"}))
        try:
            trigger = task.make().execute_complete(task.context, event)
        except TaskDeferred as deferred:
            trigger = deferred.trigger
            rounds += 1
        except AIHubAuthError as error:
            refusal = error
            break
        monkeypatch.setenv("AIRFLOW_CONN_AIHUB_DEFAULT", right)
    assert rounds == 5
    assert not isinstance(refusal, AirflowFailException)
    monkeypatch.setenv("AIRFLOW_CONN_AIHUB_DEFAULT", right)
    assert task.try_once()["status"] == "succeeded"
    assert len(jobs(new_name)) == 1
