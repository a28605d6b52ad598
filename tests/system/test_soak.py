"""Hundreds of jobs of all kinds while workers and triggerers die and AIHub and ModelArts misbehave, at random.

``SOAK_SECONDS`` says for how long, ``SOAK_OUTAGE`` for how many seconds besides, in the middle, both are down;
``SOAK_SEED`` takes the dice of an earlier run.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from celery_cluster import CeleryCluster
from cluster import TRIGGERERS, Cluster, Task
from scene import ENDED, Scene
from waiting import until

from airflow_provider_aihub.aihub.client import AIHubClient
from airflow_provider_aihub.aihub.config import Config
from airflow_provider_aihub.aihub.kinds import KINDS, Phase
from airflow_provider_aihub.emulators import modelarts
from airflow_provider_aihub.emulators.modelarts.settings import Step, Workflow
from airflow_provider_aihub.modelarts.kinds import TRAINING_JOB, WORKFLOW_EXECUTION
from airflow_provider_aihub.tasks.job_state import Marker
from demo.real_airflow import TaskLog

SECONDS = float(os.environ.get("SOAK_SECONDS", "45"))
OUTAGE = float(os.environ.get("SOAK_OUTAGE") or (600 if SECONDS >= 900 else 0))
SEED = int(os.environ.get("SOAK_SEED") or random.SystemRandom().randrange(10**6))
AT_WORK = 16
"""Tasks that are to be under way at a time."""
DATA = Path(__file__).parent / "data"
TABLES = {"training": "training", "search": "search", "dataset_version": "dataset_version", "run": "workflow_run"}
"""Kinds of job by the emulator's tables. Behind every quota task is a training; evaluations have no marker."""
ON_MODELARTS = ("training job", "execution")
"""Likewise, by the tables of ModelArts' emulator."""
WORKFLOWS = tuple(
    Workflow(id=name, name=name, steps=(Step(name="wait", command="sleep 2"), Step(name="end", command=f"exit {code}")))
    for name, code in (("succeeds", 0), ("fails", 3))
)
EVALUATIONS = "evaluation"
UNTOLD = "look there whether the evaluation exists"
"""What a task says of an import of which nobody can tell."""
READING: list[dict[str, Any]] = [
    {"kind": "status", "status": 503},
    {"kind": "status", "status": 429, "retry_after": 1},
    {"kind": "reset"},
    {"kind": "hang"},
    {"kind": "garbage"},
    {"kind": "truncate"},
    {"kind": "delay", "seconds": 3},
]
CREATING: list[dict[str, Any]] = [
    {"kind": "lost"},
    {"kind": "status", "status": 502},
    {"kind": "reset"},
    {"kind": "truncate"},
    {"kind": "delay", "seconds": 3},
]
TOKENS: list[dict[str, Any]] = [
    # A login carries no token.
    {"kind": "revoke", "method": "GET", "count": 1},
    {"kind": "expired_token", "method": "GET", "count": 1},
]
PARTS = {"triggerer": "triggerers", "worker": "Celery's workers", "scheduler": "schedulers"}
"""What parts of Airflow of which there are several are called in the table."""
READS = {"aihub": (("GET", "*"),), "modelarts": (("GET", "*"), ("POST", "*/training-job-searches"))}
"""What only asks for something, by platform: methods and paths."""
CREATES = {
    "aihub": ("*/trainings", "*/tasks", "*/searches", "*/dataset-versions", "*/runs", "*/import_result"),
    "modelarts": ("*/training-jobs", "*/executions"),
}
"""What creates something: paths."""


