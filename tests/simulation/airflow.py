"""What Airflow does around a task: tries, its record and XComs, deferring and resuming, and every way to end a try.

What it does is taken from Airflow's code; ``tests/system`` runs the same histories in a real one.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from types import SimpleNamespace
from typing import Any, Final

from airflow.providers.common.compat.sdk import TaskDeferred
from greenlet import getcurrent, greenlet
from pydantic_core import from_json, to_json

from airflow_provider_aihub.http.blocking import Client
from airflow_provider_aihub.http.errors import RemoteJobError, raised_as
from airflow_provider_aihub.http.exchange import authenticate, exchange
from airflow_provider_aihub.http.protocol import Outcome as HttpOutcome
from airflow_provider_aihub.http.protocol import Send
from airflow_provider_aihub.http.protocol import Sleep as HttpSleep
from airflow_provider_aihub.http.retry import RetryPolicy
from airflow_provider_aihub.jobs.waiting import Ask, Fetch
from airflow_provider_aihub.tasks.life import Deferral, Life
from airflow_provider_aihub.tasks.own_state import ENDED_BY_OTHERS
from airflow_provider_aihub.tasks.steps import (
    Call,
    Do,
    Forget,
    Load,
    LogIn,
    Logins,
    Push,
    Refused,
    Save,
    ServerTime,
    Sleep,
    Wanted,
)
from airflow_provider_aihub.tasks.worker import KILL_POLICY

from .platforms import Side
from .server import Server

HEARTBEAT: Final = 300.0
"""Seconds after which Airflow takes a worker that it does not hear of for dead."""
GRACE: Final = 5.0
"""Seconds from SIGTERM to SIGKILL."""
BEFORE, AFTER = False, True
"""Where a process may be ended or disturbed: before a step that it takes, or after it."""
LONG: Final = 0.5
"""Seconds from which on something may happen meanwhile."""


class Log:
    """A log that nobody reads, unless a history is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.kept = False

    def _log(self, message: str, *args: Any, **_: Any) -> None:
        if self.kept:
            self.lines.append(message % args if args else message)

    debug = info = warning = error = _log


LOG: Final = Log()


