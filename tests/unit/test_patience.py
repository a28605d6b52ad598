"""How tests wait: what they say when nothing comes, and that a busy machine is given more time."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
import waiting
from waiting import eventually, until


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses, which take no time but move the clock."""
    pauses: list[float] = []
    monkeypatch.setattr(waiting, "time", SimpleNamespace(sleep=pauses.append, monotonic=lambda: sum(pauses)))
    loaded(monkeypatch, 0.0)
    return pauses


def loaded(monkeypatch: pytest.MonkeyPatch, load: float) -> None:
    """Let the machine have two cores, and so many processes that want one."""
    monkeypatch.setattr(waiting, "os", SimpleNamespace(getloadavg=lambda: (load, 0.0, 0.0), cpu_count=lambda: 2))


def test_what_came_is_returned(passed: list[float]) -> None:
    numbers = count()
    assert until("three were counted", lambda: next(numbers), lambda number: number >= 3, every=2) == 3
    assert passed == [2, 2, 2]


def test_what_did_not_come_is_told_with_what_was_seen_last(passed: list[float]) -> None:
    numbers = count()
    with pytest.raises(AssertionError, match=r"^waited 12 s in vain until all were counted; last seen: 6"):
        until("all were counted", lambda: next(numbers), lambda _: False, patience=12, every=2)


@pytest.mark.parametrize(("load", "waited"), [(1.0, 12), (2.0, 12), (8.0, 48)])
def test_a_busy_machine_is_given_more_time(
    passed: list[float], monkeypatch: pytest.MonkeyPatch, load: float, waited: int
) -> None:
    loaded(monkeypatch, load)
    with pytest.raises(AssertionError, match=f"^waited {waited} s in vain"):
        until("it comes", lambda: None, patience=12, every=2)


async def test_an_event_loop_goes_on_meanwhile(passed: list[float]) -> None:
    async def pause(seconds: float) -> None:
        passed.append(seconds)

    look: Callable[[], Any] = lambda: passed  # noqa: E731
    assert await eventually("time has passed", look, lambda seen: len(seen) == 2, pause=pause) == [0.02, 0.02]
    with pytest.raises(AssertionError, match="until it comes; last seen: None"):
        await eventually("it comes", lambda: None, patience=1, pause=pause)
