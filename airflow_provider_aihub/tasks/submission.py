"""Creates a job once: the job of an earlier try is taken up, and a create call is repeated only if that is safe.

No I/O: the generators yield steps, see :mod:`~.steps`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from airflow_provider_aihub.http.durations import span
from airflow_provider_aihub.http.errors import (
    AmbiguousSubmit,
    BadAnswerError,
    ExistsError,
    NotFoundError,
    RejectedError,
    RemoteJobError,
    RequestError,
    Unavailable,
    UnsupportedError,
)
from airflow_provider_aihub.http.request import Request
from airflow_provider_aihub.jobs.identity import Verdict, opening_of
from airflow_provider_aihub.jobs.kind import Facts, JobId, JobState, Phase
from airflow_provider_aihub.tasks import job_state
from airflow_provider_aihub.tasks.job_state import Entry, Marker
from airflow_provider_aihub.tasks.search import AGE_MARGIN, JobMatcher, search_list
from airflow_provider_aihub.tasks.steps import Call, Do, LogIn, Refused, ServerTime, Sleep, Steps
from airflow_provider_aihub.tasks.task_try import Job, TaskTry

TakenUp: TypeAlias = tuple[Job | None, JobState | None]
"""A job of an earlier try and its state (``None`` for a kind without states); or :data:`NOTHING`."""
NOTHING: TakenUp = (None, None)
SERVER_CLOCK_SKEW = 10.0
"""Seconds by which the clocks of the platform's machines may differ."""


