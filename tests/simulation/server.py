"""A platform in memory: its jobs, and how badly it behaves. How it is spoken to is the business of its subclasses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from functools import lru_cache
from typing import Any, Final, Protocol, TypeAlias
from urllib.parse import parse_qs, unquote, urlsplit

from airflow_provider_aihub.http.protocol import Answer, Failure, Outcome, Send
from airflow_provider_aihub.http.retry import Trouble

TIMEOUT: Final = 30.0
"""Seconds after which a client gives up on an answer."""
LATENCY: Final = 0.05
"""Seconds that an answer takes."""

WAITING, RUNNING, SUCCESS, FAILED, STOPPED = 1, 2, 3, 4, 5
SWITCHED: Final = ("deployment", "started_notebook")
"""Kinds of what is there for good."""
ALONE: Final = (*SWITCHED, "saved_image")
"""Kinds of which several tasks would have the same thing: of one container the newest image alone is shown."""

UNSTOPPABLE: Final = (*ALONE, "search", "dataset_version")
"""Kinds of which nobody can stop a job, or of which it is not over then."""

Answering: TypeAlias = Generator[float, None, Outcome]
"""What yields the seconds that an answer takes, one piece of them after the other, and returns it."""
Said: TypeAlias = tuple[Any, ...]
"""What a platform says to a call, as its dialect has it."""


class Asking(Protocol):
    """A process that asks."""

    asked: Counter[str]
    asked_until: float


@dataclass(slots=True)
class Called:
    """A call, understood.

    :param what: ``create``, ``read``, ``list``, ``stop``, ``login`` or another one.
    :param about: Tells it from other calls.
    :param handle: Does what it asks for.
    """

    what: str
    about: str
    handle: Callable[[], Said]


@dataclass(slots=True)
class Job:
    """A job on a platform.

    :param owner: Whose it is: ``"task"`` where a task of the simulation asked for it, else a colleague's name.
    :param lasts: Seconds that it runs.
    :param shown_at: When reads know it; ``listed_at`` when lists do.
    """

    kind: str
    id: int | str
    name: str | None
    description: str
    created_at: float
    lasts: float
    ends_well: bool
    shown_at: float
    listed_at: float
    asked_at: float = 0.0
    """When it was asked for; it may have come into being later."""
    owner: str = "task"
    described: str = ""
    """The description that was asked for, or whatever else tells whose it is."""
    version: int = 0
    """How many there were of its kind by then."""
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
class Switched(Job):
    """What is there for good, and is started and stopped, such as a notebook; it has succeeded while it is on.

    :param begun: When it was last started; ``lasts`` is how long that takes.
    """

    begun: float | None = None

    def status(self, now: float) -> int:
        """Return its status number."""
        if self.begun is None:
            return WAITING
        if self.stopped_at is not None and now >= self.stopped_at:
            return STOPPED
        if now - self.begun < self.lasts:
            return RUNNING
        return SUCCESS if self.ends_well else FAILED

    def start(self, now: float) -> bool:
        """Start it, unless that was done; return whether it was not."""
        if self.stopped_at is None and self.status(now) in (RUNNING, SUCCESS):
            return False
        self.begun, self.stopped_at, self.stop_asked = now, None, None
        return True


@dataclass(slots=True)
class Weather:
    """How a platform behaves. What concerns single calls is keyed by the call and its number, as ``("create", 1)``.

    :param spoiled: What happens to a call: see :meth:`Server._spoil`.
    :param late: Seconds after which a create call takes effect.
    :param read_lag: Seconds for which a new job is not found; ``list_lag`` likewise in lists.
    :param page: Most rows on a page, whatever is asked.
    :param rows_count: Whether lists begin at a row where they should begin at a page.
    :param total: What lists say of how many rows there are, if not the truth.
    :param cut: Characters that a description keeps.
    :param trims: Whether names lose their outer blanks.
    :param cut_name: Characters that a name keeps that is not signed; ``cut_description`` likewise.
    :param stop_takes: Seconds from a stop call until the job is over.
    :param stopped_after: Seconds after which a colleague stops the first job that tasks create.
    :param copied: Whether a colleague copies each job that tasks create, description and all.
    :param latency: Seconds that an answer takes.
    :param down: From when to when it cannot be reached, in seconds from the beginning.
    :param lists_ended: Whether lists show jobs that run as having succeeded.
    """

    spoiled: dict[tuple[str, int], str] = field(default_factory=dict)
    late: float = 5.0
    read_lag: float = 0.0
    list_lag: float = 0.0
    page: int = 1000
    rows_count: bool = False
    total: int | None = None
    cut: int | None = None
    added: str = ""
    trims: bool = False
    cut_name: int | None = None
    cut_description: int | None = None
    stop_takes: float = 0.5
    stopped_after: float | None = None
    copied: bool = False
    latency: float = LATENCY
    lists_ended: bool = False
    down: tuple[float, float] | None = None


class Server(ABC):
    """One platform.

    :param dialect: One of those that its subclass knows.
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
        first_number: int = 1,
    ) -> None:
        self.dialect = dialect
        self.weather = weather
        self.jobs: list[Job] = []
        self.first_number = self.next_number = first_number
        self.calls: dict[str, int] = {}
        self.lasts, self.ends_well = lasts, ends_well
        self._clock, self._ahead = clock, ahead
        self._began = clock()
        self._pending: list[tuple[float, Callable[[], object]]] = []

    @property
    def now(self) -> float:
        """The world's time; what was to happen until now has happened."""
        now = self._clock()
        for due, happen in [one for one in self._pending if one[0] <= now]:
            self._pending.remove((due, happen))
            happen()
        return now

    def begin(self, kind: str) -> None:
        """Have what a job of a kind takes. Most take nothing."""
        return

    def job(self, kind: str, job_id: int | str) -> Job | None:
        """Return a job."""
        return next((job for job in reversed(self.jobs) if job.kind == kind and job.id == job_id), None)

    def shown(self, kind: str, job_id: int | str) -> Job | None:
        """Return a job that reads know."""
        job = self.job(kind, job_id)
        return None if job is None or self._clock() < job.shown_at else job

    def colleagues_job(self, kind: str, number: int, name: str = "colleague's", age: float = 3600.0) -> Job:
        """Let a colleague have a job, under the id that a number gives."""
        now = self._clock()
        version = 1 + sum(job.kind == kind for job in self.jobs)
        id_, described = self._id(kind, number), "of a colleague"
        job = self._job_of(kind)(
            kind, id_, name, described, now - age, 10**6, True, now, now, owner="colleague", version=version
        )
        self.jobs.append(job)
        return job

    def _job_of(self, kind: str) -> type[Job]:
        return Switched if kind in SWITCHED else Job

    def upstream_job(self, kind: str) -> Job:
        """Let somebody whom a sensor waits for create a job."""
        job = self._new_job(kind, "upstream", "", self._clock())
        job.owner = "upstream"
        return job

    def answer(self, send: Send, process: Asking) -> Answering:
        """Take an HTTP request; the time that it takes is to pass meanwhile.

        :param process: Who asks.
        """
        path, query = _address(send.url)
        called = self._understood(send.method, path, query, send.body)
        process.asked[called.about] += 1
        process.asked_until = self._clock()
        number = self.calls[called.what] = self.calls.get(called.what, 0) + 1
        yield self.weather.latency
        if self.weather.down or self._pending:
            age = self.now - self._began
            down = self.weather.down
            if down and down[0] <= age < down[1]:
                return Failure(Trouble.UNREACHED, "connection refused")
        refused = None if called.what == "login" else self._refused_credential(send.headers)
        if refused:
            return self._said(*refused)
        spoiled = self.weather.spoiled.get((called.what, number))
        if spoiled:
            return (yield from self._spoil(spoiled, called.handle))
        return self._said(*called.handle())

    def _spoil(self, how: str, handle: Callable[[], Said]) -> Answering:
        done = "not done" not in how
        how = how.partition(",")[0]
        if how == "unreached":
            return Failure(Trouble.UNREACHED, "connection refused")
        if how == "late":
            self._pending.append((self._clock() + self.weather.late, handle))
            yield TIMEOUT
            return Failure(Trouble.LATE, "nothing came in time")
        if done:
            handle()
        match how.split():
            case ["lost"]:
                yield 1.0
                return Failure(Trouble.LOST, "the connection was closed by the other side")
            case ["hangs"]:
                yield TIMEOUT
                return Failure(Trouble.LATE, "nothing came in time")
            case ["garbled"]:
                return Answer(200, {}, b"<html>gateway</html>")
            case ["code", code]:
                return self._said(*self._refusal(int(code)))
            case ["status", status]:
                return self._said(*self._failing(int(status)))
        raise AssertionError(f"unknown weather {how!r}")

    def _new_job(self, kind: str, name: str | None, described: str, asked_at: float) -> Job:
        """Let a job come into being."""
        now, weather = self._clock(), self.weather
        job = self._job_of(kind)(
            kind,
            self._id(kind, self.next_number),
            name.strip() if name is not None and weather.trims else name,
            described[: weather.cut] + weather.added,
            now,
            self.lasts,
            self.ends_well,
            now + weather.read_lag,
            now + weather.list_lag,
            asked_at,
            described=described,
            version=1 + sum(job.kind == kind for job in self.jobs),
        )
        self.next_number += 1
        self.jobs.append(job)
        if weather.stopped_after is not None and described and job.version == 1 and kind not in UNSTOPPABLE:
            job.stopped_at = now + weather.stopped_after
        return job

    def _copy(self, job: Job, name: str | None) -> None:
        """Let a colleague copy what a task has created, if they do so."""
        if self.weather.copied and job.kind not in ALONE:
            copy = replace(job, id=self._id(job.kind, self.next_number), name=name, owner="colleague")
            copy.created_at, copy.lasts, copy.version = job.created_at + 0.5, 10.0**6, job.version + 1
            self.next_number += 1
            self.jobs.append(copy)

    def _listed(self, kind: str, name: str | None) -> list[Job]:
        """Return the jobs that lists know, the newest first.

        :param name: Those alone that have it in their names.
        """
        now = self._clock()
        jobs = [job for job in self.jobs if job.kind == kind and now >= job.listed_at]
        if name:
            jobs = [job for job in jobs if name in (job.name or "")]
        return sorted(jobs, key=lambda job: job.created_at, reverse=True)

    def _shown_status(self, job: Job, *, listed: bool) -> int:
        status = job.status(self._clock())
        return SUCCESS if listed and self.weather.lists_ended and status < SUCCESS else status

    def _ask_to_stop(self, job: Job) -> None:
        now = self._clock()
        job.stop_asked = now if job.stop_asked is None else job.stop_asked
        if job.stopped_at is None and (isinstance(job, Switched) or not job.over(now)):
            job.stopped_at = now + self.weather.stop_takes

    def _dated(self) -> Mapping[str, str]:
        """Return the header that tells what time it is there."""
        return _date(int(self._clock() + self._ahead))

    # What a dialect says

    @abstractmethod
    def _understood(self, method: str, path: str, query: dict[str, str], body: bytes | None) -> Called:
        """Understand a call."""

    @abstractmethod
    def _id(self, kind: str, number: int) -> int | str:
        """Return the id of a job of a number."""

    @abstractmethod
    def _said(self, *said: Any) -> Answer:
        """Put into HTTP what is said to a call."""

    @abstractmethod
    def _refused_credential(self, headers: Mapping[str, str]) -> Said | None:
        """Return what is said to a call whose credential is not taken; nothing where it is."""

    @abstractmethod
    def _refusal(self, code: int) -> Said:
        """Say no. 1 and 3 leave open what was done, 8 does not: the name is taken."""

    @abstractmethod
    def _failing(self, status: int) -> Said:
        """Answer with an HTTP status that is no answer to the call."""


@lru_cache(10_000)
def _address(url: str) -> tuple[str, dict[str, str]]:
    parts = urlsplit(url)
    return unquote(parts.path), {name: values[0] for name, values in parse_qs(parts.query).items()}


@lru_cache(10_000)
def _date(second: int) -> dict[str, str]:
    return {"Date": formatdate(second, usegmt=True)}
