"""Defects put in on purpose, each of which the simulation must find: ``python -m tests.simulation.mutants``."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from airflow_provider_aihub.client.identity import Verdict
from airflow_provider_aihub.operators import held, record, submission
from airflow_provider_aihub.operators.held import Held
from airflow_provider_aihub.operators.life import Life
from airflow_provider_aihub.operators.record import Tries
from airflow_provider_aihub.operators.steps import Call
from airflow_provider_aihub.operators.submission import NOTHING, Submission

from .explore import Tally, combinations, singles
from .histories import WEATHERS, Blow, History

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
        return held.Job((yield Call(request)), entry, seen=True)

    return after_loss


def _forgets_a_refusal(real: Any) -> Any:
    def after_loss(self: Submission, request: Any, entry: Any, loss: Any) -> Steps:
        if loss.refused:
            yield from self.held.forget()
            raise submission._as_refusal(loss)
        return (yield from real(self, request, entry, loss))

    return after_loss


def _no_intent(real: Any) -> Any:
    def save(self: Held, entry: Any) -> Steps:
        return None if entry.state == record.SUBMITTING else (yield from real(self, entry))

    return save


def _kill_forgets_what_is_created(real: Any) -> Any:
    def kill(self: Life, *, patience: float = 0.0) -> Steps:
        self.held.creating = None
        return (yield from real(self, patience=patience))

    return kill


def _believes_the_first_page(real: Any) -> Any:
    def find_jobs(kind: Any, *given: Any, **more: Any) -> Steps:
        page = kind.page
        one = replace(kind, page=page and (lambda number, *rest: page(1, *rest)))
        return (yield from real(one, *given, **more))

    return find_jobs


MUTANTS = (
    Mutant("a create call that lost its answer is sent again", (Submission, "_after_loss"), _sent_again),
    Mutant("a refusal is believed", (Submission, "_after_loss"), _forgets_a_refusal),
    Mutant("no look-up before a create call", (Submission, "take_up"), _no_look_up),
    Mutant("the intent is not written", (Held, "save"), _no_intent),
    Mutant("an id is an identity", (Held, "judge"), lambda _: lambda *_: Verdict.OWN),
    Mutant("a kill does nothing", (Life, "kill"), _nothing),
    Mutant("a kill forgets what is just being created", (Life, "kill"), _kill_forgets_what_is_created),
    Mutant("nothing is ever stopped", (Held, "stop"), _nothing),
    Mutant("a clear is taken for a retry", (Tries, "cleared_since"), lambda _: lambda *_: False),
    Mutant("a retry is taken for a clear", (Tries, "cleared_since"), lambda _: lambda *_: True),
    Mutant("a worker that is not the task's any more goes on", (Held, "not_told"), _nothing),
    Mutant("what a list does not show at once is not there", (held, "PATIENCE"), lambda p: replace(p, settled=0.0)),
    Mutant("what cannot be read at once is not there", (held, "PATIENCE"), lambda p: replace(p, shown=0.0)),
    Mutant("only the first page of a list is read", (submission, "find_jobs"), _believes_the_first_page),
)
WEATHERS_WITH_BLOWS = ("fair", "create late, 55 s", "reads lag")


def histories() -> Iterator[History]:
    """Every weather for every kind of job, then every single blow in some weathers."""
    for cleared, retries in (((), 2), ((1,), 2), ((), 0)):
        for start in combinations(("training", "search")):
            for weather in WEATHERS:
                yield replace(start, weather=weather, cleared=cleared, retries=retries)
    for start in combinations(("training",)):
        for at in range(1, 15):
            yield replace(start, blows=(Blow(at, "swap"), Blow(at, "kill", after=True)))
    for start in combinations(("training", "search")):
        for weather in WEATHERS_WITH_BLOWS:
            yield from singles(replace(start, weather=weather))


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
    logging.getLogger("airflow_provider_aihub").setLevel(logging.CRITICAL)
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
