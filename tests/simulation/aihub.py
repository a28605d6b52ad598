"""An AIHub in memory, written from the facts of its API: what it creates, shows and stops, and how badly."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import cache, lru_cache, partial
from typing import Any, Final, Protocol, TypeAlias
from urllib.parse import parse_qs, unquote, urlsplit

from airflow_provider_aihub.http.protocol import Answer, Failure, Outcome, Send
from airflow_provider_aihub.http.retry import Trouble

TIMEOUT: Final = 30.0
"""Seconds after which a client gives up on an answer."""
LATENCY: Final = 0.05
"""Seconds that an answer takes."""

WAITING, RUNNING, SUCCESS, FAILED, STOPPED = 1, 2, 3, 4, 5


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of job, as the API has it.

    :param stops: Whether it can be stopped: by both dialects, by the newer one alone, or by none.
    """

    key: str
    create: str
    things: str
    stops: str = "both"


KINDS: Final = (
    Kind("training", "/model-training-platform/api/v1/trainings", "/model-training-platform/api/v1/trainings"),
    Kind("quota_task", "/quota-schedule-management/api/v1/tasks", "/quota-schedule-management/api/v1/tasks"),
    Kind("search", "/data-warehouse/api/v1/searches", "/data-warehouse/api/v1/searches", "none"),
    Kind(
        "dataset_version",
        "/dataset-mng/api/v2/dataset-versions-upload",
        "/dataset-mng/api/v2/dataset-versions",
        "none",
    ),
    Kind("workflow_run", "/workflow-center/api/v1/runs", "/workflow-center/api/v1/runs", "platform"),
)
CREATES: Final = {kind.create: kind for kind in KINDS}
THINGS: Final = {kind.things: kind for kind in KINDS}
THING: Final = re.compile(r"(?P<things>.*?)(?:/(?P<id>\d+)(?P<stop>/stop)?)?")
Answering: TypeAlias = Generator[float, None, Outcome]
"""What yields the seconds that an answer takes, one piece of them after the other, and returns it."""


class Asking(Protocol):
    """A process that asks."""

    asked: Counter[str]
    asked_until: float


@dataclass(slots=True)
class Job:
    """A job on this AIHub.

    :param owner: Whose it is: ``"task"`` where a task of the simulation asked for it, else a colleague's name.
    :param lasts: Seconds that it runs.
    :param shown_at: When reads know it; ``listed_at`` when lists do.
    """

    kind: str
    id: int
    asked: dict[str, Any]
    created_at: float
    lasts: float
    ends_well: bool
    shown_at: float
    listed_at: float
    asked_at: float = 0.0
    """When it was asked for; it may have come into being later."""
    owner: str = "task"
    described: str = ""
    """The description that was asked for."""
    version: int = 0
    stopped_at: float | None = None
    stop_asked: float | None = None
    """When somebody asked to stop it."""

    def status(self, now: float) -> int:
        """Return its status number."""
        if self.stopped_at is not None and self.stopped_at < self.created_at + self.lasts and now >= self.stopped_at:
            return STOPPED
        age = now - self.created_at
        if age < 1:
            return WAITING
        if age < self.lasts:
            return RUNNING
        return SUCCESS if self.ends_well else FAILED

    def over(self, now: float) -> bool:
        """Whether it has ended."""
        return self.status(now) >= SUCCESS


@dataclass(slots=True)
class Weather:
    """How this AIHub behaves. What concerns single calls is keyed by the call and its number, as ``("create", 1)``.

    :param spoiled: What happens to a call: see :meth:`AIHub._spoil`.
    :param late: Seconds after which a create call takes effect.
    :param read_lag: Seconds for which a new job is not found; ``list_lag`` likewise in lists.
    :param page: Most rows on a page, whatever is asked.
    :param total: What lists say of how many rows there are, if not the truth.
    :param cut: Characters that a description keeps.
    :param trims: Whether names lose their outer blanks.
    :param stop_takes: Seconds from a stop call until the job is over.
    :param lists_ended: Whether lists show jobs that run as having succeeded.
    """

    spoiled: dict[tuple[str, int], str] = field(default_factory=dict)
    late: float = 5.0
    read_lag: float = 0.0
    list_lag: float = 0.0
    page: int = 1000
    total: int | None = None
    cut: int | None = None
    added: str = ""
    trims: bool = False
    stop_takes: float = 0.5
    lists_ended: bool = False
    down: tuple[float, float] | None = None


