"""Every single blow at every step of every kind of job, with AIHub well; and some of what may be wrong besides."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from .explore import Tally, combinations, drawn, singles
from .histories import KINDS, WEATHERS, History


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("airflow_provider_aihub"), "level", logging.CRITICAL)


def run(histories: list[History]) -> Tally:
    tally = Tally()
    for history in histories:
        tally.run(history)
    assert tally.first is None, f"{tally}; the first is {tally.first[0]}: {tally.first[1]}"
    return tally


@pytest.mark.parametrize("kind", KINDS)
def test_every_single_blow_at_every_step(kind: str) -> None:
    tally = run([history for start in combinations([kind]) for history in singles(start, (False,))])
    assert tally.lives > 500


@pytest.mark.parametrize("weather", WEATHERS)
def test_every_weather_for_every_kind(weather: str) -> None:
    starts = [replace(start, weather=weather) for start in combinations()]
    run([replace(start, cleared=cleared, skew=skew) for start in starts for cleared in ((), (1,)) for skew in (0, 70)])


def test_some_drawn_lives() -> None:
    run([drawn(seed) for seed in range(1000)])
