"""What a job is: where it stands, what is known of it, and how its kind is read, stopped and listed.

A platform describes its kinds of job as :class:`JobKind`. Nothing else reads a platform's answer about a job.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from airflow_provider_aihub.http.errors import RemoteJobError, UnsupportedError
from airflow_provider_aihub.http.request import Request
from airflow_provider_aihub.jobs.parts import Part

T = TypeVar("T")

JobId: TypeAlias = int | str
"""What a job is read by. It is never parsed, sorted or compared by size."""
Status: TypeAlias = int | str
"""A platform's own word, or number, for where a job stands."""


class Phase(StrEnum):
    """Where a job stands, in words that hold for every kind."""

    WAITING = "waiting"
    RUNNING = "running"
    STOPPING = "stopping"
    UNKNOWN = "unknown"
    """The platform has a status that this provider does not know; it counts as in progress."""
    HELD = "waiting for a person"
    """The job goes on only after somebody has acted on it, so nobody waits for it until then."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"

    @property
    def terminal(self) -> bool:
        """Whether the job is over."""
        return self in (Phase.SUCCEEDED, Phase.FAILED, Phase.STOPPED)

    @property
    def ended_by_itself(self) -> bool:
        """Whether the job is over, and was not stopped."""
        return self in (Phase.SUCCEEDED, Phase.FAILED)

    @property
    def ends_waiting(self) -> bool:
        """Whether waiting will change nothing."""
        return self.terminal or self is Phase.HELD


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What may be known of a job besides its status. What a platform does not tell is empty.

    :param created: When it came into being, in Unix seconds, as are ``started`` and ``finished``.
    :param message: The platform's own words on its status.
    :param stopped_by: Name of the user who stopped it.
    :param usage: How much of its resources it has used, as it stands in a sentence.
    """

    name: str = ""
    description: str = ""
    user_id: JobId | None = None
    created: float | None = None
    started: float | None = None
    finished: float | None = None
    message: str = ""
    stopped_by: str = ""
    usage: str = ""


class JobState:
    """What one look at a job showed.

    Most looks are about the status alone, and one list shows hundreds of jobs, so an answer is read as a whole only
    when more of it is asked for.

    :param kind: What kind of job it is.
    :param job_id: The id it was asked by.
    :param status: The platform's own.
    :param answer: The whole answer, or the data that it is made from.
    """

    __slots__ = ("_answer", "_kind", "job_id", "phase", "read_at", "status")

    def __init__(self, kind: JobKind, job_id: JobId, status: Status, answer: Any) -> None:
        self._kind = kind
        self._answer = answer
        self.job_id = job_id
        self.status = status
        self.phase = kind.phases.get(status, Phase.UNKNOWN)
        """What the status means."""
        self.read_at: float | None = None
        """When a list has shown this, in Unix seconds; ``None`` if the job itself was read just now."""

    def __repr__(self) -> str:
        return f"JobState(job_id={self.job_id!r}, status={self.status}, phase={self.phase!r})"

    @property
    def is_from_list(self) -> bool:
        """Whether a list has shown this, and not a reading of the job itself."""
        return self.read_at is not None

    @property
    def word(self) -> str:
        """The phase as a sentence has it: ``running``, or the status that nobody here knows."""
        if self.phase is Phase.UNKNOWN:
            return f"in status {self.status}, which this provider does not know"
        return str(self.phase)

    @property
    def verb(self) -> str:
        """The phase as the verb of a sentence: ``is running``, ``has failed``."""
        if self.phase is Phase.STOPPED:
            return "was stopped"
        return f"has {self.word}" if self.phase.terminal else f"is {self.word}"

    def forget(self) -> None:
        """Keep only the status: the answers of thousands of jobs would take much memory."""
        self._answer = None

    @property
    def answer(self) -> Any:
        """The whole answer, unless it was forgotten."""
        if isinstance(self._answer, dict):
            self._answer = self._kind.decode(self._answer)
        return self._answer

    @property
    def id(self) -> JobId:
        """The id that the answer shows: a job may have been asked for by its name."""
        row = self._kind.row(self._answer)
        return self.job_id if row is None else row[0]

    @property
    def raw_facts(self) -> Facts:
        """What was shown, without a further reading of the answer."""
        return self._kind.facts(self._answer)

    @property
    def facts(self) -> Facts:
        """What the whole answer says."""
        return self._kind.facts(self.answer)


@dataclass(frozen=True, slots=True)
class Batch(Generic[T]):
    """Some jobs of a list.

    :param rows: The jobs. A row that cannot be read is left out; that does not mean that its job is gone.
    :param following: Where the list goes on, as the next request wants it; ``None`` where it does not.
    :param total: How many jobs the whole list has, where the platform says it.
    """

    rows: list[T]
    following: Any = None
    total: int | None = None


class ListRequest(Protocol):
    """Makes the request for a part of a list, newest jobs first."""

    def __call__(
        self, start: Any = None, /, *, size: int, name: str | None = None, user_id: JobId | None = None
    ) -> Request[Batch[Any]]:
        """Make it.

        :param start: ``following`` of the part before; ``None`` for the first.
        :param size: How many jobs at most.
        :param name: Narrows the list to jobs of a name, or of one that has it in it.
        :param user_id: Narrows it to jobs of a user.
        """


Notes: TypeAlias = Generator[Any, Any, list[str]]
"""Sentences about a job. It yields :class:`~.errands.Ask` and is sent the result, or an error."""