class Soak:
    """The jobs, and the misfortunes that befall them.

    :param scene: With an AIHub; the other one is with a ModelArts.
    """

    def __init__(self, airflow: Cluster, scene: Scene, other: Scene) -> None:
        self.airflow: Any = airflow
        self.scene = scene
        self.scenes = {"aihub": scene, "modelarts": other}
        self.dice = random.Random(SEED)
        self.runs: list[str] = []
        self.happened: Counter[str] = Counter()
        self.away: list[tuple[float, Callable[[], None]]] = []
        self.faults: list[Any] = []
        self.misfortunes: list[tuple[float, Callable[[list[Task]], None]]] = [
            (0.2, self.kill_a_worker),
            (0.04, self.hit_a_part),
            (0.25, self.misbehave),
        ]
        """What may befall them in each second, and how probable it is."""
        if isinstance(airflow, CeleryCluster):
            self.misfortunes += [(0.04, self.hit_a_part), (0.005, self.forget_what_is_queued)]

    def live(self, seconds: float, outage: float) -> None:
        """Let things happen for some time, in the middle of which both platforms are down."""
        if outage:
            self.go_on(seconds / 2)
            for scene in self.scenes.values():
                scene.go_down()
            self.go_on(outage)
            for scene in self.scenes.values():
                scene.come_up()
            seconds /= 2
        self.go_on(seconds)
        self.come_back(float("inf"))
        for scene in self.scenes.values():
            scene.aihub.faults.clear()

    def go_on(self, seconds: float) -> None:
        """Keep jobs under way and let things happen to them."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.come_back(time.monotonic())
            tasks = self.tasks()
            if sum(task.state not in ENDED for task in tasks) < AT_WORK:
                self.start_run()
            for chance, misfortune in self.misfortunes:
                if self.dice.random() < chance:
                    misfortune(tasks)
            time.sleep(1)

    def start_run(self) -> None:
        run_id = f"{self.scene.conn_id}_{len(self.runs)}"
        conf = {"conn": self.scene.conn_id, "modelarts": self.scenes["modelarts"].conn_id, "data": str(DATA)}
        self.runs.append(self.airflow.trigger("soak", conf=conf, run_id=run_id))

    def tasks(self) -> list[Task]:
        return [task for run_id in self.runs for task in self.airflow.tasks(run_id)]

    def kill_a_worker(self, tasks: list[Task]) -> None:
        at_work = [task for task in tasks if task.state == "running" and task.pid and psutil.pid_exists(task.pid)]
        if not at_work:
            return
        machine = self.dice.random() < 0.2
        try:
            self.airflow.kill_task(self.dice.choice(at_work), machine=machine)
        except (AssertionError, psutil.NoSuchProcess):
            # It was done in the meantime.
            return
        self.happened["workers killed, with their machine" if machine else "workers killed"] += 1

    def hit_a_part(self, tasks: list[Task]) -> None:
        """Kill, restart or freeze a part of Airflow of which there is another."""
        if self.away:
            return
        name, back = self.dice.choice(self.airflow.mortals), time.monotonic() + self.dice.uniform(1, 15)
        what = self.dice.choice(("killed", "restarted", "frozen") if name in TRIGGERERS else ("killed", "restarted"))
        if what == "frozen":
            self.airflow.freeze(name)
            self.away.append((back, lambda: self.airflow.freeze(name, thaw=True)))
        else:
            (self.airflow.kill if what == "killed" else self.airflow.end)(name)
            self.away.append((back, lambda: self.airflow.bring_back(name)))
        self.happened[f"{PARTS[name.partition('-')[0]]} {what}"] += 1

    def forget_what_is_queued(self, tasks: list[Task]) -> None:
        """Restart Celery's broker, which keeps nothing."""
        self.airflow.broker.stop()
        self.airflow.broker.start()
        self.happened["brokers restarted"] += 1

    def misbehave(self, tasks: list[Task]) -> None:
        what = self.dice.choice(("reading", "reading", "creating", "tokens"))
        whose = self.dice.choice(("aihub", "aihub", "modelarts"))
        faults = self.scenes[whose].aihub.faults
        # Never two refused tokens for one request: that is a login that is no good; and signatures need no token.
        refused = any(fault.kind in ("revoke", "expired_token") for fault in faults) or whose == "modelarts"
        if what == "tokens" and not refused:
            self.faults.append(faults.add(**self.dice.choice(TOKENS)))
        elif what == "reading":
            kind, count = self.dice.choice(READING), self.dice.randint(1, 20)
            for method, path in READS[whose]:
                self.faults.append(faults.add(**kind, method=method, path=path, probability=0.5, count=count))
        elif what == "creating":
            for path in CREATES[whose]:
                self.faults.append(faults.add(**self.dice.choice(CREATING), method="POST", path=path, count=1))
        for fault in list(faults):
            if fault.struck == fault.count:
                faults.remove(fault.id)

    def come_back(self, now: float) -> None:
        for away in [away for away in self.away if away[0] <= now]:
            self.away.remove(away)
            away[1]()

    def verdict(self) -> dict[str, list[str]]:
        """Compare what every task says with what AIHub and ModelArts have."""
        phases: dict[str, list[Phase]] = {}
        for description, phase in (*self.on_aihub(), *self.on_modelarts()):
            marker = next(iter(Marker.all_in(description)), None)
            assert marker is not None
            phases.setdefault(marker.task, []).append(phase)
        evaluations = Counter(row["model_name"] for row in self.scene.rows(EVALUATIONS))
        found: dict[str, list[str]] = {"duplicates": [], "orphans": [], "wrong results": []}
        for run_id in self.runs:
            for task in self.airflow.tasks(run_id):
                if task.task_id == EVALUATIONS:
                    self.judge_evaluation(run_id, task, evaluations[f"{run_id}-{task.map_index}"], found)
                    continue
                ti = SimpleNamespace(dag_id="soak", run_id=run_id, task_id=task.task_id, map_index=task.map_index)
                jobs = phases.pop(Marker.task_of(ti), [])
                said = f"{run_id} {task.task_id}[{task.map_index}] {task.state} after {task.try_number} tries: {jobs}"
                if any(not phase.terminal for phase in jobs):
                    found["orphans"].append(said)
                # A task whose worker dies before it could say that its job has failed tries again.
                if any(phase is not Phase.FAILED for phase in jobs[:-1]):
                    found["duplicates"].append(said)
                wanted = {"success": Phase.SUCCEEDED, "failed": Phase.FAILED}.get(str(task.state))
                if jobs[-1:] != [wanted]:
                    found["wrong results"].append(f"{said}, {self.log(run_id, task)[-12:]}")
        found["orphans"] += [f"nobody's: {jobs}" for jobs in phases.values()]
        return found

    def on_aihub(self) -> Iterator[tuple[str, Phase]]:
        """Give the descriptions of AIHub's jobs and how they stand, in the order in which they were created."""
        for table, kind in TABLES.items():
            for row in self.scene.rows(table):
                yield row["description"], KINDS[kind].phases[row["status"]]

    def on_modelarts(self) -> Iterator[tuple[str, Phase]]:
        """Give those of ModelArts' jobs."""
        rows = [row for table in ON_MODELARTS for row in self.scenes["modelarts"].rows(table)]
        for row in sorted(rows, key=lambda row: row["created"]):
            if "metadata" in row:
                yield row["metadata"]["description"], TRAINING_JOB.phases[row["phase"]]
            else:
                yield row["description"], WORKFLOW_EXECUTION.phases[row["status"]]

    def judge_evaluation(self, run_id: str, task: Task, count: int, found: dict[str, list[str]]) -> None:
        """An import that lost its answer cannot be looked up, so it may fail with a word on that."""
        said = f"{run_id} evaluation[{task.map_index}] {task.state} after {task.try_number} tries: {count} on AIHub"
        if count > 1:
            found["duplicates"].append(said)
        if task.state == "success":
            if count != 1:
                found["wrong results"].append(said)
        elif any(UNTOLD in line for line in self.log(run_id, task)):
            self.happened["evaluations that a person is told to look for"] += 1
        else:
            found["wrong results"].append(said)

    def log(self, run_id: str, task: Task) -> list[str]:
        path = f"/dags/soak/dagRuns/{run_id}/taskInstances/{task.task_id}/logs/{task.try_number}"
        log = TaskLog(self.airflow.api("GET", path, map_index=task.map_index)["content"])
        return log.tail().splitlines()


