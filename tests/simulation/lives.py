"""A task of a history, from its first try to its end."""

from __future__ import annotations

import json
import random
from collections.abc import Generator, Iterator
from functools import cache
from typing import Any, Final, NamedTuple

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_aihub.http.errors import AmbiguousSubmit, RemoteJobError
from airflow_provider_aihub.jobs.errors import JobTimeout
from airflow_provider_aihub.jobs.identity import CLOCK_SKEW
from airflow_provider_aihub.jobs.tolerance import TRANSIENT
from airflow_provider_aihub.tasks.failures import as_task_failure
from airflow_provider_aihub.tasks.life import KILL_PATIENCE, Deferral
from airflow_provider_aihub.triggers.job import EARLIEST_EVENT, LONGEST_UNKNOWN, STOP_TIMEOUT

from .airflow import BEFORE, GRACE, HEARTBEAT, LOG, Process, Superseded, Task, Unwell, Worker, World
from .histories import (
    ANEW,
    AS_IT_ENDS,
    CREATING,
    ELSEWHERE,
    GIVEN_UP,
    LAST,
    LATE,
    LEFT,
    LEFT_STARTING,
    LOST,
    OLD_WORKER,
    OUT_OF_REACH,
    OUT_OF_TIME,
    REFUSED,
    SHARED,
    TOLD,
    UNLISTED,
    UNMARKED,
    UNTOLD,
    Blow,
    History,
)
from .platforms import Kind
from .server import SWITCHED, Job, Server, Switched
from .triggerer import Triggerer


def _link_to(operator: Any, context: Any, thing: Any, kind: str | None = None) -> None:
    """Keep a link without Airflow's own machinery."""
    page = operator.hook.get_conn().config.page(kind or operator.kind, thing)
    context["ti"].xcom_push(operator.platform.page_link, page)


@cache
def operator(kind: Kind, deferrable: bool, timeout: float | None, described: bool) -> Any:
    """Return an operator, made and checked once: its constructor takes longer than a whole life."""
    maker = kind.operator
    quiet = type(maker.__name__, (maker,), {"log": LOG, "link_to": _link_to, "__module__": maker.__module__})
    given = {**kind.given, **({kind.signs: "long " * 60} if described and kind.signs else {})}
    made = quiet(task_id="task", deferrable=deferrable, job_timeout=timeout, **given)
    assert made.options.deferrable is deferrable
    return made


LONGEST: Final = 3000
"""Steps after which a history is taken to have no end."""
NOTICED: Final = 1800.0
"""Seconds within which Airflow has surely ended a process that it took for dead and that lives on."""
KILLS: Final = {"term": "retry", "mark": "failed", "clear": "cleared", "make anew": "made anew"}
"""What ends a worker with SIGTERM, and what becomes of the task."""
LATE_KILLS: Final = {f"{what}, noticed late": what for what in ("mark", "clear")}
"""Those of which a worker may hear only with its next heartbeat."""
HEARTBEATS: Final = 5.0
"""Seconds from one heartbeat of a worker to the next."""
ENDS: Final = {*KILLS, *LATE_KILLS, "clear less", "timeout", "freeze"}
"""Blows after which a job may be stopped: a worker that was taken for dead stops what it alone knows of."""
REFUSALS: Final = ("create code 1", "create code 3", "list lags, create code 3")
"""Weathers in which what the platform has refused is done."""
NO_STOPS: Final = ("down for 17 min", "stops fail")
"""Weathers in which a job may not be stopped when it should be."""
UNKNOWN_FOR_LONG: Final = "reads lag, 20 s"
"""The weather in which a job may not be known yet when it has to be stopped."""
NO_MARKER: Final = "descriptions are cut to nothing"
"""The weather in which nothing of a marker is shown."""
KNOWN_SOON: Final = 5.0
"""Seconds after which a job must be known for it to be stopped before it has done anything."""
LATEST: Final = STOP_TIMEOUT + EARLIEST_EVENT + 2.0
"""Seconds after its deadline, or after it has begun, within which a trigger has fired."""


