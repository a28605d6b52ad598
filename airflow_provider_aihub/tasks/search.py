"""Looking for the jobs of a task in AIHub's lists, which may lag, be cut into small pages, and count wrongly."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Final

from airflow_provider_aihub.aihub.errors import AIHubBadAnswerError, AIHubUnsupportedError
from airflow_provider_aihub.aihub.kinds import JobKind, JobState
from airflow_provider_aihub.http.request import Request
from airflow_provider_aihub.tasks.job_state import Marker

PAGE_SIZE: Final = 100
MOST_PAGES: Final = 1000
"""Pages after which a list is taken to have no end."""
DOUBT: Final = 24 * 3600.0
"""Seconds by which a job may seem to be older than it is: clocks differ, and so do notions of time zones."""


class Sieve:
    """Picks the jobs that are looked for out of those that AIHub shows.

    :param wanted: Whether a job with this marker is looked for.
    :param doubtful: Whether a job without one, as AIHub shows it, may be looked for.
    """

    def __init__(self, kind: JobKind, wanted: Callable[[Marker], bool], doubtful: Callable[[Any], bool]) -> None:
        self._kind = kind
        self._wanted = wanted
        self._doubtful = doubtful
        self._signed: dict[Marker, JobState] = {}
        self.unsigned: list[JobState] = []
        """Jobs of which it cannot be told."""

    @property
    def signed(self) -> list[tuple[Marker, JobState]]:
        """The jobs that are looked for, the newest first."""
        return sorted(self._signed.items(), key=lambda job: job[1].answer.created_at, reverse=True)

    def take(self, row: Any) -> None:
        """Look at a job."""
        state = self._kind.state(row.id, row)
        markers = Marker.all_in(row.description)
        for marker in filter(self._wanted, markers):
            # Whoever copies a job copies its description: the first is the task's.
            known = self._signed.get(marker)
            if known is None or row.created_at < known.answer.created_at:
                self._signed[marker] = state
        if not markers and self._doubtful(row):
            self.unsigned.append(state)


def sift_list(
    kind: JobKind,
    sieve: Sieve,
    name: str | None,
    *,
    since: float,
    ask: Callable[[Request[Any]], Generator[Any, Any, Any]],
) -> Generator[Any, Any, None]:
    """Read AIHub's list of a kind of job until what is looked for was seen, or cannot come any more.

    A page that is shorter than was asked for, and a total, say nothing of the end: AIHub may have pages of its own
    size and count wrongly.

    :param name: Narrows the list; ``None`` for all jobs.
    :param since: When the oldest job that is looked for was submitted, in Unix seconds.
    :param ask: Carries out a request.
    :raises AIHubUnsupportedError: This AIHub does not list them.
    :raises AIHubBadAnswerError: The list has no end.
    """
    if kind.page is None:
        raise AIHubUnsupportedError(f"AIHub does not list its jobs of kind {kind.name}.")
    seen: set[Any] = set()
    newest_first, last = True, None
    for number in range(1, MOST_PAGES + 1):
        page = yield from ask(kind.page(number, PAGE_SIZE, name))
        rows = [row for row in page.data if row.id not in seen]
        if not rows:
            return
        for row in rows:
            seen.add(row.id)
            newest_first = newest_first and (last is None or row.created_at <= last)
            last = row.created_at
            sieve.take(row)
        if newest_first and (sieve.signed or 0 < rows[-1].created_at < (since - DOUBT) * 1000):
            return
    raise AIHubBadAnswerError(
        f"AIHub was asked to list its jobs of kind {kind.name} and gave {MOST_PAGES} pages without coming to an end; "
        "see whether AIHub is well."
    )
