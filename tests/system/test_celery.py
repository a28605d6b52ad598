"""Jobs of tasks in Celery's workers, whose machines, broker and schedulers come and go."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import pytest
from celery_cluster import LONGEST_QUEUED, SCHEDULERS, CeleryCluster
from cluster import Task
from scene import BOTH, HELD, RUNNING, STOPPED, SUCCEEDED, Scene
from waiting import until

pytestmark = pytest.mark.usefixtures("alone")
NAMES = [f"{task_id}-{number}" for task_id in BOTH for number in range(3)]


@pytest.fixture
def waiting(request: pytest.FixtureRequest, airflow: CeleryCluster, new_scene: Callable[..., Scene]) -> Scene:
    """Three jobs that triggerers wait for, and three for which tasks wait in workers."""
    scene = new_scene(request.node.name.removeprefix("test_"))
    scene.play("mapped", HELD)
    until("all jobs are waited for", lambda: under_way(scene), len(NAMES).__eq__, every=0.2)
    return scene


def under_way(scene: Scene) -> int:
    """Count the tasks that wait for a job that runs."""
    scene.airflow.check_components()
    tasks = scene.airflow.tasks(scene.run_id)
    waiting = [task.triggerer or (task.task_id, task.state) == ("in_place", "running") for task in tasks]
    jobs = [row["status"] == RUNNING for row in scene.rows("training")]
    return min(sum(map(bool, waiting)), sum(jobs))


def in_workers(scene: Scene) -> dict[str, list[Task]]:
    """Return the tasks that wait in each worker."""
    found: dict[str, list[Task]] = {}
    for task in scene.airflow.tasks(scene.run_id):
        if task.task_id == "in_place":
            found.setdefault(scene.airflow.worker_of(task), []).append(task)
    return found


def assert_one_job_each(scene: Scene) -> None:
    """Let all jobs end; each task has had one, in all its tries."""
    scene.finish()
    assert set(scene.end().values()) == {"success"}
    assert [scene.statuses(name) for name in NAMES] == [[SUCCEEDED]] * len(NAMES)


def assert_stopped_and_created_anew(scene: Scene, tasks: list[Task]) -> None:
    """The jobs of some tasks were stopped, and each of these tasks has one new one; the others keep theirs."""
    anew = {f"in_place-{task.map_index}" for task in tasks}
    for name in anew:
        scene.becomes(name, STOPPED, RUNNING)
    scene.finish()
    assert set(scene.end().values()) == {"success"}
    assert [scene.statuses(name) for name in NAMES] == [[STOPPED] * (name in anew) + [SUCCEEDED] for name in NAMES]


def tries(scene: Scene) -> list[int]:
    """Return how often each task was tried."""
    return [task.try_number for task in scene.airflow.tasks(scene.run_id)]


def test_a_worker_that_is_lost_with_its_machine(waiting: Scene, airflow: CeleryCluster) -> None:
    """The other one takes its tasks up, and their jobs."""
    name, lost = next(iter(in_workers(waiting).items()))
    airflow.kill(name)
    for task in lost:
        waiting.reaches("in_place", "running", map_index=task.map_index, beyond_try=task.try_number)
    airflow.bring_back(name)
    assert_one_job_each(waiting)


def test_a_worker_that_is_shut_down_waits_for_its_tasks(waiting: Scene, airflow: CeleryCluster) -> None:
    name, before = next(iter(in_workers(waiting))), tries(waiting)
    leaving = airflow.processes.pop(name)
    leaving.terminate()
    until("it takes no new tasks", lambda: "Warm shutdown" in (airflow.home / f"{name}.out").read_text())
    assert_one_job_each(waiting)
    assert tries(waiting) == before
    until("it has ended", leaving.poll, lambda code: code is not None)
    airflow.bring_back(name)


def test_a_worker_that_is_told_to_end_at_once_stops_the_jobs(waiting: Scene, airflow: CeleryCluster) -> None:
    """SIGQUIT instead of SIGTERM: its tasks are killed, and so stop their jobs."""
    name, lost = next(iter(in_workers(waiting).items()))
    leaving = airflow.processes.pop(name)
    leaving.send_signal(signal.SIGQUIT)
    until("it has ended", leaving.poll, lambda code: code is not None)
    airflow.bring_back(name)
    assert_stopped_and_created_anew(waiting, lost)


def test_a_task_that_redis_delivers_again(waiting: Scene, airflow: CeleryCluster) -> None:
    """As it does with whatever takes longer than the ``visibility_timeout``: Airflow ends the task that waits."""
    tasks = [task for here in in_workers(waiting).values() for task in here]
    time.sleep(LONGEST_QUEUED)
    airflow.broker.deliver_again()
    assert_stopped_and_created_anew(waiting, tasks)


def test_a_redis_that_forgets_everything(waiting: Scene, airflow: CeleryCluster) -> None:
    """Those who wait go on; what it had not handed out yet is queued again."""
    airflow.broker.stop()
    airflow.broker.start()
    assert_one_job_each(waiting)


def test_a_scheduler_that_is_killed(waiting: Scene, airflow: CeleryCluster) -> None:
    """The other one takes over what the workers do for it."""
    airflow.kill(SCHEDULERS[0])
    assert_one_job_each(waiting)
    airflow.bring_back(SCHEDULERS[0])
