"""The simulation's Airflow does what a real one does: the same histories are played in both."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any

import psutil
import pytest
from cluster import REMEMBERS, TRIGGERERS, Cluster, Task
from scene import BOTH, HELD, RUNNING, STOPPED, Scene
from simulation.histories import Blow, History
from simulation.lives import Life
from simulation.runs import Run
from waiting import until

FOREVER = 10.0**6
FEWER = "cleared after its end with fewer retries"
ANEW = "made anew after its end"
AFTER_ITS_END = ("cleared after its end", FEWER, ANEW)
ENDS = "the job ends"
HANDED_OVER = "its triggerer is killed"
BLOWS = {
    "killed": "kill",
    "told to end": "term",
    "time is up": "timeout",
    "marked failed": "mark",
    "cleared": "clear",
    HANDED_OVER: "kill",
}
"""What the simulation calls them."""


@dataclass(frozen=True)
class Story:
    """What happens to one task, whose jobs go on until they are let end.

    :param deeds: In order. Most are done as soon as the task waits for a job that runs, those of
        :data:`AFTER_ITS_END` when the run has ended. A run that is made anew has been deleted before.
    """

    dag_id: str
    deeds: tuple[str, ...]
    ends_well: bool = True

    @property
    def task_id(self) -> str:
        """The one task of its DAG."""
        return BOTH[self.dag_id != "noted_deferred"]


STORIES = {
    "success in place": Story("noted_in_place", (ENDS,)),
    "jobs fail in place": Story("noted_in_place", (ENDS, ENDS), ends_well=False),
    "jobs fail deferred": Story("noted_deferred", (ENDS, ENDS), ends_well=False),
    "killed": Story("noted_in_place", ("killed", ENDS)),
    "killed on each try": Story("noted_in_place", ("killed", "killed")),
    "told to end": Story("noted_in_place", ("told to end", ENDS)),
    "time is up": Story("noted_time_limit", ("time is up", "time is up")),
    "marked in place": Story("noted_in_place", ("marked failed", "cleared after its end", ENDS)),
    "marked deferred": Story("noted_deferred", ("marked failed", "cleared after its end", ENDS)),
    "cleared in place": Story("noted_in_place", ("cleared", ENDS)),
    "cleared deferred": Story("noted_deferred", ("cleared", ENDS)),
    "cleared after success": Story("noted_in_place", (ENDS, "cleared after its end", "killed", ENDS)),
    "fewer retries": Story("noted_fewer_retries", (ENDS, FEWER, "killed")),
    "made anew": Story("noted_deferred", (ENDS, ANEW, ENDS)),
}


@dataclass
class Came:
    """What came of a story.

    :param notes: What Airflow told the task's code at its begins, resumptions and kills.
    :param states: Of the tries, in order.
    :param jobs: Statuses, in the order in which they were created.
    """

    notes: list[dict[str, Any]]
    states: list[str]
    jobs: list[int]

    def __post_init__(self) -> None:
        # When a run began is of no concern, but whether it began again.
        begins = list(dict.fromkeys(note["run_began"] for note in self.notes if "run_began" in note))
        for note in self.notes:
            if "run_began" in note:
                note["run_began"] = begins.index(note["run_began"])


class Simulated(Life):
    """A story in the simulation's Airflow."""

    def __init__(self, story: Story) -> None:
        cleared = [deed for deed in story.deeds if deed in AFTER_ITS_END]
        history = History(
            "training",
            waits="deferred" if story.task_id == "deferred" else "in place",
            remembers=REMEMBERS,
            retries=1,
            lasts=FOREVER,
            ends_well=story.ends_well,
            cleared=tuple(0 if deed == FEWER else 1 for deed in cleared),
        )
        self.whole = Run(history)
        super().__init__(history, self.whole.world, self.whole.dice, self.whole.servers, map_index=-1)
        self.whole.lives = [self]
        self.deeds = [deed for deed in story.deeds if deed not in AFTER_ITS_END]
        self.made_anew = [deed == ANEW for deed in cleared]
        self.notes: list[dict[str, Any]] = []
        self.states: list[str] = []
        self.begun = False

    def came(self) -> Came:
        self.whole.to_the_end()
        assert (self.deeds, self.made_anew) == ([], []), "not all was done"
        return Came(self.notes, self.states, [job.status(self.world.now) for job in self.servers[0].jobs])

    def _try(self) -> Generator[None, None, tuple[str, Any]]:
        self.begun = False
        came = yield from super()._try()
        # Of a try that does not end well, Airflow keeps no more than that.
        self.states.append("success" if came[0] == "success" else "failed")
        return came

    def _work(self, worker: Any, running: Iterator[Any]) -> Generator[None, None, tuple[str, Any]]:
        kill, task_try = worker.kill, worker.life.task_try

        def noted_kill(**given: Any) -> None:
            self.notes.append(
                {"event": "is killed", "try": task_try.tries.try_number, "holds a job": task_try.job is not None}
            )
            kill(**given)

        worker.kill = noted_kill
        entry = json.loads((self.task.store or {}).get("entry", "null"))
        self.notes.append(
            {
                "event": "resumes" if self.begun else "begins",
                "try": worker.ti.try_number,
                "max_tries": worker.ti.max_tries,
                "retries": worker.context["task"].retries,
                "record": entry["state"] if entry else None,
                "xcoms": [key for key in worker.ti.xcoms if not key.startswith("_")],
                "run_began": worker.context["dag_run"].start_date.timestamp(),
            }
        )
        self.begun = True
        return (yield from super()._work(worker, running))

    def _clear(self, retries: int | None) -> None:
        if retries is not None and self.made_anew.pop(0):
            self._make_anew()
        else:
            super()._clear(retries)

    def _blow(self, after: bool) -> Blow | None:
        jobs = self.servers[0].jobs
        if after or not self.deeds or not jobs or jobs[-1].status(self.world.now) != RUNNING:
            return None
        deed = self.deeds.pop(0)
        if deed != ENDS:
            return Blow(self.points, BLOWS[deed])
        jobs[-1].lasts = self.world.now - jobs[-1].created_at
        return None


