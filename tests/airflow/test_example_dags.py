"""Every example DAG runs against the emulator of both APIs: waiting in the triggerer as it is written, and in place."""

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


WAYS = [("platform", "as written"), ("document", "in place")]
"""Which API AIHub has, and how the waiting is done. Much of the time nothing happens, so both are run at once."""
VERSION = ROOT / "example_dags" / "example_create_dataset.py"
UNSTOPPABLE = "example_stop_workflow_run"
"""It is about what the document's API does not have."""

States = dict[str, tuple[str, dict[str, str]]]
"""For each DAG the state of its run and of each task, once they have ended."""


def run_dags(folder: Path, connection: str, waiting: str, files: list[Path]) -> States:
    """Run all DAGs of some files, one after the other."""
    home = folder / "airflow"
    home.mkdir(exist_ok=True)
    result = folder / "states.json"
    env = {key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW_")}
    env |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "example_dags"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        # There is no scheduler for whose sake a trigger would hold its event back.
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "0",
        "AIRFLOW__AIHUB__POLL_FLOOR": "0.1",
        "AIRFLOW_CONN_AIHUB_DEFAULT": connection,
        "NO_PROXY": "127.0.0.1,localhost",
    }
    program = [sys.executable, str(ROOT / "tests" / "airflow" / "run_dags.py"), waiting, str(result), *map(str, files)]
    done = subprocess.run(program, env=env, cwd=ROOT, capture_output=True, text=True, timeout=HANG, check=False)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    runs = json.loads(result.with_name("runs.json").read_text())
    return {dag: (runs[dag], tasks) for dag, tasks in json.loads(result.read_text()).items()}


class Runs:
    """All DAGs, run against an AIHub of their own."""

    def __init__(self, folder: Path, api: str, waiting: str) -> None:
        self.aihub = LocalAIHub(folder / "aihub", api)
        self.waiting = waiting
        self.folder = folder
        self.states: Future[States]
        self.made_no_version: States = {}
        """Before, where AIHub has the document's API: a run that could upload nothing for its version."""

    def run(self) -> States:
        if self.aihub.api == "document":
            known = json.loads(self.aihub.connection)
            extra = json.loads(known["extra"]) if isinstance(known["extra"], str) else known["extra"]
            wrong = json.dumps({**known, "extra": {**extra, "s3_relay_token": "wrong"}})
            self.made_no_version = run_dags(self.folder, wrong, "as written", [VERSION])
        return run_dags(self.folder, self.aihub.connection, self.waiting, FILES)


@pytest.fixture(scope="module")
def under_way(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, str], Runs]]:
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(len(WAYS)))
        ways = {way: Runs(tmp_path_factory.mktemp("runs"), *way) for way in WAYS}
        for runs in ways.values():
            stack.enter_context(runs.aihub)
            runs.states = pool.submit(runs.run)
        yield ways


@pytest.fixture(scope="module", params=WAYS, ids="-".join)
def runs(request: pytest.FixtureRequest, under_way: dict[tuple[str, str], Runs]) -> Runs:
    return under_way[request.param]


@pytest.fixture(scope="module")
def states(runs: Runs) -> States:
    return runs.states.result()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_task_succeeds(file: Path, runs: Runs, states: States) -> None:
    run, tasks = states[file.stem]
    if file.stem == UNSTOPPABLE and runs.aihub.api == "document":
        # On a busy machine the workflow run may have ended before anybody wants to stop it.
        assert (run, tasks.pop("stop")) in (("failed", "failed"), ("success", "success"))
        assert set(tasks.values()) == {"success"}, tasks
    else:
        assert (run, set(tasks.values())) == ("success", {"success"}), tasks


def test_a_dag_of_which_a_task_fails_is_red(tmp_path: Path) -> None:
    """Also where its last task is one that removes files whatever happens."""
    nowhere = json.dumps({"conn_type": "aihub", "host": "http://127.0.0.1:9"})
    files = [file for file in FILES if "_teardown(" in file.read_text()]
    states = run_dags(tmp_path, nowhere, "as written", files)
    assert {dag: run for dag, (run, _) in states.items()} == {file.stem: "failed" for file in files}
    removed = [state for _, tasks in states.values() for task, state in tasks.items() if task.startswith("remove_")]
    assert removed == ["success"] * 5


def test_a_run_after_one_that_made_a_dataset_and_no_version(under_way: dict[tuple[str, str], Runs]) -> None:
    """By the document's API a dataset is known by its versions alone."""
    runs = under_way["document", "in place"]
    for states, state in ((runs.states.result(), "success"), (runs.made_no_version, "failed")):
        run, tasks = states[VERSION.stem]
        assert (run, tasks["create_dataset"], tasks["make_version"]) == (state, "success", state), tasks


@pytest.mark.parametrize("folder", ["operators", "sensors"])
def test_each_operator_and_sensor_has_an_example(folder: str) -> None:
    code = "\n".join(file.read_text() for file in FILES)
    for module in (ROOT / "airflow_provider_aihub" / folder).glob("*.py"):
        for name in re.findall(r"^class (\w+(?:Operator|Sensor))\(", module.read_text(), re.MULTILINE):
            if name not in BASES:
                assert f"{name}(" in code, name


@pytest.mark.parametrize("operator", JOBS)
def test_each_dag_leaves_one_successful_job(under_way: dict[tuple[str, str], Runs], operator: str) -> None:
    runs = under_way["platform", "as written"]
    runs.states.result()
    jobs = [job for job in runs.aihub.jobs(operator) if job["name"] in JOBS[operator]]
    assert sorted(job["name"] for job in jobs) == JOBS[operator]
    assert {job["status"] for job in jobs} == {3}
