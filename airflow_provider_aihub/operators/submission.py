"""Creating a job once: what an earlier try left behind is taken up, and a create call is never blindly repeated."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_aihub.api.errors import (
    AIHubAmbiguousSubmit,
    AIHubAuthError,
    AIHubError,
    AIHubNotFoundError,
    AIHubUnsupportedError,
)
from airflow_provider_aihub.api.jobs import JobId, JobKind, JobState, Phase
from airflow_provider_aihub.client.waiting import Log
from airflow_provider_aihub.operators.record import Entry, Job, Marker, Record

if TYPE_CHECKING:
    from airflow_provider_aihub.api.request import Request
    from airflow_provider_aihub.client.sync import AIHubClient
    from airflow_provider_aihub.hooks.aihub import AIHubHook

T = TypeVar("T")

LOOKS_AFTER_LOSS = (1.0, 3.0, 6.0)
"""Seconds before each look for a job whose create call lost its answer: AIHub may still be at work on it."""
AT_WORK = 60.0
"""Seconds after a create call beyond which AIHub is not at work on it any more."""
PAGE_SIZE = 100
MOST_PAGES = 50
"""How far back a job is looked for."""


@dataclass(frozen=True, kw_only=True)
class Submission:
    """Creates the job of one task instance, or finds the one that is there.

    :param name: The job's name on AIHub, where it has one; narrows the looking.
    :param reference: Gives what a job is read by, from its id.
    :param resubmit: What to do where it cannot be told whether a job was created: create one (true), or fail.
    :param stop_cleared: Whether to stop a job whose task was cleared while it ran.
    """

    hook: AIHubHook | AIHubClient
    kind: JobKind
    record: Record
    marker: Marker
    name: str | None
    reference: Callable[[int], JobId]
    resubmit: bool
    stop_cleared: bool
    log: Log
    sleep: Callable[[float], None] = time.sleep

    def create(self, request: Request[int]) -> Job:
        """Create the job.

        :raises AIHubAmbiguousSubmit: It cannot be told whether AIHub has created it.
        :raises AIHubError: AIHub has not created it.
        """
        since = time.time()
        self.record.submitting(self.marker, since, self.name)
        try:
            job_id = self.hook.send(request)
        except AIHubAmbiguousSubmit as loss:
            self.log.warning("%s", loss)
            job_id = self._after_loss(request, loss)
        except AIHubError:
            self.record.forget()
            raise
        job = Job(job_id, str(self.marker), since)
        self.record.holds(job, self.name)
        self.log.info("Created %s on AIHub", self.kind.called(job.id))
        return job

    def take_up(self) -> Job | None:
        """Give the job that an earlier try left behind; ``None`` where a new one is to be created.

        :raises AIHubAmbiguousSubmit: It cannot be told whether an earlier try created one.
        """
        if self.record.durable and self.record.tried and not self.record.kept:
            return self._unrecorded()
        entry = self.record.load()
        if entry is None:
            return None
        # A job that the waiting gave up on was left for whatever try comes next.
        cleared = entry.state != "left" and self.record.cleared_since(entry)
        if cleared and not self.kind.statuses:
            return None
        job_id = entry.job_id or self._lost(entry)
        if job_id is None:
            return None
        job = Job(job_id, entry.marker, entry.since)
        if self.kind.statuses and not self._worth_taking_up(job, cleared=cleared):
            return None
        self.record.holds(job, entry.name)
        return job

    def created(self) -> int | None:
        """Look whether the job that is being created exists already; ``None`` where it does not, or nobody can tell.

        :raises AIHubError: AIHub could not be asked.
        """
        return self._find_exactly(str(self.marker), self.name)

    def _worth_taking_up(self, job: Job, *, cleared: bool) -> bool:
        """Look what has become of a job; stop it if it goes on and its task was cleared, to start anew."""
        called = self.kind.called(job.id)
        try:
            reference = self.reference(job.id)
            state = self.kind.state(reference, self._ask(self.kind.read(reference)))
        except AIHubNotFoundError:
            self.log.info("%s of an earlier try is gone; creating a new one", called)
            return False
        if state.phase in (Phase.FAILED, Phase.STOPPED, Phase.STOPPING):
            self.log.info("%s of an earlier try %s; creating a new one", called, state.phase.verb)
            return False
        if not cleared or not (self.stop_cleared or state.phase.terminal):
            self.log.info("Taking up %s of an earlier try, which %s", called, state.phase.verb)
            return True
        self.log.info("The task was cleared, so its %s, which %s, is not taken up", called, state.phase.verb)
        if not state.phase.terminal:
            self._stop(job)
        return False

    def _stop(self, job: Job) -> None:
        """Stop a job, where AIHub can.

        :raises AIHubError: AIHub did not take the request.
        """
        called = self.kind.called(job.id)
        with suppress(AIHubUnsupportedError):
            if self.kind.stop:
                self.hook.send(self.kind.stop(job.id))
                self.log.info("Asked AIHub to stop %s", called)
                return
        self.log.warning("AIHub cannot stop a %s; %s runs on", self.kind.noun, called)

    def _unrecorded(self) -> Job | None:
        """Look for a job of this task that goes on, or that has succeeded since the task was last cleared.

        Only its marker tells, on an Airflow that remembers nothing.
        """
        try:
            found = self._of_this_task()
        except AIHubUnsupportedError:
            self.log.warning(
                "Airflow before 3.3 does not keep the id of the %s of an earlier try, and this AIHub cannot list any; "
                "creating a new one",
                self.kind.noun,
            )
            return None
        own = [(marker, state) for marker, state in found if self._is_own(marker)]
        if own:
            job = _job(*(_going_on(own) or own)[0])
            return job if self._worth_taking_up(job, cleared=False) else None
        for marker, state in _going_on(found):
            same_run = marker.run == self.marker.run
            job = _job(marker, state)
            # One of another run was left when the run ended; if it began later, then another Airflow has it.
            if (same_run or job.since < self.record.run_began) and self._worth_taking_up(job, cleared=same_run):
                return job
        return None

    def _is_own(self, marker: Marker) -> bool:
        """Whether a job is of this run, and no older than the last clear."""
        return marker.run == self.marker.run and not self.record.cleared_since(marker)

    def _of_this_task(self) -> list[tuple[Marker, JobState]]:
        """Give the jobs of this task, the newest first; those that come late, too, if an earlier try may have any.

        :raises AIHubUnsupportedError: This AIHub does not list them.
        """
        tries = self.record.tries_since_clear
        found: list[tuple[Marker, JobState]] = []
        for pause in (0.0, *(LOOKS_AFTER_LOSS if tries else ())):
            self.sleep(pause)
            found = self._find(lambda marker: marker.task == self.marker.task, self.name)
            own = [state for marker, state in found if self._is_own(marker)]
            if len(own) >= tries or any(state.phase is Phase.SUCCEEDED or _goes_on(state) for state in own):
                break
        return sorted(found, key=lambda job: int(job[1].job_id), reverse=True)

    def _lost(self, entry: Entry) -> int | None:
        """Give the id of the job that an earlier try was creating when it was ended."""
        pauses = LOOKS_AFTER_LOSS if time.time() - entry.since < AT_WORK else ()
        try:
            job_id = self._find_patiently(entry.marker, entry.name, (0.0, *pauses))
        except AIHubUnsupportedError:
            self._unknowable(AIHubAmbiguousSubmit(f"An earlier try was ended while it created a {self.kind.noun}."))
            return None
        if job_id is None:
            self.log.info("An earlier try was ended before AIHub took its %s", self.kind.noun)
        return job_id

    def _after_loss(self, request: Request[int], loss: AIHubAmbiguousSubmit) -> int:
        """Find the job whose create call lost its answer."""
        try:
            job_id = self._find_patiently(str(self.marker), self.name, LOOKS_AFTER_LOSS)
        except AIHubUnsupportedError:
            self._unknowable(loss)
            return self.hook.send(request)
        if job_id is None:
            raise loss
        return job_id

    def _unknowable(self, loss: AIHubAmbiguousSubmit) -> None:
        """Fail for good, so that no retry creates a second job; unless that was asked for."""
        if self.resubmit:
            self.log.warning("Creating another %s, since on_ambiguous_submit is 'resubmit'", self.kind.noun)
            return
        # A person who has looked on AIHub and clears the task means it to start anew.
        self.record.forget()
        named = f"{self.kind.noun} {self.name!r}" if self.name else self.kind.noun
        if self.kind.statuses:
            look = f"whether the {named} exists (its description holds {self.marker.task}) and stop it if it does"
        else:
            look = f"whether the {named} exists"
        final = AIHubAmbiguousSubmit(
            f"{loss} This AIHub cannot list its jobs of that kind, so look there {look}; then clear this task to "
            "create a new one.",
            service=loss.service,
            asks=loss.asks,
            status=loss.status,
        )
        final.final = True
        raise final

    def _find_patiently(self, marker: str, name: str | None, pauses: Sequence[float]) -> int | None:
        for pause in pauses:
            self.sleep(pause)
            job_id = self._find_exactly(marker, name)
            if job_id is not None:
                return job_id
        return None

    def _find_exactly(self, marker: str, name: str | None) -> int | None:
        found = self._find(lambda other: str(other) == marker, name)
        return int(found[0][1].job_id) if found else None

    def _ask(self, request: Request[T]) -> T:
        """Ask about a job that may be there already.

        :raises AIHubError: In one of its kinds; also a refused login leaves the next try to find the job.
        """
        try:
            return self.hook.send(request)
        except AIHubAuthError as refusal:
            refusal.final = False
            raise

    def _find(self, wanted: Callable[[Marker], bool], name: str | None) -> list[tuple[Marker, JobState]]:
        """Look through AIHub's jobs of this kind, as far as the first page that has any.

        :param wanted: Says of a job's marker whether the job is looked for.
        :param name: The job's name, where it has one; narrows the looking.
        :raises AIHubUnsupportedError: This AIHub does not list them.
        """
        if self.kind.page is None:
            raise AIHubUnsupportedError(f"AIHub does not list its jobs of kind {self.kind.name}.")
        found = []
        for page_num in range(1, MOST_PAGES + 1):
            page = self._ask(self.kind.page(page_num, PAGE_SIZE, name))
            for answer in page.data:
                marker = Marker.parse(answer.description)
                if marker and wanted(marker):
                    found.append((marker, self.kind.state(answer.id, answer)))
            if found or not page.data or page_num * PAGE_SIZE >= page.total:
                break
        return found


def _goes_on(state: JobState) -> bool:
    return not state.phase.terminal and state.phase is not Phase.STOPPING


def _going_on(jobs: list[tuple[Marker, JobState]]) -> list[tuple[Marker, JobState]]:
    return [(marker, state) for marker, state in jobs if _goes_on(state)]


def _job(marker: Marker, state: JobState) -> Job:
    return Job(int(state.job_id), str(marker), state.answer.created_at / 1000 or time.time())
