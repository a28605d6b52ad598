"""The record of a job that a task keeps from try to try, and its marker, so that no try creates the job twice."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Self
from uuid import NAMESPACE_OID, UUID, uuid5

from airflow_provider_aihub.http.errors import ParameterError
from airflow_provider_aihub.http.values import shown

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_aihub.jobs.kind import JobId

SUBMITTING: Final = "submitting"
"""The create call has begun and the id is not known yet."""
SUBMITTED: Final = "submitted"
"""The id is known."""
LEFT: Final = "left"
"""The waiting has failed, and the job was not stopped."""
UNKNOWN: Final = "unknown"
"""It is unknown whether there is a job; the user was asked to look."""
DONE: Final = "done"
"""The result was returned."""

LONGEST: Final = 255
"""Characters of a description, including the marker, that every platform keeps."""
_MARKER: Final = re.compile(
    r"\[airflow:(?P<task>[0-9a-f]{16})\.(?P<run>[0-9a-f]{8})\.(?P<max_tries>\d+)\.(?P<retries>\d+)"
    r"(?:\.(?P<try_number>\d+))?\.(?P<attempt>[0-9a-f]{8})\]"
)


@dataclass(frozen=True, slots=True)
class Marker:
    """A short tag at the end of a job's description, by which the task finds its job on the platform.

    :param task: Hash of the ids of the task instance: the same for all of its tries.
    :param run: Hash of the time at which the run began. It changes if the run is cleared after its end, or is deleted
        and created again.
    :param max_tries: See :class:`Tries`; also for ``retries`` and ``try_number``. The latter is 0 in markers of an
        earlier version of this package.
    :param attempt: Random; differs for each create call.
    """

    task: str
    run: str
    max_tries: int
    retries: int
    try_number: int
    attempt: str

    @staticmethod
    def task_of(ti: Any) -> str:
        """Return ``task`` of a task instance."""
        return _hash(16, ti.dag_id, ti.run_id, ti.task_id, ti.map_index)

    def __str__(self) -> str:
        numbers = f"{self.max_tries}.{self.retries}" + (f".{self.try_number}" if self.try_number else "")
        return f"[airflow:{self.task}.{self.run}.{numbers}.{self.attempt}]"

    @property
    def life(self) -> UUID:
        """An id that is the same for all tries of the task until it is cleared, and then changes."""
        return uuid5(NAMESPACE_OID, f"{self.task}.{self.run}.{self.max_tries}.{self.retries}")

    @classmethod
    def all_in(cls, text: str) -> list[Marker]:
        """Return the markers in a description. There may be several if a user has copied text from another job."""
        return [
            cls(
                found["task"],
                found["run"],
                int(found["max_tries"]),
                int(found["retries"]),
                int(found["try_number"] or 0),
                found["attempt"],
            )
            for found in _MARKER.finditer(text)
        ]

    def sign(self, description: str | float | None) -> str:
        """Return the user's description with the marker at its end.

        If that is longer than ``LONGEST``, the marker is at the beginning, too, since a platform may cut off the end.

        :raises ParameterError: The description is no text.
        """
        if isinstance(description, bool) or not isinstance(description, str | int | float | None):
            raise ParameterError(f"description must be a text, not {shown(description)}.")
        if description in (None, ""):
            return str(self)
        signed = f"{description} {self}"
        return signed if len(signed) <= LONGEST else f"{self} {signed}"


@dataclass(frozen=True, slots=True)
class Tries:
    """Which try of which task instance this is.

    It distinguishes a cleared task from a retry: clearing a task sets Airflow's ``max_tries`` to the number of tries so
    far plus ``retries``, and nothing else changes ``max_tries``. If a task is cleared while it runs in a worker,
    Airflow mostly does not change it either.

    :param task: See :class:`Marker`; also for ``run``.
    :param run_began: When the run began, in Unix seconds; 0 if unknown.
    :param max_tries: Airflow's ``max_tries`` of the task instance.
    :param retries: The task's ``retries``.
    :param try_number: Airflow's number of the try, from 1.
    :param since_last_try: Seconds that have passed at least since the try before ended.
    """

    task: str
    run: str
    run_began: float
    max_tries: int
    retries: int
    try_number: int
    since_last_try: float = 0.0

    @classmethod
    def of(cls, context: Context) -> Tries:
        """Return the try that is running.

        :param context: Airflow's context of the task.
        """
        ti: Any = context["ti"]
        task: Any = context["task"]
        began = getattr(context.get("dag_run"), "start_date", None)
        run_began = began.timestamp() if began else 0.0
        tries = cls(
            Marker.task_of(ti),
            _hash(8, run_began),
            run_began,
            max(ti.max_tries or 0, 0),
            task.retries or 0,
            ti.try_number,
        )
        # Airflow waits before a retry, and not after a clear.
        return replace(tries, since_last_try=_retry_delay(task)) if tries.tries_since_clear else tries

    @property
    def tried(self) -> bool:
        """Whether this is not the first try."""
        return self.try_number > 1

    @property
    def last(self) -> bool:
        """Whether Airflow grants no further try."""
        return self.try_number > self.max_tries

    @property
    def tries_since_clear(self) -> int:
        """Number of tries before this one and after the last time that the task was cleared."""
        return max(0, self.try_number - 1 - _cleared_after(self.max_tries, self.retries))

    def marker(self) -> Marker:
        """Return a new marker."""
        return Marker(self.task, self.run, self.max_tries, self.retries, self.try_number, secrets.token_hex(4))

    def cleared_since(self, then: Entry | Marker) -> bool:
        """Whether the task was cleared after the record was saved, or after the marker (of this run) was created."""
        if then.max_tries != self.max_tries:
            return True
        # If ``retries`` was reduced in the meantime, clearing may set ``max_tries`` to the same number again.
        before, after = _cleared_after(then.max_tries, then.retries), _cleared_after(self.max_tries, self.retries)
        return before < after and then.try_number <= after < self.try_number


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The record of a job in Airflow's task state store.

    :param state: One of the states of this module.
    :param marker: The marker in the job's description, as text.
    :param since: When the create call began, in Unix seconds by the worker's clock.
    :param server_time: The same by the platform's clock; ``None`` if unknown.
    :param name: The job's name; ``None`` if it has none.
    :param user_id: Id of the user who submits it; ``None`` if unknown.
    :param max_tries: That of :class:`Tries` when the record was saved; also for ``retries`` and ``try_number``. The
        latter is 0 in records of an earlier version of this package.
    :param opening: The beginning of its description; ``None`` if unknown.
    :param job_id: ``None`` as long as the create call has not returned it.
    """

    state: str
    marker: str
    since: float
    max_tries: int
    retries: int
    try_number: int = 0
    server_time: float | None = None
    name: str | None = None
    user_id: JobId | None = None
    opening: str | None = None
    job_id: JobId | None = None

    @classmethod
    def read(cls, value: Any) -> Self:
        """Return the record from what the store has, also if another version of this package has saved it.

        :raises ValueError: It is no valid record.
        """
        if not isinstance(value, Mapping):
            raise ValueError("it is no object")  # noqa: TRY004 - readers raise ValueError
        known = {field.name: value[field.name] for field in fields(cls) if field.name in value}
        try:
            entry = cls(**known)
        except TypeError as error:
            raise ValueError(str(error)) from None
        numbers = (entry.since, entry.max_tries, entry.retries, entry.try_number, entry.server_time or 0)
        texts = (entry.state, entry.marker, entry.name or "", entry.opening or "")
        if (
            not all(isinstance(number, int | float) and not isinstance(number, bool) for number in numbers)
            or not all(isinstance(text, str) for text in texts)
            or not isinstance(entry.job_id, int | str | None)
            or not isinstance(entry.user_id, int | str | None)
        ):
            raise ValueError("a value in it is of another type")
        return entry

    def plain(self) -> dict[str, Any]:
        """Return the record as a dict of JSON values."""
        return asdict(self)

    def moved(self, state: str, tries: Tries) -> Self:
        """Return the record with another state and the numbers of this try."""
        return replace(self, state=state, max_tries=tries.max_tries, retries=tries.retries, try_number=tries.try_number)


def _retry_delay(task: Any) -> float:
    delay = getattr(task, "retry_delay", None)
    seconds = delay.total_seconds() if isinstance(delay, timedelta) else 0.0
    # In some versions of Airflow, an exponential backoff begins with half of the delay.
    return seconds / 2 if getattr(task, "retry_exponential_backoff", False) else seconds


def _cleared_after(max_tries: int, retries: int) -> int:
    """Return the try after which a task was last cleared; 0 for never."""
    return max(max_tries - retries, 0)


def _hash(length: int, *parts: object) -> str:
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:length]
