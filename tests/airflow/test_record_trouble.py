"""What a task remembers of its job may be lost, unreadable, refused or of another version: it has one job anyway."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from task_life import Store, TaskInstance, TaskLife, gone, stopped

from airflow_provider_aihub.aihub.client import AIHubClient
from airflow_provider_aihub.aihub.errors import AIHubAmbiguousSubmit, AIHubJobFailed, AIHubJobStopped
from airflow_provider_aihub.aihub.model_training import Training
from airflow_provider_aihub.emulators.aihub import Emulator
from airflow_provider_aihub.hooks.aihub import AIHubHook
from airflow_provider_aihub.operators.training import TrainingOperator
from airflow_provider_aihub.tasks.job_state import Marker

pytestmark = pytest.mark.usefixtures("patience")

old_and_new = pytest.mark.parametrize("remembers", [True, False], ids=["Airflow remembers", "by the marker alone"])
first_or_last = pytest.mark.parametrize("retries", [3, 0], ids=["tries are left", "the last try"])
LONG = "sleep 600"
RUNNING = 2
KEY = "aihub_job"
"""Of the record in Airflow's task state store."""


class WorkerKilled(BaseException):
    """Nothing in the task's code runs after it, as after SIGKILL."""


class Refusing(Store):
    """Airflow's store, which does not take or tell some things.

    :param refuses: Told what is asked, ``"get"``, ``"set <state>"`` or ``"delete"``; returns the error, if any.
    """

    def __init__(self, refuses: Callable[[str], BaseException | None] = lambda _: None) -> None:
        super().__init__()
        self.refuses = refuses

    def _ask(self, what: str) -> None:
        error = self.refuses(what)
        if error is not None:
            raise error

    def get(self, key: str, default: Any = None) -> Any:
        self._ask("get")
        return super().get(key, default)

    def set(self, key: str, value: Any) -> None:
        self._ask(f"set {value['state']}")
        super().set(key, value)

    def delete(self, key: str) -> None:
        self._ask("delete")
        super().delete(key)


def life(*, store: Store | None = None, remembers: bool = True, retries: int = 3, **given: Any) -> TaskLife:
    fixed = {"image": "any", "virtual_cluster": 1, "project": 1, "command": LONG, "deferrable": True}
    arguments: dict[str, Any] = {"task_id": "train", "name": "nightly", "retries": retries, **fixed, **given}
    task = TaskLife(lambda: TrainingOperator(**arguments), remembers=remembers)
    task.store = store or task.store
    return task


def jobs(status: int | None = None) -> list[Training]:
    rows = AIHubHook().list_trainings(page_size=100).data
    return [row for row in rows if status is None or row.status == status]


def refusal(*whats: str, error: BaseException | None = None) -> Callable[[str], BaseException | None]:
    return lambda what: (error or RuntimeError("Airflow's API server said no")) if what in whats else None


# Entries


