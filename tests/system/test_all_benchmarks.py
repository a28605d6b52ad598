"""The benchmarks can be run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.__main__ import BOUNDS, REPORT, sections

ROOT = Path(__file__).parents[2]


def test_every_benchmark_at_a_hundredth_of_its_size() -> None:
    command = [sys.executable, "-m", "benchmarks", "--quick"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert sections(done.stdout).keys() == sections(REPORT.read_text()).keys() - {"# What it costs", BOUNDS}
