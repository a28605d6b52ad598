"""Looking for the jobs of a task in AIHub's lists, which may lag, be cut into small pages, and count wrongly."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Final

from airflow_provider_aihub.api.errors import AIHubBadAnswerError, AIHubUnsupportedError
from airflow_provider_aihub.api.jobs import JobKind, JobState
from airflow_provider_aihub.api.request import Request
from airflow_provider_aihub.operators.record import Marker

PAGE_SIZE: Final = 100
MOST_PAGES: Final = 1000
"""Pages after which a list is taken to have no end."""
DOUBT: Final = 24 * 3600.0
"""Seconds by which a job may seem to be older than it is: clocks differ, and so do notions of time zones."""

Found = list[tuple[Marker, JobState]]


def find_jobs(
    kind: JobKind,
    wanted: Callable[[Marker], bool],
    name: str | None,
    *,
    since: float,
    ask: Callable[[Request[Any]], Generator[Any, Any, Any]],
) -> Generator[Any, Any, Found]:
    """Read AIHub's list of a kind of job until what is looked for was seen, or cannot come any more.

    A page that is shorter than was asked for, and a total, say nothing of the end: AIHub may have pages of its own
    size and count wrongly.

    :param wanted: Whether a job with this marker is looked for.
    :param name: Narrows the list; ``None`` for all jobs.
    :param since: When the oldest job that is looked for was submitted, in Unix seconds.
    :param ask: Carries out a request.
    :raises AIHubUnsupportedError: This AIHub does not list them.
    :raises AIHubBadAnswerError: The list has no end.
    """
    if kind.page is None:
        raise AIHubUnsupportedError(f"AIHub does not list its jobs of kind {kind.name}.")
    found: Found = []
    seen: set[Any] = set()
    newest_first, last = True, None
    for number in range(1, MOST_PAGES + 1):
        page = yield from ask(kind.page(number, PAGE_SIZE, name))
        rows = [row for row in page.data if row.id not in seen]
        if not rows:
            return found
        for row in rows:
            seen.add(row.id)
            newest_first = newest_first and (last is None or row.created_at <= last)
            last = row.created_at
            marker = Marker.parse(row.description)
            if marker and wanted(marker):
                found.append((marker, kind.state(row.id, row)))
        if newest_first and (found or 0 < rows[-1].created_at < (since - DOUBT) * 1000):
            return found
    raise AIHubBadAnswerError(
        f"AIHub was asked to list its jobs of kind {kind.name} and gave {MOST_PAGES} pages without coming to an end; "
        "see whether AIHub is well."
    )
