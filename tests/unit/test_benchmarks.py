"""The benchmarks can be run, and their report says what they said last."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import BOUNDS, REPORT, sections, written

ROOT = Path(__file__).parents[2]


@pytest.mark.airflow(">=3.3", lacks="the process that benchmarks measure")
def test_every_benchmark_at_a_hundredth_of_its_size() -> None:
    command = [sys.executable, "-m", "benchmarks", "--quick"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert sections(done.stdout).keys() == sections(REPORT.read_text()).keys() - {"# What it costs", BOUNDS}


def test_what_is_measured_takes_the_place_of_what_was() -> None:
    before = f"# What it costs\n\nHead.\n\n## One\n\n1\n\n## Two\n\n2\n\n{BOUNDS}\n\nWords.\n"
    parts = ["## One\n\n11", "## Three\n\n3"]
    assert list(sections(written(before, parts, whole=False)).values()) == [
        "# What it costs\n\nHead.",
        "## One\n\n11",
        "## Two\n\n2",
        "## Three\n\n3",
        f"{BOUNDS}\n\nWords.",
    ]
    assert written(before, ["# What it costs\n\nNew.", *parts], whole=True) == (
        f"# What it costs\n\nNew.\n\n## One\n\n11\n\n## Three\n\n3\n\n{BOUNDS}\n\nWords.\n"
    )
