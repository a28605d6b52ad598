"""Histories: what happens to a task, drawn from a seed or enumerated; how one is run, and how it is judged."""

from __future__ import annotations

import random
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, Final

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_aihub.api.errors import AIHubAmbiguousSubmit, AIHubError, AIHubJobTimeout
from airflow_provider_aihub.failures import as_task_failure
from airflow_provider_aihub.links import ViewInAIHubLink
from airflow_provider_aihub.operators.dataset import DatasetVersionOperator
from airflow_provider_aihub.operators.life import IN_HASTE, Deferral
from airflow_provider_aihub.operators.quota_task import QuotaTaskOperator
from airflow_provider_aihub.operators.record import Marker
from airflow_provider_aihub.operators.training import TrainingOperator
from airflow_provider_aihub.operators.warehouse import WarehouseSearchOperator
from airflow_provider_aihub.operators.workflow import WorkflowRunOperator

from .aihub import AIHub, Job, Weather
from .airflow import CONFIG, GRACE, HEARTBEAT, LOG, Process, Task, Worker, World
from .triggerer import Triggerer

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
        takes the process for dead, and it goes on later), ``deaf`` (Airflow's API takes nothing for a while), ``swap``
        (another AIHub stands behind the address), ``lose`` (the record is lost), ``hand over`` (the trigger goes to
        another triggerer), ``make anew`` (the run is deleted, and another one made with its id).
    """

    at: int
    what: str
    after: bool = False

    def __str__(self) -> str:
        return f"{self.what}@{self.at}{'+' if self.after else ''}"


WORKER_BLOWS: Final = ("kill", "term", "timeout", "mark", "clear", "freeze", "deaf", "swap", "lose", "make anew")
TRIGGER_BLOWS: Final = ("kill", "mark", "clear", "clear less", "freeze", "swap", "hand over", "make anew")
WAYS: Final = ("deferred", "deferred, in lists", "in place")
"""How a task waits: in the triggerer, which reads its job alone or in AIHub's lists; or in its worker."""


@dataclass(frozen=True)
class History:
    """What happens to one task.

    :param waits: One of :data:`WAYS`.
    :param remembers: Whether this Airflow keeps a record.
    :param lasts: Seconds that its jobs run; ``ends_well`` says how they end.
    :param timeout: Its ``job_timeout``.
    :param cleared: With how many retries it is cleared after its end, time and again.
    :param skew: Seconds by which the clock of every second process is ahead.
    :param sibling: Whether another task of the same mapped task runs beside it.
    :param seed: Of the dice of all processes.
    """

    kind: str
    dialect: str = "platform"
    waits: str = "deferred"
    remembers: bool = True
    weather: str = "fair"
    blows: tuple[Blow, ...] = ()
    retries: int = 2
    lasts: float = 6.0
    ends_well: bool = True
    timeout: float | None = None
    cleared: tuple[int, ...] = ()
    skew: float = 0.0
    sibling: bool = False
    seed: int = 0

    def __str__(self) -> str:
        words = [
            self.kind,
            self.dialect,
            self.waits,
            "store" if self.remembers else "no store",
            self.weather,
            *map(str, self.blows),
            f"retries={self.retries}",
            f"jobs of {self.lasts:g} s" if self.lasts != 6 else "",
            "" if self.ends_well else "jobs fail",
            f"timeout={self.timeout:g}" if self.timeout else "",
            f"cleared={self.cleared}" if self.cleared else "",
            "sibling" if self.sibling else "",
            f"skew={self.skew:g}" if self.skew else "",
            f"seed={self.seed}",
        ]
        return ", ".join(word for word in words if word)


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


def _link(operator: Any, job_id: Any) -> None:
    """Keep a link without Airflow's own machinery."""
    operator._context["ti"].xcom_push(ViewInAIHubLink.xcom_key, CONFIG.page(operator.kind, job_id))


@cache
def operator(kind: str, deferrable: bool, timeout: float | None, described: bool) -> Any:
    """Return an operator, made and checked once: its constructor takes longer than a whole life."""
    maker, given = MAKERS[kind]
    quiet = type(maker.__name__, (maker,), {"log": LOG, "link": _link, "__module__": maker.__module__})
    name = {} if kind == "dataset_version" else {"name": " job"}
    text = "long " * 60 if described else None
    made = quiet(task_id="task", deferrable=deferrable, job_timeout=timeout, description=text, **name, **given)
    assert made.options.deferrable is deferrable
    return made


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
    "a job that cannot be stopped comes to its deadline": {"duplicate"},
}
"""The classes of histories in which a promise cannot be kept, and what may be wrong in each."""
LAST, CREATING, TOLD, REFUSED, ELSEWHERE, SWAPPED, LOST, OLD_WORKER, UNLISTED, LATE = EXCUSES
LONGEST: Final = 3000
"""Steps after which a history is taken to have no end."""
AT_ONCE: Final = 4
"""How often a process may ask for the same at once."""
WORKERS_PAUSE: Final = 1.0
"""Seconds from one time to the next, on average, in a worker."""
KILLS: Final = {"term": "retry", "mark": "failed", "clear": "cleared", "make anew": "made anew"}
"""What ends a worker with SIGTERM, and what becomes of the task."""