class Submission:
    """Creates the job of a task, or finds the one of an earlier try."""

    def __init__(self, task_try: TaskTry) -> None:
        self.task_try = task_try
        self.earlier_tries_checked = task_try.operator.idempotent or not (task_try.durable and task_try.tries.tried)
        """Whether the jobs of earlier tries have been looked for, or need not be."""
        self._began = task_try.clock()
        self._platform = task_try.kind.platform
        self._no_list = f"this {self._platform} cannot list its jobs of that kind"

    def take_up(self, entry: Entry | None) -> Steps[TakenUp]:
        """Return the job of an earlier try, and its state; :data:`NOTHING` if a new job shall be created.

        :param entry: The record of an earlier try.
        :raises AmbiguousSubmit: It is unknown whether an earlier try has created one.
        """
        taken_up = yield from self._left_behind(entry)
        self.earlier_tries_checked = True
        return taken_up

    def _left_behind(self, entry: Entry | None) -> Steps[TakenUp]:
        if entry is None:
            return NOTHING if self.earlier_tries_checked else (yield from self._unrecorded())
        # A job in state LEFT is for the next try, even if that try comes from clearing the task.
        cleared = entry.state != job_state.LEFT and self.task_try.tries.cleared_since(entry)
        looked_at_by_a_person = entry.state == job_state.UNKNOWN
        if cleared and (looked_at_by_a_person or not self.task_try.kind.can_be_waited_for):
            return NOTHING
        if entry.job_id is None and self.task_try.operator.idempotent:
            self.task_try.creating = None
            return NOTHING
        if entry.job_id is None:
            job = yield from self._interrupted_creation(entry)
        else:
            job = Job(entry.job_id, entry)
        if job is None:
            self.task_try.creating = None
            return NOTHING
        self.task_try.job, self.task_try.creating = job, None
        if not self.task_try.kind.can_be_waited_for:
            return job, None
        state = yield from self._worth_taking_up(job, cleared=cleared)
        if state is None:
            self.task_try.job = None
            return NOTHING
        job = yield from self.task_try.seen(replace(job, reference=state.job_id))
        yield from self.task_try.move(job, entry.state if entry.state == job_state.DONE else job_state.SUBMITTED)
        return job, state

    def unrecorded_job(self) -> Steps[Job | None]:
        """Look, once, for a running job of an earlier try that has no record.

        :raises RemoteJobError: The platform did not answer, or does not list its jobs.
        """
        matcher = yield from self._find(
            self._is_own, self.task_try.operator.job_name, since=self._oldest, thorough=False
        )
        for marker, state in _going_on(matcher.marked):
            return (
                yield from self.task_try.seen(
                    Job(state.job_id, self._found_entry(marker, state, self.task_try.clock()))
                )
            )
        return None

    def started_job(self, job_id: JobId) -> Job:
        """Return, as a :class:`Job`, what ``prepare_submission`` has started; see ``RemoteJobOperator.started_id``."""
        return Job(job_id, self._intent(self.task_try.tries.marker()))

    def _worth_taking_up(self, job: Job, *, cleared: bool) -> Steps[JobState | None]:
        """Return the state of a job if it shall be taken up. If the task was cleared and the job still runs, stop it.

        :param cleared: Whether the task was cleared after the job was created.
        """
        called = self.task_try.kind.called(job.id)
        try:
            # The last try waits for an unavailable platform; an earlier one leaves that to the next try.
            tolerance = None if self.task_try.tries.last else 0.0
            state = yield from self.task_try.patiently(job, lambda: self.task_try.read(job), tolerance)
        except NotFoundError:
            self.task_try.log.info("%s of an earlier try is gone; creating a new one", called)
            return None
        if self.task_try.judge(job, state) is Verdict.OTHER:
            self.task_try.log.warning(
                "%s is another job than that of an earlier try, so it is left alone and a new one is created; the "
                "connection may lead to another %s than it did then, where the earlier job may still be running",
                called,
                self._platform,
            )
            return None
        job = self.task_try.job = yield from self.task_try.seen(replace(job, reference=state.job_id))
        if state.phase in (Phase.FAILED, Phase.STOPPED, Phase.STOPPING):
            self.task_try.log.info("%s of an earlier try %s; creating a new one", called, state.verb)
            return None
        runs_on_when_cleared = not self.task_try.cancels and not state.phase.terminal
        if not cleared or runs_on_when_cleared:
            self.task_try.log.info("Taking up %s of an earlier try, which %s", called, state.verb)
            return state
        self.task_try.log.info("The task was cleared, so its %s, which %s, is not taken up", called, state.verb)
        if not state.phase.terminal:
            came = yield from self.task_try.stop(job)
            if isinstance(came, UnsupportedError):
                self.task_try.log.warning(
                    "%s cannot stop a %s; %s runs on", self._platform, self.task_try.kind.noun, called
                )
            elif isinstance(came, RemoteJobError):
                raise came
        return None

    def _unrecorded(self) -> Steps[TakenUp]:
        """Take up a job without a record: one that runs, or has succeeded since the task was last cleared.

        It is found by its marker. There is no record before Airflow 3.3, or if it was lost.
        """
        try:
            found = yield from self._of_this_task()
        except UnsupportedError:
            if self.task_try.unreadable and self.task_try.tries.tries_since_clear:
                yield from self._fail_if_unreadable(self.task_try.unreadable)
            elif not self.task_try.kept:
                self.task_try.log.warning(
                    "Airflow before 3.3 does not keep the id of the %s of an earlier try, and this %s cannot list any; "
                    "creating a new one",
                    self.task_try.kind.noun,
                    self._platform,
                )
            return NOTHING
        own = [(marker, state) for marker, state in found if self._is_own(marker)]
        offset = yield from self.task_try.clock_offset()
        if own:
            marker, state = (_going_on(own) or own)[0]
            return (yield from self._take_up_found(marker, state, offset, cleared=False))
        for marker, state in _going_on(found):
            same_run = marker.run == self.task_try.tries.run
            # A job of an earlier run with the same id is taken up, too. If it was created after this run began, it
            # belongs to another Airflow.
            if same_run or _created(state, offset, math.inf) < self.task_try.tries.run_began:
                taken = yield from self._take_up_found(marker, state, offset, cleared=same_run)
                if taken[0]:
                    return taken
        return NOTHING

    def _take_up_found(self, marker: Marker, state: JobState, offset: float, *, cleared: bool) -> Steps[TakenUp]:
        entry = self._found_entry(marker, state, _created(state, offset, self.task_try.clock()))
        job = self.task_try.job = Job(state.job_id, entry)
        seen = yield from self._worth_taking_up(job, cleared=cleared)
        if seen is None:
            self.task_try.job = None
            return NOTHING
        job = yield from self.task_try.seen(replace(job, reference=seen.job_id))
        yield from self.task_try.move(job, job_state.SUBMITTED)
        return job, seen

    def _found_entry(self, marker: Marker, state: JobState, since: float) -> Entry:
        return Entry(
            state=job_state.SUBMITTED,
            marker=str(marker),
            since=since,
            max_tries=marker.max_tries,
            retries=marker.retries,
            try_number=marker.try_number,
            name=state.facts.name or self.task_try.operator.job_name,
            job_id=state.job_id,
        )

    def _is_own(self, marker: Marker) -> bool:
        """Whether a job belongs to this task and run, and was created after the task was last cleared."""
        tries = self.task_try.tries
        return (marker.task, marker.run) == (tries.task, tries.run) and not tries.cleared_since(marker)

    @property
    def _oldest(self) -> float:
        """The earliest time at which a job of this task can have been submitted, in Unix seconds."""
        return min(self.task_try.tries.run_began or math.inf, self.task_try.clock())

    def _of_this_task(self) -> Steps[list[tuple[Marker, JobState]]]:
        """Return the jobs of this task, newest first. Wait for jobs that appear late, if an earlier try may have some.

        :raises UnsupportedError: The platform does not list its jobs.
        """
        tries = 0 if self.task_try.kept else self.task_try.tries.tries_since_clear
        pause = self.task_try.patience.first_pause
        while True:
            waited = self.task_try.tries.since_last_try + self.task_try.clock() - self._began
            last = not tries or waited >= self.task_try.patience.settled
            matcher = yield from self._find(
                lambda marker: marker.task == self.task_try.tries.task,
                self.task_try.operator.job_name,
                since=self._oldest,
                thorough=last,
            )
            own = [state for marker, state in matcher.marked if self._is_own(marker)]
            if last or len(own) >= tries or any(state.phase is Phase.SUCCEEDED or _goes_on(state) for state in own):
                return matcher.marked
            yield Sleep(pause)
            pause = min(2 * pause, self.task_try.patience.longest_pause)

    def create(self, request: Request[JobId], marker: Marker) -> Steps[Job]:
        """Create the job.

        :raises AmbiguousSubmit: It is unknown whether the platform has created it.
        :raises RemoteJobError: The platform has not created it.
        """
        user_id = yield LogIn()
        description_of = self.task_try.kind.sent_description
        description = description_of(request) if description_of else None
        entry = replace(
            self._intent(marker),
            name=self.task_try.kind.sent_name(request) or self.task_try.operator.job_name,
            server_time=(yield ServerTime()),
            user_id=user_id,
            opening=None if description is None else opening_of(description),
        )
        refused = yield from self.task_try.save(entry)
        if refused:
            raise refused.why
        if self.task_try.killed:
            yield from self.task_try.forget()
        self.task_try.go_on_unless_killed()
        self.task_try.creating = entry
        try:
            job = yield from self.task_try.seen(Job((yield Call(request)), entry))
            self.task_try.answered = self.task_try.clock()
        except AmbiguousSubmit as loss:
            self.task_try.log.warning("%s", loss)
            job = yield from self._after_loss(request, entry, loss)
        except RemoteJobError as refusal:
            if not (isinstance(refusal, ExistsError) and self.task_try.kind.unique_names):
                self.task_try.creating = None
                yield from self.task_try.forget()
                raise
            job = yield from self._after_loss(request, entry, refusal)
        self.task_try.job, self.task_try.creating = job, None
        if not self.task_try.operator.idempotent:
            kind = self.task_try.kind
            self.task_try.log.info("%s %s on %s", kind.submitted, kind.called(job.id), self._platform)
        elif request.method != "GET":
            self.task_try.log.info("Asked %s to %s", self._platform, request.asks)
        refused = yield from self.task_try.save(replace(entry, state=job_state.SUBMITTED, job_id=job.id))
        if refused:
            yield from self.task_try.airflow_refused(
                refused, f"that {self.task_try.kind.called(job.id)} is this task's"
            )
        return job

    def _intent(self, marker: Marker) -> Entry:
        return Entry(
            state=job_state.SUBMITTING,
            marker=str(marker),
            since=self.task_try.clock(),
            max_tries=self.task_try.tries.max_tries,
            retries=self.task_try.tries.retries,
            try_number=self.task_try.tries.try_number,
            name=self.task_try.operator.job_name,
        )

    def _after_loss(self, request: Request[JobId], entry: Entry, loss: RequestError) -> Steps[Job]:
        """Return the job of a create call whose answer was lost, or that was refused since the job's name is taken."""
        # After a refusal, the platform no longer works on the call, so less patience is needed.
        refused = not isinstance(loss, AmbiguousSubmit) or loss.refused
        patience = self.task_try.patience.shown if refused else self.task_try.patience.settled
        end = self.task_try.clock() + patience
        try:
            job = yield from self.look_for(entry, lambda: end - self.task_try.clock())
        except UnsupportedError:
            if refused:
                self.task_try.creating = None
                yield from self.task_try.forget()
                raise _as_refusal(loss) from None
            yield from self._fail_as_ambiguous(entry, loss, self._no_list)
        except Unmarked as doubt:
            yield from self._fail_as_ambiguous(entry, loss, str(doubt))
        else:
            if job is None and refused:
                self.task_try.creating = None
                raise _as_refusal(loss)
            if job is None:
                raise loss
            return job
        return (yield from self.task_try.seen(Job((yield Call(request)), entry)))

    def _interrupted_creation(self, entry: Entry) -> Steps[Job | None]:
        """Return the job of a create call during which an earlier try was ended; ``None`` if there is no job."""
        age = yield from self.task_try.age(entry)
        try:
            # The first answer tells the platform's time, which is needed for the age.
            job = (yield from self.look_for(entry, lambda: 0.0, thorough=False)) if age is None else None
            if job is None:
                age = (yield from self.task_try.age(entry)) or 0.0
                end = self.task_try.clock() + self.task_try.patience.settled - age
                job = yield from self.look_for(entry, lambda: end - self.task_try.clock())
        except (UnsupportedError, Unmarked) as trouble:
            ended = AmbiguousSubmit(f"An earlier try was ended while it created a {self.task_try.kind.noun}.")
            yield from self._fail_as_ambiguous(
                entry, ended, str(trouble) if isinstance(trouble, Unmarked) else self._no_list
            )
            return None
        if job is None:
            self.task_try.log.info(
                "An earlier try was ended while it created a %s, which %s does not have after %s",
                self.task_try.kind.noun,
                self._platform,
                span(self.task_try.patience.settled),
            )
        return job

    def look_for(
        self, entry: Entry, left: Callable[[], float], *, thorough: bool = True, killing: bool = False
    ) -> Steps[Job | None]:
        """Look for the job of a create call until it is found, or can no longer appear.

        :param left: Returns for how many more seconds it may appear.
        :param thorough: Whether the last look is at jobs of all names, since the platform may have changed the name.
        :param killing: Whether to go on looking although the task is being killed.
        :raises Unmarked: A job without a marker may be the one.
        :raises UnsupportedError: The platform does not list its jobs.
        :raises RemoteJobError: The platform did not answer.
        """
        identity, earliest = Job("", entry).identity, (entry.server_time or 0.0) - SERVER_CLOCK_SKEW

        def doubtful(facts: Facts) -> bool:
            return (facts.created or 0.0) >= earliest and identity.judge(facts) is Verdict.OWN

        pause = self.task_try.patience.first_pause
        while True:
            last = left() <= 0 or (self.task_try.killed and not killing)
            try:
                matcher = yield from self._find(
                    lambda marker: str(marker) == entry.marker,
                    entry.name,
                    since=entry.since,
                    thorough=last and thorough,
                    doubtful=doubtful,
                )
            except (Unavailable, BadAnswerError):
                if last:
                    raise
            else:
                for _, state in matcher.marked:
                    return (yield from self.task_try.seen(Job(state.job_id, replace(entry, job_id=state.job_id))))
                if last and matcher.unmarked and thorough:
                    raise Unmarked(self.task_try.kind.called(matcher.unmarked[0].job_id))
                if last:
                    return None
            yield Sleep(min(pause, max(left(), 0.1)))
            pause = min(2 * pause, self.task_try.patience.longest_pause)

    def _fail_if_unreadable(self, why: Refused | ValueError) -> Steps[None]:
        """Fail because the record cannot be read and the platform does not list its jobs.

        :raises Exception: Airflow's error, if the next try may be able to read the record.
        :raises AmbiguousSubmit: The record is damaged, and ``on_ambiguous_submit`` is ``"fail"``.
        """
        if isinstance(why, Refused):
            raise why.why
        lost = AmbiguousSubmit(f"What an earlier try has written down of its {self.task_try.kind.noun} is unreadable.")
        yield from self._fail_as_ambiguous(self._intent(self.task_try.tries.marker()), lost, self._no_list)

    def _fail_as_ambiguous(self, entry: Entry, loss: RequestError, why: str) -> Steps[None]:
        """Fail without a retry, which might create a second job; or return if ``on_ambiguous_submit`` allows that.

        :param loss: Error of the create call.
        :param why: Why it cannot be found out whether there is a job.
        :raises AmbiguousSubmit: ``on_ambiguous_submit`` is ``"fail"``.
        """
        if self.task_try.operator.options.resubmit:
            self.task_try.log.warning(
                "Creating another %s, since on_ambiguous_submit is 'resubmit'", self.task_try.kind.noun
            )
            return
        # When the user has looked on the platform and clears the task, state UNKNOWN makes it create a new job.
        yield from self.task_try.save(entry.moved(job_state.UNKNOWN, self.task_try.tries))
        self.task_try.creating = None
        named = f"{self.task_try.kind.noun} {entry.name!r}" if entry.name else self.task_try.kind.noun
        look, task = f"whether the {named} exists", self.task_try.tries.task
        if self.task_try.kind.can_be_waited_for:
            if self.task_try.kind.sent_description and task not in named:
                look += f" (its description holds {task})"
            if self.task_try.kind.stop is not None:
                look += " and stop it if it does"
        final = AmbiguousSubmit(
            f"{loss} {why[0].upper()}{why[1:]}, so look there {look}; then clear this task to create a new one.",
            service=loss.service,
            asks=loss.asks,
            status=loss.status,
        )
        final.final = True
        raise final

    def _find(
        self,
        wanted: Callable[[Marker], bool],
        name: str | None,
        *,
        since: float,
        thorough: bool,
        doubtful: Callable[[Facts], bool] = lambda _: False,
    ) -> Steps[JobMatcher]:
        """Search the platform's lists for jobs of this kind.

        :param wanted: Whether a job with this marker is looked for.
        :param name: Only jobs of this name are read first; ``None`` for all jobs.
        :param since: Older jobs are not needed, in Unix seconds.
        :param thorough: Whether jobs of other names are read, too, if that finds nothing.
        :param doubtful: Whether a job without a marker may be one that is looked for. Default: it is not.
        :raises UnsupportedError: The platform does not list its jobs.
        """
        names = [name.strip() or None] if name and self.task_try.kind.lists_by_name else []
        for narrowed in dict.fromkeys([*names, None] if thorough or not names else names):
            matcher = JobMatcher(self.task_try.kind, wanted, doubtful)
            try:
                listed = self.task_try.operator.listing()
                yield from search_list(
                    self.task_try.kind, matcher, narrowed, since=since, listed=listed, ask=self.task_try.ask
                )
            except UnsupportedError:
                rows = yield from self.task_try.retryable(
                    Do(lambda: self.task_try.operator.jobs_without_list(since - AGE_MARGIN))
                )
                if rows is None:
                    raise
                for row in rows:
                    matcher.add(row.id, row)
                return matcher
            if matcher.marked:
                break
        return matcher


