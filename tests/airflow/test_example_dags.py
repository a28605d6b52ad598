"""Every example DAG runs against emulated platforms: waiting in the triggerer as it is written, and in place.

There is an AIHub of both APIs, and beside each a ModelArts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path

import pytest
from dag_runs import Round, Run, run_dags

from airflow_provider_aihub.emulators.modelarts import Emulator as ModelArts
from demo.local_aihub import LocalAIHub

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "example_dags"
WATCHER = "example_dataset_watcher"
"""It is about what Airflow 2 does not have."""
FILES = sorted(file for file in EXAMPLES.glob("*.py") if file.stem != WATCHER or version("apache-airflow")[0] != "2")

BASES = {
    *("JobOperator", "ClusterJobOperator", "CallOperator", "StopOperator", "JobSensor"),
    *("ModelArtsJobOperator", "ModelArtsCallOperator", "ModelArtsJobSensor", "_NotebookOperator"),
}

JOBS = ("WarehouseSearchOperator", "TrainingOperator", "QuotaTaskOperator")
"""Operators whose examples leave a job of the name ``example``; DAGs about stopping and saving use other names."""


WAYS = [("platform", "as written"), ("document", "in place")]
"""Which API AIHub has, and how the waiting is done. Much of the time nothing happens, so both are run at once."""
FLAGSHIP = "digits_end_to_end"
"""A real Airflow runs it against AIHub's newer API: ``tests/system/test_flagship.py``."""
VERSION = EXAMPLES / "example_create_dataset.py"
REMOVING = [file for file in FILES if "_teardown(" in file.read_text()]
"""DAGs whose last task removes files."""
UNSTOPPABLE = "example_stop_workflow_run"
"""It is about what the document's API does not have."""
NEWER = {
    "digits_end_to_end": "register_model",
    "example_deployment": "upload",
    "example_model": "upload",
    "example_model_evaluation": "upload",
    "example_workflow_template": "run_template",
    "example_label_project": "wait",
    "example_artifact": "upload",
    "example_quota_sensor": "wait",
}
"""So are these, by the task that says so; those behind it do not run."""


class Runs:
    """Rounds of DAGs against an AIHub and a ModelArts of their own.

    There is a round of all; at the document's AIHub one before and one after.
    """

    def __init__(self, folder: Path, api: str, waiting: str) -> None:
        self.aihub = LocalAIHub(folder / "aihub", api)
        self.modelarts = ModelArts(folder / "modelarts")
        self.in_place = waiting == "in place"
        self.folder = folder
        self.ended: Future[dict[str, dict[str, Run]]]
        """For each round the runs by DAG, once they have ended."""

    def run(self) -> dict[str, dict[str, Run]]:
        labels = self.modelarts.obs / "examples" / "labels"
        labels.mkdir(parents=True)
        (labels / "0001.txt").write_text("7\n")
        both = {"connection": self.aihub.connection, "modelarts": self.modelarts.connection_json()}
        files = [file for file in FILES if self.aihub.api == "document" or file.stem != FLAGSHIP]
        rounds = {"all": Round(**both, files=files, in_place=self.in_place)}
        if self.aihub.api == "document":
            known = json.loads(self.aihub.connection)
            extra = json.loads(known["extra"]) if isinstance(known["extra"], str) else known["extra"]
            no_upload = {**known, "extra": {**extra, "s3_relay_token": "wrong"}}
            modelarts = json.loads(both["modelarts"])
            no_login = [json.dumps({**right, "password": "wrong"}) for right in (no_upload, modelarts)]
            rounds = {
                "no upload": Round(json.dumps(no_upload), [VERSION]),
                **rounds,
                "no login": Round(no_login[0], REMOVING, modelarts=no_login[1]),
            }
        return dict(zip(rounds, run_dags(self.folder, EXAMPLES, *rounds.values()), strict=True))


@pytest.fixture(scope="module")
def under_way(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Runs]]:
    """The runs by AIHub's API."""
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(len(WAYS)))
        ways = {api: Runs(tmp_path_factory.mktemp("runs"), api, waiting) for api, waiting in WAYS}
        for runs in ways.values():
            stack.enter_context(runs.aihub)
            stack.enter_context(runs.modelarts)
            runs.ended = pool.submit(runs.run)
        yield ways


CASES = [(api, file) for api, _ in WAYS for file in FILES if api == "document" or file.stem != FLAGSHIP]


@pytest.mark.parametrize(("api", "file"), CASES, ids=lambda value: getattr(value, "stem", value))
def test_every_task_succeeds(under_way: dict[str, Runs], api: str, file: Path) -> None:
    run, tasks = under_way[api].ended.result()["all"][file.stem]
    if file.stem == UNSTOPPABLE and api == "document":
        # On a busy machine the workflow run may have ended before anybody wants to stop it.
        assert (run, tasks["stop"]) in (("failed", "failed"), ("success", "success"))
        assert {state for task, state in tasks.items() if task != "stop"} == {"success"}, tasks
    elif file.stem in NEWER and api == "document":
        ended = {state: {task for task, found in tasks.items() if found == state} for state in tasks.values()}
        assert (run, ended.pop("failed")) == ("failed", {NEWER[file.stem]})
        assert set(ended) <= {"success", "upstream_failed", "skipped"}
    else:
        assert (run, set(tasks.values())) == ("success", {"success"}), tasks


def test_a_dag_of_which_a_task_fails_is_red(under_way: dict[str, Runs]) -> None:
    """Also where its last task is one that removes files whatever happens."""
    ended = under_way["document"].ended.result()["no login"]
    assert {dag: run.state for dag, run in ended.items()} == {file.stem: "failed" for file in REMOVING}
    removed = [state for run in ended.values() for task, state in run.tasks.items() if task.startswith("remove_")]
    assert removed == ["success"] * 11


def test_a_run_after_one_that_made_a_dataset_and_no_version(under_way: dict[str, Runs]) -> None:
    """By the document's API a dataset is known by its versions alone."""
    ended = under_way["document"].ended.result()
    for round_, state in (("no upload", "failed"), ("all", "success")):
        run, tasks = ended[round_][VERSION.stem]
        assert (run, tasks["create_dataset"], tasks["make_version"]) == (state, "success", state), tasks


@pytest.mark.parametrize("folder", ["operators", "sensors"])
def test_each_operator_and_sensor_has_an_example(folder: str) -> None:
    code = "\n".join(file.read_text() for file in FILES)
    for module in (ROOT / "airflow_provider_aihub" / folder).glob("*.py"):
        for name in re.findall(r"^class (\w+(?:Operator|Sensor))\(", module.read_text(), re.MULTILINE):
            if name not in BASES:
                assert f"{name}(" in code, name


@pytest.mark.parametrize("operator", JOBS)
def test_each_dag_leaves_one_successful_job(under_way: dict[str, Runs], operator: str) -> None:
    runs = under_way["platform"]
    runs.ended.result()
    jobs = [job for job in runs.aihub.jobs(operator) if job["name"] == "example"]
    assert [job["status"] for job in jobs] == [3]