class AIHub:
    """One AIHub.

    :param dialect: ``"platform"`` or ``"document"``.
    :param clock: Gives the world's Unix time.
    :param ahead: Seconds by which its own clock is ahead.
    """

    def __init__(
        self,
        dialect: str,
        clock: Callable[[], float],
        weather: Weather,
        *,
        ahead: float = 0.0,
        lasts: float = 12.0,
        ends_well: bool = True,
        first_id: int = 1,
    ) -> None:
        self.dialect = dialect
        self.weather = weather
        self.jobs: list[Job] = []
        self.token = f"e30.e30.{first_id}"
        self.calls: dict[str, int] = {}
        self.lasts, self.ends_well = lasts, ends_well
        self._clock, self._ahead = clock, ahead
        self.next_id = first_id
        self._pending: list[tuple[float, Callable[[], object]]] = []

    @property
    def now(self) -> float:
        """The world's time; what was to happen until now has happened."""
        now = self._clock()
        for due, happen in [one for one in self._pending if one[0] <= now]:
            self._pending.remove((due, happen))
            happen()
        return now

    def job(self, kind: str, job_id: int) -> Job | None:
        """Return a job."""
        return next((job for job in self.jobs if job.kind == kind and job.id == job_id), None)

    def colleagues_job(self, kind: str, job_id: int, name: str = "colleague's", age: float = 3600.0) -> Job:
        """Let a colleague have a job under an id."""
        now = self._clock()
        asked = {"name": name, "description": "of a colleague"}
        version = 1 + sum(job.kind == kind for job in self.jobs)
        job = Job(kind, job_id, asked, now - age, 10**6, True, now, now, owner="colleague", version=version)
        self.jobs.append(job)
        return job

    def upstream_job(self, kind: str) -> Job:
        """Let somebody whom a sensor waits for create a job."""
        self._create(next(one for one in KINDS if one.key == kind), {"name": "upstream"}, self._clock())
        job = self.jobs[-1]
        job.owner = "upstream"
        return job

    def answer(self, send: Send, process: Asking) -> Answering:
        """Take an HTTP request; the time that it takes is to pass meanwhile.

        :param process: Who asks.
        """
        path, query = _address(send.url)
        what, handle = self._route(send.method, path, query, send.body)
        process.asked[f"{send.method} {path} {query.get('name')} {query.get('page_num')}"] += 1
        process.asked_until = self._clock()
        number = self.calls[what] = self.calls.get(what, 0) + 1
        yield LATENCY
        if self.weather.down or self._pending:
            now = self.now
            down = self.weather.down
            if down and down[0] <= now < down[1]:
                return Failure(Trouble.UNREACHED, "connection refused")
        if what != "login" and send.headers.get("Authorization") != f"Bearer {self.token}":
            return self._said(-2, None, 401)
        spoiled = self.weather.spoiled.get((what, number))
        if spoiled:
            return (yield from self._spoil(spoiled, handle))
        return self._said(*handle())

    def _said(self, code: int, data: Any, status: int = 200, msg: str = "") -> Answer:
        headers = _date(int(self._clock() + self._ahead))
        if status in (404, 405) and code == -1:
            return Answer(status, headers, b"404 page not found")
        return Answer(status, headers, json.dumps({"code": code, "msg": msg, "data": data}).encode())

    def _spoil(self, how: str, handle: Callable[[], tuple[Any, ...]]) -> Answering:
        done = "not done" not in how
        if how == "unreached":
            return Failure(Trouble.UNREACHED, "connection refused")
        if how.startswith("late"):
            self._pending.append((self._clock() + self.weather.late, handle))
            yield TIMEOUT
            return Failure(Trouble.LOST, "nothing came in time")
        if done:
            handle()
        if how.startswith("lost"):
            yield 1.0
            return Failure(Trouble.LOST, "the connection was closed by the other side")
        if how.startswith("hangs"):
            yield TIMEOUT
            return Failure(Trouble.LOST, "nothing came in time")
        if how.startswith("code"):
            return self._said(int(how.split()[1].strip(",")), None, msg="something went wrong")
        if how.startswith("status"):
            return self._said(-2, None, int(how.split()[1]))
        if how.startswith("garbled"):
            return Answer(200, {}, b"<html>gateway</html>")
        raise AssertionError(f"unknown weather {how!r}")

    # The calls

    def _route(
        self, method: str, path: str, query: dict[str, str], body: bytes | None
    ) -> tuple[str, Callable[[], tuple[Any, ...]]]:
        what, kind, thing = _meant(method, path)
        match what:
            case "login":
                return what, lambda: (0, {"id": 7, "token": self.token})
            case "create":
                return what, partial(self._create, kind, json.loads(body or b"{}"), self._clock())
            case "read" if kind is None:
                return what, partial(self._by_name, query["name"])
            case "read":
                return what, partial(self._read, kind, thing, method)
            case "list":
                return what, partial(self._list, kind, query)
            case "stop":
                return what, partial(self._stop, kind, thing)
            case "dataset":
                return what, partial(self._dataset, thing)
        return what, lambda: (-1, None, 404)

    def _create(self, kind: Kind, asked: dict[str, Any], asked_at: float) -> tuple[Any, ...]:
        now, weather = self._clock(), self.weather
        description = asked.get("description") or ""
        asked["description"] = description[: weather.cut] + weather.added
        if weather.trims and "name" in asked:
            asked["name"] = asked["name"].strip()
        version = 1 + sum(job.kind == kind.key for job in self.jobs)
        job = Job(
            kind.key,
            self.next_id,
            asked,
            now,
            self.lasts,
            self.ends_well,
            now + weather.read_lag,
            now + weather.list_lag,
            asked_at,
            described=description,
            version=version,
        )
        self.next_id += 1
        self.jobs.append(job)
        return 0, {"id": job.id}

    def _row(self, job: Job, *, listed: bool = False) -> dict[str, Any]:
        now = self._clock()
        status = job.status(now)
        if listed and self.weather.lists_ended and status < SUCCESS:
            status = SUCCESS
        row = {
            **{name: job.asked[name] for name in ("name", "description") if name in job.asked},
            "id": job.id,
            "status": status,
            "created_at": int((job.created_at + self._ahead) * 1000),
            "user_id": 7 if job.owner == "task" else 8,
        }
        if job.kind == "search":
            row |= {"type": 3, "results": [{"image_url": "http://x/1.jpg"}], "result_url": "http://x/1.csv"}
        if job.kind == "dataset_version":
            row |= {"version": job.version, "dataset_id": 1, "data_size": 1, "data_count": 1}
        if job.kind == "workflow_run":
            row |= {"task_nodes": [], "duration": 1, "pipeline_id": 1, "pipeline_version_id": 1}
        return row

    def _read(self, kind: Kind, job_id: int, method: str) -> tuple[Any, ...]:
        if self.dialect == "document":
            if kind.key == "dataset_version" or (kind.key == "workflow_run" and method == "GET"):
                return -1, None, 404
        elif method == "POST":
            return -1, None, 405
        job = self.job(kind.key, job_id)
        if job is None or self._clock() < job.shown_at:
            return 2, None, 404
        return 0, self._row(job)

    def _by_name(self, name: str) -> tuple[Any, ...]:
        number = name.rpartition("/V")[2]
        for job in self.jobs:
            if job.kind == "dataset_version" and str(job.version) == number and self._clock() >= job.shown_at:
                return 0, self._row(job)
        return 2, None, 404

    def _dataset(self, dataset_id: int) -> tuple[Any, ...]:
        return (-1, None, 404) if self.dialect == "document" else (0, {"id": dataset_id, "name": "digits"})

    def _list(self, kind: Kind, query: dict[str, str]) -> tuple[Any, ...]:
        if self.dialect == "document":
            return -1, None, 404
        now, weather = self._clock(), self.weather
        jobs = [job for job in self.jobs if job.kind == kind.key and now >= job.listed_at]
        if name := query.get("name"):
            jobs = [job for job in jobs if name in job.asked.get("name", "")]
        jobs.sort(key=lambda job: job.created_at, reverse=True)
        size, number = min(int(query["page_size"]), weather.page), int(query["page_num"])
        rows = [self._row(job, listed=True) for job in jobs[size * (number - 1) : size * number]]
        total = len(jobs) if weather.total is None else weather.total
        return 0, {"total": total, "page_size": size, "page_num": number, "data": rows}

    def _stop(self, kind: Kind, job_id: int) -> tuple[Any, ...]:
        if kind.stops == "none" or (kind.stops == "platform" and self.dialect == "document"):
            return -1, None, 404
        job, now = self.job(kind.key, job_id), self._clock()
        if job is None or now < job.shown_at:
            return 2, None, 404
        job.stop_asked = now if job.stop_asked is None else job.stop_asked
        if job.stopped_at is None and not job.over(now):
            job.stopped_at = now + self.weather.stop_takes
        return 0, self._row(job)


@lru_cache(10_000)
def _address(url: str) -> tuple[str, dict[str, str]]:
    parts = urlsplit(url)
    return unquote(parts.path), {name: values[0] for name, values in parse_qs(parts.query).items()}


@lru_cache(10_000)
def _date(second: int) -> dict[str, str]:
    return {"Date": formatdate(second, usegmt=True)}


@cache
def _meant(method: str, path: str) -> tuple[str, Any, int]:
    """Give what a call is, of which kind of job, and of which one."""
    if path == "/api/v1/auth/login":
        return "login", None, 0
    if path == "/dataset-mng/api/v2/dataset-versions-detail":
        return "read", None, 0
    if found := re.fullmatch(r"/dataset-mng/api/v2/datasets/(\d+)", path):
        return "dataset", None, int(found[1])
    if method == "POST" and (kind := CREATES.get(path)):
        return "create", kind, 0
    found = THING.fullmatch(path)
    kind = THINGS.get(found["things"]) if found else None
    if found is None or kind is None:
        return "other", None, 0
    if not found["id"]:
        return "list", kind, 0
    return "stop" if found["stop"] else "read", kind, int(found["id"])
