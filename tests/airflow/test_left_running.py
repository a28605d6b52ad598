"""Whatever makes Airflow give up on a task stops its job, at whatever step of its life."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowTaskTimeout
from task_life import TaskLife, stopped
from twisted import Asked, Twisted, before, creates, hidden, late, listed, lost, once, reads, slow, stops
from waiting import until

from airflow_provider_aihub.aihub.client import AIHubClient
from airflow_provider_aihub.aihub.errors import AIHubError, AIHubJobStopped, AIHubParameterError, AIHubUnavailable
from airflow_provider_aihub.aihub.model_training import Training
from airflow_provider_aihub.hooks.aihub import AIHubHook
from airflow_provider_aihub.operators.training import TrainingOperator
from airflow_provider_aihub.triggers.job import JobTrigger

pytestmark = pytest.mark.usefixtures("patience")

old_and_new = pytest.mark.parametrize("remembers", [True, False], ids=["Airflow remembers", "by the marker alone"])
LONG = "sleep 600"
CLUSTER = "vc-cpu"
"""A name to be looked up."""


class Terminated(BaseException):
    """As Airflow 2 raises in a task that it ends, right after ``on_kill``."""


def life(*, remembers: bool = True, retries: int = 3, **given: Any) -> TaskLife:
    fixed = {"image": "any", "virtual_cluster": 1, "project": 1, "command": LONG}
    arguments: dict[str, Any] = {"task_id": "train", "name": "nightly", "retries": retries, **fixed, **given}
    return TaskLife(lambda: TrainingOperator(**arguments), remembers=remembers)


def jobs() -> list[Training]:
    """What AIHub really has, whatever its lists show."""
    return AIHubHook("direct").list_trainings(page_size=100).data


def gone(job_id: int = 1) -> None:
    """Wait until a job that may be just being created is stopped."""
    until("AIHub has the job", lambda: [job.id for job in jobs()], lambda ids: job_id in ids)
    stopped(lambda: AIHubHook("direct").get_training(job_id))


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise in the middle of whatever is done, as Airflow does at an ``execution_timeout``."""

    def strike(*_: Any) -> None:
        raise AirflowTaskTimeout

    real = signal.signal(signal.SIGALRM, strike)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, real)


def timed_out(task: TaskLife, seconds: float) -> None:
    """Run a try until its time is over; Airflow then kills it, too."""
    operator = task.make()
    task.make = lambda: operator
    with pytest.raises(AirflowTaskTimeout), time_limit(seconds):
        task.start()
    operator.on_kill()


def killed(twisted: Twisted, monkeypatch: pytest.MonkeyPatch, task: TaskLife, wanted: Callable[[Asked], bool]) -> int:
    """Kill a task when it comes to a request; return how many calls that took."""
    operator = task.make()
    task.make = lambda: operator
    real, made = AIHubClient._send, 0

    def send(client: AIHubClient, step: Any) -> Any:
        nonlocal made
        if wanted(Asked(step.method, step.url.removeprefix(twisted.url).partition("?")[0], {}, {}, b"")):
            monkeypatch.setattr(AIHubClient, "_send", real)
            before_that = len(twisted.asked)
            operator.on_kill()
            made = len(twisted.asked) - before_that
        return real(client, step)

    monkeypatch.setattr(AIHubClient, "_send", send)
    with pytest.raises(AIHubError):
        task.start()
    return made


def names_are_looked_up(request: Asked) -> bool:
    return request.method == "GET" and "cluster" in request.path


# At a time limit


@old_and_new
@pytest.mark.parametrize("lag", [0.0, 0.4], ids=["the list is up to date", "the list lags"])
def test_a_job_whose_creation_outlasts_the_time_limit_is_stopped(twisted: Twisted, remembers: bool, lag: float) -> None:
    twisted.rules = [once(creates, late(0.6)), listed(lag=lag)]
    timed_out(life(remembers=remembers), 0.3)
    gone()


