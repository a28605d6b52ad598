"""Whether a job that the platform shows is the one that a task has created.

An id alone does not identify a job: the connection may point to another platform by now, where the same id is somebody
else's job.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, Final, Self

from airflow_provider_aihub.jobs.errors import OtherJob
from airflow_provider_aihub.jobs.kind import Facts, JobId, JobKind

CLOCK_SKEW: Final = 600.0
"""By how many seconds the clocks of the platform and of a worker may differ."""
LONGEST_CREATION: Final = 1800.0
"""How many seconds after a create call was begun its job may come into being: the call may be sent several times."""
SHORTEST_CUT: Final = 64
"""A description of so many characters may have lost its end, and the marker with it."""
SHORTEST_CUT_NAME: Final = 16
"""Likewise a name."""

_PREFIX: Final = "[airflow:"
_MARKERS: Final = re.compile(r"\[airflow:[0-9a-f.]+\]")


class Verdict(StrEnum):
    """Whose a job is."""

    OWN = "own"
    OTHER = "other"
    UNKNOWN = "unknown"
    """The platform shows too little to tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a task knows of its job besides the id.

    The marker decides. Where the platform shows none, or one that is cut off, name, user and time of creation do.

    :param marker: The text that the job's description was signed with; ``None`` for none.
    :param name: The job's name; ``None`` for a kind that has none.
    :param user_id: Id of the user who created it; ``None`` where that is not known.
    :param submitted_at: When the create call was begun, in Unix seconds; ``None`` where that is not known.
    :param opening: The first characters of the description that it was given, see :func:`opening_of`; ``None`` where
        they are not known.
    """

    marker: str | None = None
    name: str | None = None
    user_id: JobId | None = None
    submitted_at: float | None = None
    opening: str | None = None

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """Make one from what :meth:`plain` returned, also in a newer version of this package."""
        return cls(**{field.name: plain[field.name] for field in fields(cls) if field.name in plain})

    def plain(self) -> dict[str, Any]:
        """Return it as JSON values; what is not known is left out."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def judge(self, facts: Facts) -> Verdict:
        """Return whose job this is.

        :param facts: What the platform shows of the job.
        """
        return self._by_marker(facts.description) or self._by_facts(facts)

    def _by_marker(self, description: str) -> Verdict | None:
        if not self.marker:
            return None
        if self.marker in description:
            return Verdict.OWN
        end = description.rstrip(" .…")
        tail = end[end.rfind("[") :] if "[" in end else ""
        tells = len(tail) > len(_PREFIX)
        may_be_own_cut_off = tells and self.marker.startswith(tail)
        is_another_cut_off = tells and tail.startswith(_PREFIX)
        if not may_be_own_cut_off and (is_another_cut_off or _MARKERS.search(description)):
            return Verdict.OTHER
        return None

    def _by_facts(self, facts: Facts) -> Verdict:
        name = facts.name.strip()
        same_name = _same_name(self.name.strip(), name) if self.name and name else None
        same_user = self.user_id == facts.user_id if self.user_id and facts.user_id else None
        same_time = None
        if self.submitted_at is not None and facts.created:
            same_time = -CLOCK_SKEW <= facts.created - self.submitted_at <= LONGEST_CREATION
        if False in (same_name, same_user, same_time):
            return Verdict.OTHER
        description = facts.description
        if same_time and (same_name or same_user):
            return Verdict.OWN if self._may_be_cut(description) else Verdict.OTHER
        is_whole = 0 < len(description) < SHORTEST_CUT and "[" not in description
        return Verdict.OTHER if self.marker and is_whole else Verdict.UNKNOWN

    def _may_be_cut(self, description: str) -> bool:
        """Whether a description without the marker may be what is left of the one that was given."""
        if self.opening is None:
            return True
        left = description.rstrip(" .…")[: len(self.opening)]
        return self.opening.startswith(left)


def opening_of(description: str) -> str:
    """Return as much of a description as is kept, to tell one that was cut off from another one."""
    return description[:SHORTEST_CUT]


def other_job(kind: JobKind, job_id: JobId) -> OtherJob:
    """Return the error for an id under which the platform shows another job."""
    called = kind.called(job_id)
    return OtherJob(
        f"{kind.platform} was asked for {called} and showed a job that this task did not create, which is left alone; "
        f"see whether the connection points to another {kind.platform} than it did when the task began.",
        kind=kind.name,
        job_id=job_id,
    )


def _same_name(own: str, shown: str) -> bool:
    """Whether a name is the one that was given, perhaps cut off by the platform."""
    return own == shown or (len(shown) >= SHORTEST_CUT_NAME and own.startswith(shown))
