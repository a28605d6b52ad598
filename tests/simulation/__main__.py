"""Simulate lives of jobs: ``singles``, ``pairs``, ``seeds COUNT``; ``seed N`` for one that is told step by step."""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Iterable
from dataclasses import replace

from .airflow import LOG
from .explore import Tally, combinations, drawn, is_wrong, many, pairs, sensors, shrunk, singles
from .histories import WEATHERS, History
from .runs import Run, judge


def main() -> int:
    """Run them; 1 where anything is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("what", choices=("singles", "pairs", "seeds", "seed"))
    parser.add_argument("number", nargs="?", type=int, default=10_000)
    parser.add_argument("--part", default="1/1", help="of how many parts which one, as in 2/4")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    options = parser.parse_args()
    if options.what == "seed":
        return tell(drawn(options.number))
    with many():
        return run(options)


def run(options: argparse.Namespace) -> int:
    """Run many."""
    part, parts = map(int, options.part.split("/"))
    histories: dict[str, Iterable[History]] = {}
    if options.what == "seeds":
        histories["drawn"] = map(drawn, range(options.first, options.first + options.number))
    for weather in WEATHERS if options.what == "singles" else ():
        of_weather = [replace(start, weather=weather) for start in combinations()]
        histories[f"one blow, {weather}"] = itertools.chain.from_iterable(map(singles, of_weather))
    if options.what == "singles":
        histories["one blow, sensors"] = itertools.chain.from_iterable(map(singles, sensors()))
        beside = [replace(start, sibling=True) for start in combinations()]
        histories["one blow, siblings"] = itertools.chain.from_iterable(map(singles, beside))
        timed = [replace(start, timeout=9.0, lasts=90.0) for start in combinations()]
        histories["one blow, a deadline"] = itertools.chain.from_iterable(map(singles, timed))
    for start in combinations() if options.what == "pairs" else ():
        histories[f"two blows, {start}"] = pairs(start)
    bad = 0
    whole = Tally()
    for name, some in histories.items():
        tally, began = Tally(), time.process_time()
        for history in itertools.islice(some, part - 1, None, parts):
            tally.run(history)
        print(f"{name}: {tally} ({tally.lives / (time.process_time() - began):.0f} lives a second of CPU)", flush=True)
        whole.excused.update(tally.excused)
        whole.lives += tally.lives
        if tally.first:
            bad += 1
            shortest = shrunk(tally.first[0], is_wrong)
            print(f"  the first, shrunk: {shortest}: {judge(shortest, Run(shortest).to_the_end())[0]}")
            if options.what == "seeds":
                print(f"  told by: make simulate SIM_SEED={tally.first[0].seed}")
    for excuse, count in whole.excused.most_common():
        print(f"{count} of {whole.lives} lives: {excuse}")
    return int(bad > 0)


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