@old_and_new
@pytest.mark.parametrize("retries", [3, 1], ids=["tries are left", "the last try"])
def test_a_job_of_an_earlier_try_is_stopped_at_a_time_limit_while_names_are_looked_up(
    twisted: Twisted, remembers: bool, retries: int
) -> None:
    task = life(remembers=remembers, deferrable=True, virtual_cluster=CLUSTER, retries=retries)
    task.start()
    twisted.rules = [slow(1.0, names_are_looked_up)]
    timed_out(task, 0.3)
    gone()
    assert len(jobs()) == 1


@old_and_new
def test_a_job_of_an_earlier_try_is_stopped_at_a_time_limit_while_it_is_taken_up(
    twisted: Twisted, remembers: bool
) -> None:
    task = life(remembers=remembers, deferrable=True)
    task.start()
    twisted.rules = [once(reads, slow(1.0))]
    timed_out(task, 0.3)
    gone()
    assert len(jobs()) == 1


def test_a_job_whose_answer_was_lost_is_stopped_at_a_time_limit(twisted: Twisted) -> None:
    twisted.rules = [once(creates, lost), listed(lag=0.5)]
    timed_out(life(), 0.3)
    gone()


def test_a_job_that_aihub_does_not_know_yet_is_stopped_at_a_time_limit(twisted: Twisted) -> None:
    twisted.rules = [hidden(0.6)]
    timed_out(life(), 0.3)
    gone()


# Errors after which no try comes


@old_and_new
def test_a_job_of_an_earlier_try_is_stopped_where_no_retry_can_help(twisted: Twisted, remembers: bool) -> None:
    task = life(remembers=remembers, deferrable=True)
    task.start()
    task.make = life(remembers=remembers, deferrable=True, project="none of that name").make
    with pytest.raises(AIHubParameterError):
        task.start()
    gone()


@old_and_new
def test_a_job_of_an_earlier_try_is_stopped_where_the_last_try_fails_before_it_takes_it_up(
    twisted: Twisted, monkeypatch: pytest.MonkeyPatch, remembers: bool
) -> None:
    task = life(remembers=remembers, deferrable=True, virtual_cluster=CLUSTER, retries=1)
    task.start()
    monkeypatch.setitem(AIHubClient.__init__.__kwdefaults__, "sleep", lambda _: None)
    twisted.rules = [lambda request, go_on: None if names_are_looked_up(request) else go_on(request)]
    with pytest.raises(AIHubUnavailable):
        task.start()
    gone()


# Killed in its worker


def test_a_kill_needs_one_call_for_a_job_that_the_try_has_created(
    twisted: Twisted, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = killed(twisted, monkeypatch, life(), reads)
    gone()
    assert made == 1


@old_and_new
def test_a_kill_needs_one_call_for_a_job_that_the_try_has_seen(
    twisted: Twisted, monkeypatch: pytest.MonkeyPatch, remembers: bool
) -> None:
    task = life(remembers=remembers, deferrable=True)
    task.start()
    numbers = iter(range(10**6))
    task.make = life(remembers=remembers).make
    made = killed(twisted, monkeypatch, task, lambda request: reads(request) and next(numbers) >= 4)
    gone()
    assert made == 1


@old_and_new
def test_a_kill_needs_a_look_and_a_call_for_a_job_that_the_try_has_not_seen(
    twisted: Twisted, monkeypatch: pytest.MonkeyPatch, remembers: bool
) -> None:
    task = life(remembers=remembers, deferrable=True, virtual_cluster=CLUSTER)
    task.start()
    made = killed(twisted, monkeypatch, task, names_are_looked_up)
    gone()
    assert made == 2
    assert len(jobs()) == 1


def test_a_kill_is_in_time_where_each_answer_takes_long(twisted: Twisted) -> None:
    """2.6 s, and Airflow ends the process after 5."""
    task = life(deferrable=False)
    operator = task.make()
    task.make = lambda: operator
    twisted.rules = [before(reads, lambda: twisted.rules.append(slow(2.6)), number=2)]
    ended = threading.Event()

    def kill() -> None:
        operator.on_kill()
        ended.set()

    def run() -> None:
        with pytest.raises(AIHubError):
            task.start()

    running = threading.Thread(target=run, daemon=True)
    running.start()
    until("answers take long", lambda: len(twisted.rules), (2).__eq__)
    before_that = len(twisted.asked)
    threading.Thread(target=kill, daemon=True).start()
    until("the job is asked to stop", lambda: twisted.count(stops))
    assert [stops(request) for request in twisted.asked[before_that:]].count(False) <= 1
    twisted.rules = []
    gone()
    until("the task has ended", lambda: not running.is_alive())


@old_and_new
@pytest.mark.parametrize("raises", [False, True], ids=["Airflow 3 lets it go on", "Airflow 2 does not"])
def test_a_task_that_is_killed_while_its_job_is_created_stops_it(
    twisted: Twisted, remembers: bool, raises: bool
) -> None:
    twisted.rules = [once(creates, late(0.5))]
    task = life(remembers=remembers)
    operator = task.make()
    task.make = lambda: operator

    def end(*_: Any) -> None:
        operator.on_kill()
        if raises:
            raise Terminated

    real = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises((AIHubError, Terminated)):
            task.start()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, real)
    gone()
    assert len(jobs()) == 1


