"""The demo: a real Airflow drives a machine-learning job through AIHub, or ModelArts too, on this machine alone."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

from demo.local_aihub import LocalAIHub
from demo.local_modelarts import LocalModelArts
from demo.local_platform import LocalPlatform
from demo.real_airflow import AirflowError, RealAirflow

DAG_IDS = {"aihub": "digits_end_to_end", "modelarts": "example_two_platforms"}
"""What is shown of each platform."""
DAGS = Path(__file__).resolve().parent.parent / "example_dags"


def say(text: str = "") -> None:
    """Print a line at once."""
    print(text, flush=True)  # noqa: T201


class Interrupted(Exception):
    """Somebody wants the demo to end: Ctrl-C, a signal, a closed terminal."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


class Progress:
    """Prints a line whenever a task, or the job behind it, has changed."""

    def __init__(self, airflow: RealAirflow, platforms: Sequence[LocalPlatform], dag_id: str, run_id: str) -> None:
        self.airflow, self.platforms, self.dag_id, self.run_id = airflow, platforms, dag_id, run_id
        self._started = time.monotonic()
        self._shown: dict[str, tuple[str, str]] = {}
        self._jobs: dict[tuple[str, int], Any] = {}

    def show(self, task: dict[str, Any]) -> None:
        """Print how a task is, if that is news."""
        name, state = task["task_id"], task["state"]
        if state in (None, "scheduled", "queued"):
            return
        now = (state, self._job(task))
        if self._shown.get(name) != now:
            self._shown[name] = now
            say(f"{time.monotonic() - self._started:6.1f} s  {name:<18} {state:<12} {now[1]}".rstrip())

    def _job(self, task: dict[str, Any]) -> str:
        """Return what its platform says about the job behind a task, empty as long as there is none."""
        name, operator = task["task_id"], task["operator_name"]
        attempt = (name, task["try_number"])
        if attempt not in self._jobs:
            job_id = self.airflow.xcom(self.dag_id, self.run_id, name, "job_id")
            if job_id is None:
                return ""
            self._jobs[attempt] = job_id
        for platform in self.platforms:
            if found := platform.job_status(operator, self._jobs[attempt]):
                return f"{platform.name}: {' '.join(found)}"
        return ""


def follow(airflow: RealAirflow, platforms: Sequence[LocalPlatform], dag_id: str, run_id: str) -> bool:
    """Show a run until it has ended, then its results; tell whether every task succeeded."""
    progress = Progress(airflow, platforms, dag_id, run_id)
    tasks: list[dict[str, Any]] = []
    for tasks in airflow.watch(dag_id, run_id):
        for task in sorted(tasks, key=lambda task: task["start_date"] or "~"):
            progress.show(task)
    unhappy = [task for task in tasks if task["state"] != "success"]
    for task in unhappy:
        if task["state"] == "failed":
            log = airflow.log(dag_id, run_id, task["task_id"], task["try_number"])
            say(f"\n{task['task_id']} failed; the end of its log:\n{log.tail()}")
    if unhappy:
        say("\nNot every task succeeded: " + ", ".join(f"{task['task_id']} {task['state']}" for task in unhappy))
        return False

    def result(task_id: str) -> Any:
        return airflow.xcom(dag_id, run_id, task_id)

    search, version, training = map(result, ("find_images", "make_version", "train"))
    waited = [task["task_id"] for task in tasks if airflow.log(dag_id, run_id, task["task_id"]).deferred]
    say("\nEvery task succeeded.")
    say(f"  accuracy on held-out images  {result('check_accuracy'):.4f}")
    say(f"  images found by search {search['id']:<6}{search['result_count']}")
    say(f"  dataset version              {version['dataset_version']} (id {version['id']})")
    if prediction := result("predict"):
        say(f"  training, quota task         {training['id']}, {prediction['id']}")
    else:
        say(f"  training job                 {training['name']} (id {training['id']})")
    say(f"  evaluation                   {result('import_evaluation')['id']}")
    if service := result("deploy"):
        say(f"  model, report                {result('register_model')['id']}, {result('report_accuracy')['id']}")
        say(f"  deployed, online at          {service['endpoint_url']}")
        say(f"  which names right            {result('ask_service'):.1%} of a hundred images")
    say(f"  waited in the triggerer      {', '.join(waited)}")
    return True


def run(platform: str, keep: bool) -> bool:
    """Start everything, run the DAG, and end everything again.

    :param platform: Key of :data:`DAG_IDS`.
    :param keep: Leave Airflow and the emulators up until Ctrl-C.
    """
    dag_id = DAG_IDS[platform]
    with TemporaryDirectory(prefix="aihub-demo-") as folder, ExitStack() as stack:
        home = Path(folder)
        platforms: list[LocalPlatform] = [LocalAIHub(home / "emulator")]
        if platform == "modelarts":
            platforms.append(LocalModelArts(home / "modelarts"))
        env = {}
        for one in platforms:
            say(f"Starting the {one.name} emulator ...")
            stack.enter_context(one)
            say(f"  {one.url}")
            env[f"AIRFLOW_CONN_{one.name.upper()}_DEFAULT"] = one.connection
        say("Starting Airflow (API server, scheduler, DAG processor, triggerer) ...")
        airflow = stack.enter_context(RealAirflow(home / "airflow", DAGS, env))
        say(f"  {airflow.url}\nRunning the DAG {dag_id} ...")
        run_id = airflow.trigger(dag_id)
        succeeded = follow(airflow, platforms, dag_id, run_id)
        say("\nWhere to look:" if keep else "\nWhere it ran (make demo KEEP=1 leaves it up for a look):")
        say(f"  Airflow, no login needed     {airflow.url}/dags/{dag_id}/runs/{run_id}")
        for one in platforms:
            say(f"  {one.name + ' emulator':<29}{one.url}")
        say(f"  files of all                 {home}")
        if keep:
            say("\nAll stay up until Ctrl-C.")
            with suppress(Interrupted):
                signal.pause()
        return succeeded


def main() -> None:
    """Run the demo; the exit code is 0 only if every task succeeded."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave Airflow and the emulators up until Ctrl-C")
    parser.add_argument(
        "--platform", choices=DAG_IDS, default="aihub", help="modelarts for the DAG over both platforms; %(default)s"
    )
    options = parser.parse_args()
    if version("apache-airflow").startswith("2."):
        parser.error("it needs Airflow 3; make demo without AIRFLOW takes the newest")

    def leave(signum: int, _: object) -> NoReturn:
        # Once is enough: what was started is being ended from here on.
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, signal.SIG_IGN)
        say("\nEnding what was started ...")
        raise Interrupted(signum)

    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, leave)
    try:
        sys.exit(0 if run(options.platform, options.keep) else 1)
    except Interrupted as interrupted:
        sys.exit(128 + interrupted.signum)
    except (AirflowError, RuntimeError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
