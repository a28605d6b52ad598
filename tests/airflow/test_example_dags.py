"""Every example DAG runs against the emulator, waiting in the triggerer as it is written and in place."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path

import pytest
from waiting import HANG

from demo.local_aihub import LocalAIHub

ROOT = Path(__file__).resolve().parents[2]
WATCHER = "example_dataset_watcher"
"""It is about what Airflow 2 does not have."""
FILES = sorted(
    file for file in ROOT.glob("example_dags/*.py") if file.stem != WATCHER or version("apache-airflow")[0] != "2"
)

BASES = {"JobOperator", "ClusterJobOperator", "CallOperator", "StopOperator", "JobSensor"}

JOBS = {
    "WarehouseSearchOperator": ["digits", "example"],
    "TrainingOperator": ["digits-train", "example"],
    "QuotaTaskOperator": ["digits-predict", "example"],
}
"""Names of the jobs that the DAGs leave on AIHub, by operator; DAGs about stopping and saving use other names."""


WAYS = ["as written", "in place"]
"""How the waiting is done. Much of the time nothing happens, so both are run at once."""


class Runs:
    """All DAGs, run one after the other against an AIHub of their own."""

    def __init__(self, folder: Path, waiting: str) -> None:
        self.aihub = LocalAIHub(folder / "aihub")
        self.waiting = waiting
        self.folder = folder
        self.states: Future[dict[str, dict[str, str]]]
        """For each DAG the state of each task, once they have ended."""

    def run(self) -> dict[str, dict[str, str]]:
        """Run them; give :attr:`states`."""
        home = self.folder / "airflow"
        home.mkdir()
        result = self.folder / "states.json"
        env = {key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW_")}
        env |= {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "example_dags"),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
            # There is no scheduler for whose sake a trigger would hold its event back.
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "0",
            "AIRFLOW__AIHUB__POLL_FLOOR": "0.1",
            "AIRFLOW_CONN_AIHUB_DEFAULT": self.aihub.connection,
            "NO_PROXY": "127.0.0.1,localhost",
        }
        program = [
            sys.executable,
            str(ROOT / "tests" / "airflow" / "run_dags.py"),
            self.waiting,
            str(result),
            *map(str, FILES),
        ]
        done = subprocess.run(program, env=env, cwd=ROOT, capture_output=True, text=True, timeout=HANG, check=False)
        assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
        return json.loads(result.read_text())


@pytest.fixture(scope="module")
def under_way(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Runs]]:
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(len(WAYS)))
        ways = {waiting: Runs(tmp_path_factory.mktemp("runs"), waiting) for waiting in WAYS}
        for runs in ways.values():
            stack.enter_context(runs.aihub)
            runs.states = pool.submit(runs.run)
        yield ways


@pytest.fixture(scope="module", params=WAYS)
def runs(request: pytest.FixtureRequest, under_way: dict[str, Runs]) -> Runs:
    return under_way[request.param]


@pytest.fixture(scope="module")
def states(runs: Runs) -> dict[str, dict[str, str]]:
    return runs.states.result()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_task_succeeds(file: Path, states: dict[str, dict[str, str]]) -> None:
    assert set(states[file.stem].values()) == {"success"}, states[file.stem]


@pytest.mark.parametrize("folder", ["operators", "sensors"])
def test_each_operator_and_sensor_has_an_example(folder: str) -> None:
    code = "\n".join(file.read_text() for file in FILES)
    for module in (ROOT / "airflow_provider_aihub" / folder).glob("*.py"):
        for name in re.findall(r"^class (\w+(?:Operator|Sensor))\(", module.read_text(), re.MULTILINE):
            if name not in BASES:
                assert f"{name}(" in code, name


@pytest.mark.parametrize("operator", JOBS)
@pytest.mark.usefixtures("states")
def test_each_dag_leaves_one_successful_job(runs: Runs, operator: str) -> None:
    jobs = [job for job in runs.aihub.jobs(operator) if job["name"] in JOBS[operator]]
    assert sorted(job["name"] for job in jobs) == JOBS[operator]
    assert {job["status"] for job in jobs} == {3}
