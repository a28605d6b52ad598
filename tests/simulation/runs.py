"""One history, as it happens, and how it is judged."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from airflow_provider_aihub.http.errors import AmbiguousSubmit
from airflow_provider_aihub.jobs.errors import JobTimeout
from airflow_provider_aihub.tasks.job_state import Marker

from .airflow import Process, World
from .histories import ALL_WEATHERS, EXCUSES, REPLACED, STARTED_LATE, History
from .lives import LATEST, NO_STOPS, Life
from .platforms import NAME, SIDES
from .sensors import Sensing
from .server import SUCCESS, SWITCHED, Job, Server, Switched, Weather
from .triggerer import Triggerer

ENDED: Final = object()
AT_ONCE: Final = 6
"""How often a process may ask for the same at once."""
CALM: Final = ("fair", "lists are ahead", "other jobs", "first read fails", "stop takes long")
"""Weathers in which a job is stopped at its deadline, and in which its end is seen."""
READ_IN_THE_END: Final = ("every second read fails",)
"""Those in which its end is seen at the latest when it is about to be stopped."""
EARLY: Final = 1.0
"""Seconds before its deadline by which a job has ended that is surely not late."""
WORKERS_PAUSE: Final = 1.0
"""Seconds from one time to the next, on average, in a worker."""


class Run:
    """One history, as it happens."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.dice = random.Random(history.seed)
        side = SIDES[history.platform]
        world = self.world = World(side, side.configs[history.dialect])
        weather = Weather(**ALL_WEATHERS[history.weather])
        first = side.server(
            history.dialect, lambda: world.now, weather, lasts=history.lasts, ends_well=history.ends_well
        )
        other = side.server(history.dialect, lambda: world.now, Weather(), first_number=100)
        jobs = side.kinds[history.kind].jobs or history.kind
        for number in range(1, 8):
            stranger = other.colleagues_job(jobs, number)
            if jobs not in SWITCHED:
                # It has a result before long.
                stranger.lasts = world.now - stranger.created_at + 60.0
        if history.weather in ("other jobs", "newer jobs of that name"):
            newer, name = history.weather != "other jobs", side.kinds[history.kind].given.get("name", NAME)
            for number in range(1, 41):
                first.colleagues_job(jobs, number, *((name, -600.0) if newer else ()))
            first.next_number = 41
        self.servers = [first, other]
        world.server = first
        first.begin(jobs)
        given = history, world, self.dice, self.servers
        kind = Sensing if history.sensor else Life
        self.lives: list[Life] = [kind(*given, map_index=0 if history.sibling else -1, blows=history.blows)]
        if history.sibling:
            self.lives.append(kind(*given, map_index=1))

    def to_the_end(self) -> Ended:
        """Let it happen: where there are several tasks, a step of each in turn."""
        running = [life.run() for life in self.lives]
        while running:
            for one in list(running):
                if next(one, ENDED) is ENDED:
                    running.remove(one)
        self.world.pass_time(100.0)
        _ = [server.now for server in self.servers]
        return Ended(self.lives, self.servers)


@dataclass
class Ended:
    """How a history ended."""

    lives: list[Life]
    servers: list[Server]

    @property
    def points(self) -> int:
        """How many there were in all."""
        return sum(life.points for life in self.lives)


def judge(history: History, ended: Ended) -> tuple[list[str], set[str]]:
    """Return what is wrong with how a history ended, and the classes that excuse what else was."""
    wrong, excused = [], set()
    excuses = set().union(*(life.excuses for life in ended.lives))
    begun = [job.begun for job in ended.servers[0].jobs if isinstance(job, Switched) and job.begun is not None]
    if any(at > life.ended_at for at in begun for life in ended.lives):
        excuses.add(STARTED_LATE)
    images = [job for job in ended.servers[0].jobs if job.kind == "saved_image"]
    clears = [at for life in ended.lives for at in life.epochs[1:]]
    if any(image.asked_at < at <= image.created_at for image in images for at in clears):
        excuses.add(REPLACED)
    for found in _found(history, ended):
        why = {excuse for excuse in excuses if found.partition(":")[0] in EXCUSES[excuse]}
        excused |= why
        if not why:
            wrong.append(found)
    return wrong, excused


def _found(history: History, ended: Ended) -> Iterator[str]:
    for server in ended.servers:
        for job in server.jobs:
            if job.owner != "task" and job.stop_asked:
                yield f"stranger: {job.kind} {job.id} of a colleague was stopped"
    jobs = [job for server in ended.servers for job in server.jobs if job.owner == "task"]
    for life in ended.lives:
        mark = f"[airflow:{Marker.task_of(life.task.ti)}."
        own = [job for job in jobs if mark in job.described]
        jobs = [job for job in jobs if mark not in job.described]
        yield from life.wrong
        # To read an evaluation and to stop it both begin with the list of its model's.
        at_once = AT_ONCE * (2 if history.kind == "model_eval" else 1)
        for process in life.processes:
            yield from _too_often(process, at_once)
        if life.state == "failed" and _must_succeed(history, life):
            yield f"failed: {life.error}"
        if isinstance(life, Sensing):
            yield from life.judged()
        elif history.kind in SWITCHED:
            yield from _of_switch(life, ended.servers, [job for job in jobs if isinstance(job, Switched)])
        else:
            yield from _of_task(history, life, ended.servers, own)
    for job in jobs:
        if isinstance(job, Switched):
            continue
        yield f"unmarked: {job.kind} {job.id} has no marker of a task's"


