"""What a task remembers of its job from one try to the next, so that no try starts the job twice."""

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
"""From before the create call until the id is known."""
SUBMITTED: Final = "submitted"
LEFT: Final = "left"
"""The waiting failed and the job was left as it was."""
UNKNOWN: Final = "unknown"
"""Nobody can tell whether there is a job; a person was told to look."""
DONE: Final = "done"
"""The result was returned."""

LONGEST: Final = 255
"""Characters of a description, the marker included, that any platform is taken to keep."""
_MARKER: Final = re.compile(
    r"\[airflow:(?P<task>[0-9a-f]{16})\.(?P<run>[0-9a-f]{8})\.(?P<max_tries>\d+)\.(?P<retries>\d+)"
    r"(?:\.(?P<try_number>\d+))?\.(?P<attempt>[0-9a-f]{8})\]"
)


@dataclass(frozen=True, slots=True)
class Marker:
    """A short tag that makes the job of a task findable on the platform; it ends the job's description.

    ``task`` is the same for all tries of a task instance. ``run`` becomes another one when the run is cleared after its
    end, or is deleted and made anew. ``max_tries``, ``retries`` and ``try_number`` are those of :class:`Tries`; the
    last is 0 where an earlier version of this package made it. ``attempt`` differs with each submission.
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
        """What is the same for all tries until somebody clears the task, and another one afterwards."""
        return uuid5(NAMESPACE_OID, f"{self.task}.{self.run}.{self.max_tries}.{self.retries}")

    @classmethod
    def all_in(cls, text: str) -> list[Marker]:
        """Return the markers in a description: a person may have added text around it, or copied it from another."""
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
        """Put the marker behind the user's own description, and before it, too, where a platform might cut off its end.

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

    A clear is told from a retry by Airflow's count of the tries that it grants: clearing a task sets ``max_tries`` to
    the tries there were and ``retries`` more, and nothing else changes that number. Airflow mostly does not count the
    clear of a task that runs in a worker.

    :param task: See :class:`Marker`; so for ``run``.
    :param run_began: When the task's run began, in Unix seconds; 0 where that is not known.
    :param max_tries: Airflow's ``max_tries`` of the task instance.
    :param retries: The task's ``retries``.
    :param try_number: From 1.
    :param since_last_try: Seconds that have passed at least since an earlier try of this task ended.
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
        """Return that of the task instance that is running."""
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
        """How many tries there were before this one, since the task was last cleared."""
        return max(0, self.try_number - 1 - _cleared_after(self.max_tries, self.retries))

    def marker(self) -> Marker:
        """Return a new marker."""
        return Marker(self.task, self.run, self.max_tries, self.retries, self.try_number, secrets.token_hex(4))

    def cleared_since(self, then: Entry | Marker) -> bool:
        """Whether somebody cleared the task after the entry was written, or the marker made in this run."""
        if then.max_tries != self.max_tries:
            return True
        # With fewer retries than there were, a clear may set the same number again.
        before, after = _cleared_after(then.max_tries, then.retries), _cleared_after(self.max_tries, self.retries)
        return before < after and then.try_number <= after < self.try_number


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A job as the task remembers it, in Airflow's task state store.

    :param state: One of the states of this module.
    :param marker: The text that signs its description.
    :param since: When it was submitted, in Unix seconds.
    :param server_time: The same by the platform's own clock; ``None`` where the platform had not told it.
    :param name: The job's name, where it has one.
    :param user_id: Id of the user who submits it, where that is known.
    :param max_tries: That of :class:`Tries` when it was written, as are ``retries`` and ``try_number``; of the last, 0
        where an earlier version of this package wrote it.
    :param opening: How its description begins, where that is known.
    :param job_id: ``None`` while submitting.
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
        """Read what an earlier try wrote down, perhaps with another version of this package.

        :raises ValueError: It cannot be read.
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
        """Return it as JSON values."""
        return asdict(self)

    def moved(self, state: str, tries: Tries) -> Self:
        """Return it in another state, as this try writes it."""
        return replace(self, state=state, max_tries=tries.max_tries, retries=tries.retries, try_number=tries.try_number)


def _retry_delay(task: Any) -> float:
    delay = getattr(task, "retry_delay", None)
    seconds = delay.total_seconds() if isinstance(delay, timedelta) else 0.0
    # An exponential backoff begins with half of it in some versions of Airflow.
    return seconds / 2 if getattr(task, "retry_exponential_backoff", False) else seconds


def _cleared_after(max_tries: int, retries: int) -> int:
    """Return the try after which a task was last cleared; 0 for never."""
    return max(max_tries - retries, 0)


def _hash(length: int, *parts: object) -> str:
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:length]
