"""Which histories there are: every single blow at every step, every pair, and as many as one likes from a seed."""

from __future__ import annotations

import gc
import logging
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any, Final, NamedTuple

from .aihub import UNTIL_RUN
from .histories import (
    ALL_KINDS,
    ALL_SENSED,
    KINDS,
    OF_MODELARTS,
    RESCHEDULED,
    SENSED,
    SENSOR_BLOWS,
    TRIGGER_BLOWS,
    WAYS,
    WEATHERS,
    WORKER_BLOWS,
    Blow,
    History,
)
from .lives import Life
from .runs import Run, judge
from .server import ALONE

LOGGER: Final = logging.getLogger("airflow_provider_aihub")
BLOWS: Final = tuple(dict.fromkeys((*WORKER_BLOWS, *TRIGGER_BLOWS)))
SHORT: Final = 3.0
"""Seconds that jobs run where there are two blows."""


@contextmanager
def many() -> Iterator[None]:
    """Run many histories: what has been imported is not looked at by each collection of garbage."""
    level = LOGGER.level
    LOGGER.setLevel(logging.CRITICAL)
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        LOGGER.setLevel(level)


def weathers(platform: str) -> tuple[str, ...]:
    """Return the names of the weathers that a platform may have."""
    return (*WEATHERS, *OF_MODELARTS) if platform == "ModelArts" else tuple(WEATHERS)


def combinations(kinds: Iterable[str] = ALL_KINDS) -> Iterator[History]:
    """Every kind of job on both dialects in all ways of waiting, with a task state store and without."""
    for kind in kinds:
        usual, *others = History(kind).dialects
        for dialect, waits in [*product([usual], WAYS), *product(others, ("deferred", "in place"))]:
            for remembers in (True, False):
                yield History(kind, dialect, waits, remembers)


def sensors(kinds: Iterable[str] = ALL_SENSED) -> Iterator[History]:
    """Sensors for every kind of job on both dialects in all ways of waiting."""
    for kind in kinds:
        for dialect, waits in product(History(kind).dialects, (*WAYS, RESCHEDULED)):
            yield History(kind, dialect, waits, sensor=True)


def singles(history: History, life: Life | None = None) -> Iterator[History]:
    """Every single blow at every step of a history, but those that come to the same as an earlier one.

    :param life: The history's life, where it has been simulated.
    """
    for blow, same in blows(history, life):
        if blow is same:
            yield struck(history, blow)


def blows(history: History, life: Life | None = None) -> Iterator[tuple[Blow, Blow | None]]:
    """Every single blow at every step, and the first that comes to the same: itself, or none where nothing happens."""
    life = life or Run(history).to_the_end().lives[0]
    last: dict[str, tuple[Blow, tuple[Any, ...]]] = {}
    for (at, after), point in life.seen.items():
        for what in SENSOR_BLOWS if history.sensor else TRIGGER_BLOWS if point.of_trigger else WORKER_BLOWS:
            blow, around = Blow(at, what, after), point.around(what)
            if what == "lose" and not point.has_record:
                yield blow, None
                continue
            # A sibling is at another step of its own by then.
            if around is None or history.sibling or what not in last or last[what][1] != around:
                last[what] = blow, around or ()
            yield blow, last[what][0]


def struck(history: History, blow: Blow) -> History:
    """Return a history with one more blow."""
    return replace(history, blows=(*history.blows, blow))


class Repeats(NamedTuple):
    """From step ``at`` on a life repeats an earlier one from its step ``earlier_at`` on; only the seconds differ."""

    at: int
    earlier: History
    earlier_at: int


def firsts(history: History) -> Iterator[tuple[History, Life, Repeats | None]]:
    """Every single blow with its life, and where that begins to repeat an earlier one; ``None`` if it never does.

    Jobs are short: another look at one that still runs is no other place for a blow.
    """
    # An evaluation cannot be stopped before it has a run.
    history = replace(history, lasts=SHORT + (UNTIL_RUN if history.kind == "model_eval" else 0.0))
    known: dict[tuple[Any, ...], tuple[History, int]] = {}
    for first in singles(history):
        life, repeats = Run(first).to_the_end().lives[0], None
        for at, tail in life.tails(first.blows[0]):
            if tail in known:
                repeats = Repeats(at, *known[tail])
                break
            known[tail] = first, at
        yield first, life, repeats


def pairs(history: History) -> Iterator[History]:
    """Every pair of blows, the second one later than the first.

    Where the life after the first blow repeats an earlier one, no second blow is tried: it was tried there.
    """
    for first, life, repeats in firsts(history):
        earlier = first.blows[0]
        for second in singles(first, life):
            later = second.blows[1]
            if repeats and later.at > repeats.at:
                break
            if (later.at, later.after) > (earlier.at, earlier.after) and not later.what == earlier.what == "swap":
                yield second