def _no_notes(_state: JobState) -> Notes:
    yield from ()
    return []


@dataclass(frozen=True, slots=True, kw_only=True)
class JobKind:
    """One kind of job.

    :param platform: Name of the platform, as sentences have it.
    :param key: ``<platform>.<name>``: the key of the platform, and the name of the kind there.
    :param noun: What people call it.
    :param submitted: What is said of one that a task has submitted.
    :param phases: What its statuses mean; one that is not here counts as in progress. Empty for a kind that cannot be
        waited for.
    :param decode: Makes the whole answer of the data that was read.
    :param row: Gives id and status of the data that was read, or of a row of a list; ``None`` where they are not there.
    :param facts: What a whole answer, or the data, says of the job.
    :param brief: Returns the part of the data that is reported while a job is waited for. Its size is limited.
    :param read: The request that reads one job.
    :param stop: The request that stops one, where the platform has it.
    :param listed: The request for a part of the list of jobs; not every platform has it.
    :param states: The same, read only as far as following many jobs needs it: its rows are data.
    :param lists_by_name: Whether such a list can be narrowed by a name.
    :param listed_as: What a list shows as the id of a job that is read by the given id; ``None`` for no list.
    :param listed_whole: Whether a row of such a list shows as much as is told while a job goes on.
    :param missing: Whether a refusal says that the job does not exist.
    :param page_of: Name of the kind whose page it has, where that is not its own.
    :param sent_description: Finds the job's description, which is signed, in the request that creates it; ``None``
        where nothing of it can be signed.
    :param sent_name: Finds its name there, where that is not the one that the user gave.
    :param unique_names: Whether no two jobs have the same name, so that a name that is taken may be a job's own.
    :param part_noun: What people call the parts that it consists of.
    :param parts: The request that reads the parts of one job.
    :param parts_within: Finds the parts in the job's own answer, where they are there.
    :param notes: What may be said of a job that waits, such as who else waits.
    :param reasons: What may be said of one that has failed, besides its message and its parts.
    """

    platform: str
    key: str
    noun: str
    phases: Mapping[Any, Phase]
    decode: Callable[[Any], Any]
    row: Callable[[Any], tuple[JobId, Status] | None]
    facts: Callable[[Any], Facts]
    brief: Callable[[Any], Any]
    read: Callable[[Any], Request[Any]]
    missing: Callable[[RemoteJobError], bool]
    stop: Callable[[Any], Request[Any]] | None = None
    listed: ListRequest | None = None
    states: ListRequest | None = None
    lists_by_name: bool = True
    listed_as: Callable[[JobId], JobId | None] = lambda job_id: job_id
    listed_whole: Callable[[dict[str, Any]], bool] = lambda _row: True
    page_of: str = ""
    submitted: str = "Created"
    sent_description: Callable[[Request[Any]], str | None] | None = None
    sent_name: Callable[[Request[Any]], str | None] = lambda _request: None
    unique_names: bool = False
    part_noun: str = "pod"
    parts: Callable[[Any], Request[list[Part]]] | None = None
    parts_within: Callable[[Any], list[Part]] | None = None
    notes: Callable[[JobState], Notes] = _no_notes
    reasons: Callable[[JobState], Notes] = _no_notes

    @property
    def name(self) -> str:
        """Name within the platform."""
        return self.key.partition(".")[2]

    @property
    def can_be_waited_for(self) -> bool:
        """Whether the platform shows where such a job stands."""
        return bool(self.phases)

    @property
    def page_kind(self) -> str:
        """Name of the kind whose page shows it."""
        return self.page_of or self.name

    def state(self, job_id: JobId, answer: Any) -> JobState:
        """Say where a job stands, from the answer that read it, or from a row of a list.

        :raises ValueError: It lacks what must be there.
        """
        row = self.row(answer)
        if row is None:
            answer = self.decode(answer)
            row = self.row(answer)
        if row is None:
            raise ValueError("the answer has no status")
        return JobState(self, job_id, row[1], answer)

    def look(self, job_id: JobId) -> Request[JobState]:
        """Make the request that reads where a job stands."""
        return _reading(self.read(job_id), partial(self.state, job_id))

    def brief_look(self, job_id: JobId) -> Request[JobState]:
        """Make the request that reads only what is reported of a job while many are waited for."""
        return _reading(self.read(job_id), lambda data: self.state(job_id, self.brief(data)))

    def listing(self) -> ListRequest:
        """Return what lists jobs.

        :raises UnsupportedError: The platform does not list jobs of this kind.
        """
        if self.listed is None:
            raise UnsupportedError(f"{self.platform} does not list its jobs of kind {self.name}.")
        return self.listed

    def called(self, job_id: JobId) -> str:
        """Name one job in a sentence: ``training 12``."""
        return f"{self.noun} {job_id}"


def _reading(request: Request[Any], read: Callable[[Any], T]) -> Request[T]:
    if request.then is not None:
        return _followed(request, read)
    fallback = request.fallback and _reading(request.fallback, read)
    return replace(request, read=read, fallback=fallback)


def _followed(request: Request[Any], read: Callable[[Any], T]) -> Request[T]:
    """Let ``read`` take what comes of several requests, which they alone can put together."""
    whole, follow = request.read, request.then

    def then(payload: Any) -> Request[T] | None:
        following = follow and follow(payload)
        return following and _followed(following, read)

    fallback = request.fallback and _followed(request.fallback, read)
    return replace(request, read=lambda payload: read(whole(payload)), then=then, fallback=fallback)