class Point(NamedTuple):
    """What is around a process at a moment.

    :param process: Its number.
    :param asked: How often it has asked the platform.
    :param uses: How often the task's record, XComs and state were used.
    :param xcoms: How many the task has.
    :param thing: Status of the deployment or notebook that it has started; ``None`` for none.
    """

    of_trigger: bool
    process: int
    asked: int
    uses: int
    now: float
    xcoms: int
    has_record: bool
    thing: int | None

    def around(self, what: str) -> tuple[Any, ...] | None:
        """Return all that a blow finds; nothing where it is also what the process knows, and goes on with."""
        match what:
            case "kill" | "mark, noticed late" | "clear, noticed late":
                return self
            case "swap":
                return self.process, self.asked
            case "lose" | "deaf":
                return self.process, self.uses
        return None

    def since(self, other: Point) -> tuple[Any, ...]:
        """Return it as seen from an earlier one."""
        asked = self.asked - (other.asked if self.process == other.process else 0)
        process, uses, seconds = self.process - other.process, self.uses - other.uses, round(self.now - other.now, 1)
        return self.of_trigger, process, asked, uses, seconds, self.xcoms, self.has_record, self.thing


class Life:
    """A task of a history, through all its tries.

    :param blows: What happens to it.
    """

    def __init__(
        self,
        history: History,
        world: World,
        dice: random.Random,
        servers: list[Server],
        *,
        map_index: int,
        blows: tuple[Blow, ...] = (),
    ) -> None:
        self.history, self.world, self.dice, self.servers = history, world, dice, servers
        kind = world.side.kinds[history.kind]
        template = self._template(kind)
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
        self.may_stop = bool(history.cleared) or history.timeout is not None
        """Whether anything has happened that is a reason to stop a job."""
        self.wrong: list[str] = []
        """What was seen to go wrong on the way."""
        self.points = 0
        self.seen: dict[tuple[int, bool], Point] = {}
        """Where a blow may fall: before which step (false) or after it (true)."""
        self._blows = {(blow.at, blow.after): blow for blow in blows}
        self.processes: list[Process] = []
        self._begun: list[tuple[int, tuple[Any, ...]]] = []
        """For each of them: the last step before it began, and what it found."""
        self._killed_creating: list[float] = []
        self._gave_up = False
        self._frozen: list[Iterator[Any]] = []
        self._cleared = list(history.cleared)
        if not history.lists and history.weather in REFUSALS:
            self.excuses.add(REFUSED)
        if history.weather in NO_STOPS or (history.weather == UNKNOWN_FOR_LONG and history.timeout is not None):
            self.excuses.add(OUT_OF_REACH)
        # What is signed tells nothing of ModelArts' clock before the first call.
        no_time = history.dialect == "keys" and abs(history.skew) > CLOCK_SKEW
        if history.weather == NO_MARKER and (no_time or not history.remembers):
            self.excuses.add(UNMARKED)

    def _template(self, kind: Kind) -> Any:
        """Return what the task runs."""
        history = self.history
        return operator(kind, history.waits != "in place", history.timeout, "cut" in history.weather)

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
        for at in self._killed_creating:
            for job in self.servers[0].jobs:
                if at < max(job.listed_at, job.shown_at) - KILL_PATIENCE and job.asked_at <= at + GRACE:
                    self.excuses.add(CREATING)
        for process in self.processes:
            if isinstance(process, Triggerer):
                process.loop.end()

    def tails(self, blow: Blow) -> Iterator[tuple[int, tuple[Any, ...]]]:
        """For each process that began after a blow: the step before it, and all that it found and that came later.

        Steps and seconds are counted from there. Lives that have this in common go on alike, but for seconds: another
        blow meets the same in both. Only for a life that has ended, with short jobs in fair weather.
        """
        ended = (
            tuple((job.id, job.status(self.world.now), job.stop_asked is not None) for job in self._own_jobs),
            frozenset(self.excuses),
            self.state,
            type(self.error),
        )
        for index, (at, found) in enumerate(self._begun):
            later = [(place, point) for place, point in self.seen.items() if place[0] > at]
            if at < blow.at or not later:
                continue
            first = later[0][1]
            came = tuple((step - at, is_after, *point.since(first)) for (step, is_after), point in later)
            asked = tuple(tuple(sorted(process.asked.items(), key=str)) for process in self.processes[index:])
            yield at, (found, came, asked, ended)

    @property
    def _found(self) -> tuple[Any, ...]:
        """What a process finds as it begins."""
        task, now = self.task, self.world.now
        entry, event = json.loads((task.store or {}).get("entry", "{}")), task.resumes_with or {}
        return (
            # What is frozen knows what nobody sees: this equals nothing else.
            object() if self._frozen else None,
            len(self.epochs),
            self.may_stop,
            self._gave_up,
            bool(self._killed_creating),
            self.world.server is self.servers[0],
            task.deaf,
            task.retries,
            task.ti.max_tries - task.ti.try_number,
            task.ti.try_number > 1,
            str(task.ti.xcoms),
            (entry.get("state"), entry.get("job_id")),
            (event.get("outcome"), event.get("job_id"), event.get("status")),
            tuple(
                (job.id, job.asked_at < task.began, job.status(now), job.stop_asked is not None)
                for job in self._own_jobs
            ),
        )

    @property
    def _own_jobs(self) -> list[Job]:
        return [job for server in self.servers for job in server.jobs if job.owner == "task"]

    def _process(self, process: type[Process], *given: Any, **more: Any) -> Any:
        skew = self.history.skew if len(self.processes) % 2 != self.history.skews_first else 0.0
        # What one draws is of no concern to the next.
        dice = random.Random(self.dice.random())
        made = process(self.world, dice, self.task, *given, skew=skew, **more)  # type: ignore[call-arg]
        self.processes.append(made)
        self._begun.append((self.points, self._found))
        return made

    def _clear(self, retries: int | None) -> None:
        self.world.pass_time(60.0)
        if retries is not None and not self.task.store and self._has_left_a_job:
            self.excuses.add(LEFT)
        if self._gave_up:
            self.excuses.add(GIVEN_UP)
        self.task.clear(retries)
        self.epochs.append(self.world.now)

    @property
    def _has_left_a_job(self) -> bool:
        now = self.servers[0].now
        jobs = [job for job in self.servers[0].jobs if job.owner == "task" and job.stop_asked is None]
        return any(not job.over(now) for job in jobs)

    def _make_anew(self) -> None:
        if not self.history.sensor and self.task.operator.shared and self.servers[0]._pending:
            self.excuses.add(ANEW)
        self.world.pass_time(60.0)
        self.task.make_anew()
        self.epochs.append(self.world.now)

    def _finish(self, running: Iterator[Any]) -> None:
        """Let a process that Airflow took for dead go on: to its end, or until Airflow has ended it."""
        known, until = len(self.servers[0].jobs), self.world.now + NOTICED
        try:
            for _ in running:
                if self.world.now > until:
                    return
        except Exception as error:
            if isinstance(error, AmbiguousSubmit) and not self.history.lists:
                self.excuses.add(TOLD)
        finally:
            shown = [max(job.listed_at, job.shown_at) - job.created_at for job in self.servers[0].jobs[known:]]
            if shown and (self.history.weather in NO_STOPS or max(shown) > KNOWN_SOON):
                self.excuses.add(OLD_WORKER)

    def _come_to(self, after: bool) -> None:
        if (self.points, after) not in self.seen:
            process, task = self.processes[-1], self.task
            self.seen[self.points, after] = Point(
                isinstance(process, Triggerer),
                len(self.processes),
                process.asked.total(),
                task.uses,
                self.world.now,
                len(task.ti.xcoms),
                bool(task.store),
                self._thing,
            )

    @property
    def _thing(self) -> int | None:
        if self.history.kind not in SWITCHED:
            return None
        own = [job for job in self.servers[0].jobs if isinstance(job, Switched) and job.owner == "task" and job.begun]
        return own[-1].status(self.world.now) if own else None

    def _blow(self, after: bool) -> Blow | None:
        return self._blows.pop((self.points, after), None) if self._blows else None

    def _try(self) -> Generator[None, None, tuple[str, Any]]:
        """Run one try, through all its deferrals; return what became of it."""
        while True:
            self.task.state, event = "running", self.task.resumes_with
            worker = self._process(Worker)
            steps = worker.life.begin() if event is None else worker.life.resume(event)
            came, value = yield from self._work(worker, worker.run(steps))
            if came != "cleared" or self.task.store is None:
                self.task.resumes_with = None
            if came != "deferred":
                return came, value
            self.task.defer()
            came, value = yield from self._wait(worker.deferred(value))
            if came != "event":
                return came, value
            self.task.resumes_with = value

    def _work(self, worker: Worker, running: Iterator[Any]) -> Generator[None, None, tuple[str, Any]]:
        killed_at: float | None = None
        late: tuple[str, float] | None = None
        struck_at = 0
        outcome = "retry"
        while True:
            try:
                point = next(running)
            except StopIteration as end:
                if killed_at is not None:
                    return outcome, None
                if late:
                    if late[0] == "mark" and isinstance(end.value, Deferral) and struck_at == self.points:
                        self.excuses.add(AS_IT_ENDS)
                    return KILLS[late[0]], None
                return ("deferred" if isinstance(end.value, Deferral) else "success"), end.value
            except RemoteJobError as error:
                if isinstance(error, AmbiguousSubmit) and error.final:
                    self.excuses.add(TOLD)
                if killed_at is not None:
                    self._excuse(worker, CREATING)
                    return outcome, None
                if isinstance(error, JobTimeout) and not self.history.stoppable:
                    self.excuses.add(LATE)
                self._gave_up |= isinstance(error, TRANSIENT)
                left = isinstance(error, (JobTimeout, *TRANSIENT))
                if left and self.task.store is None and not self.history.lists:
                    self.excuses.add(UNLISTED)
                failure = as_task_failure(error)
                self.may_stop |= error.final or not self.task.may_retry
                if late:
                    if late[0] == "mark" and not error.final:
                        self.excuses.add(AS_IT_ENDS)
                    return KILLS[late[0]], error
                return ("failed" if isinstance(failure, AirflowFailException) else "retry"), error
            except Exception as error:
                if killed_at is not None:
                    return outcome, None
                if late and isinstance(error, Superseded):
                    return KILLS[late[0]], error
                if not isinstance(error, Unwell | Superseded):
                    self.wrong.append(f"raw: {error!r}")
                if worker.life.task_try.tries.last:
                    self.may_stop = True
                    worker.kill(patience=worker.life.task_try.patience.settled)
                return "retry", error
            if killed_at is not None:
                if self.world.now - killed_at > GRACE:
                    self._excuse(worker, CREATING)
                    if worker.operator.started_id is not None:
                        self.excuses.add(CREATING)
                    return outcome, None
                continue
            self.points += point is BEFORE
            if self.points >= LONGEST:
                return "endless", None
            yield
            self._come_to(point)
            blow = self._blow(point)
            if late and self.world.now >= late[1]:
                blow = Blow(self.points, late[0])
            if blow is None:
                continue
            self.may_stop |= blow.what in ENDS
            if blow.what in LATE_KILLS:
                late, struck_at = (LATE_KILLS[blow.what], self.world.now + HEARTBEATS), self.points
                self.task.state = "failed" if late[0] == "mark" else "restarting"
                if late[0] == "clear":
                    self._take_nothing_more()
                continue
            if self.task.store is None and not self.history.lists:
                self.excuses.add(UNLISTED)
            came = self._struck(blow, worker, running)
            if came is None:
                continue
            if came in KILLS:
                killed_at = self.world.now
                if worker.life.task_try.creating is not None:
                    self._killed_creating.append(killed_at)
                if any(job.shown_at > killed_at + KILL_PATIENCE for job in self.servers[0].jobs):
                    self.excuses.add(CREATING)
                outcome = KILLS[came]
                if came == "clear" and not late:
                    self._take_nothing_more()
                late = None
                worker.kill()
                continue
            # What Airflow has been told of the task stands, whatever becomes of its worker.
            return KILLS[late[0]] if late else came, None

    def _take_nothing_more(self) -> None:
        """Have Airflow take nothing of this try any more, since the task was cleared."""
        self.task.try_id += 1
        if self.task.store is None:
            self.excuses.add(UNTOLD)

    def _struck(self, blow: Blow, worker: Worker, running: Iterator[Any]) -> str | None:
        match blow.what:
            case "kill" | "freeze":
                self.world.pass_time(HEARTBEAT)
                # It may have been about to fail for good.
                self.may_stop |= worker.life.task_try.killed
                if not self.task.may_retry:
                    self.excuses.add(LAST)
                if blow.what == "freeze":
                    self._frozen.append(running)
                    self.task.try_id += 1
                    if self.task.store is None or self.task.operator.job_kind.stop is None:
                        self.excuses.add(OLD_WORKER)
                    if self.task.operator.shared:
                        self.excuses.add(SHARED)
                return "retry"
            case "timeout":
                running.close()  # type: ignore[attr-defined]
                if self.task.operator.shared and self.epochs[1:] and worker.operator.started_id is None:
                    self.excuses.add(LEFT_STARTING)
                if not self.history.lists:
                    self._excuse(worker, OUT_OF_TIME)
                worker.kill(patience=worker.life.task_try.patience.settled)
                return "retry"
            case _ if blow.what in KILLS:
                return blow.what
            case _:
                self._disturb(blow.what)
        return None

    def _excuse(self, worker: Worker, why: str) -> None:
        if worker.life.task_try.creating is not None:
            self.excuses.add(why)

    def _disturb(self, what: str) -> None:
        if what == "deaf":
            self.task.deaf = 2
        elif what == "swap":
            self.world.server = self.servers[1]
            self.excuses.add(ELSEWHERE)
        elif what == "lose" and self.task.store is not None:
            self.task.store.clear()
            if not self.history.lists:
                self.excuses.add(LOST)
            if self.history.weather == NO_MARKER:
                self.excuses.add(UNMARKED)
            if self.epochs[1:] and self._has_left_a_job:
                self.excuses.add(LEFT)

    def _wait(self, trigger: str) -> Generator[None, None, tuple[str, Any]]:
        """Wait in the triggerer, or in one after the other."""
        while True:
            triggerer = self._process(Triggerer, trigger, lists=self.history.waits == "deferred, in lists")
            self._check_job(triggerer)
            came = yield from self._watch(triggerer)
            if came == "again":
                continue
            if came == "event":
                self._check_deadline(triggerer)
            if self._frozen:
                # What it does takes the world's time, too.
                self._finish(self._frozen.pop())
            return came, triggerer.event

    def _check_job(self, triggerer: Triggerer) -> None:
        """See that a trigger waits no longer than the task may since it has asked for its job."""
        trigger, timeout, skew = triggerer.trigger, self.history.timeout, abs(self.history.skew)
        if timeout is None or trigger.deadline is None or self.history.sensor or self.task.operator.shared:
            # What is there for good is started by each try, and has time from then on.
            return
        jobs = self.world.server.jobs
        for job in [job for job in jobs if job.id == trigger._job_id and job.owner == "task"][-1:]:
            began = max(job.asked_at, job.created_at)
            if trigger.deadline > began + timeout + skew + LATEST:
                self.wrong.append(f"late: the trigger waits for {trigger.deadline - began:.1f} s")

    def _check_deadline(self, triggerer: Triggerer) -> None:
        deadline = triggerer.trigger.deadline
        if deadline is None or self.history.sibling:
            # What the sibling does takes the world's time, too.
            return
        late = triggerer.clock() - max(deadline, triggerer.began + triggerer.skew)
        if late > LATEST:
            self.wrong.append(f"late: the trigger fired {late:.1f} s after its deadline")

    def _watch(self, triggerer: Triggerer) -> Generator[None, None, str]:
        running, what = triggerer.run(), None
        for _ in running:
            self.points += 1
            if what is not None:
                # It is being cancelled.
                continue
            if self.points >= LONGEST:
                return "endless"
            yield
            self._come_to(BEFORE)
            blow = self._blow(False) or self._blow(True)
            if blow is None:
                continue
            self.may_stop |= blow.what in ENDS - {"freeze"}
            if blow.what in ("mark", "clear", "clear less", "make anew"):
                what, self.task.state = KILLS.get(blow.what, "cleared"), KILLS.get(blow.what, "")
                if blow.what == "clear less":
                    self.task.retries = max(self.task.retries - 1, 0)
                if any(job.shown_at > self.world.now + LONGEST_UNKNOWN for job in self.servers[0].jobs):
                    self.excuses.add(OUT_OF_REACH)
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
