"""A triggerer that holds very many deferred tasks at once.

``MANY_TASKS`` says how many, for a machine that has the time to start so many workers.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from cluster import TRIGGERERS, Cluster, Task, until
from scene import ENDED, SUCCEEDED, TRAININGS, Scene

from airflow_provider_aihub.client.waiting import POLL_FLOOR
from airflow_provider_aihub.emulator.settings import Cluster as VirtualCluster
from airflow_provider_aihub.triggers.pages import PAGE_SIZE

pytestmark = pytest.mark.usefixtures("alone")
TASKS = int(os.environ.get("MANY_TASKS", "40"))
WORKING_HOURS = 10 * 3600
"""For so many seconds each job runs, by AIHub's clock."""
PATIENCE = 60 + 3 * TASKS
"""Seconds; it is the workers that take their time."""
AT_ONCE = 10
"""So many jobs end in a second."""
WATCHED = 30
"""Seconds for which all are watched."""


@pytest.fixture
def only_triggerer(airflow: Cluster) -> Iterator[str]:
    """The triggerer that has to do it all."""
    airflow.end(TRIGGERERS[1])
    yield TRIGGERERS[0]
    airflow.start_component("triggerer", TRIGGERERS[1])


def test_many_tasks_that_wait_at_once(
    airflow: Cluster, only_triggerer: str, new_scene: Callable[..., Scene], capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = VirtualCluster(id=1, name="vc", capacity=TASKS, cpu=1, memory=1)
    scene = new_scene("many", clusters=[cluster])
    requests = scene.aihub.requests
    scene.play("many", seconds=WORKING_HOURS, count=TASKS)

    def waiting() -> bool:
        tasks = trainings(scene)
        return len(tasks) == TASKS and all(task.state == "deferred" and task.triggerer for task in tasks)

    until(waiting, f"{TASKS} tasks are deferred", PATIENCE, 2)
    # The first look at a job asks for its pods as well.
    until(lambda: requests.count("GET", "*/pods") >= TASKS, f"{TASKS} jobs are followed", PATIENCE, 2)
    complaints = blocked(airflow, only_triggerer)
    requests.clear()
    time.sleep(WATCHED)
    asked = Counter(entry.path.removeprefix(TRAININGS).count("/") for entry in requests.entries)
    pages, singles = asked[0], asked[1]
    complaints = blocked(airflow, only_triggerer) - complaints

    others = blocked(airflow, only_triggerer)
    scene.aihub.clock.advance(WORKING_HOURS)
    for _ in range(0, TASKS, AT_ONCE):
        scene.aihub.clock.advance(AT_ONCE)
        time.sleep(1)
    began = time.monotonic()
    until(lambda: all(task.state != "deferred" for task in trainings(scene)), "all triggers have fired", PATIENCE)
    fired = time.monotonic() - began
    others = blocked(airflow, only_triggerer) - others
    until(lambda: all(task.state in ENDED for task in trainings(scene)), "all tasks have ended", PATIENCE, 2)
    with capsys.disabled():
        print(
            f"\n{TASKS} tasks deferred at once; in {WATCHED} s: {pages} pages, {singles} jobs read by themselves, "
            f"{complaints} complaints of a blocked loop; all had fired {fired:.0f} s after the jobs had ended, with "
            f"{others} complaints while {AT_ONCE} workers started in each second"
        )
    assert Counter((task.state, task.try_number) for task in trainings(scene)) == {("success", 1): TASKS}
    assert [row["status"] for row in scene.rows("training")] == [SUCCEEDED] * TASKS
    assert 0 < pages <= WATCHED / POLL_FLOOR * (1 + TASKS / PAGE_SIZE)
    assert singles <= TASKS / 10
    # While workers start, they leave little of a small machine to the triggerer.
    assert complaints == 0


def trainings(scene: Scene) -> list[Task]:
    return [task for task in scene.airflow.tasks(scene.run_id) if task.task_id == "train" and task.map_index >= 0]


def blocked(airflow: Cluster, triggerer: str) -> int:
    """How often Airflow has complained that a trigger blocks the event loop of all."""
    return (airflow.home / f"{triggerer}.out").read_text().count("async thread was blocked")