def _mark_as_before(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let markers be what the version before made; returns what ends that."""
    real = Marker.__str__
    monkeypatch.setattr(Marker, "__str__", lambda marker: real(replace(marker, try_number=0)))
    return lambda: monkeypatch.setattr(Marker, "__str__", real)


def _of_before(entry: dict[str, Any]) -> dict[str, Any]:
    names = ("state", "marker", "since", "name", "max_tries", "retries", "job_id")
    return {name: entry[name] for name in names}


ENTRIES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "of a newer version": lambda entry: {**entry, "colour": "blue"},
    "of the version before": _of_before,
    "lost": lambda _: None,
    "a text": lambda _: "12",
    "a number": lambda _: 12,
    "a list": lambda _: [1],
    "empty": lambda _: {},
    "without a marker": lambda entry: {name: value for name, value in entry.items() if name != "marker"},
    "with a marker of another type": lambda entry: {**entry, "marker": None},
    "with a time of another type": lambda entry: {**entry, "since": "yesterday"},
    "with an id of another type": lambda entry: {**entry, "job_id": [1]},
    "with a state of another type": lambda entry: {**entry, "state": 3},
}


def rewrite(task: TaskLife, change: Callable[[dict[str, Any]], Any]) -> None:
    assert task.store is not None
    changed = change(json.loads(task.store.values.pop(KEY)))
    if changed is not None:
        task.store.values[KEY] = json.dumps(changed)


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("cleared", [False, True], ids=["retried", "cleared"])
def test_whatever_became_of_the_entry_there_is_one_job(aihub: Emulator, entry: str, cleared: bool) -> None:
    task = life()
    task.start()
    rewrite(task, ENTRIES[entry])
    if cleared:
        task.clear()
    task.start()
    assert task.ti.xcoms["job_id"] == (2 if cleared else 1)
    if cleared:
        stopped(lambda: AIHubHook().get_training(1))
    assert [job.id for job in jobs(RUNNING)] == [task.ti.xcoms["job_id"]]


def test_an_entry_that_cannot_be_read_leaves_it_to_a_person_where_jobs_cannot_be_listed(document: Emulator) -> None:
    task = life()
    task.start()
    rewrite(task, lambda _: "12")
    for _ in range(2):
        with pytest.raises(AIHubAmbiguousSubmit, match="look there whether the training 'nightly' exists") as failure:
            task.start()
        assert isinstance(failure.value, AirflowFailException)
    assert document.requests.count("POST", "*/trainings") == 1
    task.clear()
    task.start()
    assert document.requests.count("POST", "*/trainings") == 2


# What Airflow does not take or tell


@first_or_last
@pytest.mark.parametrize("what", ["set submitted", "set done", "delete"])
def test_what_airflow_does_not_take_after_the_create_call_costs_no_job(
    aihub: Emulator, what: str, retries: int
) -> None:
    task = life(store=Refusing(refusal(what)), retries=retries, command="true")
    assert task.try_once()["id"] == 1
    assert len(jobs()) == 1


def test_a_worker_that_dies_after_airflow_did_not_take_the_id_leaves_one_job(
    aihub: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = life(store=Refusing(refusal("set submitted")))
    real = TaskInstance.xcom_push
    monkeypatch.setattr(TaskInstance, "xcom_push", _killed)
    with pytest.raises(WorkerKilled):
        task.start()
    monkeypatch.setattr(TaskInstance, "xcom_push", real)
    task.store = _with_values_of(task)
    task.start()
    assert task.ti.xcoms["job_id"] == 1
    assert len(jobs()) == 1


@first_or_last
def test_without_a_written_intent_there_is_no_job(aihub: Emulator, retries: int) -> None:
    task = life(store=Refusing(refusal("set submitting")), retries=retries)
    with pytest.raises(RuntimeError, match="said no"):
        task.start()
    assert jobs() == []


@first_or_last
def test_an_xcom_that_airflow_does_not_take_costs_no_job(
    aihub: Emulator, monkeypatch: pytest.MonkeyPatch, retries: int
) -> None:
    def refuses(*_: Any, **__: Any) -> None:
        raise RuntimeError("Airflow's API server said no")

    monkeypatch.setattr(TaskInstance, "xcom_push", refuses)
    assert life(retries=retries, command="true").try_once()["id"] == 1
    assert len(jobs()) == 1


@pytest.mark.parametrize("retries", [1, 3], ids=["the last try", "tries are left"])
def test_an_entry_that_airflow_does_not_tell_is_made_up_for_by_the_marker(aihub: Emulator, retries: int) -> None:
    task = life(retries=retries)
    task.start()
    values = _with_values_of(task)
    task.store = Refusing(refusal("get"))
    task.store.values = values.values
    task.start()
    assert task.ti.xcoms["job_id"] == 1
    assert len(jobs()) == 1


def test_an_entry_that_airflow_does_not_tell_is_asked_for_again_where_jobs_cannot_be_listed(
    document: Emulator,
) -> None:
    task = life()
    task.start()
    store = _with_values_of(task)
    task.store = Refusing(refusal("get"))
    with pytest.raises(RuntimeError, match="said no"):
        task.start()
    task.store = store
    task.start()
    assert task.ti.xcoms["job_id"] == 1
    assert document.requests.count("POST", "*/trainings") == 1


def test_an_entry_that_airflow_does_not_delete_is_of_no_harm(aihub: Emulator) -> None:
    task = life(store=Refusing(refusal("delete")), command="exit 3")
    for count in (1, 2):
        with pytest.raises(AIHubJobFailed):
            task.try_once()
        assert len(jobs()) == count


@old_and_new
@pytest.mark.parametrize("retries", [0, 1], ids=["the last try", "a try is left"])
def test_a_raw_error_after_the_create_call_leaves_no_job_that_nobody_takes_up(
    aihub: Emulator, monkeypatch: pytest.MonkeyPatch, remembers: bool, retries: int
) -> None:
    task = life(remembers=remembers, retries=retries)

    def fails(*_: Any) -> None:
        raise OSError("whatever goes wrong")

    monkeypatch.setattr(TrainingOperator, "reference", fails)
    with pytest.raises(OSError, match="whatever"):
        task.start()
    if retries:
        assert [job.id for job in jobs(RUNNING)] == [1]
    else:
        stopped(lambda: AIHubHook().get_training(1))


# Superseded


@pytest.mark.airflow(">=3.0", lacks="errors of an API server")
@pytest.mark.parametrize("deferrable", [True, False])
def test_a_worker_that_is_not_the_one_any_more_stops_what_it_alone_knows_of(aihub: Emulator, deferrable: bool) -> None:
    task = life(store=Refusing(refusal("set submitted", error=gone())), deferrable=deferrable)
    with pytest.raises(AIHubJobStopped, match="another try"):
        task.start()
    stopped(lambda: AIHubHook().get_training(1))


@pytest.mark.airflow(">=3.0", lacks="errors of an API server")
def test_a_worker_that_is_not_the_one_any_more_creates_nothing(aihub: Emulator) -> None:
    task = life(store=Refusing(refusal("set submitting", error=gone())))
    with pytest.raises(type(gone())):
        task.start()
    assert jobs() == []


@pytest.mark.airflow(">=3.0", lacks="errors of an API server")
def test_an_xcom_of_a_worker_that_is_not_the_one_any_more_stops_its_job(
    aihub: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: Any, **__: Any) -> None:
        raise gone()

    monkeypatch.setattr(TaskInstance, "xcom_push", refuses)
    with pytest.raises(AIHubJobStopped, match="another try"):
        life().start()
    stopped(lambda: AIHubHook().get_training(1))


@pytest.mark.airflow(">=3.0", lacks="errors of an API server")
def test_a_worker_that_is_not_the_one_any_more_leaves_a_job_that_others_know_of(
    aihub: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = life()
    task.start()

    def refuses(*_: Any, **__: Any) -> None:
        raise gone()

    monkeypatch.setattr(TaskInstance, "xcom_push", refuses)
    with pytest.raises(AIHubJobStopped, match="another try meanwhile, so this one ends"):
        task.start()
    assert [job.id for job in jobs(RUNNING)] == [1]
    AIHubHook().stop_training(1)


# Cleared with fewer retries


@pytest.mark.usefixtures("little_patience")
@old_and_new
@pytest.mark.parametrize("version", ["this", "the one before"])
@pytest.mark.parametrize(("before", "now"), [(3, 2), (1, 0), (2, 2)])
def test_a_later_try_after_a_clear_returns_no_old_result(
    aihub: Emulator, monkeypatch: pytest.MonkeyPatch, remembers: bool, version: str, before: int, now: int
) -> None:
    """The first try after the clear dies before it has begun."""
    of_before = version == "the one before"
    marks_as_now = _mark_as_before(monkeypatch) if of_before else lambda: None
    task = life(remembers=remembers, retries=before, command="true")
    first = task.try_once()
    if of_before and remembers:
        rewrite(task, _of_before)
    marks_as_now()
    task.retries = now
    task.clear()
    real = TrainingOperator.execute
    monkeypatch.setattr(TrainingOperator, "execute", _killed)
    for _ in range(max(now, 1)):
        with pytest.raises(WorkerKilled):
            task.try_once()
    monkeypatch.setattr(TrainingOperator, "execute", real)
    second = task.try_once()
    assert (first["id"], second["id"]) == (1, 2)


@old_and_new
def test_a_job_of_the_version_before_is_taken_up(
    aihub: Emulator, monkeypatch: pytest.MonkeyPatch, remembers: bool
) -> None:
    marks_as_now = _mark_as_before(monkeypatch)
    task = life(remembers=remembers)
    task.start()
    if remembers:
        rewrite(task, _of_before)
    marks_as_now()
    task.start()
    assert task.ti.xcoms["job_id"] == 1
    assert len(jobs()) == 1


# Where nobody can tell


@pytest.mark.parametrize("after", [False, True], ids=["before it is written down", "after"])
@pytest.mark.parametrize("where", ["in the try", "in the next try"])
def test_a_worker_that_dies_when_nobody_can_tell_leaves_it_to_a_person(
    document: Emulator, monkeypatch: pytest.MonkeyPatch, after: bool, where: str
) -> None:
    document.faults.add("lost", method="POST", path="*/trainings", count=1)
    store = Refusing(refusal("set unknown", error=WorkerKilled()))
    if after:
        store.set = partial(_set_and_die, store)  # type: ignore[method-assign]
    task = life(store=store)
    if where == "in the next try":
        real = AIHubClient.send
        monkeypatch.setattr(AIHubClient, "send", _sent_and_dead(real))
        with pytest.raises(WorkerKilled):
            task.start()
        monkeypatch.setattr(AIHubClient, "send", real)
    with pytest.raises(WorkerKilled):
        task.start()
    task.store = _with_values_of(task)
    for _ in range(2):
        with pytest.raises(AIHubAmbiguousSubmit) as failure:
            task.start()
        assert isinstance(failure.value, AirflowFailException)
    assert document.requests.count("POST", "*/trainings") == 1
    task.clear()
    task.start()
    assert document.requests.count("POST", "*/trainings") == 2


def _set_and_die(store: Store, key: str, value: Any) -> None:
    Store.set(store, key, value)
    if value["state"] == "unknown":
        raise WorkerKilled


def _sent_and_dead(real: Callable[..., Any]) -> Callable[..., Any]:
    def send(client: AIHubClient, request: Any, **given: Any) -> Any:
        with suppress(AIHubAmbiguousSubmit):
            answer = real(client, request, **given)
        if request.creates:
            raise WorkerKilled
        return answer

    return send


def _with_values_of(task: TaskLife) -> Store:
    assert task.store is not None
    store = Store()
    store.values = dict(task.store.values)
    return store


def _killed(*_: Any, **__: Any) -> Any:
    raise WorkerKilled
