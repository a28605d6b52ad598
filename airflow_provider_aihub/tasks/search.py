"""Searches a platform's lists for the jobs of a task. Lists may lag, have small pages, and count wrongly."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Final

from airflow_provider_aihub.http.errors import BadAnswerError
from airflow_provider_aihub.http.request import Request
from airflow_provider_aihub.jobs.kind import Facts, JobId, JobKind, JobState, ListRequest
from airflow_provider_aihub.tasks.job_state import Marker

PAGE_SIZE: Final = 100
MOST_PAGES: Final = 1000
"""A list with more pages counts as endless."""
AGE_MARGIN: Final = 24 * 3600.0
"""Seconds by which a job may seem older than it is: clocks differ, and a platform may use another time zone."""


class JobMatcher:
    """Collects, from the rows of a list, the jobs that are looked for.

    :param wanted: Whether a job with this marker is looked for.
    :param doubtful: Whether a job without a marker may be one that is looked for.
    """

    def __init__(self, kind: JobKind, wanted: Callable[[Marker], bool], doubtful: Callable[[Facts], bool]) -> None:
        self._kind = kind
        self._wanted = wanted
        self._doubtful = doubtful
        self._marked: dict[Marker, JobState] = {}
        self.unmarked: list[JobState] = []
        """Jobs without a marker that may be looked for."""

    @property
    def marked(self) -> list[tuple[Marker, JobState]]:
        """The jobs that are looked for, the newest first."""
        return sorted(self._marked.items(), key=lambda job: job[1].facts.created or 0.0, reverse=True)

    def add(self, job_id: JobId, row: Any) -> None:
        """Add the job of a row, if it is looked for.

        :param row: The row, see :class:`~airflow_provider_aihub.jobs.kind.JobKind`.
        """
        state = self._kind.state(job_id, row)
        facts = state.facts
        markers = Marker.all_in(facts.description)
        for marker in filter(self._wanted, markers):
            # Copying a job copies its description as well, so of several jobs with one marker the oldest is the task's.
            known = self._marked.get(marker)
            if known is None or _is_older(state, known):
                self._marked[marker] = state
        if not markers and self._doubtful(facts):
            self.unmarked.append(state)


def _is_older(job: JobState, other: JobState) -> bool:
    """Whether a job is older than another one that stood before it in a list."""
    times = job.facts.created or 0.0, other.facts.created or 0.0
    if times[0] != times[1]:
        return times[0] < times[1]
    # Ids that are numbers count up, and lists mostly have the newest first.
    numbers = _numbers(job.job_id), _numbers(other.job_id)
    return not all(numbers) or numbers[0] < numbers[1]


def _numbers(job_id: JobId) -> list[int]:
    """Return the numbers of an id such as ``12`` or ``"3/12"``; none if it is another kind of id."""
    parts = str(job_id).split("/")
    return [int(part) for part in parts] if all(part.isdecimal() for part in parts) else []


def search_list(
    kind: JobKind,
    matcher: JobMatcher,
    name: str | None,
    *,
    since: float,
    listed: ListRequest,
    ask: Callable[[Request[Any]], Generator[Any, Any, Any]],
) -> Generator[Any, Any, None]:
    """Read the pages of a list until a job was found, all further jobs are too old, or there are no new ones.

    A short page or the total do not show the end: a server may have pages of its own size, and count wrongly.

    :param matcher: Gets all rows.
    :param name: Only jobs of this name; ``None`` for all jobs.
    :param since: Submission of the oldest job that is looked for, in Unix seconds.
    :param listed: Returns the request for a page.
    :param ask: Returns the generator that sends a request.
    :raises BadAnswerError: The list has more than ``MOST_PAGES`` pages.
    """
    start: Any = None
    seen: set[JobId] = set()
    newest_first, last_created = True, None
    for _ in range(MOST_PAGES):
        batch = yield from ask(listed(start, size=PAGE_SIZE, name=name))
        seen_before = len(seen)
        for row in batch.rows:
            known_row = kind.row(row)
            if known_row is None:
                continue
            job_id, created = known_row[0], kind.facts(row).created or 0.0
            if job_id in seen:
                continue
            seen.add(job_id)
            newest_first = newest_first and (last_created is None or created <= last_created)
            last_created = created
            matcher.add(job_id, row)
        start = batch.following
        if len(seen) == seen_before or start is None:
            return
        all_others_are_older = 0 < (last_created or 0.0) < since - AGE_MARGIN
        if newest_first and (matcher.marked or all_others_are_older):
            return
    raise BadAnswerError(
        f"{kind.platform} was asked to list its jobs of kind {kind.name} and gave {MOST_PAGES} pages without coming to "
        f"an end; see whether {kind.platform} is well."
    )
