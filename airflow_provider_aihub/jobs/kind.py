"""Describes kinds of job: their statuses and facts, and the requests that read, stop and list them.

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
"""The key by which a job is read: its id, or its name where the platform knows it by name. It is never parsed."""
Status: TypeAlias = int | str
"""A platform's own status of a job, a word or a number."""


class Phase(StrEnum):
    """The status of a job, in words that are the same for all kinds and platforms."""

    WAITING = "waiting"
    RUNNING = "running"
    STOPPING = "stopping"
    UNKNOWN = "unknown"
    """The platform's status is unknown to this provider. The job counts as in progress."""
    HELD = "waiting for a person"
    """The job goes on only after somebody has acted on it. So the waiting ends, and the operator decides what to do."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"

    @property
    def terminal(self) -> bool:
        """Whether the job is over."""
        return self in (Phase.SUCCEEDED, Phase.FAILED, Phase.STOPPED)

    @property
    def ended_by_itself(self) -> bool:
        """Whether the job has succeeded or failed, and was not stopped."""
        return self in (Phase.SUCCEEDED, Phase.FAILED)

    @property
    def ends_waiting(self) -> bool:
        """Whether nobody waits any longer: the job is over, or held until somebody acts on it."""
        return self.terminal or self is Phase.HELD


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a platform shows of a job besides its status. A field that it does not show is empty.

    :param created: When it was created, in Unix seconds, as are ``started`` and ``finished``.
    :param message: The platform's message about its status.
    :param stopped_by: Name of the user who stopped it.
    :param usage: A phrase about what it has used or done: ``12 of 30 are labelled``.
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
    """The state of a job, as one poll or one row of a list shows it.

    Mostly only the status is needed, and one list shows hundreds of jobs. So the rest is decoded only on access.

    :param kind: Kind of the job.
    :param job_id: The id by which it was read.
    :param status: The platform's own status.
    :param answer: The decoded answer, or the JSON from which it can be decoded.
    """

    __slots__ = ("_answer", "_kind", "job_id", "phase", "read_at", "status")

    def __init__(self, kind: JobKind, job_id: JobId, status: Status, answer: Any) -> None:
        self._kind = kind
        self._answer = answer
        self.job_id = job_id
        self.status = status
        self.phase = kind.phases.get(status, Phase.UNKNOWN)
        """The meaning of the status."""
        self.read_at: float | None = None
        """When the list was read that shows this, in Unix seconds; ``None`` if the job itself was read just now."""

    def __repr__(self) -> str:
        return f"JobState(job_id={self.job_id!r}, status={self.status}, phase={self.phase!r})"

    @property
    def is_from_list(self) -> bool:
        """Whether this comes from a list, and not from a request for the job itself."""
        return self.read_at is not None

    @property
    def word(self) -> str:
        """The phase for a message, without a verb: ``running``; for an unknown phase, a phrase with the status."""
        if self.phase is Phase.UNKNOWN:
            return f"in status {self.status}, which this provider does not know"
        return str(self.phase)

    @property
    def verb(self) -> str:
        """The phase for a message, with its verb: ``is running``, ``has failed``, ``was stopped``."""
        if self.phase is Phase.STOPPED:
            return "was stopped"
        return f"has {self.word}" if self.phase.terminal else f"is {self.word}"

    def forget(self) -> None:
        """Drop all but the status, since the answers of thousands of jobs would take much memory."""
        self._answer = None

    @property
    def answer(self) -> Any:
        """The decoded answer; ``None`` after :meth:`forget`."""
        if isinstance(self._answer, dict):
            self._answer = self._kind.decode(self._answer)
        return self._answer

    @property
    def id(self) -> JobId:
        """The id in the answer. It differs from ``job_id`` if the job was read by its name."""
        row = self._kind.row(self._answer)
        return self.job_id if row is None else row[0]

    @property
    def raw_facts(self) -> Facts:
        """The facts that can be had without decoding the answer."""
        return self._kind.facts(self._answer)

    @property
    def facts(self) -> Facts:
        """The facts of the decoded answer."""
        return self._kind.facts(self.answer)


@dataclass(frozen=True, slots=True)
class Batch(Generic[T]):
    """One page of a list of jobs.

    :param rows: The jobs. A row that cannot be read is left out; its job may exist all the same.
    :param following: ``start`` of the request for the next page; ``None`` after the last page.
    :param total: Number of jobs in the whole list; ``None`` if the platform does not say it.
    """

    rows: list[T]
    following: Any = None
    total: int | None = None


class ListRequest(Protocol):
    """A function that returns the request for one page of a list, newest jobs first."""

    def __call__(
        self, start: Any = None, /, *, size: int, name: str | None = None, user_id: JobId | None = None
    ) -> Request[Batch[Any]]:
        """Return the request.

        :param start: ``following`` of the page before; ``None`` for the first page.
        :param size: Maximum number of jobs on the page.
        :param name: Only jobs whose name is, or contains, this one.
        :param user_id: Only jobs of this user.
        """


Notes: TypeAlias = Generator[Any, Any, list[str]]
"""A generator that returns sentences about a job. It yields :class:`~.errands.Ask` and is sent the result or error."""


def _no_notes(_state: JobState) -> Notes:
    yield from ()
    return []


@dataclass(frozen=True, slots=True, kw_only=True)
class JobKind:
    """One kind of job.

    *Data* below is the JSON of an answer or of a row of a list, as far as the request decodes it.

    :param platform: Name of the platform in messages.
    :param key: ``<platform>.<name>``: the key of the platform, and the name of the kind there.
    :param noun: What a job of this kind is called in messages: ``training``.
    :param submitted: Verb of the line of the log when a task has submitted one. Default: ``Created``.
    :param phases: The phase of each status. A status that is missing here counts as in progress. Empty for a kind
        that cannot be waited for.
    :param decode: Returns the decoded answer for the data.
    :param row: Returns id and status from data or a decoded answer; ``None`` if they are not there.
    :param facts: Returns the facts from data or a decoded answer.
    :param brief: Returns the part of the data that is needed while many jobs are waited for. Its size is limited.
    :param read: Returns the request that reads one job.
    :param stop: Returns the request that stops one; ``None`` if the platform cannot stop it.
    :param listed: Returns the request for a page of the list of jobs; ``None`` if the platform does not list them.
    :param states: The same for polling many jobs: its rows are data, so that few are decoded.
    :param lists_by_name: Whether such a list can be narrowed to a name. Default: true.
    :param listed_as: Returns the id that a list shows for the job that is read by the given id; ``None`` if no list
        shows the job. Default: the same id.
    :param listed_whole: Whether a row of such a list has all that is needed while a job is waited for. Default: true.
    :param missing: Whether an error means that the job does not exist.
    :param page_of: Name of the kind whose web page shows it. Default: its own name.
    :param sent_description: Returns the job's description from the request that creates it. It is signed with the
        marker; ``None`` if nothing of the job can be signed.
    :param sent_name: Returns the job's name from that request, if it differs from the one that the user gave.
    :param unique_names: Whether the platform refuses a name that another job has. So if a create call is refused for
        that, the job of that name may be the task's own. Default: false.
    :param part_noun: What the parts of a job are called in messages. Default: ``pod``.
    :param parts: Returns the request that reads the parts of one job; ``None`` if there is none.
    :param parts_within: Returns the parts from the decoded answer of the job; ``None`` if it has none.
    :param notes: Returns sentences about a job that waits, such as how many other jobs wait.
    :param reasons: Returns sentences about a job that has failed, in addition to its message and its parts.
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
        """Name of the kind within its platform, such as ``training``."""
        return self.key.partition(".")[2]

    @property
    def can_be_waited_for(self) -> bool:
        """Whether the platform shows a status of such a job."""
        return bool(self.phases)

    @property
    def page_kind(self) -> str:
        """Name of the kind whose web page shows it."""
        return self.page_of or self.name

    def state(self, job_id: JobId, answer: Any) -> JobState:
        """Return the state of a job.

        :param answer: Data, or a decoded answer.
        :raises ValueError: It has no id or no status.
        """
        row = self.row(answer)
        if row is None:
            answer = self.decode(answer)
            row = self.row(answer)
        if row is None:
            raise ValueError("the answer has no status")
        return JobState(self, job_id, row[1], answer)

    def look(self, job_id: JobId) -> Request[JobState]:
        """Return the request that reads the state of a job."""
        return _reading(self.read(job_id), partial(self.state, job_id))

    def brief_look(self, job_id: JobId) -> Request[JobState]:
        """Return the request that reads the state of a job, and keeps of the answer only what ``brief`` returns."""
        return _reading(self.read(job_id), lambda data: self.state(job_id, self.brief(data)))

    def listing(self) -> ListRequest:
        """Return ``listed``.

        :raises UnsupportedError: The platform does not list jobs of this kind.
        """
        if self.listed is None:
            raise UnsupportedError(f"{self.platform} does not list its jobs of kind {self.name}.")
        return self.listed

    def called(self, job_id: JobId) -> str:
        """Return what one job is called in a message: ``training 12``."""
        return f"{self.noun} {job_id}"


def _reading(request: Request[Any], read: Callable[[Any], T]) -> Request[T]:
    if request.then is not None:
        return _followed(request, read)
    fallback = request.fallback and _reading(request.fallback, read)
    return replace(request, read=read, fallback=fallback)


def _followed(request: Request[Any], read: Callable[[Any], T]) -> Request[T]:
    """Return the same chain of requests (see ``Request.then``), with ``read`` applied to the result of the last one."""
    whole, follow = request.read, request.then

    def then(payload: Any) -> Request[T] | None:
        following = follow and follow(payload)
        return following and _followed(following, read)

    fallback = request.fallback and _followed(request.fallback, read)
    return replace(request, read=lambda payload: read(whole(payload)), then=then, fallback=fallback)