class Played:
    """A story in a real Airflow."""

    def __init__(self, scene: Scene, story: Story) -> None:
        self.scene = scene
        self.airflow = scene.airflow
        self.story = story
        self.file = scene.home / "notes.jsonl"
        self.begun = 0
        self.states: list[str] = []

    def came(self) -> Came:
        self._play()
        for deed in self.story.deeds:
            if deed in AFTER_ITS_END:
                state = self.scene.end()[self.story.task_id]
                until("the run has ended", self._run_state, state.__eq__, every=0.2)
            else:
                until("another try has begun", self._begins, lambda begins: begins > self.begun, every=0.2)
                self.scene.running(self.story.task_id)
            self.begun = self._begins() if deed != HANDED_OVER else 0
            self._do(deed)
        self._keep_states(self.scene.end()[self.story.task_id])
        return Came(self._notes(), self.states, self._jobs())

    def _play(self) -> None:
        self.scene.play(self.story.dag_id, HELD if self.story.ends_well else f"{HELD}; exit 3", notes=str(self.file))

    def _do(self, deed: str) -> None:
        task, jobs = self.scene.task(self.story.task_id), len(self._jobs())
        here = (self.scene.dag_id, self.scene.run_id)
        if deed == ENDS:
            self.scene.finish()
        elif deed == HANDED_OVER:
            self._hand_over(task)
        elif deed == ANEW:
            self._make_anew(task)
        elif deed == "killed":
            self.airflow.kill_task(task)
        elif deed == "told to end":
            self.airflow.process(task).terminate()
        elif deed == "marked failed":
            self.airflow.mark(*here, task.task_id, "failed")
            self._is_stopped(jobs)
            # A worker that has stopped its job still has it forgotten.
            until("its worker has ended", lambda: task.state != "running" or not psutil.pid_exists(task.pid or 0))
        elif deed == "cleared":
            self.airflow.clear(*here, task.task_id)
            self._is_stopped(jobs)
        elif deed in AFTER_ITS_END:
            if deed == FEWER:
                self._grant_retries(0)
            self.airflow.clear(*here, task.task_id)
        else:
            assert deed == "time is up", deed

    def _is_stopped(self, number: int) -> None:
        until("the job is stopped", self._jobs, lambda jobs: jobs[number - 1] == STOPPED, every=0.2)

    def _hand_over(self, task: Task) -> None:
        names = {self.airflow.triggerer_id(name): name for name in TRIGGERERS}
        self.airflow.kill(names.pop(task.triggerer))
        # Another may just have been started, and is not known by its new id yet.
        until(
            "another one has it",
            lambda: self.scene.task(task.task_id).triggerer,
            lambda triggerer: triggerer not in (None, task.triggerer),
            every=0.2,
        )

    def _make_anew(self, task: Task) -> None:
        # Airflow takes late news of a worker's end for news of the new run.
        until("Airflow has heard of each worker's end", self._heard_of, self._workers().__eq__, every=0.2)
        self._keep_states(str(task.state))
        self.airflow.api("DELETE", f"/dags/{self.scene.dag_id}/dagRuns/{self.scene.run_id}")
        self._play()

    def _grant_retries(self, retries: int) -> None:
        """Change the DAG, as its author does."""
        (self.airflow.home / "logs" / "retries").write_text(str(retries))
        token = self.airflow.api("GET", f"/dags/{self.story.dag_id}")["file_token"]
        self.airflow.api("PUT", f"/parseDagFile/{token}")
        path = f"/dags/{self.story.dag_id}/tasks/{self.story.task_id}"
        until("the DAG is read again", lambda: self.airflow.api("GET", path)["retries"], lambda now: now == retries)

    def _keep_states(self, last: str | None) -> None:
        """Note the states of the tries so far."""
        sql = "SELECT state FROM task_instance_history WHERE run_id = %s ORDER BY try_number"
        self.states += [*(state for (state,) in self.airflow.rows(sql, self.scene.run_id)), str(last)]

    def _notes(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.file.read_text().splitlines()] if self.file.exists() else []

    def _begins(self) -> int:
        return sum(note["event"] == "begins" for note in self._notes())

    def _workers(self) -> int:
        return sum(note["event"] != "is killed" for note in self._notes())

    def _heard_of(self) -> int:
        lines = (self.airflow.home / "scheduler.out").read_text().splitlines()
        return sum("Received executor event with" in line and f"{self.scene.run_id!r}" in line for line in lines)

    def _run_state(self) -> str:
        return self.airflow.run_state(self.scene.dag_id, self.scene.run_id)

    def _jobs(self) -> list[int]:
        return self.scene.statuses(self.story.task_id)


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("airflow_provider_aihub"), "level", logging.CRITICAL)


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_both_airflows_do_the_same(scene: Scene, story: Story) -> None:
    played, simulated = Played(scene, story).came(), Simulated(story).came()
    if story in (STORIES["marked in place"], STORIES["told to end"]):
        # A worker that is ended may or may not live long enough to have its record forgotten.
        records = [came.notes[-1].pop("record") for came in (played, simulated)]
        assert {*records} <= {None, "submitted"}
    assert played == simulated


@pytest.mark.usefixtures("alone")
def test_both_hand_a_trigger_over(airflow: Cluster, new_scene: Callable[..., Scene]) -> None:
    story = Story("noted_deferred", (HANDED_OVER, ENDS))
    played = Played(new_scene("handed over"), story)
    try:
        assert played.came() == Simulated(story).came()
    finally:
        for gone in set(TRIGGERERS) - set(airflow.processes):
            airflow.start_component("triggerer", gone)
