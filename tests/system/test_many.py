"""A triggerer that holds very many deferred tasks at once.

``MANY_TASKS`` says how many, for a machine that has the time to start so many workers.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from cluster import TRIGGERERS, Cluster, Task
from scene import ENDED, SUCCEEDED, TRAININGS, Scene
from waiting import until

from airflow_provider_aihub.emulators.aihub.settings import Cluster as VirtualCluster
from airflow_provider_aihub.jobs.waiting import POLL_FLOOR
from airflow_provider_aihub.triggers.batch_poller import PAGE_SIZE

pytestmark = pytest.mark.usefixtures("alone")
TASKS = int(os.environ.get("MANY_TASKS", "40"))
WORKING_HOURS = 10 * 3600
"""For so many seconds each job runs, by AIHub's clock."""
PATIENCE = 300 + 10 * TASKS
"""Seconds; it is the workers that take their time."""
AT_ONCE = 10
"""So many jobs end in a second."""
WATCHED = 30
"""Seconds for which all are watched."""
LATE = 0.1
"""Seconds by which the loop of all triggers is late when Airflow complains of it."""


@pytest.fixture
def only_triggerer(airflow: Cluster) -> Iterator[str]:
    """The triggerer that has to do it all."""
    airflow.end(TRIGGERERS[1])
    yield TRIGGERERS[0]
    airflow.bring_back(TRIGGERERS[1])


def test_many_tasks_that_wait_at_once(
    airflow: Cluster, only_triggerer: str, new_scene: Callable[..., Scene], capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = VirtualCluster(id=1, name="vc", capacity=TASKS, cpu=1, memory=1)
    scene = new_scene("many", clusters=[cluster])
    requests = scene.aihub.requests
    scene.play("many", seconds=WORKING_HOURS, count=TASKS)

    def reach(what: str, look: Callable[[], int]) -> None:
        """Wait until so many tasks have come so far."""
        until(f"{TASKS} tasks {what}", look, TASKS.__le__, patience=PATIENCE, every=2)

    reach("are deferred", lambda: sum(task.state == "deferred" and bool(task.triggerer) for task in trainings(scene)))
    # The first look at a job asks for its pods as well.
    reach("have their jobs followed", lambda: requests.count("GET", "*/pods"))
    complaints, stood = blocked(airflow, only_triggerer), stood_in_line(airflow, only_triggerer)
    requests.clear()
    began = time.monotonic()
    time.sleep(WATCHED)
    asked = Counter(entry.path.removeprefix(TRAININGS).count("/") for entry in list(requests.entries))
    watched = time.monotonic() - began
    pages, singles = asked[0], asked[1]
    complaints = blocked(airflow, only_triggerer) - complaints
    stood = stood_in_line(airflow, only_triggerer) - stood

    others = blocked(airflow, only_triggerer)
    scene.aihub.clock.advance(WORKING_HOURS)
    for _ in range(0, TASKS, AT_ONCE):
        scene.aihub.clock.advance(AT_ONCE)
        time.sleep(1)
    began = time.monotonic()
    reach("have had their triggers fire", lambda: sum(task.state != "deferred" for task in trainings(scene)))
    fired = time.monotonic() - began
    others = blocked(airflow, only_triggerer) - others
    reach("have ended", lambda: sum(task.state in ENDED for task in trainings(scene)))
    with capsys.disabled():
        print(
            f"\n{TASKS} tasks deferred at once; in {WATCHED} s: {pages} pages, {singles} jobs read by themselves, "
            f"{complaints} complaints of a blocked loop; all had fired {fired:.0f} s after the jobs had ended, with "
            f"{others} complaints while {AT_ONCE} workers started in each second"
        )
    assert Counter((task.state, task.try_number) for task in trainings(scene)) == {("success", 1): TASKS}
    assert [row["status"] for row in scene.rows("training")] == [SUCCEEDED] * TASKS
    assert 0 < pages <= watched / POLL_FLOOR * (1 + TASKS / PAGE_SIZE)
    assert singles <= TASKS / 10
    # While workers start, they leave little of a small machine to the triggerer. Nor does a machine that is busy with
    # other things: then the loop is late because it stands in line for a core.
    assert complaints <= stood / LATE


def trainings(scene: Scene) -> list[Task]:
    return [task for task in scene.airflow.tasks(scene.run_id) if task.task_id == "train" and task.map_index >= 0]


def blocked(airflow: Cluster, triggerer: str) -> int:
    """How often Airflow has complained that a trigger blocks the event loop of all."""
    return (airflow.home / f"{triggerer}.out").read_text().count("async thread was blocked")


def stood_in_line(airflow: Cluster, triggerer: str) -> float:
    """For how many seconds a triggerer has waited for a core of the machine."""
    parent = psutil.Process(airflow.processes[triggerer].pid)
    family = [parent, *parent.children(recursive=True)]
    return sum(int(Path(f"/proc/{member.pid}/schedstat").read_text().split()[1]) for member in family) / 1e9
