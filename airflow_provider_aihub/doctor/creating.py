"""What only a job of one's own can tell: descriptions, names, how soon it is shown, what stopping does."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from secrets import token_hex
from typing import Any, Final, TypeVar

from airflow_provider_aihub.doctor.finding import Finding, Findings, found
from airflow_provider_aihub.http.blocking import Client
from airflow_provider_aihub.http.errors import AmbiguousSubmit, RejectedError, RemoteJobError, UnsupportedError
from airflow_provider_aihub.http.request import Request
from airflow_provider_aihub.jobs.kind import JobId, JobKind, JobState

T = TypeVar("T")

LENGTHS: Final = (4096, 1024, 255)
"""Characters of the descriptions that are tried, one after the other."""
LONGEST: Final = 60.0
"""Seconds to wait for something to show."""
PAUSE: Final = 0.2
BLANK: Final = " "


@dataclass(frozen=True)
class Trial:
    """A job that is created to see what becomes of it.

    :param create: Makes the request, of a name and a description.
    """

    client: Client
    kind: JobKind
    create: Callable[[str, str], Request[Any]]
    name: str = field(default_factory=lambda: f"airflow-check-{token_hex(3)}")

    def findings(self) -> Findings:
        """Create the job, look at it, and stop it where that can be done."""
        try:
            job_id, name, description = self._created()
        except RemoteJobError as error:
            yield Finding(f"create a {self.kind.noun}", False, str(error))
            return
        yield Finding(f"create a {self.kind.noun}", True, f"{self.kind.called(job_id)} is {name.strip()!r}")
        began = time.monotonic()
        try:
            state, took = self._until(lambda: self._look(job_id), began)
        except RemoteJobError as error:
            yield Finding("read it", False, str(error))
        else:
            yield Finding("read it", True, f"{took:.1f} s after it was created")
            yield Finding("description", True, _kept(description, state.facts.description))
            yield Finding("name", True, _named(name, state.facts.name))
        yield found("list it", lambda: self._listed(job_id, began))
        yield found("stop it", lambda: self._stopped(job_id))

    def _created(self) -> tuple[JobId, str, str]:
        """Create the job with the longest description that is taken, and a name with blanks around it if that is."""
        refusal: RemoteJobError | None = None
        for length, blank in product(LENGTHS, (BLANK, "")):
            name = f"{blank}{self.name}{blank}"
            description = f"A look at what {self.kind.platform} is like; it may be deleted. ".ljust(length, "x")
            try:
                return self.client.send(self.create(name, description)), name, description
            except AmbiguousSubmit as error:
                # One that was perhaps created is not created once more.
                if not error.refused:
                    raise
                refusal = error
            except RejectedError as error:
                refusal = error
        assert refusal is not None, "something was tried"  # noqa: S101
        raise refusal

    def _look(self, job_id: JobId) -> JobState | None:
        try:
            return self.client.send(self.kind.look(job_id))
        except RemoteJobError as error:
            if not self.kind.missing(error):
                raise
            return None

    def _listed(self, job_id: JobId, began: float) -> str:
        def shown() -> bool | None:
            batch = self.client.send(self.kind.listing()(size=100))
            return any((row := self.kind.row(one)) and row[0] == job_id for one in batch.rows) or None

        try:
            _, took = self._until(shown, began)
        except UnsupportedError:
            return f"this {self.kind.platform} does not list them"
        return f"{took:.1f} s after it was created"

    def _stopped(self, job_id: JobId) -> str:
        if self.kind.stop is None:
            return f"{self.kind.platform} cannot stop a {self.kind.noun}; it ends by itself"
        began = time.monotonic()
        self.client.send(self.kind.stop(job_id))

        def over() -> JobState | None:
            state = self._look(job_id)
            return state if state and state.phase.terminal else None

        state, took = self._until(over, began)
        return f"{took:.1f} s later it {state.verb} (status {state.status})"

    def _until(self, look: Callable[[], T | None], began: float) -> tuple[T, float]:
        """Look until something shows; return it and how many seconds it took."""
        while True:
            shown = look()
            took = time.monotonic() - began
            if shown is not None:
                return shown, took
            if took > LONGEST:
                raise RemoteJobError(f"Nothing has shown within {LONGEST:g} s; look at {self.name} on the platform")
            time.sleep(PAUSE)


def _kept(sent: str, shown: str) -> str:
    if shown == sent:
        return f"{len(sent)} characters come back as they were sent"
    if shown and sent.startswith(shown):
        return f"of {len(sent)} characters the first {len(shown)} come back"
    return f"what comes back of {len(sent)} characters is {len(shown)} others" if shown else "it is not shown"


def _named(sent: str, shown: str) -> str:
    if sent == sent.strip():
        return "blanks around it are refused" if shown == sent else f"comes back as {shown!r}"
    if shown == sent:
        return "blanks around it are kept"
    return "blanks around it are taken away" if shown == sent.strip() else f"comes back as {shown!r}"
