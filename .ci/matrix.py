#!/usr/bin/env python3
"""Run the tests on several Airflows and Pythons, one after the other, and print a table of what came of it.

A cell is an Airflow and a Python, such as ``2.11/3.12``; see ``constraints/``. Each runs ``make test``; those of the
newest Airflow also ``make test-system``, which is about that one alone, and it may skip no test.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
HEAD = "| Airflow | Python | passed | failed | skipped | minutes | on |\n|---|---|--:|--:|--:|--:|---|\n"
TABLE = re.compile(r"(?<=<!-- tested -->\n).*?(?=<!-- /tested -->)", re.DOTALL)


@dataclass(frozen=True)
class Cell:
    """An Airflow and a Python, each by its first two numbers."""

    airflow: str
    python: str

    @property
    def exact_airflow(self) -> str:
        constraints = ROOT / "constraints" / f"airflow-{self.airflow}-python-{self.python}.txt"
        found = re.search(r"^apache-airflow==(\S+)", constraints.read_text(), re.MULTILINE)
        if found is None:
            raise SystemExit(f"{constraints.name} does not name the version of Airflow; run make constraints.")
        return found[1]

    def interpreter(self) -> str:
        """Return a Python that runs: from PATH, or of pyenv, whose programs in PATH are of one version at a time."""
        name = f"python{self.python}"
        if _output(name, "-c", "") is not None:
            return name
        of_pyenv = _output("pyenv", "prefix", self.python)
        if of_pyenv:
            return f"{of_pyenv}/bin/{name}"
        raise SystemExit(f"There is no {name} on this machine, which the cell {self.airflow}/{self.python} needs.")

    @property
    def is_newest(self) -> bool:
        """Whether it is of the newest Airflow, which has all that the tests are about."""
        airflows = (path.name.split("-")[1] for path in (ROOT / "constraints").glob("airflow-*.txt"))
        return self.airflow == max(airflows, key=lambda airflow: [int(number) for number in airflow.split(".")])

    def run(self, reports: Path, arguments: str) -> Row:
        """Run the tests; the output goes where ours goes."""
        began = time.monotonic()
        make = ["make", "--no-print-directory", f"AIRFLOW={self.airflow}", f"PYTHON={self.interpreter()}"]
        passed = failed = skipped = 0
        for part in ("test", "test-system") if self.is_newest else ("test",):
            report = reports / f"{self.airflow}-{self.python}-{part}.xml"
            done = subprocess.run([*make, part, f"ARGS=-q --junit-xml={report} {arguments}"], cwd=ROOT, check=False)
            counts = counted(report, done.returncode)
            passed, failed, skipped = passed + counts[0], failed + counts[1], skipped + counts[2]
        return Row(self, passed, failed, skipped, (time.monotonic() - began) / 60)


def _output(*command: str) -> str | None:
    """Return what a program writes; None if it is not there or fails."""
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def counted(report: Path, exit_code: int) -> tuple[int, int, int]:
    """Return how many tests of a JUnit report passed, failed and were skipped.

    A run that ends badly without a test that does, such as one that cannot begin, counts as one that failed.
    """
    suites = list(ElementTree.parse(report).iter("testsuite")) if report.exists() else []
    tests, failures, errors, skipped = (
        sum(int(suite.get(name, 0)) for suite in suites) for name in ("tests", "failures", "errors", "skipped")
    )
    bad = failures + errors
    return max(tests - bad - skipped, 0), bad or int(exit_code != 0), skipped


@dataclass(frozen=True)
class Row:
    """What came of a cell."""

    cell: Cell
    passed: int
    failed: int
    skipped: int
    minutes: float

    def __str__(self) -> str:
        counts = f"{self.passed} | {self.failed} | {self.skipped} | {self.minutes:.0f}"
        return f"| {self.cell.exact_airflow} | {self.cell.python} | {counts} | {date.today()} |\n"


def put_into(readme: Path, rows: list[Row]) -> None:
    """Put the rows into the README's table, each in the place of the one that its cell had there."""
    text = readme.read_text()
    known = TABLE.search(text)
    if known is None:
        raise SystemExit(f"{readme.name} has no place for the table, between <!-- tested --> and <!-- /tested -->.")
    lines = {place(line): line for line in known[0].splitlines(keepends=True)[2:]}
    lines.update({place(str(row)): str(row) for row in rows})
    readme.write_text(TABLE.sub(lambda _: HEAD + "".join(lines[at] for at in sorted(lines)), text))


def place(line: str) -> tuple[int, ...]:
    """Return the numbers by which a row is sorted: those of the Airflow without its patch, and of the Python."""
    airflow, python = line.split("|")[1:3]
    return (*map(int, airflow.split(".")[:2]), *map(int, python.split(".")))


def main() -> None:
    """Run the cells; the exit code is 0 only if no test failed and the newest Airflow skipped none."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cells", nargs="+", metavar="AIRFLOW/PYTHON")
    parser.add_argument("--readme", type=Path, help="put the table into this file, too")
    parser.add_argument("--args", default="", help="more arguments for pytest")
    options = parser.parse_args()
    cells = [Cell(*cell.split("/")) for cell in options.cells]
    with tempfile.TemporaryDirectory() as reports:
        rows = []
        for cell in cells:
            print(f"\nAirflow {cell.exact_airflow}, Python {cell.python}", flush=True)
            rows.append(cell.run(Path(reports), options.args))
    print("\n" + HEAD + "".join(map(str, rows)), end="")
    if options.readme:
        put_into(options.readme, rows)
    sys.exit(any(row.failed or (row.skipped and row.cell.is_newest) for row in rows))


if __name__ == "__main__":
    main()
