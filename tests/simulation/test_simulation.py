"""Every single blow at every step of every kind of job, with AIHub well; and some of what may be wrong besides."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import count, cycle, islice, product
from typing import Any

import pytest

from .__main__ import shared, tallied
from .explore import Tally, blows, combinations, drawn, firsts, many, sensors, singles, struck, weathers
from .histories import ALL_KINDS, ALL_WEATHERS, KINDS, NEWER, TRIGGER_BLOWS, WORKER_BLOWS, Blow, History
from .mutants import MUTANTS, Mutant, found
from .runs import Run, judge

QUICKLY_FOUND = {
    "a create call that lost its answer is sent again",
    "only the first page of a list is read",
    "polls follow one another at once",
    "no login is another platform's",
}


@pytest.fixture(scope="module", autouse=True)
def _quick() -> Iterator[None]:
    with many():
        yield


def run(histories: Iterable[History]) -> Tally:
    tally = Tally()
    for history in histories:
        tally.run(history)
    assert tally.first is None, f"{tally}; the first is {tally.first[0]}: {tally.first[1]}"
    return tally


def ending(history: History) -> str:
    """Return how a history ends, but for what is made up anew each time."""
    ended = Run(history).to_the_end()
    (life,) = ended.lives
    around = [(server.jobs, server.calls) for server in ended.servers]
    told = repr((life.state, life.error, life.result, life.task.ti, life.task.store, life.world.now, around))
    return re.sub(r"\b[0-9a-f]{8}\b", "", told)


def spread(starts: Iterable[History], step: int, *, crashes: bool = True) -> Iterator[History]:
    """Give every ``step``-th single blow to some histories.

    :param crashes: Whether every crash at every step is given as well.
    """
    turn = count()
    for start in starts:
        for one in singles(start):
            if (crashes and one.blows[0].what == "kill") or next(turn) % step == 0:
                yield one


@pytest.mark.parametrize("kind", [kind for kind in KINDS["AIHub"] if kind not in NEWER])
def test_every_crash_at_every_step(kind: str) -> None:
    assert run(spread(combinations([kind]), 5)).lives > 500


@pytest.mark.parametrize("kind", [*KINDS["ModelArts"], *(kind for kind in KINDS["AIHub"] if kind in NEWER)])
def test_every_crash_at_every_step_of_what_came_later(kind: str) -> None:
    assert run(spread(combinations([kind]), 13)).lives > 200


@pytest.mark.parametrize(
    "start", [start for kind in ALL_KINDS for start in islice(combinations([kind]), 0, None, 5)], ids=str
)
def test_what_is_left_out_comes_to_the_same(start: History) -> None:
    fair = ending(start)
    left_out = [(blow, same) for blow, same in blows(start) if blow is not same]
    assert len(left_out) > 20
    for blow, same in left_out[::4]:
        assert ending(struck(start, blow)) == (ending(struck(start, same)) if same else fair), (blow, same)


@pytest.mark.parametrize(
    "start",
    [
        History("training"),
        History("search", "document", remembers=False),
        History("model_eval", waits="in place"),
        History("deployment"),
        History("training_job", "user", "deferred, in lists"),
        History("saved_image", remembers=False),
        History("started_notebook", waits="in place"),
    ],
    ids=str,
)
def test_what_repeats_an_earlier_life_goes_on_as_that(start: History) -> None:
    dice, compared = random.Random(str(start)), 0
    for first, life, repeats in firsts(start):
        if repeats is None or dice.random() < 0.8:
            continue
        at, is_after = dice.choice([place for place in life.seen if place[0] > repeats.at])
        what = dice.choice(TRIGGER_BLOWS if life.seen[at, is_after].of_trigger else WORKER_BLOWS)
        alike = (first, at), (repeats.earlier, at - repeats.at + repeats.earlier_at)
        ends = [came_to(struck(one, Blow(there, what, is_after))) for one, there in alike]
        assert ends[0] == ends[1], (what, alike, is_after)
        compared += 1
    assert compared > 10


def came_to(history: History) -> Any:
    """Return how a history is judged, and what becomes of its task and of its jobs."""
    ended = Run(history).to_the_end()
    (life,) = ended.lives
    now, xcoms = life.world.now, life.task.ti.xcoms
    jobs = [(job.id, job.status(now), job.stop_asked is not None) for server in ended.servers for job in server.jobs]
    return judge(history, ended), life.state, type(life.error), jobs, xcoms.get("job_id")


@pytest.mark.parametrize("weather", ALL_WEATHERS)
def test_every_weather_for_every_kind(weather: str) -> None:
    more = cycle(product(((), (1,)), (0.0, 70.0)))
    kinds = [kind for platform in KINDS if weather in weathers(platform) for kind in KINDS[platform]]
    run(
        replace(start, weather=weather, cleared=cleared, skew=skew)
        for start, (cleared, skew) in zip(combinations(kinds), more, strict=False)
    )


def test_single_blows_to_sensors() -> None:
    assert run(spread(sensors(), 3)).lives > 500


def test_single_blows_beside_a_sibling() -> None:
    starts = (replace(start, sibling=True) for start in combinations(["training", "search", "training_job"]))
    assert run(spread(starts, 33, crashes=False)).lives > 200


def test_single_blows_before_a_deadline() -> None:
    starts = (replace(start, timeout=9.0, lasts=90.0) for start in combinations(["training", "search", "training_job"]))
    assert run(spread(starts, 77, crashes=False)).lives > 200


def test_single_blows_where_a_refusal_is_none_and_lists_lag() -> None:
    start = History("quota_task", waits="in place", weather="list lags, create code 3")
    assert run(singles(start)).lives > 150


def test_a_job_without_its_marker_where_clocks_differ() -> None:
    starts = (
        replace(start, weather="descriptions are cut to nothing") for start in combinations(["training", "search"])
    )
    run(replace(start, skew=skew, skews_first=True) for start in starts for skew in (-3600.0, 3600.0))


@pytest.mark.parametrize("skew", [-3600.0, 3600.0])
def test_a_deadline_where_clocks_differ_and_reads_lag(skew: float) -> None:
    start = History("training", weather="reads and lists lag", timeout=9.0, lasts=90.0, skew=skew)
    run(replace(start, remembers=remembers) for remembers in (True, False))


@pytest.mark.parametrize("kind", ["training", "dataset_version", "training_job"])
def test_a_sensor_does_not_believe_a_list_twice(kind: str) -> None:
    history = History(kind, waits="deferred, in lists", sensor=True, weather="lists are ahead", lasts=90.0)
    (life,) = Run(history).to_the_end().lives
    assert (life.state, len(life.processes)) == ("success", 5)


def test_several_processes_come_to_the_same_as_one() -> None:
    one, three = tallied(map(drawn, range(40))), shared(map(drawn, range(40)), 3)
    assert (three.lives, three.blows, three.steps, three.kinds) == (40, one.blows, one.steps, one.kinds)


def test_some_drawn_lives() -> None:
    run(map(drawn, range(300)))


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_each_defect_can_be_put_in(mutant: Mutant) -> None:
    """Whether all of them are found takes minutes: ``make simulate-mutants``."""
    owner, name = mutant.where
    real = getattr(owner, name)
    with mutant.alive():
        assert getattr(owner, name) is not real
    assert getattr(owner, name) is real


@pytest.mark.parametrize(
    "mutant", [mutant for mutant in MUTANTS if mutant.name in QUICKLY_FOUND], ids=lambda mutant: mutant.name
)
def test_some_defects_are_found_quickly(mutant: Mutant) -> None:
    assert found(mutant).first is not None
