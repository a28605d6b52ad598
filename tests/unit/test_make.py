"""What ``make test`` and ``make test-system`` run: together every test, and none twice."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_each_test_is_run_by_one_of_the_two() -> None:
    options = tomllib.loads(ROOT.joinpath("pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    (recipe,) = re.findall(r"^test-system:.*\n\t(.+)$", ROOT.joinpath("Makefile").read_text(), re.MULTILINE)
    left_out = set(files(*re.findall(r"--ignore=(\S+)", recipe)))
    runs = [*files(*options["testpaths"]), *set(files(*re.findall(r" (tests/\S+)", recipe))) - left_out]
    assert sorted(runs) == sorted(ROOT.glob("tests/**/test_*.py"))


def files(*paths: str) -> list[Path]:
    """Return the test modules in folders, or that are named."""
    return [
        file
        for path in paths
        for file in ([ROOT / path] if path.endswith(".py") else ROOT.glob(f"{path}/**/test_*.py"))
    ]
