"""Decides whether a job that the platform shows is the one that a task has created.

The id alone does not decide that: if the connection has been changed to another platform, the same id is another job
there.
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
"""Seconds by which the clocks of the platform and of a worker may differ."""
LONGEST_CREATION: Final = 1800.0
"""Seconds that may pass from the beginning of a create call to the creation: the call may be sent several times."""
SHORTEST_CUT: Final = 64
"""A description of at least so many characters may be one whose end, with the marker, the platform has cut off."""
SHORTEST_CUT_NAME: Final = 16
"""The same for a name."""

_PREFIX: Final = "[airflow:"
_MARKERS: Final = re.compile(r"\[airflow:[0-9a-f.]+\]")


class Verdict(StrEnum):
    """Whose a job is."""

    OWN = "own"
    OTHER = "other"
    UNKNOWN = "unknown"
    """The platform shows too little to decide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a task knows of its job besides the id.

    The marker decides whether a job is the task's. If the platform shows no whole marker, the name, the user and the
    time of creation decide.

    :param marker: The marker in the job's description; ``None`` if the job has none.
    :param name: The job's name; ``None`` for a kind that has no names.
    :param user_id: Id of the user who created it; ``None`` if unknown.
    :param submitted_at: When the create call began, in Unix seconds; ``None`` if unknown.
    :param opening: The first characters of the description in the create call, see :func:`opening_of`; ``None`` if
        unknown.
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
        """Return the known fields as a dict of JSON values."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def judge(self, facts: Facts) -> Verdict:
        """Return whether the platform shows the task's own job.

        :param facts: What the platform shows.
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
        """Whether a description without the marker may be the beginning of the one in the create call."""
        if self.opening is None:
            return True
        left = description.rstrip(" .…")[: len(self.opening)]
        return self.opening.startswith(left)


def opening_of(description: str) -> str:
    """Return the beginning of a description: by it, a cut-off description is distinguished from a different one."""
    return description[:SHORTEST_CUT]


def other_job(kind: JobKind, job_id: JobId) -> OtherJob:
    """Return the error for a job that has the id of the task's job but is another one."""
    called = kind.called(job_id)
    return OtherJob(
        f"{kind.platform} was asked for {called} and showed a job that this task did not create, which is left alone; "
        f"see whether the connection points to another {kind.platform} than it did when the task began.",
        kind=kind.name,
        job_id=job_id,
    )


def _same_name(own: str, shown: str) -> bool:
    """Whether the platform shows the job's own name, or its beginning."""
    return own == shown or (len(shown) >= SHORTEST_CUT_NAME and own.startswith(shown))