class Run:
    """One history, as it happens."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.dice = random.Random(history.seed)
        world = self.world = World()
        weather = Weather(**WEATHERS[history.weather])
        weather.spoiled = dict(weather.spoiled)
        first = AIHub(history.dialect, lambda: world.now, weather, lasts=history.lasts, ends_well=history.ends_well)
        other = AIHub(history.dialect, lambda: world.now, Weather(), first_id=100)
        for number in range(1, 8):
            other.colleagues_job(history.kind, number)
        if history.weather == "other jobs":
            for number in range(1, 41):
                first.colleagues_job(history.kind, number)
            first.next_id = 41
        self.aihubs = [first, other]
        world.aihub = first
        life = Life(self, map_index=0 if history.sibling else -1, blows=history.blows)
        self.lives = [life]
        if history.sibling:
            self.lives.append(Life(self, map_index=1))

    def to_the_end(self) -> Ended:
        """Let it happen: where there are several tasks, a step of each in turn."""
        running = [life.run() for life in self.lives]
        while running:
            for one in list(running):
                if next(one, self) is self:
                    running.remove(one)
        self.world.pass_time(100.0)
        _ = [aihub.now for aihub in self.aihubs]
        return Ended(self.lives, self.aihubs)


class Life:
    """A task of a history, through all its tries.

    :param blows: What happens to it.
    """

    def __init__(self, run: Run, *, map_index: int, blows: tuple[Blow, ...] = ()) -> None:
        history = self.history = run.history
        world = self.world = run.world
        self.dice, self.aihubs = run.dice, run.aihubs
        template = operator(history.kind, history.waits != "in place", history.timeout, "cut" in history.weather)
        self.task = Task(world, template, remembers=history.remembers, retries=history.retries, map_index=map_index)
        self.state = "endless"
        """Or ``success`` or ``failed``."""
        self.result: Any = None
        self.error: BaseException | None = None
        """Why the last try failed."""
        self.ended_at = world.now
        self.epochs = [world.now]
        """When it began, and when it was cleared."""
        self.excuses: set[str] = set()
        """The classes of :data:`EXCUSES` that it belongs to."""
        self.wrong: list[str] = []
        """What was seen to go wrong on the way."""
        self.points = 0
        self.of_triggers: set[int] = set()
        """The points at which a trigger was at work."""
        self._blows = {(blow.at, blow.after): blow for blow in blows}
        self._processes: list[Process] = []
        self._frozen: list[Iterator[Any]] = []
        self._cleared = list(history.cleared)
        if history.dialect == "document" and history.weather in ("create code 1", "create code 3"):
            self.excuses.add(REFUSED)

    def run(self) -> Iterator[None]:
        """Let it happen, step by step."""
        while self.points < LONGEST:
            self.task.begin_try()
            came, value = yield from self._try()
            if came == "retry" and not self.task.may_retry:
                came = "failed"
            if came == "retry":
                self.world.pass_time(self.task.retry_delay.total_seconds())
                continue
            if came == "cleared":
                self._clear(None)
                continue
            if came == "made anew":
                self._make_anew()
                continue
            self.state = self.task.state = came
            self.result, self.error = (value, None) if came == "success" else (None, value)
            self.ended_at = self.world.now
            for frozen in self._frozen:
                self._finish(frozen)
            self._frozen.clear()
            if not self._cleared:
                break
            self._clear(self._cleared.pop(0))
        for process in self._processes:
            self.wrong += too_often(process)
            if isinstance(process, Triggerer):
                process.loop.end()

    @property
    def stoppable(self) -> bool:
        """Whether its jobs can be stopped."""
        return self.history.kind in ("training", "quota_task") or (self.history.kind, self.history.dialect) == (
            "workflow_run",
            "platform",
        )

    def _process(self, process: type[Process], *given: Any, **more: Any) -> Any:
        skew = self.history.skew if len(self._processes) % 2 else 0.0
        made = process(self.world, self.dice, self.task, *given, skew=skew, **more)  # type: ignore[call-arg]
        self._processes.append(made)
        return made

    def _clear(self, retries: int | None) -> None:
        self.world.pass_time(60.0)
        self.task.clear(retries)
        self.epochs.append(self.world.now)

    def _make_anew(self) -> None:
        self.world.pass_time(60.0)
        self.task.make_anew()
        self.epochs.append(self.world.now)

    def _finish(self, running: Iterator[Any]) -> None:
        """Let a process that Airflow took for dead go on to its end."""
        try:
            for _ in running:
                pass
        except Exception:
            pass

    def _blow(self, after: bool) -> Blow | None:
        return self._blows.pop((self.points, after), None) if self._blows else None

    def _try(self) -> Generator[None, None, tuple[str, Any]]:
        """Run one try, through all its deferrals; return what became of it."""
        worker = self._process(Worker)
        came, value = yield from self._work(worker, worker.run(worker.life.begin()))
        while came == "deferred":
            self.task.defer()
            came, value = yield from self._wait(worker.deferred(value))
            if came != "event":
                break
            self.task.state = "running"
            worker = self._process(Worker)
            came, value = yield from self._work(worker, worker.run(worker.life.resume(value)))
        return came, value

    def _work(self, worker: Worker, running: Iterator[Any]) -> Generator[None, None, tuple[str, Any]]:
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
                if isinstance(error, AIHubJobTimeout) and not self.stoppable:
                    self.excuses.add(LATE)
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
            yield
            blow = self._blow(point.after)
            if blow is None:
                continue
            if self.task.store is None and self.history.dialect == "document":
                self.excuses.add(UNLISTED)
            came = self._struck(blow, worker, running)
            if came is None:
                continue
            if came in KILLS:
                killed_at = self.world.now
                if any(job.shown_at > killed_at + IN_HASTE for job in self.aihubs[0].jobs):
                    self.excuses.add(CREATING)
                if worker.state.logins > 1:
                    self.excuses.add(SWAPPED)
                outcome = KILLS[came]
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
                    self._frozen.append(running)
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
            case _ if blow.what in KILLS:
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

    def _wait(self, trigger: str) -> Generator[None, None, tuple[str, Any]]:
        """Wait in the triggerer, or in one after the other."""
        while True:
            triggerer = self._process(Triggerer, trigger, lists=self.history.waits == "deferred, in lists")
            came = yield from self._watch(triggerer)
            if came == "again":
                continue
            if self._frozen:
                self._finish(self._frozen.pop())
            return came, triggerer.event

    def _watch(self, triggerer: Triggerer) -> Generator[None, None, str]:
        running, what = triggerer.run(), None
        for _ in running:
            self.points += 1
            if what is not None:
                # It is being cancelled.
                continue
            self.of_triggers.add(self.points)
            if self.points >= LONGEST:
                return "endless"
            yield
            blow = self._blow(False) or self._blow(True)
            if blow is None:
                continue
            if blow.what in ("mark", "clear", "clear less", "make anew"):
                what, self.task.state = KILLS.get(blow.what, "cleared"), KILLS.get(blow.what, "")
                if blow.what == "clear less":
                    self.task.retries = max(self.task.retries - 1, 0)
                triggerer.cancel()
            elif blow.what == "hand over":
                what = "again"
                triggerer.cancel()
            elif blow.what in ("kill", "freeze"):
                self.world.pass_time(30.0)
                if blow.what == "freeze":
                    # When it comes back, its trigger is taken away from it.
                    triggerer.cancel()
                    self._frozen.append(running)
                return "again"
            else:
                self._disturb(blow.what)
        return what or "event"


@dataclass
class Ended:
    """How a history ended."""

    lives: list[Life]
    aihubs: list[AIHub]

    @property
    def points(self) -> int:
        """How many there were in all."""
        return sum(life.points for life in self.lives)


def judge(history: History, ended: Ended) -> tuple[list[str], set[str]]:
    """Return what is wrong with how a history ended, and the classes that excuse what else was."""
    wrong, excused = [], set()
    excuses = set().union(*(life.excuses for life in ended.lives))
    for found in _found(history, ended):
        why = {excuse for excuse in excuses if found.partition(":")[0] in EXCUSES[excuse]}
        excused |= why
        if not why:
            wrong.append(found)
    return wrong, excused


def _found(history: History, ended: Ended) -> Iterator[str]:
    for aihub in ended.aihubs:
        for job in aihub.jobs:
            if job.owner != "task" and job.stop_asked:
                yield f"stranger: {job.kind} {job.id} of a colleague was stopped"
    jobs = [job for aihub in ended.aihubs for job in aihub.jobs if job.owner == "task"]
    for life in ended.lives:
        mark = f"[airflow:{Marker.task_of(life.task.ti)}."
        own = [job for job in jobs if mark in job.described]
        jobs = [job for job in jobs if mark not in job.described]
        yield from life.wrong
        yield from _of_task(history, life, ended.aihubs, own)
    for job in jobs:
        yield f"unmarked: {job.kind} {job.id} has no marker of a task's"


def _of_task(history: History, life: Life, aihubs: list[AIHub], own: list[Job]) -> Iterator[str]:
    now = life.world.now
    entry = (life.task.store or {}).get("entry")
    if life.state == "endless":
        yield "endless: it has no end"
    if life.state == "success":
        result = next((job for job in own if job.id == life.result["id"]), None)
        if result is None:
            yield "wrong result: it is a stranger's"
        elif result.status(now) != 3:
            yield "wrong result: the job did not succeed"
        elif result.asked_at < life.epochs[-1]:
            yield "wrong result: it is older than the last clear"
    named = {job.id: job for job in own} | {f"digits/V{job.version}": job for job in own if job.version}
    if entry and life.state == "success" and (job := named.get(entry["job_id"])) and job.id != life.result["id"]:
        yield f"wrong record: {entry}"
    if entry and entry["job_id"] not in (None, *named):
        yield f"wrong record: {entry}"
    for begin, end in pairwise([*life.epochs, float("inf")]):
        jobs = sorted((job for job in own if begin <= job.asked_at < end), key=lambda job: job.created_at)
        for earlier, later in pairwise(jobs):
            over = earlier.status(later.created_at)
            asked = earlier.stop_asked is not None and earlier.stop_asked <= later.created_at
            # A worker that was not the task's any more has stopped at once what it had created.
            recalled = later.stop_asked is not None and later.stop_asked - later.created_at < 10
            elsewhere = (earlier in aihubs[0].jobs) != (later in aihubs[0].jobs)
            if over not in (4, 5) and not asked and not recalled and not elsewhere:
                yield f"duplicate: {later.kind} {later.id} beside {earlier.id}, which was in status {over}"
    for job in own if life.stoppable else ():
        waited_for = life.state == "success" and job.id == life.result["id"]
        runs_on = job.created_at + job.lasts > life.ended_at and job.stop_asked is None
        if runs_on and not waited_for:
            yield f"orphan: {job.kind} {job.id} runs on"


def too_often(process: Process) -> Iterator[str]:
    """Find what a process has asked AIHub for more often than it may."""
    seconds = process.world.now - process.began
    pause = process.poll_floor() if isinstance(process, Triggerer) else WORKERS_PAUSE
    for what, count in process.asked.items():
        if count > AT_ONCE + seconds / pause:
            yield f"too often: {count} times {what} in {seconds:.1f} s"
