"""Logs the progress of a job that is waited for: its changes, and from time to time that it still runs. Without I/O."""

from __future__ import annotations

import math
import re
from collections.abc import Generator, Iterable, Sequence
from typing import Any, Protocol

from airflow_provider_aihub.http.durations import span
from airflow_provider_aihub.http.errors import RemoteJobError
from airflow_provider_aihub.jobs.errands import Ask
from airflow_provider_aihub.jobs.kind import JobId, JobKind, JobState, Phase, Status
from airflow_provider_aihub.jobs.parts import FAILED, PENDING, RUNNING, Part

UNCHANGED_INTERVAL = 300.0
"""Seconds after which the log mentions a job again whose status has not changed."""
PARTS_AGAIN = 1.5
"""A job's parts are read when its status changes, at each poll until all have begun, and then whenever the job's age
has grown by this factor: with thousands of jobs that run for days, there is not a request for each line in the log."""
MOST_NAMES = 8
"""So many machines, nodes or jobs are named in a line; the others are counted."""
LONGEST_NAME = 80

_FOLD = re.compile(r"::(?=(?:end)?group::)")


class Log(Protocol):
    """A logger, the standard library's or Airflow's."""

    def debug(self, message: str, /, *args: Any) -> Any: ...
    def info(self, message: str, /, *args: Any) -> Any: ...
    def error(self, message: str, /, *args: Any) -> Any: ...
    def warning(self, message: str, /, *args: Any) -> Any: ...


class ProgressLog:
    """Logs what is new about a job, and from time to time that nothing is new.

    If one of its other requests fails, the log only says less.

    :param since: When the job was submitted, in Unix seconds.
    """

    __slots__ = (
        "_described_parts",
        "_job_id",
        "_kind",
        "_log",
        "_logged_parts_text",
        "_parts_at",
        "_parts_steady",
        "_parts_text",
        "_since",
        "_status",
        "_told_at",
        "called",
        "parts",
    )

    def __init__(self, kind: JobKind, job_id: JobId, since: float, log: Log) -> None:
        self.parts: Sequence[Part] = ()
        """The parts of the job as they were last seen."""
        self._kind = kind
        self._job_id = job_id
        self.called = kind.called(job_id)
        self._since = since
        self._log = log
        self._status: Status | None = None
        self._told_at = 0.0
        self._described_parts: Sequence[Part] = self.parts
        self._parts_text = self._logged_parts_text = ""
        self._parts_steady = True
        self._parts_at = since

    @property
    def next_line(self) -> float:
        """When the next line is due if the status does not change, in Unix seconds."""
        if not self._parts_steady or self._kind.parts_within:
            return -math.inf
        return self._told_at + UNCHANGED_INTERVAL

    def tell(self, state: JobState, now: float) -> Generator[Ask, Any, bool]:
        """Log what is new in the state of the job. Return whether a line was due.

        :param now: The time, in Unix seconds.
        """
        changed = state.status != self._status
        due = changed or now - self._told_at >= UNCHANGED_INTERVAL
        if due:
            self._told_at, self._status = now, state.status
        if changed:
            self._tell_status(state, now)
        if state.phase.terminal:
            return changed
        older = now - self._since >= PARTS_AGAIN * (self._parts_at - self._since)
        if changed or not self._parts_steady or (due and older):
            self._parts_at = now
            yield from self.look_at_parts(state)
        elif self._kind.parts_within:
            self.parts = self._kind.parts_within(state.answer)
        if not due and self.parts is self._described_parts:
            return False
        if self.parts is not self._described_parts:
            self._described_parts = self.parts
            self._parts_text = parts_text(self.parts, self._kind.part_noun)
        facts = (yield from self._kind.notes(state)) if due and state.phase is Phase.WAITING else []
        parts = self._parts_text
        if due and not changed:
            if state.phase is not Phase.WAITING:
                facts.append(state.facts.usage)
            said = "; ".join(fact for fact in (*facts, parts) if fact)
            age = span(now - self._since)
            self._log.info(
                "%s is still %s, %s after its submission%s", self.called, state.word, age, said and f"; {said}"
            )
        else:
            if parts and parts != self._logged_parts_text:
                facts.append(parts)
            for fact in facts:
                self._log.info("%s: %s", self.called, fact)
        self._logged_parts_text = parts
        return due

    def look_at_parts(self, state: JobState) -> Generator[Ask, Any, None]:
        """Read the parts of the job into :attr:`parts`."""
        kind = self._kind
        if kind.parts_within:
            self.parts = kind.parts_within(state.answer)
        elif kind.parts:
            reply = yield Ask(kind.parts(self._job_id))
            if self._failed(reply):
                self._parts_steady = True
                return
            self.parts = reply
            # The pods of a job that waits all wait as well: they are looked at again when the job goes on.
            all_have_begun = bool(reply) and all(part.state != PENDING for part in reply)
            self._parts_steady = state.phase is Phase.WAITING or all_have_begun

    def forget_parts(self) -> None:
        """Drop the parts, since those of thousands of jobs would take much memory; the logged text about them stays."""
        self.parts = self._described_parts = ()

    def _tell_status(self, state: JobState, now: float) -> None:
        if state.phase is Phase.UNKNOWN:
            self._log.warning("%s %s; it counts as in progress", self.called, state.verb)
        else:
            age = span(now - self._since)
            self._log.info("%s %s, %s after its submission", self.called, state.verb, age)

    def _failed(self, reply: Any) -> bool:
        if isinstance(reply, RemoteJobError):
            self._log.debug("No more can be said of %s now: %s", self.called, reply)
        return isinstance(reply, RemoteJobError)


def parts_text(parts: Sequence[Part], noun: str) -> str:
    """Return how many parts are in which state, and where: ``2 of 4 pods Running (node-1, node-2); 2 Pending``."""
    states: dict[str, list[str]] = {state: [] for state in (RUNNING, PENDING, FAILED)}
    for part in parts:
        states.setdefault(part.state or "in no known state", []).append(part.place)
    groups: list[str] = []
    for state, places in states.items():
        if not places:
            continue
        count = f"{len(places)}"
        if len(parts) == 1:
            count = f"its {noun} is"
        elif not groups:
            count = f"all {len(parts)} {noun}s" if len(places) == len(parts) else f"{count} of {len(parts)} {noun}s"
        where = named(dict.fromkeys(place for place in places if place))
        groups.append(f"{count} {plain(state)}" + (f" ({where})" if where else ""))
    return "; ".join(groups)


def named(names: Iterable[str]) -> str:
    """Return names separated by commas; of more than ``MOST_NAMES``, the first ones and the number of the others."""
    every = list(names)
    said = ", ".join(plain(name) if len(name) <= LONGEST_NAME else name for name in every[:MOST_NAMES])
    return said if len(every) <= MOST_NAMES else f"{said} and {len(every) - MOST_NAMES} more"


def plain(name: str) -> str:
    """Return a name that a user has chosen without unprintable characters, cut off after ``LONGEST_NAME``."""
    said = without_folds("".join(char for char in name if char.isprintable()))
    return said if len(said) <= LONGEST_NAME else f"{said[:LONGEST_NAME]}..."


def without_folds(text: str) -> str:
    """Return a text in which ``::group::`` and ``::endgroup::``, by which Airflow's UI folds lines, have no effect."""
    return _FOLD.sub(": :", text)
