"""Defects put in on purpose, each of which the simulation must find: ``python -m tests.simulation.mutants``."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from airflow_provider_aihub.http import retry
from airflow_provider_aihub.http.asynchronous import AsyncClient
from airflow_provider_aihub.http.blocking import Client
from airflow_provider_aihub.http.errors import AmbiguousSubmit, ExistsError
from airflow_provider_aihub.http.retry import Trouble
from airflow_provider_aihub.jobs import stopping, waiting
from airflow_provider_aihub.jobs.identity import Identity, Verdict
from airflow_provider_aihub.jobs.waiting import Watch
from airflow_provider_aihub.tasks import job_state, submission, task_try
from airflow_provider_aihub.tasks.job_state import Marker, Tries
from airflow_provider_aihub.tasks.life import Life
from airflow_provider_aihub.tasks.steps import Call
from airflow_provider_aihub.tasks.submission import NOTHING, Submission
from airflow_provider_aihub.tasks.task_try import TaskTry
from airflow_provider_aihub.triggers import job
from airflow_provider_aihub.triggers.job import JobTrigger

from . import airflow
from .explore import Tally, combinations, many, singles
from .histories import KINDS, OF_MODELARTS, WEATHERS, Blow, History
from .platforms import NAME
from .triggerer import Triggerer

Steps = Iterator[Any]


@dataclass(frozen=True)
class Mutant:
    """A defect.

    :param where: What is changed: an object and the name of its attribute.
    :param made: Makes what is there instead from what was there.
    """

    name: str
    where: tuple[Any, str]
    made: Callable[[Any], Any]

    @contextmanager
    def alive(self) -> Iterator[None]:
        """Put the defect in for a time."""
        owner, name = self.where
        real = getattr(owner, name)
        setattr(owner, name, self.made(real))
        try:
            yield
        finally:
            setattr(owner, name, real)


def _nothing(real: Any) -> Any:
    def nothing(*_: Any, **__: Any) -> Steps:
        return None
        yield

    return nothing


def _no_look_up(real: Any) -> Any:
    def take_up(*_: Any) -> Steps:
        return NOTHING
        yield

    return take_up


def _sent_again(real: Any) -> Any:
    def after_loss(self: Submission, request: Any, entry: Any, loss: Any) -> Steps:
        return task_try.Job((yield Call(request)), entry, seen=True)

    return after_loss


def _forgets_a_refusal(real: Any) -> Any:
    def after_loss(self: Submission, request: Any, entry: Any, loss: Any) -> Steps:
        if isinstance(loss, AmbiguousSubmit) and loss.refused:
            yield from self.task_try.forget()
            raise submission._as_refusal(loss)
        return (yield from real(self, request, entry, loss))

    return after_loss


def _no_intent(real: Any) -> Any:
    def save(self: TaskTry, entry: Any) -> Steps:
        return None if entry.state == job_state.SUBMITTING else (yield from real(self, entry))

    return save


def _kill_forgets_what_is_created(real: Any) -> Any:
    def kill(self: Life, *, patience: float = 0.0) -> Steps:
        self.task_try.creating = None
        return (yield from real(self, patience=patience))

    return kill


def _always(answer: Any) -> Callable[[Any], Any]:
    async def always(*_: Any) -> Any:
        return answer

    return lambda _: always


def _no_deadline(real: Any) -> Any:
    return lambda self, floor=None: replace(real(self, floor), deadline=None)


def _polls_without_pause(real: Any) -> Any:
    return lambda self, looks, now: 0.1


def _fires_at_the_first_look(real: Any) -> Any:
    def follow(*given: Any, **more: Any) -> Steps:
        reply = yield waiting.Look()
        return waiting.Waited(waiting.Outcome.ENDED, reply if isinstance(reply, waiting.JobState) else None)

    return follow


def _believes_the_first_page(real: Any) -> Any:
    def search_list(*given: Any, listed: Any, **more: Any) -> Steps:
        return (yield from real(*given, listed=lambda _=None, /, **asked: listed(None, **asked), **more))

    return search_list


def _a_name_that_is_taken_is_anothers(real: Any) -> Any:
    def after_loss(self: Submission, request: Any, entry: Any, loss: Any) -> Steps:
        if isinstance(loss, ExistsError):
            yield from self.task_try.forget()
            raise loss
        return (yield from real(self, request, entry, loss))

    return after_loss


def _a_name_that_is_taken_is_ones_own(real: Any) -> Any:
    def after_loss(self: Submission, request: Any, entry: Any, loss: Any) -> Steps:
        if isinstance(loss, ExistsError):
            batch = yield Call(self.task_try.operator.listing()(None, size=20, name=entry.name))
            for row in batch.rows:
                job_id, _ = self.task_try.kind.row(row)
                return task_try.Job(job_id, replace(entry, job_id=job_id), seen=True)
        return (yield from real(self, request, entry, loss))

    return after_loss


def _a_name_that_begins_alike_will_do(real: Any) -> Any:
    class Credulous(real):
        def add(self, job_id: Any, row: Any) -> None:
            state = self._kind.state(job_id, row)
            super().add(job_id, row)
            if state.facts.name.startswith(NAME):
                self._marked[MARKER] = state

    return Credulous


def _seen_by_the_trigger(real: Any) -> Any:
    def deferred_job(self: Life, event: Any) -> Steps:
        return (yield from self.task_try.seen((yield from real(self, event))))

    return deferred_job


def _deadline_from_now_on(real: Any) -> Any:
    return lambda self, since: real(self, self.task_try.clock())


def _resumes_without_deadline(real: Any) -> Any:
    def wait(self: Life, job: Any, since: float, deadline: float | None, rounds: int = 0) -> Steps:
        return (yield from real(self, job, since, None if rounds else deadline, rounds))

    return wait


def _forgets_what_it_could_not_stop(real: Any) -> Any:
    def timed_out(self: Life, job: Any, error: Any) -> Steps:
        yield from self.task_try.forget()
        return (yield from real(self, job, error))

    return timed_out


def _forgets_what_it_gave_up(real: Any) -> Any:
    def given_up(self: Life, job: Any, error: Any) -> Steps:
        failure = yield from real(self, job, error)
        yield from self.task_try.forget()
        return failure

    return given_up


def _hidden_for_a_moment(real: Any) -> Any:
    def hidden_for(*_: Any) -> Steps:
        return task_try.HIDDEN
        yield

    return hidden_for


def _takes_the_copy(real: Any) -> Any:
    class Credulous(real):
        def add(self, job_id: Any, row: Any) -> None:
            before = dict(self._marked)
            super().add(job_id, row)
            self._marked |= before

    return Credulous


def _looks_once_when_it_is_killed(real: Any) -> Any:
    return lambda self, entry, left, killing=False, **more: real(self, entry, left, **more)


MARKER = Marker("0" * 16, "0" * 8, 0, 0, 0, "0" * 8)
MUTANTS = (
    Mutant("a create call that lost its answer is sent again", (Submission, "_after_loss"), _sent_again),
    Mutant("a refusal is believed", (Submission, "_after_loss"), _forgets_a_refusal),
    Mutant("no look-up before a create call", (Submission, "take_up"), _no_look_up),
    Mutant("the intent is not written", (TaskTry, "save"), _no_intent),
    Mutant("an id is an identity", (Identity, "judge"), lambda _: lambda *_: Verdict.OWN),
    Mutant("a kill does nothing", (Life, "kill"), _nothing),
    Mutant("a kill forgets what is just being created", (Life, "kill"), _kill_forgets_what_is_created),
    Mutant("nothing is ever stopped", (TaskTry, "stop"), _nothing),
    Mutant("a clear is taken for a retry", (Tries, "cleared_since"), lambda _: lambda *_: False),
    Mutant("a retry is taken for a clear", (Tries, "cleared_since"), lambda _: lambda *_: True),
    Mutant("a worker that is not the task's any more goes on", (TaskTry, "airflow_refused"), _nothing),
    Mutant("what a list does not show at once is not there", (task_try, "PATIENCE"), lambda p: replace(p, settled=0.0)),
    Mutant("what cannot be read at once is not there", (task_try, "PATIENCE"), lambda p: replace(p, shown=0.0)),
    Mutant("only the first page of a list is read", (submission, "search_list"), _believes_the_first_page),
    Mutant("a trigger that is handed over stops its job", (Triggerer, "still_deferred"), _always(answer=False)),
    Mutant("a trigger whose task was killed leaves its job", (JobTrigger, "on_kill"), _always(None)),
    Mutant("a trigger stops nothing at its deadline", (JobTrigger, "_stop"), _always(None)),
    Mutant("a trigger stops what stands under the id", (stopping, "_shown"), _nothing),
    Mutant("a trigger has no deadline", (JobTrigger, "watch"), _no_deadline),
    Mutant("a trigger fires at its first look", (waiting, "follow"), _fires_at_the_first_look),
    Mutant("polls follow one another at once", (Watch, "pause"), _polls_without_pause),
    Mutant("what AIHub does not know yet cannot be stopped", (job, "LONGEST_UNKNOWN"), lambda _: 0.0),
    Mutant("no login is another platform's", (AsyncClient, "is_logged_in"), lambda _: property(lambda _: True)),
    Mutant("behind another login is the same platform", (Client, "logins"), lambda _: property(lambda _: 1)),
    Mutant("a worker that resumes stops what the trigger has seen", (Life, "_deferred_job"), _seen_by_the_trigger),
    Mutant("a name that is taken is another's", (Submission, "_after_loss"), _a_name_that_is_taken_is_anothers),
    Mutant("a name that is taken is one's own", (Submission, "_after_loss"), _a_name_that_is_taken_is_ones_own),
    Mutant("a job has its time from each try on", (Life, "_deadline"), _deadline_from_now_on),
    Mutant("a task that defers again has no deadline", (Life, "_wait"), _resumes_without_deadline),
    Mutant("what could not be stopped is forgotten", (Life, "_timed_out"), _forgets_what_it_could_not_stop),
    Mutant("what could not be read is forgotten", (Life, "_given_up"), _forgets_what_it_gave_up),
    Mutant("a colleague's copy is taken up", (submission, "JobMatcher"), _takes_the_copy),
    Mutant("a killed task looks for its job once", (Submission, "look_for"), _looks_once_when_it_is_killed),
    Mutant("a young job that is not found is gone", (TaskTry, "hidden_for"), _hidden_for_a_moment),
    Mutant("a call that took too long was not taken", (retry, "NOT_TAKEN"), lambda taken: taken | {Trouble.LATE}),
    Mutant("the event of an earlier try is taken", (job, "is_of_earlier_try"), lambda _: lambda *_: False),
    Mutant("a task that was marked defers", (airflow, "ENDED_BY_OTHERS"), lambda _: frozenset()),
    Mutant("a name that begins alike will do", (submission, "JobMatcher"), _a_name_that_begins_alike_will_do),
)
WEATHERS_WITH_BLOWS = ("fair", "create late, 55 s", "reads lag")
WEATHERS_WITH_DEADLINES = (
    *("create late, 110 s", "descriptions are cut to nothing", "names are cut", "jobs are copied"),
    *("a colleague stops a job", "reads lag, 20 s", "answers take 2.6 s", "down for 17 min"),
    *("every second read fails", "stops fail", "lists are ahead", "fair"),
)


def histories() -> Iterator[History]:
    """Every weather for every kind of job, with and without deadlines, then every single blow in some weathers."""
    for start in combinations(("training", "model_eval", "training_job")):
        for weather, (timeout, lasts) in product(WEATHERS_WITH_DEADLINES, ((None, 6.0), (9.0, 90.0), (9.0, 7.0))):
            yield replace(start, weather=weather, timeout=timeout, lasts=lasts)
    for at in range(12, 24):
        # The platform is away, and another one answers after that.
        away = Blow(15, "freeze"), Blow(at, "swap")
        yield History("quota_task", weather="down for 17 min", remembers=False, timeout=9.0, blows=away)
    for start, at in product(combinations(("training",)), range(3, 16)):
        yield replace(start, weather="create late, 55 s", retries=0, blows=(Blow(at, "timeout"),))
    for cleared, retries in (((), 2), ((1,), 2), ((), 0)):
        for start in combinations(("training", "search")):
            for weather in WEATHERS:
                yield replace(start, weather=weather, cleared=cleared, retries=retries)
        for start in combinations(KINDS["ModelArts"]):
            for weather in OF_MODELARTS:
                yield replace(start, weather=weather, cleared=cleared, retries=retries)
    for start in combinations(("training", "workflow_run")):
        for weather in ("fair", "reads lag"):
            for timeout in (1.0, 9.0):
                yield replace(start, weather=weather, timeout=timeout, lasts=90.0)
    for start in combinations(("training",)):
        for at in range(1, 15):
            swapped = Blow(at, "swap"), Blow(at, "kill", after=True)
            yield replace(start, blows=swapped)
            yield replace(start, blows=(*swapped, Blow(at + 3, "mark")))
        for at, later in product(range(1, 30), range(1, 5)):
            yield replace(start, blows=(Blow(at, "swap"), Blow(at + later, "mark")))
    for start in combinations(("training", "search")):
        for weather in WEATHERS_WITH_BLOWS:
            yield from singles(replace(start, weather=weather))
    for start in combinations(("training_job",)):
        yield from singles(replace(start, weather="name taken"))


def found(mutant: Mutant) -> Tally:
    """Run histories until one shows the defect."""
    tally = Tally()
    with mutant.alive():
        for history in histories():
            tally.run(history)
            if tally.first:
                break
    return tally


def main() -> int:
    """Try them all; 1 where one is not found."""
    with many():
        return try_all()


def try_all() -> int:
    """Try them; 1 where one is not found."""
    alive = 0
    for mutant in MUTANTS:
        began = time.monotonic()
        tally = found(mutant)
        alive += tally.first is None
        told = f"after {tally.lives} lives: {tally.first[1][0]} ({tally.first[0]})" if tally.first else "NOT found"
        print(f"{mutant.name}: {told}, {time.monotonic() - began:.1f} s", flush=True)
    return int(alive > 0)


if __name__ == "__main__":
    sys.exit(main())
