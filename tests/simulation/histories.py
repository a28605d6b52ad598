"""Histories: what happens to a task, drawn from a seed or enumerated; how one is run, and how it is judged."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import Any, Final

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_aihub.api.errors import AIHubAmbiguousSubmit, AIHubError
from airflow_provider_aihub.failures import as_task_failure
from airflow_provider_aihub.operators.dataset import DatasetVersionOperator
from airflow_provider_aihub.operators.life import IN_HASTE, Deferral
from airflow_provider_aihub.operators.quota_task import QuotaTaskOperator
from airflow_provider_aihub.operators.training import TrainingOperator
from airflow_provider_aihub.operators.warehouse import WarehouseSearchOperator
from airflow_provider_aihub.operators.workflow import WorkflowRunOperator

from .aihub import AIHub, Weather
from .airflow import GRACE, HEARTBEAT, Task, Trigger, Worker, World

KINDS: Final = ("training", "quota_task", "search", "dataset_version", "workflow_run")
WEATHERS: Final[dict[str, dict[str, Any]]] = {
    "fair": {},
    "create lost": {"spoiled": {("create", 1): "lost"}},
    "create lost, not done": {"spoiled": {("create", 1): "lost, not done"}},
    "create hangs": {"spoiled": {("create", 1): "hangs"}},
    "create late, 12 s": {"spoiled": {("create", 1): "late"}, "late": 12.0},
    "create late, 55 s": {"spoiled": {("create", 1): "late"}, "late": 55.0},
    "create code 1": {"spoiled": {("create", 1): "code 1"}},
    "create code 3": {"spoiled": {("create", 1): "code 3"}},
    "create code 1, not done": {"spoiled": {("create", 1): "code 1, not done"}},
    "create code 8, not done": {"spoiled": {("create", 1): "code 8, not done"}},
    "create 502": {"spoiled": {("create", 1): "status 502"}},
    "create 303": {"spoiled": {("create", 1): "status 303"}},
    "create garbled": {"spoiled": {("create", 1): "garbled"}},
    "create unreached": {"spoiled": {("create", 1): "unreached"}},
    "create twice lost": {"spoiled": {("create", 1): "lost", ("create", 2): "lost"}},
    "list lags": {"list_lag": 40.0},
    "list lags, create lost": {"list_lag": 40.0, "spoiled": {("create", 1): "lost"}},
    "small pages": {"page": 20, "spoiled": {("create", 1): "lost"}},
    "no total": {"total": -1, "spoiled": {("create", 1): "lost"}},
    "reads lag": {"read_lag": 2.0},
    "reads and lists lag": {"read_lag": 5.0, "list_lag": 40.0, "spoiled": {("create", 1): "hangs"}},
    "descriptions are cut": {"cut": 255, "spoiled": {("create", 1): "lost"}},
    "descriptions are edited": {"added": " (checked by me)", "spoiled": {("create", 1): "lost"}},
    "names are trimmed": {"trims": True, "spoiled": {("create", 1): "lost"}},
    "first read fails": {"spoiled": {("read", 1): "status 503"}},
    "reads fail": {"spoiled": {("read", number): "hangs" for number in range(1, 6)}},
    "stop fails": {"spoiled": {("stop", 1): "status 503"}},
    "stop takes long": {"stop_takes": 30.0},
    "login fails": {"spoiled": {("login", 1): "status 503"}},
    "list fails": {"spoiled": {("list", 1): "status 503", ("list", 2): "hangs"}, "list_lag": 5.0},
    "other jobs": {},
}


@dataclass(frozen=True)
class Blow:
    """Something that ends or disturbs a process.

    :param at: Number of the step, counted over the whole history, at which it happens: of workers and triggers alike.
    :param after: Whether the step has been done by then.
    :param what: ``kill`` (SIGKILL), ``term`` (SIGTERM, as when a pod is evicted), ``timeout`` (``execution_timeout``),
        ``mark`` (a person marks the task failed), ``clear``, ``clear less`` (with fewer retries), ``freeze`` (Airflow
        takes the worker for dead, and it goes on later), ``deaf`` (Airflow's API takes nothing for a while), ``swap``
        (another AIHub stands behind the address), ``lose`` (the record is lost).
    """

    at: int
    what: str
    after: bool = False

    def __str__(self) -> str:
        return f"{self.what}@{self.at}{'+' if self.after else ''}"


WORKER_BLOWS: Final = ("kill", "term", "timeout", "mark", "clear", "freeze", "deaf", "swap", "lose")
TRIGGER_BLOWS: Final = ("kill", "mark", "clear", "clear less", "swap", "timeout")


@dataclass(frozen=True)
class History:
    """What happens to one task.

    :param seed: Of the dice of all processes.
    :param ends_well: Whether its jobs do.
    :param skew: Seconds by which the clock of every second process is ahead.
    """

    kind: str
    dialect: str = "platform"
    deferrable: bool = True
    remembers: bool = True
    weather: str = "fair"
    blows: tuple[Blow, ...] = ()
    retries: int = 2
    ends_well: bool = True
    cleared: tuple[int, ...] = ()
    skew: float = 0.0
    seed: int = 0

    def __str__(self) -> str:
        words = [
            self.kind,
            self.dialect,
            "deferred" if self.deferrable else "in place",
            "store" if self.remembers else "no store",
            self.weather,
            *map(str, self.blows),
            f"retries={self.retries}",
            "" if self.ends_well else "jobs fail",
            f"cleared={self.cleared}" if self.cleared else "",
            f"skew={self.skew:g}" if self.skew else "",
            f"seed={self.seed}",
        ]
        return ", ".join(word for word in words if word)


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
MAKERS: Final[dict[str, tuple[type, dict[str, Any]]]] = {
    "training": (TrainingOperator, {"command": "true", "image": "i", "virtual_cluster": 1, "project": 1}),
    "quota_task": (
        QuotaTaskOperator,
        {"command": "true", "image": "i", "virtual_cluster": 1, "project": 1, "priority": "low"},
    ),
    "search": (WarehouseSearchOperator, {"keywords": "x", "feature_lib_id": 1, "top_k": 1}),
    "dataset_version": (
        DatasetVersionOperator,
        {"dataset": 1, "dataset_name": "digits", "upload_path": "/x", "upload_type": "host"},
    ),
    "workflow_run": (WorkflowRunOperator, {"pipeline": 1, "pipeline_version": 1, "project": 1}),
}


@cache
def operator(kind: str, deferrable: bool, described: bool) -> Any:
    """Return an operator, made once: its constructor takes longer than a whole life."""
    maker, given = MAKERS[kind]
    quiet = type(maker.__name__, (maker,), {"log": LOG, "__module__": maker.__module__})
    name = {} if kind == "dataset_version" else {"name": " job"}
    text = "long " * 60 if described else None
    return quiet(task_id="task", deferrable=deferrable, description=text, **name, **given)


@dataclass
class Ended:
    """How a history ended.

    :param state: ``success``, ``failed`` or ``endless``.
    :param error: Why the last try failed.
    :param ended_at: When the task ended.
    :param epochs: When it began, and when it was cleared.
    :param excuses: The classes of :data:`EXCUSES` that the history belongs to.
    """

    state: str
    result: Any
    error: BaseException | None
    ended_at: float
    task: Task
    aihubs: list[AIHub]
    points: int
    epochs: list[float]
    excuses: set[str] = field(default_factory=set)


EXCUSES: Final[dict[str, set[str]]] = {
    "a worker is killed on the last try": {"orphan"},
    "a task is killed before AIHub knows its job, which takes longer than a killed worker has": {"orphan"},
    "a person was told to look for a job where jobs cannot be listed": {"orphan", "duplicate"},
    "a refusal was none, where jobs cannot be listed": {"orphan", "duplicate"},
    "another AIHub stands behind the address": {"orphan"},
    "another AIHub stands behind the address in the middle of a try that is then killed": {"stranger"},
    "the record is lost where jobs cannot be listed": {"orphan", "duplicate"},
    "a worker that Airflow took for dead lives on, before Airflow 3.3 or with a job that cannot be stopped": {
        "orphan",
        "duplicate",
    },
    "a try is ended before Airflow 3.3, where jobs cannot be listed": {"orphan", "duplicate"},
}
"""The classes of histories in which a promise cannot be kept, and what may be wrong in each."""
LAST, CREATING, TOLD, REFUSED, ELSEWHERE, SWAPPED, LOST, OLD_WORKER, UNLISTED = EXCUSES
LONGEST: Final = 3000
"""Steps after which a history is taken to have no end."""


class Run:
    """One history, as it happens."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.dice = random.Random(history.seed)
        world = self.world = World()
        weather = Weather(**WEATHERS[history.weather])
        weather.spoiled = dict(weather.spoiled)
        first = AIHub(history.dialect, lambda: world.now, world.pass_time, weather, ends_well=history.ends_well)
        other = AIHub(history.dialect, lambda: world.now, world.pass_time, Weather(), first_id=100)
        for number in range(1, 8):
            other.colleagues_job(history.kind, number)
        if history.weather == "other jobs":
            for number in range(1, 41):
                first.colleagues_job(history.kind, number)
            first.next_id = 41
        self.aihubs = [first, other]
        world.aihub = first
        template = operator(history.kind, history.deferrable, "cut" in history.weather)
        self.task = Task(world, template, remembers=history.remembers, retries=history.retries)
        self.points = 0
        self.blows = {(blow.at, blow.after): blow for blow in history.blows}
        self.processes = 0
        self.frozen: list[Any] = []
        self.epochs = [world.now]
        self.cleared = list(history.cleared)
        self.excuses: set[str] = set()
        if history.dialect == "document" and history.weather in ("create code 1", "create code 3"):
            self.excuses.add(REFUSED)

    def _skew(self) -> float:
        self.processes += 1
        return self.history.skew if self.processes % 2 == 0 else 0.0

    def _blow(self, after: bool) -> Blow | None:
        return self.blows.pop((self.points, after), None)

    def to_the_end(self) -> Ended:
        """Let it happen."""
        state, result, error, ended_at = "endless", None, None, self.world.now
        while self.points < LONGEST:
            self.task.begin_try()
            came, value = self._try()
            if came == "retry" and not self.task.may_retry:
                came = "failed"
            if came == "retry":
                self.world.pass_time(self.task.retry_delay.total_seconds())
                continue
            if came == "cleared":
                self._clear(None)
                continue
            state = came
            result, error = (value, None) if came == "success" else (None, value)
            ended_at = self.world.now
            for frozen in self.frozen:
                self._finish(frozen)
            self.frozen.clear()
            if not self.cleared:
                break
            self._clear(self.cleared.pop(0))
        self.world.pass_time(100.0)
        _ = [aihub.now for aihub in self.aihubs]
        return Ended(state, result, error, ended_at, self.task, self.aihubs, self.points, self.epochs, self.excuses)

    def _clear(self, retries: int | None) -> None:
        self.world.pass_time(60.0)
        self.task.clear(retries)
        self.epochs.append(self.world.now)

    def _finish(self, running: Iterator[Any]) -> None:
        """Let a worker that Airflow took for dead go on to its end."""
        try:
            for _ in running:
                pass
        except Exception:
            pass

    def _try(self) -> tuple[str, Any]:
        """Run one try, through all its deferrals; return what became of it."""
        worker = Worker(self.world, self.dice, self.task, self._skew())
        came, value = self._work(worker, worker.run(worker.life.begin()))
        while came == "deferred":
            came, value = self._wait(value)
            if came != "event":
                break
            event = value
            worker = Worker(self.world, self.dice, self.task, self._skew())
            came, value = self._work(worker, worker.run(worker.life.resume(event)))
        return came, value

    def _work(self, worker: Worker, running: Iterator[Any]) -> tuple[str, Any]:
        killed_at: float | None = None
        outcome = "retry"
        while True:
            try:
                point = next(running)
            except StopIteration as end:
                if killed_at is not None:
                    return outcome, None
                return ("deferred" if isinstance(end.value, Deferral) else "success"), end.value
            except AIHubError as error:
                if isinstance(error, AIHubAmbiguousSubmit) and error.final:
                    self.excuses.add(TOLD)
                if killed_at is not None:
                    self._excuse(worker, CREATING)
                    return outcome, None
                failure = as_task_failure(error)
                return ("failed" if isinstance(failure, AirflowFailException) else "retry"), error
            except Exception as error:
                if killed_at is not None:
                    return outcome, None
                if worker.life.held.tries.last:
                    worker.kill()
                return "retry", error
            if killed_at is not None:
                if self.world.now - killed_at > GRACE:
                    self._excuse(worker, CREATING)
                    return outcome, None
                continue
            self.points += not point.after
            if self.points >= LONGEST:
                return "endless", None
            blow = self._blow(point.after)
            if blow is None:
                continue
            if self.task.store is None and self.history.dialect == "document":
                self.excuses.add(UNLISTED)
            came = self._struck(blow, worker, running)
            if came is None:
                continue
            if came in ("term", "mark", "clear"):
                killed_at = self.world.now
                if any(job.shown_at > killed_at + IN_HASTE for job in self.aihubs[0].jobs):
                    self.excuses.add(CREATING)
                if worker.state.logins > 1:
                    self.excuses.add(SWAPPED)
                outcome = {"term": "retry", "mark": "failed", "clear": "cleared"}[came]
                worker.kill()
                continue
            return came, None

    def _struck(self, blow: Blow, worker: Worker, running: Iterator[Any]) -> str | None:
        match blow.what:
            case "kill" | "freeze":
                self.world.pass_time(HEARTBEAT)
                if not self.task.may_retry:
                    self.excuses.add(LAST)
                if blow.what == "freeze":
                    self.frozen.append(running)
                    self.task.try_id += 1
                    if self.task.store is None or self.task.operator.job_kind.stop is None:
                        self.excuses.add(OLD_WORKER)
                return "retry"
            case "timeout":
                running.close()  # type: ignore[attr-defined]
                if worker.state.logins > 1:
                    self.excuses.add(SWAPPED)
                worker.kill(patience=worker.life.held.patience.settled)
                return "retry"
            case "term" | "mark" | "clear":
                return blow.what
            case _:
                self._disturb(blow.what)
        return None

    def _excuse(self, worker: Worker, why: str) -> None:
        if worker.life.held.creating is not None:
            self.excuses.add(why)

    def _disturb(self, what: str) -> None:
        if what == "deaf":
            self.task.deaf = 2
        elif what == "swap":
            self.world.aihub = self.aihubs[1]
            self.excuses.add(ELSEWHERE)
        elif what == "lose" and self.task.store is not None:
            self.task.store.clear()
            if self.history.dialect == "document":
                self.excuses.add(LOST)

    def _wait(self, deferral: Deferral) -> tuple[str, Any]:
        trigger = Trigger(self.world, self.dice, self.task, deferral, self._skew())
        running = trigger.run()
        while True:
            try:
                next(running)
            except StopIteration as end:
                return "event", end.value
            self.points += 1
            if self.frozen:
                self._finish(self.frozen.pop())
            if self.points >= LONGEST:
                return "endless", None
            blow = self._blow(False) or self._blow(True)
            if blow is None:
                continue
            if blow.what in ("mark", "clear", "clear less"):
                trigger.stop()
                if blow.what == "mark":
                    return "failed", None
                if blow.what == "clear less":
                    self.task.retries = max(self.task.retries - 1, 0)
                return "cleared", None
            if blow.what in ("kill", "term", "timeout", "freeze"):
                # The triggerer ends, and another one takes the trigger over.
                self.world.pass_time(30.0)
                trigger = Trigger(self.world, self.dice, self.task, deferral, self._skew())
                running = trigger.run()
            else:
                self._disturb(blow.what)


def judge(history: History, ended: Ended) -> tuple[list[str], set[str]]:
    """Return what is wrong with how a history ended, and the classes that excuse what else was."""
    wrong, excused = [], set()
    for found in _found(history, ended):
        why = {excuse for excuse in ended.excuses if found.partition(":")[0] in EXCUSES[excuse]}
        excused |= why
        if not why:
            wrong.append(found)
    return wrong, excused


def _found(history: History, ended: Ended) -> list[str]:
    wrong: list[str] = []
    now = ended.task.world.now
    own = [job for job in ended.aihubs[0].jobs + ended.aihubs[1].jobs if job.owner == "task"]
    for aihub in ended.aihubs:
        wrong += [
            f"stranger: {job.kind} {job.id} of a colleague was stopped"
            for job in aihub.jobs
            if job.owner != "task" and job.stop_asked
        ]
    if ended.state == "endless":
        wrong.append("endless: it has no end")
    if ended.state == "success":
        result = next((job for job in own if job.id == ended.result["id"]), None)
        if result is None:
            wrong.append("wrong result: it is a stranger's")
        elif result.status(now) != 3:
            wrong.append("wrong result: the job did not succeed")
        elif result.asked_at < ended.epochs[-1]:
            wrong.append("wrong result: it is older than the last clear")
    bounds = [*ended.epochs, float("inf")]
    for begin, end in pairwise(bounds):
        jobs = sorted((job for job in own if begin <= job.asked_at < end), key=lambda job: job.created_at)
        for earlier, later in pairwise(jobs):
            over = earlier.status(later.created_at)
            asked = earlier.stop_asked is not None and earlier.stop_asked <= later.created_at
            # A worker that was not the task's any more has stopped at once what it had created.
            recalled = later.stop_asked is not None and later.stop_asked - later.created_at < 10
            elsewhere = (earlier in ended.aihubs[0].jobs) != (later in ended.aihubs[0].jobs)
            if over not in (4, 5) and not asked and not recalled and not elsewhere:
                wrong.append(f"duplicate: {later.kind} {later.id} beside {earlier.id}, which was in status {over}")
    stoppable = history.kind in ("training", "quota_task") or (history.kind, history.dialect) == (
        "workflow_run",
        "platform",
    )
    if stoppable:
        for job in own:
            waited_for = ended.state == "success" and job.id == ended.result["id"]
            runs_on = job.created_at + job.lasts > ended.ended_at and job.stop_asked is None
            if runs_on and not waited_for:
                wrong.append(f"orphan: {job.kind} {job.id} runs on")
    return wrong
