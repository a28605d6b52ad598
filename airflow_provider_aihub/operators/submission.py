"""Creating a job once: what an earlier try left behind is taken up, and a create call is never blindly repeated.

No I/O: generators yield what they want done, see :mod:`~.steps`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from airflow_provider_aihub.api.errors import (
    AIHubAmbiguousSubmit,
    AIHubBadAnswerError,
    AIHubError,
    AIHubNotFoundError,
    AIHubRejectedError,
    AIHubUnavailable,
    AIHubUnsupportedError,
)
from airflow_provider_aihub.api.jobs import JobId, JobState, Phase
from airflow_provider_aihub.api.request import Request
from airflow_provider_aihub.client.identity import Verdict
from airflow_provider_aihub.client.spans import span
from airflow_provider_aihub.operators import record
from airflow_provider_aihub.operators.held import Held, Job
from airflow_provider_aihub.operators.record import Entry, Marker
from airflow_provider_aihub.operators.search import find_jobs
from airflow_provider_aihub.operators.steps import AIHubTime, Call, LogIn, Sleep, Steps

TakenUp: TypeAlias = tuple[Job | None, JobState | None]
"""A job of an earlier try, and how it stands; or nothing."""
NOTHING: TakenUp = (None, None)


class Submission:
    """Creates the job of one task instance, or finds the one that is there."""

    def __init__(self, held: Held) -> None:
        self.held = held
        self._began = held.clock()

    def take_up(self, entry: Entry | None) -> Steps[TakenUp]:
        """Return the job that an earlier try left behind, and how it stands; nothing where a new one is to be created.

        :raises AIHubAmbiguousSubmit: It cannot be told whether an earlier try created one.
        """
        if not (self.held.durable and self.held.tries.tried):
            return NOTHING
        if entry is None:
            return (yield from self._unrecorded())
        # A job that the waiting gave up on was left for whatever try comes next.
        cleared = entry.state != record.LEFT and self.held.tries.cleared_since(entry)
        if cleared and (not self.held.kind.statuses or entry.state == record.UNKNOWN):
            return NOTHING
        if entry.job_id is None:
            job = yield from self._lost(entry)
        else:
            job = Job(entry.job_id, entry)
        if job is None:
            self.held.creating = None
            return NOTHING
        self.held.job, self.held.creating = job, None
        if not self.held.kind.statuses:
            return job, None
        state = yield from self._worth_taking_up(job, cleared=cleared)
        if state is None:
            self.held.job = None
            return NOTHING
        job = replace(job, reference=state.job_id, seen=True)
        yield from self.held.move(job, entry.state if entry.state == record.DONE else record.SUBMITTED)
        return job, state

    def _worth_taking_up(self, job: Job, *, cleared: bool) -> Steps[JobState | None]:
        """Return how a job stands if it is this task's and of use; stop it if it goes on and its task was cleared."""
        called = self.held.kind.called(job.id)
        try:
            state = yield from self.held.patiently(job, lambda: self.held.read(job), tolerance=0.0)
        except AIHubNotFoundError:
            self.held.log.info("%s of an earlier try is gone; creating a new one", called)
            return None
        if self.held.judge(job, state) is Verdict.OTHER:
            self.held.log.warning(
                "%s is another job than that of an earlier try, so it is left alone and a new one is created; the "
                "connection may lead to another AIHub than it did then, where the earlier job may still be running",
                called,
            )
            return None
        job = self.held.job = replace(job, reference=state.job_id, seen=True)
        if state.phase in (Phase.FAILED, Phase.STOPPED, Phase.STOPPING):
            self.held.log.info("%s of an earlier try %s; creating a new one", called, state.phase.verb)
            return None
        if not cleared or not (self.held.cancels or state.phase.terminal):
            self.held.log.info("Taking up %s of an earlier try, which %s", called, state.phase.verb)
            return state
        self.held.log.info("The task was cleared, so its %s, which %s, is not taken up", called, state.phase.verb)
        if not state.phase.terminal:
            error = yield from self.held.stop(job)
            if isinstance(error, AIHubUnsupportedError):
                self.held.log.warning("AIHub cannot stop a %s; %s runs on", self.held.kind.noun, called)
            elif error:
                raise error
        return None

    def _unrecorded(self) -> Steps[TakenUp]:
        """Look for a job of this task that goes on, or that has succeeded since the task was last cleared.

        Only its marker tells, on an Airflow that remembers nothing, and where a record was lost.
        """
        try:
            found = yield from self._of_this_task()
        except AIHubUnsupportedError:
            if not self.held.kept:
                self.held.log.warning(
                    "Airflow before 3.3 does not keep the id of the %s of an earlier try, and this AIHub cannot list "
                    "any; creating a new one",
                    self.held.kind.noun,
                )
            return NOTHING
        own = [(marker, state) for marker, state in found if self._is_own(marker)]
        offset = yield from self.held.clock_offset()
        if own:
            marker, state = (_going_on(own) or own)[0]
            return (yield from self._take_up_found(marker, state, offset, cleared=False))
        for marker, state in _going_on(found):
            same_run = marker.run == self.held.tries.run
            # One of another run was left when the run ended; if it began later, then another Airflow has it.
            if same_run or _created(state, offset, math.inf) < self.held.tries.run_began:
                taken = yield from self._take_up_found(marker, state, offset, cleared=same_run)
                if taken[0]:
                    return taken
        return NOTHING

    def _take_up_found(self, marker: Marker, state: JobState, offset: float, *, cleared: bool) -> Steps[TakenUp]:
        entry = Entry(
            state=record.SUBMITTED,
            marker=str(marker),
            since=_created(state, offset, self.held.clock()),
            max_tries=marker.max_tries,
            retries=marker.retries,
            try_number=marker.try_number,
            name=self.held.operator.job_name,
            job_id=state.job_id,
        )
        job = self.held.job = Job(state.job_id, entry)
        seen = yield from self._worth_taking_up(job, cleared=cleared)
        if seen is None:
            self.held.job = None
            return NOTHING
        job = replace(job, reference=seen.job_id, seen=True)
        yield from self.held.move(job, record.SUBMITTED)
        return job, seen

    def _is_own(self, marker: Marker) -> bool:
        """Whether a job is of this run, and no older than the last clear."""
        return marker.run == self.held.tries.run and not self.held.tries.cleared_since(marker)

    def _of_this_task(self) -> Steps[list[tuple[Marker, JobState]]]:
        """Return the jobs of this task, the newest first; those that come late, too, if an earlier try may have any.

        :raises AIHubUnsupportedError: This AIHub does not list them.
        """
        tries = 0 if self.held.kept else self.held.tries.since_clear
        pause = self.held.patience.first_pause
        while True:
            waited = self.held.tries.rested + self.held.clock() - self._began
            last = not tries or waited >= self.held.patience.settled
            found = yield from self._find(
                lambda marker: marker.task == self.held.tries.task,
                self.held.operator.job_name,
                since=min(self.held.tries.run_began or math.inf, self.held.clock()),
                thorough=last,
            )
            own = [state for marker, state in found if self._is_own(marker)]
            if last or len(own) >= tries or any(state.phase is Phase.SUCCEEDED or _goes_on(state) for state in own):
                return sorted(found, key=lambda job: job[1].answer.created_at, reverse=True)
            yield Sleep(pause)
            pause = min(2 * pause, self.held.patience.longest_pause)

    def create(self, request: Request[JobId], marker: Marker) -> Steps[Job]:
        """Create the job.

        :raises AIHubAmbiguousSubmit: It cannot be told whether AIHub has created it.
        :raises AIHubError: AIHub has not created it.
        """
        user_id = yield LogIn()
        entry = Entry(
            state=record.SUBMITTING,
            marker=str(marker),
            since=self.held.clock(),
            server_time=(yield AIHubTime()),
            max_tries=self.held.tries.max_tries,
            retries=self.held.tries.retries,
            try_number=self.held.tries.try_number,
            name=self.held.operator.job_name,
            user_id=user_id,
        )
        refused = yield from self.held.save(entry)
        if refused:
            raise refused.why
        self.held.creating = entry
        try:
            job = Job((yield Call(request)), entry, seen=True)
        except AIHubAmbiguousSubmit as loss:
            self.held.log.warning("%s", loss)
            job = yield from self._after_loss(request, entry, loss)
        except AIHubError:
            self.held.creating = None
            yield from self.held.forget()
            raise
        self.held.job, self.held.creating = job, None
        self.held.log.info("Created %s on AIHub", self.held.kind.called(job.id))
        refused = yield from self.held.save(replace(entry, state=record.SUBMITTED, job_id=job.id))
        if refused:
            yield from self.held.not_told(refused, f"that {self.held.kind.called(job.id)} is this task's")
        return job

    def _after_loss(self, request: Request[JobId], entry: Entry, loss: AIHubAmbiguousSubmit) -> Steps[Job]:
        """Return the job whose create call lost its answer."""
        answered, patience = self.held.clock(), self.held.patience

        def left() -> float:
            now = self.held.clock()
            # AIHub that has said no is not at work on it any more.
            return patience.shown - (now - answered) if loss.refused else patience.settled - (now - entry.since)

        try:
            job = yield from self.look_for(entry, left)
        except AIHubUnsupportedError:
            if loss.refused:
                self.held.creating = None
                yield from self.held.forget()
                raise _as_refusal(loss) from None
            yield from self._unknowable(entry, loss)
            return Job((yield Call(request)), entry, seen=True)
        if job is None:
            raise _as_refusal(loss) if loss.refused else loss
        return job

    def _lost(self, entry: Entry) -> Steps[Job | None]:
        """Return the job that an earlier try was creating when it was ended, if AIHub has taken it."""
        age = yield from self.held.age(entry)
        try:
            # The first answer tells what time it is there.
            job = (yield from self.look_for(entry, lambda: 0.0, thorough=False)) if age is None else None
            if job is None:
                age = (yield from self.held.age(entry)) or 0.0
                end = self.held.clock() + self.held.patience.settled - age
                job = yield from self.look_for(entry, lambda: end - self.held.clock())
        except AIHubUnsupportedError:
            ended = AIHubAmbiguousSubmit(f"An earlier try was ended while it created a {self.held.kind.noun}.")
            yield from self._unknowable(entry, ended)
            return None
        if job is None:
            self.held.log.info(
                "An earlier try was ended while it created a %s, which AIHub does not have after %s",
                self.held.kind.noun,
                span(self.held.patience.settled),
            )
        return job

    def look_for(
        self, entry: Entry, left: Callable[[], float], *, thorough: bool = True, killing: bool = False
    ) -> Steps[Job | None]:
        """Look for the job of an intent until it is found, or could not come any more.

        :param left: Gives the seconds for which it may still come.
        :param thorough: Whether the last look is not narrowed by the job's name, which AIHub may have changed.
        :param killing: Whether the task's being killed is no reason to look no longer.
        :raises AIHubUnsupportedError: This AIHub does not list them.
        :raises AIHubError: AIHub could not be asked.
        """
        pause = self.held.patience.first_pause
        while True:
            last = left() <= 0 or (self.held.killed and not killing)
            try:
                found = yield from self._find(
                    lambda marker: str(marker) == entry.marker,
                    entry.name,
                    since=entry.since,
                    thorough=last and thorough,
                )
            except (AIHubUnavailable, AIHubBadAnswerError):
                if last:
                    raise
                found = []
            if found:
                # Whoever copies a job copies its description: the first is the task's.
                _, state = min(found, key=lambda job: job[1].answer.created_at)
                return Job(state.job_id, replace(entry, job_id=state.job_id), seen=True)
            if last:
                return None
            yield Sleep(min(pause, max(left(), 0.1)))
            pause = min(2 * pause, self.held.patience.longest_pause)

    def _unknowable(self, entry: Entry, loss: AIHubAmbiguousSubmit) -> Steps[None]:
        """Fail for good, so that no retry creates a second job; unless that was asked for."""
        if self.held.operator.options.resubmit:
            self.held.log.warning("Creating another %s, since on_ambiguous_submit is 'resubmit'", self.held.kind.noun)
            return
        # A person who has looked on AIHub and clears the task means it to start anew.
        yield from self.held.save(entry.moved(record.UNKNOWN, self.held.tries))
        self.held.creating = None
        named = f"{self.held.kind.noun} {entry.name!r}" if entry.name else self.held.kind.noun
        if not self.held.kind.statuses:
            look = f"whether the {named} exists"
        elif self.held.kind.stop is None:
            look = f"whether the {named} exists (its description holds {self.held.tries.task})"
        else:
            look = f"whether the {named} exists (its description holds {self.held.tries.task}) and stop it if it does"
        final = AIHubAmbiguousSubmit(
            f"{loss} This AIHub cannot list its jobs of that kind, so look there {look}; then clear this task to "
            "create a new one.",
            service=loss.service,
            asks=loss.asks,
            status=loss.status,
        )
        final.final = True
        raise final

    def _find(
        self, wanted: Callable[[Marker], bool], name: str | None, *, since: float, thorough: bool
    ) -> Steps[list[tuple[Marker, JobState]]]:
        """Look through AIHub's jobs of this kind.

        :raises AIHubUnsupportedError: This AIHub does not list them.
        """
        names = [name.strip() or None] if name else []
        for narrowed in dict.fromkeys([*names, None] if thorough or not names else names):
            found = yield from find_jobs(self.held.kind, wanted, narrowed, since=since, ask=self.held.ask)
            if found:
                return found
        return []


def _as_refusal(loss: AIHubAmbiguousSubmit) -> AIHubRejectedError:
    """Return the error of a create call that AIHub refused, where there is no job of it."""
    return AIHubRejectedError(
        str(loss),
        service=loss.service,
        asks=loss.asks,
        status=loss.status,
        code=loss.code,
        retry_after=loss.retry_after,
    )


def _created(state: JobState, offset: float, unknown: float) -> float:
    """Return when a job was created, in Unix seconds of this worker's clock."""
    created = state.answer.created_at
    return created / 1000 - offset if created else unknown


def _goes_on(state: JobState) -> bool:
    return not state.phase.terminal and state.phase is not Phase.STOPPING


def _going_on(jobs: list[tuple[Marker, JobState]]) -> list[tuple[Marker, JobState]]:
    return [(marker, state) for marker, state in jobs if _goes_on(state)]