@pytest.mark.usefixtures("alone")
def test_nothing_is_doubled_or_lost_or_wrong(
    airflow: Cluster, new_scene: Callable[..., Scene], capsys: pytest.CaptureFixture[str]
) -> None:
    scene = new_scene(f"soak_{SEED}", data=DATA)
    with AIHubClient(client_config(scene)) as client:
        from airflow_provider_aihub.aihub.dataset_management import DatasetSpec

        client.create_dataset(DatasetSpec(name="soak"))
    arts = new_scene(f"soak_{SEED}_modelarts", emulator=modelarts.Emulator, workflows=WORKFLOWS)
    soak = Soak(airflow, scene, arts)
    soak.live(SECONDS, OUTAGE)
    until(
        "all tasks have ended",
        lambda: [task for task in soak.tasks() if task.state not in ENDED],
        lambda at_work: not at_work,
        patience=1800,
        every=2,
    )
    found = soak.verdict()
    tasks = soak.tasks()
    table = {
        "seed": SEED,
        "seconds of misfortune": round(SECONDS + OUTAGE),
        "seconds for which both are down": round(OUTAGE),
        "tasks": len(tasks),
        **{f"tasks that ended as {state}": n for state, n in Counter(str(task.state) for task in tasks).items()},
        "jobs on AIHub": sum(len(scene.rows(table)) for table in (*TABLES, EVALUATIONS)),
        "jobs on ModelArts": sum(len(arts.rows(table)) for table in ON_MODELARTS),
        **dict(sorted(soak.happened.items())),
        "requests that they spoiled": sum(fault.struck for fault in soak.faults),
        **{what: len(cases) for what, cases in found.items()},
    }
    with capsys.disabled():
        print("\n" + "\n".join(f"{name:>36} | {value}" for name, value in table.items()))
    assert not any(found.values()), f"seed {SEED}: {found}"
    assert set(Counter(task.state for task in tasks)) == {"success", "failed"}


def client_config(scene: Scene) -> Config:
    known = scene.connection()
    known = {name: known.get(name) for name in ("host", "login", "password")}
    return Config.from_connection(**known, extra={}, environ={})
