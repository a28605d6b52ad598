"""The table of what was tested where: how it is counted, and how it is put into the README."""

from __future__ import annotations

import importlib.util
import sys
from datetime import date
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def matrix(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("matrix", ROOT / ".ci" / "matrix.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "matrix", module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def report(tmp_path: Path) -> Path:
    suites = '<testsuite tests="9" failures="1" errors="1" skipped="2"/><testsuite tests="1"/>'
    tmp_path.joinpath("report.xml").write_text(f"<testsuites>{suites}</testsuites>")
    return tmp_path / "report.xml"


def test_a_report_is_counted(matrix: ModuleType, report: Path) -> None:
    assert matrix.counted(report, 1) == (6, 2, 2)


@pytest.mark.parametrize(("exit_code", "failed"), [(0, 0), (2, 1)])
def test_a_run_that_ends_badly_is_one_that_failed(
    matrix: ModuleType, tmp_path: Path, exit_code: int, failed: int
) -> None:
    assert matrix.counted(tmp_path / "none.xml", exit_code) == (0, failed, 0)


def test_rows_take_the_place_of_their_cells_older_ones(matrix: ModuleType, tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    old = [
        "| 2.11.1 | 3.11 | 10 | 0 | 3 | 8 | 2026-01-01 |\n",
        "| 3.3.0 | 3.13 | 11 | 0 | 0 | 9 | 2026-01-01 |\n",
        "| 3.3.0 | 3.9 | 12 | 0 | 0 | 9 | 2026-01-01 |\n",
    ]
    readme.write_text(f"Before.\n<!-- tested -->\n{matrix.HEAD}{''.join(old)}<!-- /tested -->\nAfter.\n")
    rows = [
        matrix.Row(matrix.Cell("3.0", "3.11"), passed=7, failed=1, skipped=2, minutes=6.4),
        matrix.Row(matrix.Cell("2.11", "3.11"), passed=20, failed=0, skipped=0, minutes=7.6),
    ]

    matrix.put_into(readme, rows)

    newer, older = rows
    assert readme.read_text() == (
        f"Before.\n<!-- tested -->\n{matrix.HEAD}"
        f"| {older.cell.exact_airflow} | 3.11 | 20 | 0 | 0 | 8 | {date.today()} |\n"
        f"| {newer.cell.exact_airflow} | 3.11 | 7 | 1 | 2 | 6 | {date.today()} |\n"
        f"{old[2]}{old[1]}<!-- /tested -->\nAfter.\n"
    )


def test_a_readme_without_a_place_for_the_table_is_not_written(matrix: ModuleType, tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("Nothing here.\n")
    with pytest.raises(SystemExit, match="no place for the table"):
        matrix.put_into(readme, [])
    assert readme.read_text() == "Nothing here.\n"
