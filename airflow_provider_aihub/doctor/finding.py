"""What a look at a platform has found: one line each."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, TypeAlias

from airflow_provider_aihub.http.blocking import Client
from airflow_provider_aihub.http.durations import span
from airflow_provider_aihub.http.errors import RemoteJobError, UnsupportedError
from airflow_provider_aihub.jobs.kind import JobKind

MOST_OFF: Final = 60.0
"""Seconds that two clocks may differ."""
PAGE: Final = 100
"""Jobs that a page of a list is asked for."""
MOST_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found.

    :param about: What was looked at.
    :param well: Whether there is nothing to do.
    :param said: What was found, or what to do.
    """

    about: str
    well: bool
    said: str

    def __str__(self) -> str:
        return f"{'ok' if self.well else 'to do':<6}{self.about}: {self.said}"


Findings: TypeAlias = Iterator[Finding]


def found(about: str, look: Callable[[], str]) -> Finding:
    """Look at something.

    :param look: Says what is well; what it raises says what to do.
    """
    try:
        return Finding(about, True, look())
    except RemoteJobError as error:
        return Finding(about, False, str(error))


def clock(client: Client) -> str:
    """Say how the platform's clock and this machine's differ.

    :raises RemoteJobError: They differ too much.
    """
    there = client.server_time
    if there is None:
        return "the platform does not tell the time"
    off = there - time.time()
    if abs(off) <= MOST_OFF:
        return f"{abs(off):.0f} s apart from this machine's"
    ahead = "ahead of" if off > 0 else "behind"
    raise RemoteJobError(f"The platform's clock is {span(abs(off))} {ahead} this machine's; set the wrong one right")


def page_of(client: Client, kind: JobKind, size: int = PAGE) -> str:
    """Say how many jobs a page of the list has, and in which order.

    :raises RemoteJobError: The list cannot be read.
    """
    try:
        batch = client.send(kind.listing()(size=size))
    except UnsupportedError:
        return f"this {kind.platform} does not list them, so one whose create call lost its answer is not looked up"
    of = "" if batch.total is None else f" of {batch.total}"
    created = [moment for row in batch.rows if (moment := kind.facts(row).created) is not None]
    return f"{len(batch.rows)}{of} on a page that may have {size}, {_order(created)}"


def _order(created: list[float]) -> str:
    if len(set(created)) < 2:
        return "too few to tell the order"
    if all(one >= following for one, following in pairwise(created)):
        return "newest first"
    return "oldest first" if created == sorted(created) else "in no order of time"


def by_name(read: Callable[[], Iterable[Any]], id_field: str = "id") -> str:
    """Say which names of a list stand for which ids, and which of them for several."""
    try:
        rows = [(row.name, getattr(row, id_field)) for row in read()]
    except UnsupportedError:
        return "they are not listed here; give ids, which the web pages show"
    shown = ", ".join(f"{name!r} is {number}" for name, number in rows[:MOST_SHOWN])
    more = f" and {len(rows) - MOST_SHOWN} more" if len(rows) > MOST_SHOWN else ""
    several = sorted(name for name, times in Counter(name for name, _ in rows).items() if times > 1)
    twice = f"; give ids for {', '.join(map(repr, several[:MOST_SHOWN]))}, which several have" if several else ""
    return f"{shown}{more}{twice}" if rows else "there are none that the connection's user may see"