def drawn(seed: int, platform: str | None = None, kinds: Iterable[str] | None = None) -> History:
    """Return the history of a seed.

    :param platform: The platform whose job it is. Default: it is drawn as well, as is the kind.
    :param kinds: Which kinds of job it may be of.
    """
    dice = random.Random(seed)
    platforms = [platform] if platform else list(KINDS)
    created, sensed = (
        [kind for name in platforms for kind in some[name] if kinds is None or kind in kinds]
        for some in (KINDS, SENSED)
    )
    sensor = bool(sensed) and (dice.random() < 0.1 or not created)
    kind = dice.choice(sensed if sensor else created)
    platform, dialects = History(kind).platform, History(kind).dialects
    blows = {}
    for _ in range(dice.choice((0, 1, 1, 2, 2, 3))):
        blow = Blow(dice.randint(1, 40), dice.choice(SENSOR_BLOWS if sensor else BLOWS), dice.random() < 0.5)
        blows[blow.at, blow.after] = blow
    timeout = dice.choice((None, None, None, 9.0, 40.0))
    return History(
        kind=kind,
        dialect=dice.choice((dialects[0], *dialects)),
        waits=dice.choice((*WAYS, RESCHEDULED) if sensor else WAYS),
        sensor=sensor,
        remembers=dice.random() < 0.7,
        weather=dice.choice(weathers(platform)),
        blows=tuple(blows.values()),
        retries=dice.choice((0, 1, 2, 3)),
        lasts=dice.choice((3.0, 6.0, 6.0, 12.0, 90.0)),
        # AIHub shows no deployment to have failed.
        ends_well=dice.random() < 0.8 or kind == "deployment",
        timeout=timeout,
        cleared=dice.choice(((), (), (), (0,), (1,), (3,), (2, 1))),
        skew=dice.choice((0.0, 0.0, 70.0, -70.0, 3600.0)),
        skews_first=dice.random() < 0.5,
        # The two share a clock, so that what one does can take what is left of the other's time.
        sibling=not sensor and kind not in ALONE and timeout is None and dice.random() < 0.15,
        seed=seed,
    )


@dataclass
class Tally:
    """What many histories came to."""

    lives: int = 0
    blows: int = 0
    steps: int = 0
    wrong: Counter[str] = field(default_factory=Counter)
    excused: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    """How many lives of each kind of job there were."""
    bad: list[tuple[History, list[str]]] = field(default_factory=list)
    """Those that ended badly, and what was wrong."""
    seconds: float = 0.0
    """Of CPU."""

    def run(self, history: History) -> None:
        """Run one, and judge it."""
        ended = Run(history).to_the_end()
        wrong, excused = judge(history, ended)
        self.lives += 1
        self.kinds[f"{history.platform}, {'a sensor for a ' if history.sensor else ''}{history.kind}"] += 1
        self.blows += len(history.blows)
        self.steps += ended.points
        self.wrong.update(found.partition(":")[0] for found in wrong)
        self.excused.update(excused)
        if wrong:
            self.bad.append((history, wrong))

    def add(self, other: Tally) -> None:
        """Add what others came to."""
        self.lives += other.lives
        self.blows += other.blows
        self.steps += other.steps
        self.seconds += other.seconds
        self.bad += other.bad
        for own, more in ((self.wrong, other.wrong), (self.excused, other.excused), (self.kinds, other.kinds)):
            own.update(more)

    @property
    def first(self) -> tuple[History, list[str]] | None:
        """The first that ended badly."""
        return self.bad[0] if self.bad else None

    def __str__(self) -> str:
        told = ", ".join(f"{count} {what}" for what, count in self.wrong.items()) or "nothing wrong"
        return f"{self.lives} lives, {self.blows} blows, {self.steps} steps: {told}"


def shrunk(history: History, is_wrong: Callable[[History], bool]) -> History:
    """Return a history as bad as this one from which nothing can be left out."""
    smaller = True
    while smaller:
        smaller = False
        for candidate in _smaller(history):
            if is_wrong(candidate):
                history, smaller = candidate, True
                break
    return history


def _smaller(history: History) -> Iterator[History]:
    for left_out in range(len(history.blows)):
        yield replace(history, blows=history.blows[:left_out] + history.blows[left_out + 1 :])
    plain = {"weather": "fair", "cleared": (), "skew": 0.0, "skews_first": False, "sibling": False}
    plain |= {"lasts": 6.0, "timeout": None, "ends_well": True, "retries": 2, "seed": 0}
    for name, value in plain.items():
        if getattr(history, name) != value:
            yield replace(history, **{name: value})


def is_wrong(history: History) -> bool:
    """Whether a history ends badly."""
    return bool(judge(history, Run(history).to_the_end())[0])