def _must_succeed(history: History, life: Life) -> bool:
    """Whether nothing has happened to a task that its retries do not make good."""
    told = isinstance(life.error, AmbiguousSubmit) and life.error.final
    lasting = history.timeout is not None or not history.ends_well or bool(history.blows)
    return not (told or lasting or history.weather in NO_STOPS) and min((history.retries, *history.cleared)) >= 1


def _of_deadline(history: History, life: Life, own: list[Job]) -> Iterator[str]:
    """Find what is wrong with the deadlines of jobs that nothing has happened to."""
    timeout = history.timeout
    if timeout is None or history.sibling or not history.lists or history.weather not in (*CALM, *READ_IN_THE_END):
        return
    last = own[-1] if own else None
    seen = last is not None and last in life.world.server.jobs
    if isinstance(life.error, JobTimeout) and last is not None and seen and last.stopped_at is None:
        ended = last.created_at + last.lasts
        if ended < min(last.asked_at + timeout - abs(history.skew), life.ended_at) - EARLY:
            yield f"wrong result: {last.kind} {last.id} had ended in time"
    if history.blows or history.weather not in CALM:
        return
    for job in own if history.stoppable else ():
        end = min(job.created_at + job.lasts, job.stop_asked or job.created_at + job.lasts)
        late = end - max(job.asked_at, job.created_at) - timeout - abs(history.skew)
        if late > LATEST:
            yield f"late: {job.kind} {job.id} ran for {late:.1f} s after its deadline"


def _of_switch(life: Life, servers: list[Server], things: list[Switched]) -> Iterator[str]:
    """Find what is wrong with what a task has started, which is there for good."""
    if life.state == "endless":
        yield "endless: it has no end"
    for server in servers:
        if len(own := [thing for thing in things if thing in server.jobs]) > 1:
            yield f"duplicate: there are {len(own)} of the name"
    if life.state == "success":
        thing = next((thing for thing in things if thing.id == life.result["id"]), None)
        if thing is None:
            yield "wrong result: it is a stranger's"
        elif thing.status(life.ended_at) != SUCCESS or thing.stop_asked is not None:
            yield "wrong result: it is not on"
    for thing in things:
        # What is on by then is left so, for whoever asks for it next.
        starts = thing.begun is not None and thing.begun + thing.lasts > life.ended_at and thing.stop_asked is None
        if life.state != "success" and starts:
            yield f"orphan: {thing.kind} {thing.id} runs on"
        if thing.stop_asked is not None and not life.may_stop:
            yield f"needless: {thing.kind} {thing.id} was stopped for no reason"


def _of_task(history: History, life: Life, servers: list[Server], own: list[Job]) -> Iterator[str]:
    now = life.world.now
    yield from _of_deadline(history, life, own)
    entry = json.loads((life.task.store or {}).get("entry", "null"))
    if life.state == "endless":
        yield "endless: it has no end"
    if life.state == "success":
        result = next((job for job in reversed(own) if job.id == life.result["id"]), None)
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
    for job in own:
        if job.stop_asked and not life.may_stop:
            yield f"needless: {job.kind} {job.id} was stopped for no reason"
    for begin, end in pairwise([*life.epochs, float("inf")]):
        jobs = sorted((job for job in own if begin <= job.asked_at < end), key=lambda job: job.created_at)
        for earlier, later in pairwise(jobs):
            over = earlier.status(later.created_at)
            asked = earlier.stop_asked is not None and earlier.stop_asked <= later.created_at
            elsewhere = (earlier in servers[0].jobs) != (later in servers[0].jobs)
            if over not in (4, 5) and not asked and not _recalled(history, later) and not elsewhere:
                yield f"duplicate: {later.kind} {later.id} beside {earlier.id}, which was in status {over}"
    for job in own if history.stoppable else ():
        waited_for = life.state == "success" and job.id == life.result["id"]
        runs_on = job.created_at + job.lasts > life.ended_at and job.stopped_at is None
        if runs_on and not waited_for and not _recalled(history, job):
            yield f"orphan: {job.kind} {job.id} runs on"


def _recalled(history: History, job: Job) -> bool:
    """Whether a worker that was not the task's any more has stopped at once what it had created."""
    return bool(history.blows) and job.stop_asked is not None and job.stop_asked - job.created_at < 20


def _too_often(process: Process, at_once: int) -> Iterator[str]:
    """Find what a process has asked the platform for more often than it may."""
    seconds = process.asked_until - process.began
    pause = process.settings.poll_floor if isinstance(process, Triggerer) else WORKERS_PAUSE
    for what, count in process.asked.items():
        if count > at_once + seconds / pause:
            yield f"too often: {count} times {what} in {seconds:.1f} s"