class World:
    """The clock, and which platform stands behind the address.

    :param side: What the provider has for the platform.
    :param config: What the connection says.
    """

    def __init__(self, side: Side, config: Any) -> None:
        self.side, self.config = side, config
        self.now = 1_800_000_000.0
        self.server: Server = None  # type: ignore[assignment]

    def pass_time(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


class Sending(Client):
    """The real client; what it sends goes to the platform in memory."""

    process: Process

    def _send(self, step: Send) -> HttpOutcome:
        _pause(BEFORE)
        world = self.process.world
        answering = world.server.answer(step, self.process)
        while True:
            try:
                world.pass_time(next(answering))
            except StopIteration as end:
                outcome: HttpOutcome = end.value
                _pause(AFTER)
                return outcome


def _pause(point: bool) -> None:
    """Come to a point at which the process may end, in the middle of what is done in pieces."""
    if (around := getcurrent().parent) is not None:
        around.switch(point)


@cache
def _client_of(client: type[Client]) -> type[Sending]:
    return type(client.__name__, (Sending, client), {})


class Superseded(Exception):
    """What Airflow's API says to a worker whose try is not the task's any more."""

    error = SimpleNamespace(detail={"status_code": 404})


class Unwell(Exception):
    """What Airflow's API says while it is not well."""


@dataclass
class TaskInstance:
    """What a task's code sees of its task instance."""

    dag_id: str = "dag"
    run_id: str = "run"
    task_id: str = "task"
    map_index: int = -1
    try_number: int = 0
    max_tries: int = 0
    xcoms: dict[str, Any] = field(default_factory=dict)

    def xcom_push(self, key: str, value: Any) -> None:
        """Keep an XCom."""
        self.xcoms[key] = from_json(to_json(value))

    def xcom_pull(self, **asked: Any) -> Any:
        """Return an XCom."""
        return self.xcoms.get(asked["key"])


class Process:
    """A worker's process, or a triggerer: with a clock of its own.

    :param skew: Seconds by which its clock is ahead.
    """

    def __init__(self, world: World, dice: random.Random, skew: float = 0.0) -> None:
        self.world = world
        self.dice = dice
        self.skew = skew
        self.began = world.now
        self.asked: Counter[str] = Counter()
        """What it has asked the platform for, and how often."""
        self.asked_until = world.now

    def clock(self) -> float:
        """Return the Unix time that this process believes."""
        return self.world.now + self.skew


class Blocking(Process):
    """A worker's process: with a client, and a copy of the operator."""

    def __init__(self, world: World, dice: random.Random, task: Task, skew: float = 0.0) -> None:
        super().__init__(world, dice, skew)
        self.client = _client_of(world.side.client)(world.config, sleep=self.sleep, clock=self.clock)
        self.client.process = self
        self.state = self.client._state
        self.state.random = dice.random
        self.task = task
        self.operator = task.operator_for(self)
        self.context = task.context()

    def sleep(self, seconds: float) -> None:
        """Let time pass for those who ask again."""
        self.world.pass_time(seconds)
        _pause(AFTER)


class Worker(Blocking):
    """Does what a life wants done, one step at a time, so that it can be ended between any two."""

    def __init__(self, world: World, dice: random.Random, task: Task, skew: float = 0.0) -> None:
        super().__init__(world, dice, task, skew)
        self.ti: TaskInstance = self.context["ti"]
        self.try_id = task.try_id
        self.life: Life = self.operator.life(self.context, clock=self.clock, jitter=dice.random)

    @property
    def superseded(self) -> bool:
        """Whether Airflow has given the task to another try meanwhile."""
        return self.try_id != self.task.try_id

    def deferred(self, deferral: Deferral) -> str:
        """Return the trigger that the task defers to, as Airflow keeps it."""
        try:
            self.operator._defer(deferral)
        except TaskDeferred as deferred:
            return kept(deferred)
        raise AssertionError("the task did not defer")

    def run(self, steps: Generator[Any, Any, Any], policy: RetryPolicy | None = None) -> Iterator[bool]:
        """Drive a life; each point is one at which the process may end."""
        reply: Any = None
        error: RemoteJobError | None = None
        while True:
            try:
                step = steps.send(reply) if error is None else steps.throw(error)
            except StopIteration as end:
                return end.value
            reply = error = None
            yield BEFORE
            try:
                reply = yield from self._done(step, policy)
            except RemoteJobError as came:
                if isinstance(step, Ask | Fetch):
                    reply = came
                else:
                    error = came
            yield AFTER

    def _done(self, step: Any, policy: RetryPolicy | None) -> Any:
        match step:
            case Call():
                return (yield from self._through(exchange(step.request, self.state, policy)))
            case Ask() | Fetch():
                return (yield from self._through(step.steps(self.state)))
            case Sleep():
                self.world.pass_time(step.seconds)
                yield AFTER
            case LogIn():
                return self.client.authenticate()
            case Logins():
                return self.client.logins
            case ServerTime():
                return self.client.server_time
            case Load():
                self.task.uses += 1
                return json.loads(self.task.store.get("entry", "null")) if self.task.store is not None else None
            case Save():
                return self._told(lambda: self.task.keep(step.entry.plain()))
            case Forget():
                self._told(lambda: self.task.keep(None))
            case Push():
                return self._told(lambda: self.ti.xcom_push(step.key, step.value))
            case Wanted():
                self.task.uses += 1
                return self.task.state not in ENDED_BY_OTHERS
            case Do():
                if self.operator.idempotent:
                    return (yield from self._in_pieces(step.work))
                return step.work()
            case _:
                # What else a log wants done is of no concern to a life.
                return None
        return None

    def _in_pieces(self, work: Callable[[], Any]) -> Any:
        """Do what creates and starts things by itself: each of its requests is a step of its own."""
        doing = greenlet(work)
        while True:
            came = doing.switch()
            if doing.dead:
                return came
            yield came

    def _through(self, steps: Generator[Any, Any, Any]) -> Any:
        """Drive an exchange as the client does; what takes long is a point."""
        with raised_as(self.client.config.dialect.kinds):
            return (yield from self._carried(steps))

    def _carried(self, steps: Generator[Any, Any, Any]) -> Any:
        came = None
        while True:
            try:
                step = steps.send(came)
            except StopIteration as end:
                return end.value
            came = None
            if isinstance(step, Send):
                answering = self.world.server.answer(step, self)
                while True:
                    try:
                        seconds = next(answering)
                    except StopIteration as end:
                        came = end.value
                        break
                    self.world.pass_time(seconds)
                    if seconds >= LONG:
                        yield AFTER
            elif isinstance(step, HttpSleep):
                self.world.pass_time(step.seconds)
                yield AFTER
            else:
                yield from self._carried(authenticate(self.state, step))

    def _told(self, tell: Callable[[], Any]) -> Refused | None:
        self.task.uses += 1
        if self.superseded and self.task.store is not None:
            return Refused(Superseded(), superseded=True)
        if self.task.deaf:
            self.task.deaf -= 1
            return Refused(Unwell(), superseded=False)
        tell()
        return None

    def kill(self, *, patience: float = 0.0) -> None:
        """Run what Airflow calls when a task is killed, through a client of its own."""
        if patience:
            steps: Any = self.run(self.life.kill(patience=patience))
        else:
            # What is interrupted may hold the client's locks.
            state, self.state = self.state, self.client.with_timeout(3.0, KILL_POLICY)._state
            steps = self.run(self.life.kill(), KILL_POLICY)
        for _ in steps:
            pass
        if not patience:
            self.state = state


def kept(deferred: TaskDeferred) -> str:
    """Return a trigger's arguments as Airflow keeps them."""
    return json.dumps(deferred.trigger.serialize()[1])


class Task:
    """A task instance through its tries.

    :param operator: What it runs; each process has a copy.
    :param remembers: Whether this Airflow has a task state store.
    """

    def __init__(self, world: World, operator: Any, *, remembers: bool, retries: int, map_index: int = -1) -> None:
        self.world = world
        self.operator = operator
        self.store: dict[str, str] | None = {} if remembers else None
        self.retries = retries
        self.retry_delay = timedelta(seconds=300)
        self.ti = TaskInstance(map_index=map_index, max_tries=retries)
        self.began = world.now
        self.state = "running"
        self.trigger_id = 0
        self.try_id = 0
        self.resumes_with: Any = None
        """The event with which it is resumed. If it is cleared meanwhile, Airflow 3.3 resumes the next try with it."""
        self.deaf = 0
        """How many of the next calls Airflow's API does not take."""
        self.uses = 0
        """How often its record and its XComs were read, written or deleted, and its state asked for."""

    def operator_for(self, worker: Blocking) -> Any:
        """Return the operator as another process has it."""
        operator = object.__new__(type(self.operator))
        operator.__dict__.update(self.operator.__dict__)
        hook: Any = object.__new__(self.world.side.hook)
        hook.__dict__["_client"] = worker.client
        operator.__dict__["hook"] = hook
        return operator

    def context(self) -> Any:
        """Return what Airflow gives to a task's code."""
        context = {
            "ti": self.ti,
            "task": SimpleNamespace(retries=self.retries, retry_delay=self.retry_delay),
            "dag_run": SimpleNamespace(start_date=datetime.fromtimestamp(self.began, UTC)),
        }
        return context if self.store is None else {**context, "task_state_store": self.store}

    def begin_try(self) -> None:
        """Begin a try."""
        self.ti.try_number += 1
        self.try_id += 1
        if self.resumes_with is None:
            self.ti.xcoms.clear()
        self.state = "running"

    def keep(self, entry: Any) -> None:
        """Keep the record; ``None`` deletes it."""
        assert self.store is not None
        if entry is None:
            self.store.pop("entry", None)
        else:
            self.store["entry"] = json.dumps(entry)

    @property
    def may_retry(self) -> bool:
        """Whether Airflow grants another try."""
        return self.ti.try_number <= self.ti.max_tries

    def defer(self) -> None:
        """Wait for a trigger."""
        self.state = "deferred"
        self.trigger_id += 1

    def make_anew(self) -> None:
        """Have the run deleted, and another one made with its id."""
        self.ti = TaskInstance(map_index=self.ti.map_index, max_tries=self.retries)
        self.began = self.world.now
        self.try_id += 1
        if self.store is not None:
            self.store.clear()

    def clear(self, retries: int | None = None) -> None:
        """Clear the task.

        :param retries: How many it has from now on; its run has ended and begins again. Default: its run goes on.
        """
        if retries is not None:
            self.retries, self.began = retries, self.world.now
        elif self.state in ("running", "restarting") and self.store is None:
            # Airflow 2 grants a task in a worker one more try, and does not count it.
            return
        self.ti.max_tries = self.ti.try_number + self.retries
