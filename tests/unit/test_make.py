"""What ``make`` runs, and what it says on a machine that lacks something."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_each_test_is_run_by_one_of_the_two() -> None:
    options = tomllib.loads(ROOT.joinpath("pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    # What follows holds with an executor of one's choice.
    given = re.findall(r"^SYSTEM_TESTS :=(.+)$", ROOT.joinpath("Makefile").read_text(), re.MULTILINE)[0]
    left_out = set(files(*re.findall(r"--ignore=(\S+)", given)))
    runs = [*files(*options["testpaths"]), *set(files(*re.findall(r" (tests/\S+)", given))) - left_out]
    assert sorted(runs) == sorted(ROOT.glob("tests/**/test_*.py"))


def files(*paths: str) -> list[Path]:
    """Return the test modules in folders, or that are named."""
    return [
        file
        for path in paths
        for file in ([ROOT / path] if path.endswith(".py") else ROOT.glob(f"{path}/**/test_*.py"))
    ]


TOOLS = ("awk", "cp", "df", "du", "grep", "mkdir", "sh", "sleep", "touch")
PYTHON = """#!/bin/sh
case "$*" in
*version_info*) echo {version} ;;
"-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
*) echo "what pip says" >&2; exit 1 ;;
esac
"""
"""A Python that can tell its version and make an environment, and has no network."""


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A folder with what make reads, and in ``bin`` the programs that every machine has."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "constraints", tmp_path / "constraints")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in TOOLS:
        found = shutil.which(name)
        assert found, name
        programs.joinpath(name).symlink_to(found)
    return tmp_path


def program(folder: Path, name: str, code: str) -> None:
    path = folder / "bin" / name
    path.unlink(missing_ok=True)
    path.write_text(code)
    path.chmod(0o755)


def made(folder: Path, *arguments: str) -> str:
    """Run ``make venv`` where it cannot succeed, and return what it says."""
    make = shutil.which("make")
    assert make
    inherited = {name: value for name, value in os.environ.items() if name not in ("PYTHON", "AIRFLOW", "MAKEFLAGS")}
    env = {**inherited, "PATH": str(folder / "bin")}
    command = [make, "--no-print-directory", "venv", *arguments]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    return done.stdout + done.stderr


def test_without_a_python_it_says_so(bare: Path) -> None:
    assert "Python 3.11, 3.12 or 3.13 is needed" in made(bare)
    program(bare, "python3", PYTHON.format(version="3.10"))
    assert "Airflow 3.3 is not tested with Python 3.10. Set PYTHON or AIRFLOW." in made(bare)


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_whatever_python_there_is_will_do(bare: Path, version: str) -> None:
    program(bare, "python3", PYTHON.format(version="3.9"))
    program(bare, f"python{version}", PYTHON.format(version=version))
    said = made(bare)
    assert f"Setting up .venv-airflow-3.3-python-{version}, once" in said
    assert "what pip says" in said
    assert "Check that the package index can be reached" in said


def test_an_airflow_that_does_not_know_this_python(bare: Path) -> None:
    program(bare, "python3", PYTHON.format(version="3.13"))
    assert "Airflow 2.11 is not tested with Python 3.13" in made(bare, "AIRFLOW=2.11")


def test_a_full_disk(bare: Path) -> None:
    program(bare, "python3", PYTHON.format(version="3.12"))
    program(bare, "df", "#!/bin/sh\necho head\necho disk 9 9 73 9 /\n")
    assert "The disk has 73 MiB free, and .venv-airflow-3.3-python-3.12 needs 2000; make room for it." in made(bare)
    assert not list(bare.glob(".venv*"))
