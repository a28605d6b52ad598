"""Every piece of Python in the documentation runs, against emulated platforms."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from blocks import BLOCKS, ROOT, Block, read_blocks
from dag_runs import Round, run_dags
from waiting import HANG

from airflow_provider_aihub.emulators.aihub import Emulator

pytestmark = pytest.mark.airflow(">=3.3", lacks="what the pages show")

PYTHON = [block for block in BLOCKS if block.language == "python"]
DAGS = [block for block in PYTHON if block.is_dag]
TESTS = [block for block in PYTHON if block.is_test]
SCRIPTS = [block for block in PYTHON if block not in DAGS and block not in TESTS]

WRONG_DAG = """
from airflow.sdk import DAG

from airflow_provider_aihub.operators.training import TrainingOperator

with DAG("wrong", schedule=None):
    TrainingOperator(
        task_id="train", name="wrong", command="exit 3", image="a/b:1", virtual_cluster="vc-cpu", project="research"
    )
"""


def write(block: Block, folder: Path) -> Path:
    """Save a block under the name that it says, in a folder of its page's own."""
    place = folder / block.page.stem / (block.file or f"line_{block.line}.py")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(block.code)
    return place


@pytest.fixture(scope="session")
def states(
    aihub: Emulator, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, str]]:
    """States of the tasks, by DAG, after all DAGs of the pages and a wrong one were run."""
    folder, home = tmp_path_factory.mktemp("dags"), tmp_path_factory.mktemp("airflow")
    files = [write(block, folder) for block in DAGS]
    wrong = folder / "wrong.py"
    wrong.write_text(WRONG_DAG)
    # The script that polls by hand looks once a minute; its first look shall find the search done.
    aihub.faults.add("delay", method="GET", path="/data-warehouse/api/v1/searches/*", seconds=0.5)
    connections = [environment[f"AIRFLOW_CONN_{platform}_DEFAULT"] for platform in ("AIHUB", "MODELARTS")]
    round_ = Round(connections[0], [*files, wrong], modelarts=connections[1])
    (ended,) = run_dags(home, folder, round_, env=environment)
    aihub.faults.clear()
    return {dag: run.tasks for dag, run in ended.items()}


@pytest.mark.parametrize("block", DAGS, ids=str)
def test_every_task_of_a_dag_succeeds(block: Block, states: dict[str, dict[str, str]]) -> None:
    assert block.file, "the first line says which file a DAG is to be saved as"
    (found,) = (ran for dag_id, ran in states.items() if dag_id == Path(block.file).stem)
    assert set(found.values()) == {"success"}, found


def test_a_dag_that_fails_is_seen_to_fail(states: dict[str, dict[str, str]]) -> None:
    assert states["wrong"] == {"train": "failed"}


def test_no_two_dags_have_the_same_name() -> None:
    assert len({block.file for block in DAGS}) == len(DAGS) > 3


def run_script(block: Block) -> None:
    exec(compile(block.code, str(block), "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize("block", SCRIPTS, ids=str)
def test_a_script_runs(block: Block, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert "Operator(" not in block.code, "an operator is shown within a DAG, so that it is run"
    run_script(block)


def test_a_script_that_is_wrong_fails() -> None:
    with pytest.raises(ImportError):
        run_script(Block(ROOT / "wrong.md", 1, "python", "from airflow_provider_aihub import no_such_thing\n"))


@pytest.mark.parametrize("page", sorted({block.page for block in TESTS}), ids=lambda page: page.stem)
def test_the_tests_of_a_page_pass(page: Path, tmp_path: Path) -> None:
    shown = [block for block in TESTS + DAGS if block.page == page]
    wrong = "def test_wrong(aihub):\n    assert aihub.requests.count() == 12\n"
    outcome = run_tests(page.stem, [*shown, replace(shown[0], code=f"# tests/test_wrong.py\n{wrong}")], tmp_path)
    # All pass but the one that must not.
    passed = sum(len(re.findall(r"^def test_", block.code, re.MULTILINE)) for block in shown)
    assert re.search(rf"^=* ?1 failed, {passed} passed in ", outcome.stdout, re.MULTILINE), outcome.stdout
    assert re.search(r"^FAILED tests/test_wrong\.py::test_wrong", outcome.stdout, re.MULTILINE)
    assert outcome.returncode == 1
    assert passed > 3


def run_tests(name: str, blocks: list[Block], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run pytest on what a page shows, with the commands that it shows, as in a project of the reader's own."""
    for block in blocks:
        assert block.file, f"{block}: the first line says which file a test is to be saved as"
        write(block, folder)
    (commands,) = (block.code for block in BLOCKS if block.language == "sh" and "-m pytest" in block.code)
    env = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW_", "PYTEST_"))}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    shell = ["bash", "-euo", "pipefail", "-c", commands]
    return subprocess.run(shell, env=env, cwd=folder / name, capture_output=True, text=True, timeout=HANG, check=False)


def test_python_is_never_exempt() -> None:
    assert [str(block) for block in PYTHON if block.not_run] == []


def test_blocks_are_told_from_what_surrounds_them(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "```{note}\n```\n:::{container}\n\n<!-- not run: why -->\n```sh\nls\n```\n:::\ntext\n````python\n```\n````\n"
    )
    shell, python = read_blocks(page)
    assert (shell.language, shell.code, shell.not_run, shell.line) == ("sh", "ls\n", "why", 7)
    assert (python.language, python.code, python.not_run) == ("python", "```\n", None)
    page.write_text("```python\n1\n")
    with pytest.raises(ValueError, match="never closed"):
        list(read_blocks(page))
