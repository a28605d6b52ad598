"""What a task remembers of its job from one try to the next, so that no try starts the job twice."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_aihub.api.errors import AIHubParameterError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

KEY = "aihub_job"
"""Key in Airflow's task state store."""

State = Literal["submitting", "submitted", "left", "done"]


@dataclass(frozen=True, slots=True)
class Marker:
    """A short tag that makes the job of a task findable on AIHub; it ends the job's description.

    ``task`` is the same for all tries of a task instance. ``max_tries`` is Airflow's count when the job was submitted:
    clearing a task raises it, retrying does not. ``attempt`` differs with each submission.
    """

    task: str
    max_tries: int
    attempt: str

    @classmethod
    def of(cls, context: Context) -> Marker:
        """Make a new marker for the task instance that is running."""
        ti: Any = context["ti"]
        parts = "\0".join((ti.dag_id, ti.run_id, ti.task_id, str(ti.map_index)))
        return cls(hashlib.sha256(parts.encode()).hexdigest()[:16], _max_tries(ti), secrets.token_hex(4))

    def __str__(self) -> str:
        return f"[airflow:{self.task}.{self.max_tries}.{self.attempt}]"

    @classmethod
    def parse(cls, text: str) -> Marker | None:
        """Read the marker at the end of a description; ``None`` where there is none."""
        found = re.search(r"\[airflow:([0-9a-f]{16})\.(\d+)\.([0-9a-f]{8})\]\s*$", text, re.ASCII)
        return cls(found[1], int(found[2]), found[3]) if found else None

    def sign(self, description: str | None) -> str:
        """Put the marker behind the user's own description.

        :raises AIHubParameterError: The description is no text.
        """
        if description is not None and not isinstance(description, str):
            raise AIHubParameterError(f"description must be a text, not {description!r}.")
        return f"{description} {self}" if description else str(self)


@dataclass(frozen=True, slots=True)
class Job:
    """A job of this task on AIHub.

    :param since: When it was submitted, in Unix seconds.
    """

    id: int
    marker: str
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One job as the task remembers it.

    :param state: ``submitting`` from before the create call, ``submitted`` once the id is known, ``left`` when the
        waiting failed and the job was left as it was, ``done`` when its result was returned.
    :param max_tries: Airflow's count at that time, as in :class:`Marker`.
    :param job_id: ``None`` while submitting.
    """

    state: State
    marker: str
    since: float
    max_tries: int
    job_id: int | None = None


class Record:
    """The memory of a task: Airflow's task state store, or nothing where Airflow (before 3.3) has none.

    :param durable: Whether anything is remembered at all.
    """

    def __init__(self, context: Context, *, durable: bool) -> None:
        self.durable = durable
        self._store: Any = context.get("task_state_store") if durable else None
        self._max_tries = _max_tries(context["ti"])

    @property
    def kept(self) -> bool:
        """Whether this Airflow keeps it."""
        return self._store is not None

    def load(self) -> Entry | None:
        """Give what an earlier try wrote down."""
        value = self._store.get(KEY) if self.kept else None
        return Entry(**value) if isinstance(value, dict) else None

    def cleared_since(self, entry: Entry) -> bool:
        """Whether somebody cleared the task after the entry was written."""
        return self._max_tries > entry.max_tries

    def submitting(self, marker: Marker, since: float) -> None:
        """Write down that a job is about to be created."""
        self._write(Entry(state="submitting", marker=str(marker), since=since, max_tries=self._max_tries))

    def holds(self, job: Job, state: State = "submitted") -> None:
        """Write down which job the task has."""
        entry = Entry(state=state, marker=job.marker, since=job.since, max_tries=self._max_tries, job_id=job.id)
        self._write(entry)

    def move(self, state: State) -> None:
        """Write down what became of the job that the task has."""
        entry = self.load()
        if entry:
            self._write(Entry(**{**asdict(entry), "state": state, "max_tries": self._max_tries}))

    def forget(self) -> None:
        """Let the next try start anew."""
        if self.kept:
            self._store.delete(KEY)

    def _write(self, entry: Entry) -> None:
        if self.kept:
            self._store.set(KEY, asdict(entry))


def _max_tries(ti: Any) -> int:
    return getattr(ti, "max_tries", None) or 0
