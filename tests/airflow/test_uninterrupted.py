"""A time limit that strikes during a call to Airflow lets the call end, so that no answer is left for the next one."""

from __future__ import annotations

import logging
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowTaskTimeout, Connection
from task_life import Store, TaskLife

from airflow_provider_aihub.emulators.aihub import Emulator
from airflow_provider_aihub.hooks.aihub import AIHubHook
from airflow_provider_aihub.operators.training import TrainingOperator
from airflow_provider_aihub.tasks import own_xcoms
from airflow_provider_aihub.tasks.own_xcoms import get, put
from airflow_provider_aihub.tasks.steps import Entry, Forget, Load, Push, Save
from airflow_provider_aihub.tasks.uninterrupted import uninterrupted
from airflow_provider_aihub.tasks.worker import Worker

PLACE = SimpleNamespace(dag_id="d", task_id="t", run_id="r", map_index=-1)


@pytest.fixture(autouse=True)
def _limit() -> Iterator[None]:
    """The time limit of a task, as Airflow sets it."""

    def strike(*_: Any) -> None:
        raise AirflowTaskTimeout("Timeout")

    before = signal.signal(signal.SIGALRM, strike)
    yield
    assert signal.getsignal(signal.SIGALRM) is strike
    signal.signal(signal.SIGALRM, before)


class Struck:
    """Something of Airflow's whose calls are all struck in their middle."""

    def __init__(self) -> None:
        self.asked = self.answered = 0

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return self.ask

    def ask(self, *_: Any, **__: Any) -> Any:
        self.asked += 1
        signal.raise_signal(signal.SIGALRM)
        self.answered += 1
        return Connection(conn_id="c", conn_type="aihub")


def worker(airflow: Struck) -> Worker:
    context: Any = {"ti": airflow, "task_state_store": airflow}
    return Worker(lambda: None, "aihub", context, logging.getLogger("test"))  # type: ignore[arg-type,return-value]


def do(step: Any) -> Callable[[Struck, pytest.MonkeyPatch], Any]:
    def steps() -> Any:
        yield step

    return lambda airflow, _: worker(airflow).run(steps())


def connection(airflow: Struck, patch: pytest.MonkeyPatch) -> Any:
    patch.setattr(AIHubHook, "get_connection", airflow.ask)
    return AIHubHook().get_conn()


def keeping(airflow: Struck, patch: pytest.MonkeyPatch) -> Any:
    patch.setattr(own_xcoms, "_base", lambda: airflow)
    return put(PLACE, "key", "value")


def reading(airflow: Struck, patch: pytest.MonkeyPatch) -> Any:
    patch.setattr(own_xcoms, "_base", lambda: airflow)
    patch.setattr(own_xcoms, "_in_database", airflow.ask)
    return get(PLACE, "key")


CALLS: dict[str, Callable[[Struck, pytest.MonkeyPatch], Any]] = {
    "what is known of an earlier try": do(Load()),
    "what is written down": do(Save(Entry(state="submitted", marker="m", since=0.0, max_tries=0, retries=0))),
    "what is forgotten": do(Forget()),
    "the job's id": do(Push("job_id", 12)),
    "the connection": connection,
    "a link": keeping,
    "a link again": reading,
}


@pytest.mark.parametrize("what", CALLS)
def test_a_call_ends_before_the_limit_strikes(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    airflow = Struck()
    with pytest.raises(AirflowTaskTimeout):
        CALLS[what](airflow, monkeypatch)
    assert airflow.asked == airflow.answered == 1


def test_a_call_that_fails_meanwhile() -> None:
    def fail() -> None:
        signal.raise_signal(signal.SIGALRM)
        raise LookupError

    with pytest.raises(AirflowTaskTimeout):
        uninterrupted(fail)


def test_other_threads_and_tasks_without_a_limit_are_left_alone() -> None:
    came: list[Any] = []
    thread = threading.Thread(target=lambda: came.append(uninterrupted(lambda: 12)))
    thread.start()
    thread.join()
    limit = signal.signal(signal.SIGALRM, signal.SIG_DFL)
    try:
        came.append(uninterrupted(lambda: signal.getsignal(signal.SIGALRM)))
    finally:
        signal.signal(signal.SIGALRM, limit)
    assert came == [12, signal.SIG_DFL]


@pytest.mark.parametrize("calls", [1, 2], ids=["before the job is created", "when its id is written down"])
def test_a_job_is_stopped_all_the_same(aihub: Emulator, monkeypatch: pytest.MonkeyPatch, calls: int) -> None:
    given: dict[str, Any] = {"task_id": "t", "name": "n", "image": "any", "virtual_cluster": 1, "project": 1}
    life = TaskLife(lambda: TrainingOperator(**given, command="sleep 60", deferrable=False))
    set_ = Store.set
    done: list[Any] = []

    def struck(store: Store, key: str, value: Any) -> None:
        if len(done) == calls - 1:
            signal.raise_signal(signal.SIGALRM)
        set_(store, key, value)
        done.append(value)

    monkeypatch.setattr(Store, "set", struck)
    with pytest.raises(AirflowTaskTimeout):
        life.start()
    assert len(done) >= calls
    jobs = [job.id for job in AIHubHook().list_trainings().data]
    assert len(jobs) == calls - 1
    stopped = [training.id for training in AIHubHook().list_trainings().data if training.stop_op_user.name]
    assert stopped == jobs


class Supervisor(threading.Thread):
    """Airflow's supervisor, slow to take an XCom."""

    def __init__(self, task: socket.socket) -> None:
        super().__init__(daemon=True)
        self._socket = task
        self.taken: dict[str, Any] = {}

    def run(self) -> None:
        from airflow.sdk.execution_time import comms

        decoder = comms.msgspec.msgpack.Decoder(comms._RequestFrame)
        while head := self._socket.recv(4):
            frame = decoder.decode(self._socket.recv(int.from_bytes(head, "big"), socket.MSG_WAITALL))
            body = frame.body or {}
            answer = None
            if body["type"] == "SetXCom":
                time.sleep(1)
                self.taken[body["key"]] = body["value"]
            elif body["type"] == "GetXCom":
                answer = {"type": "XComResult", "key": body["key"], "value": self.taken.get(body["key"])}
            self._socket.sendall(comms._ResponseFrame(frame.id, answer).as_bytes())


@pytest.mark.airflow(">=3.1", lacks="a supervisor that answers in frames")
def test_the_answers_of_airflow_s_own_supervisor_stay_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk.execution_time import comms, task_runner
    from airflow.sdk.execution_time.timeout import TimeoutPosix

    ours, theirs = socket.socketpair()
    supervisor = Supervisor(theirs)
    supervisor.start()
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", comms.CommsDecoder(socket=ours), raising=False)
    limit = signal.getsignal(signal.SIGALRM)
    try:
        with pytest.raises(AirflowTaskTimeout), TimeoutPosix(0.2):
            put(PLACE, "_link", "http://aihub.example/1")
        assert get(PLACE, "_link") == "http://aihub.example/1"
    finally:
        signal.signal(signal.SIGALRM, limit)
        ours.close()
        supervisor.join()
