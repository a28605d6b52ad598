"""Simulate lives of jobs: ``singles``, ``pairs``, ``seeds COUNT`` or ``all``, among processes; ``seed N`` tells one."""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace

from .airflow import LOG
from .explore import Tally, combinations, drawn, is_wrong, many, pairs, sensors, shrunk, singles, weathers
from .histories import KINDS, SENSED, History
from .runs import Run, judge
from .server import ALONE

DRAWN = "drawn"


def main() -> int:
    """Run them; 1 where anything is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("what", choices=("all", "singles", "pairs", "seeds", "seed"))
    parser.add_argument("number", nargs="?", type=int, default=10_000)
    parser.add_argument("--part", default="1/1", help="of how many parts which one, as in 2/4")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many processes")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--platform", choices=tuple(KINDS), help="jobs of this platform alone")
    kinds = "jobs of these kinds alone, as in training,search"
    parser.add_argument("--kinds", type=lambda names: names.split(","), help=kinds)
    options = parser.parse_args()
    if options.what == "seed":
        return tell(drawn(options.number, options.platform, options.kinds))
    with many():
        return run(options)


def run(options: argparse.Namespace) -> int:
    """Run many."""
    part, parts = map(int, options.part.split("/"))
    bad, whole = 0, Tally()
    for name, some in _histories(options):
        tally = shared(itertools.islice(some, part - 1, None, parts), options.jobs)
        print(f"{name}: {tally} ({tally.lives / (tally.seconds or 1.0):.0f} lives a second of CPU)", flush=True)
        whole.add(tally)
        if tally.first:
            bad += 1
            shortest = shrunk(tally.first[0], is_wrong)
            print(f"  the first, shrunk: {shortest}: {judge(shortest, Run(shortest).to_the_end())[0]}")
            if name == DRAWN:
                print("  told by: make simulate SIM_SEED=", " or ".join(str(one.seed) for one, _ in tally.bad), sep="")
    print(f"in all: {whole}")
    for kind, count in whole.kinds.items():
        print(f"{count} of {whole.lives} lives: {kind}")
    for excuse, count in whole.excused.most_common():
        print(f"{count} of {whole.lives} lives: {excuse}")
    return int(bad > 0)


def shared(some: Iterator[History], jobs: int) -> Tally:
    """Run histories in several processes, each of which takes its turn of them."""
    if jobs == 1:
        return tallied(some)
    # What is forked needs no pickling, and has imported everything.
    context, whole, coming = multiprocessing.get_context("fork"), Tally(), []
    for number in range(jobs):
        here, there = context.Pipe(duplex=False)
        mine = itertools.islice(some, number, None, jobs)
        process = context.Process(target=lambda to=there, mine=mine: to.send(tallied(mine)), daemon=True)
        process.start()
        there.close()
        coming.append(here)
    for here in coming:
        whole.add(here.recv())
    return whole


def tallied(some: Iterator[History]) -> Tally:
    """Run histories one after the other."""
    tally, began = Tally(), time.process_time()
    for history in some:
        tally.run(history)
    tally.seconds = time.process_time() - began
    return tally


def _histories(options: argparse.Namespace) -> Iterator[tuple[str, Iterable[History]]]:
    """Give histories, by what they are called."""
    platforms = [options.platform] if options.platform else list(KINDS)
    if options.what in ("seeds", "all"):
        seeds = range(options.first, options.first + options.number)
        yield DRAWN, (drawn(seed, options.platform, options.kinds) for seed in seeds)
    for platform in platforms:
        kinds, sensed = (
            [kind for kind in some[platform] if not options.kinds or kind in options.kinds] for some in (KINDS, SENSED)
        )
        starts = list(combinations(kinds))
        if options.what in ("pairs", "all"):
            for start in starts:
                yield f"two blows, {start}", pairs(start)
        if options.what in ("singles", "all"):
            for weather in weathers(platform):
                yield f"one blow, {platform}, {weather}", _each([replace(start, weather=weather) for start in starts])
            yield f"one blow, {platform}, sensors", _each(sensors(sensed))
            yield (
                f"one blow, {platform}, siblings",
                _each(replace(start, sibling=True) for start in starts if start.kind not in ALONE),
            )
            timed = [replace(start, timeout=9.0, lasts=90.0) for start in starts]
            yield f"one blow, {platform}, a deadline", _each(timed)


def _each(starts: Iterable[History]) -> Iterator[History]:
    return itertools.chain.from_iterable(map(singles, starts))


def tell(history: History) -> int:
    """Tell one history."""
    LOG.kept = True
    ended = Run(history).to_the_end()
    wrong, excused = judge(history, ended)
    print(
        history,
        *LOG.lines,
        *(f"{life.state}: {life.error or life.result}" for life in ended.lives),
        *wrong,
        *excused,
        sep="\n  ",
    )
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