def test_a_task_that_is_killed_as_it_resumes_stops_its_job(twisted: Twisted, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its record is being read; the trigger was told by a list that the job had ended, which goes on."""
    task = life(deferrable=True)
    trigger = task.start()
    identity = trigger.identity
    event = {
        "outcome": "ended",
        "job_id": 1,
        "since": trigger.since,
        "deadline": None,
        "rounds": 0,
        "identity": identity,
    }
    event |= dict.fromkeys(("phase", "status", "error", "error_type"))
    operator = task.make()
    real = task.store.get

    def get(*given: Any) -> Any:
        monkeypatch.setattr(task.store, "get", real)
        operator.on_kill()
        raise Terminated

    monkeypatch.setattr(task.store, "get", get)
    with pytest.raises(Terminated):
        operator.execute_complete(task.context, event)
    assert twisted.count(stops) == 1
    gone()


@pytest.fixture
def states(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The states of tasks by Airflow's record, as its API gives them."""
    task_runner = pytest.importorskip("airflow.sdk.execution_time.task_runner", reason="Airflow 2 has no supervisor")
    states: dict[str, str] = {}
    asked = {"dag_id": "dag", "task_ids": ["train"], "run_ids": ["manual__1"], "map_index": -1}

    def get_task_states(**given: Any) -> dict[str, dict[str, str]]:
        assert given == asked
        return {"manual__1": states}

    monkeypatch.setattr(task_runner.RuntimeTaskInstance, "get_task_states", get_task_states)
    return states


@pytest.mark.usefixtures("twisted")
@pytest.mark.parametrize("state", ["failed", "success", "skipped", "restarting"])
def test_a_task_that_was_marked_before_it_defers_stops_its_job(states: dict[str, str], state: str) -> None:
    """Airflow would not take the deferral; its worker would hear of the mark with the next heartbeat alone."""
    states["train"] = state
    with pytest.raises(AIHubJobStopped, match="marked or cleared"):
        life(deferrable=True).start()
    gone()


@pytest.mark.parametrize("state", ["running", None])
def test_a_task_that_is_still_wanted_defers(twisted: Twisted, states: dict[str, str], state: str | None) -> None:
    states |= {"train": state} if state else {}
    assert isinstance(life(deferrable=True).start(), JobTrigger)
    assert twisted.count(stops) == 0


def test_what_must_not_be_stopped_with_the_task_is_not(twisted: Twisted) -> None:
    task = life(deferrable=True, virtual_cluster=CLUSTER, cancel_on_kill=False)
    task.start()
    twisted.rules = [slow(1.0, names_are_looked_up)]
    timed_out(task, 0.3)
    assert [job.status for job in jobs()] == [2]
