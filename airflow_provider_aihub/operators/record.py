"""What a task remembers of its job from one try to the next, so that no try starts the job twice."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_aihub.api.errors import AIHubParameterError
from airflow_provider_aihub.api.values import shown

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

KEY = "aihub_job"
"""Key in Airflow's task state store."""

State = Literal["submitting", "submitted", "left", "done"]


@dataclass(frozen=True, slots=True)
class Marker:
    """A short tag that makes the job of a task findable on AIHub; it ends the job's description.

    ``task`` is the same for all tries of a task instance. ``run`` becomes another one when the run is cleared after its
    end, or is deleted and made anew. ``max_tries`` and ``retries`` are those of :class:`Record`. ``attempt`` differs
    with each submission.
    """

    task: str
    run: str
    max_tries: int
    retries: int
    attempt: str

    @classmethod
    def of(cls, context: Context) -> Marker:
        """Make a new marker for the task instance that is running."""
        return cls(
            cls.task_of(context["ti"]),
            _hash(8, _run_began(context)),
            _max_tries(context),
            _retries(context),
            secrets.token_hex(4),
        )

    @staticmethod
    def task_of(ti: Any) -> str:
        """Give ``task`` of a task instance."""
        return _hash(16, ti.dag_id, ti.run_id, ti.task_id, ti.map_index)

    def __str__(self) -> str:
        return f"[airflow:{self.task}.{self.run}.{self.max_tries}.{self.retries}.{self.attempt}]"

    @classmethod
    def parse(cls, text: str) -> Marker | None:
        """Read the marker at the end of a description; ``None`` where there is none."""
        found = re.search(r"\[airflow:([0-9a-f]{16})\.([0-9a-f]{8})\.([0-9]+)\.([0-9]+)\.([0-9a-f]{8})\]\s*$", text)
        return cls(found[1], found[2], int(found[3]), int(found[4]), found[5]) if found else None

    def sign(self, description: str | float | None) -> str:
        """Put the marker behind the user's own description.

        :raises AIHubParameterError: The description is no text.
        """
        if isinstance(description, bool) or not isinstance(description, str | int | float | None):
            raise AIHubParameterError(f"description must be a text, not {shown(description)}.")
        return f"{description} {self}" if description else str(self)


@dataclass(frozen=True, slots=True)
class Job:
    """A job of this task on AIHub.

    :param since: When it was submitted, in Unix seconds.
    """

    id: int
    marker: str
    since: float


@dataclass(frozen=True, slots=True)
class Entry:
    """One job as the task remembers it.

    :param state: ``submitting`` from before the create call, ``submitted`` once the id is known, ``left`` when the
        waiting failed and the job was left as it was, ``done`` when its result was returned.
    :param name: The job's name, where it has one.
    :param max_tries: That of :class:`Record`, as is ``retries``.
    :param job_id: ``None`` while submitting.
    """

    state: State
    marker: str
    since: float
    name: str | None
    max_tries: int
    retries: int
    job_id: int | None = None


class Record:
    """The memory of a task: Airflow's task state store, or nothing where Airflow (before 3.3) has none.

    It tells a clear from a retry by Airflow's count of the tries that it grants: clearing a task sets ``max_tries`` to
    the tries there were and ``retries`` more, and nothing else changes that number. Airflow mostly does not count the
    clear of a task that runs in a worker.

    ``run_began`` is when the task's run began, in Unix seconds; 0 where that is not known.

    :param durable: Whether anything is remembered at all.
    """

    def __init__(self, context: Context, *, durable: bool) -> None:
        self.durable = durable
        self.run_began = _run_began(context)
        self._store: Any = context.get("task_state_store") if durable else None
        self._max_tries = _max_tries(context)
        self._retries = _retries(context)
        self._tries_before: int = context["ti"].try_number - 1

    @property
    def tried(self) -> bool:
        """Whether this is not the first try."""
        return self._tries_before > 0

    @property
    def tries_since_clear(self) -> int:
        """How many tries there were before this one, since the task was last cleared."""
        return max(0, self._tries_before - _cleared_after(self._max_tries, self._retries))

    @property
    def kept(self) -> bool:
        """Whether this Airflow keeps it."""
        return self._store is not None

    def load(self) -> Entry | None:
        """Give what an earlier try wrote down."""
        value = self._store.get(KEY) if self.kept else None
        return Entry(**value) if isinstance(value, dict) else None

    def cleared_since(self, then: Entry | Marker) -> bool:
        """Whether somebody cleared the task after the entry was written, or the marker made in this run."""
        if then.max_tries != self._max_tries:
            return True
        # With fewer retries than there were, a clear may set the same number again.
        before = _cleared_after(then.max_tries, then.retries)
        return before < _cleared_after(self._max_tries, self._retries) == self._tries_before

    def submitting(self, marker: Marker, since: float, name: str | None) -> None:
        """Write down that a job is about to be created."""
        self._write(Entry("submitting", str(marker), since, name, self._max_tries, self._retries))

    def holds(self, job: Job, name: str | None) -> None:
        """Write down which job the task has."""
        self._write(Entry("submitted", job.marker, job.since, name, self._max_tries, self._retries, job.id))

    def move(self, state: State) -> None:
        """Write down what became of the job that the task has."""
        entry = self.load()
        if entry:
            self._write(replace(entry, state=state, max_tries=self._max_tries, retries=self._retries))

    def forget(self) -> None:
        """Let the next try start anew."""
        if self.kept:
            self._store.delete(KEY)

    def _write(self, entry: Entry) -> None:
        if self.kept:
            self._store.set(KEY, asdict(entry))


def _run_began(context: Context) -> float:
    """Give when the run of a task began, in Unix seconds; 0 where that is not known."""
    began = getattr(context.get("dag_run"), "start_date", None)
    return began.timestamp() if began else 0.0


def _max_tries(context: Context) -> int:
    ti: Any = context["ti"]
    return max(ti.max_tries or 0, 0)


def _retries(context: Context) -> int:
    return context["task"].retries or 0


def _cleared_after(max_tries: int, retries: int) -> int:
    """Give the try after which a task was last cleared; 0 for never."""
    return max(max_tries - retries, 0)


def _hash(length: int, *parts: object) -> str:
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:length]