class Unmarked(RemoteJobError):
    """A job on the platform may be the one that is looked for, but shows no marker.

    :param called: What the job is called in messages.
    """

    def __init__(self, called: str) -> None:
        super().__init__(f"{called} may be the one, but shows nothing of the marker in its description")
        self.args = (self.args[0].removesuffix("."),)


def _as_refusal(loss: RequestError) -> RequestError:
    """Return the error of a refused create call as an unambiguous one, since there is no job."""
    if not isinstance(loss, AmbiguousSubmit):
        return loss
    return RejectedError(
        str(loss),
        service=loss.service,
        asks=loss.asks,
        status=loss.status,
        code=loss.code,
        retry_after=loss.retry_after,
    )


def _created(state: JobState, offset: float, unknown: float) -> float:
    """Return when a job was created, in Unix seconds by this worker's clock.

    :param offset: Seconds by which the platform's clock is ahead.
    :param unknown: What to return if the platform does not show it.
    """
    created = state.facts.created
    return created - offset if created else unknown


def _goes_on(state: JobState) -> bool:
    return not state.phase.terminal and state.phase is not Phase.STOPPING


def _going_on(jobs: list[tuple[Marker, JobState]]) -> list[tuple[Marker, JobState]]:
    return [(marker, state) for marker, state in jobs if _goes_on(state)]
