"""Every single blow at every step of every kind of job, with AIHub well; and some of what may be wrong besides."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import cycle, islice, product

import pytest

from .explore import Tally, combinations, drawn, many, sensors, singles, weathers
from .histories import ALL_WEATHERS, KINDS, NEWER, History
from .mutants import MUTANTS, Mutant, found

QUICKLY_FOUND = {
    "a create call that lost its answer is sent again",
    "only the first page of a list is read",
    "polls follow one another at once",
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


def spread(starts: Iterable[History], step: int) -> Iterator[History]:
    """Give every ``step``-th single blow to each of some histories, another one to each, before a step or after it."""
    for number, start in enumerate(starts):
        yield from islice(singles(start, (number % 4 < 2,)), number % step, None, step)


@pytest.mark.parametrize("kind", [kind for kind in KINDS["AIHub"] if kind not in NEWER])
def test_every_single_blow_at_every_step(kind: str) -> None:
    assert run(spread(combinations([kind]), 3)).lives > 500


@pytest.mark.parametrize("kind", ["training_job", "workflow_execution"])
def test_single_blows_on_modelarts(kind: str) -> None:
    assert run(spread(combinations([kind]), 6)).lives > 300


@pytest.mark.parametrize("kind", ["template_run", "model_eval", "deployment", "saved_image", "started_notebook"])
def test_single_blows_to_what_came_later(kind: str) -> None:
    assert run(spread(combinations([kind]), 12)).lives > 80


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
    assert (
        run(
            spread((replace(start, sibling=True) for start in combinations(["training", "search", "training_job"])), 20)
        ).lives
        > 200
    )


def test_single_blows_before_a_deadline() -> None:
    starts = (replace(start, timeout=9.0, lasts=90.0) for start in combinations(["training", "search", "training_job"]))
    assert run(spread(starts, 60)).lives > 200


def test_single_blows_where_a_refusal_is_none_and_lists_lag() -> None:
    start = History("quota_task", waits="in place", weather="list lags, create code 3")
    assert run(singles(start, (True,))).lives > 100


@pytest.mark.parametrize("skew", [-3600.0, 3600.0])
def test_a_deadline_where_clocks_differ_and_reads_lag(skew: float) -> None:
    start = History("training", weather="reads and lists lag", timeout=9.0, lasts=90.0, skew=skew)
    run(replace(start, remembers=remembers) for remembers in (True, False))


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
