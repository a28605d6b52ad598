"""Never twice, never orphaned: workers die, answers get lost, people and clocks end tasks, in a real Airflow."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from cluster import REMEMBERS
from scene import BOTH, HELD, RUNNING, STOPPED, SUCCEEDED, TRAININGS, Scene
from waiting import until

both = pytest.mark.parametrize("task_id", BOTH)


@both
def test_a_worker_killed_before_its_create_call_is_answered(scene: Scene, task_id: str) -> None:
    """The job comes into being after its task's process has died, so the next try may look too early."""
    slow = scene.aihub.faults.add("delay", method="POST", path=TRAININGS, seconds=4, count=1)
    scene.play(f"only_{task_id}")
    until("the create call is sent", lambda: slow.struck)
    scene.airflow.kill_task(scene.task(task_id))
    assert scene.end() == {task_id: "success"}
    assert scene.statuses(task_id) == [SUCCEEDED]
    assert scene.task(task_id).try_number == 2


def test_a_worker_killed_while_it_waits(scene: Scene) -> None:
    scene.play("only_in_place", HELD)
    scene.airflow.kill_task(scene.running("in_place"))
    scene.reaches("in_place", "running", beyond_try=1)
    scene.finish()
    assert scene.end()["in_place"] == "success"
    assert scene.statuses("in_place") == [SUCCEEDED]
    assert scene.task("in_place").try_number == 2


def test_a_worker_machine_that_dies_while_it_waits(scene: Scene) -> None:
    """Nobody is left to tell Airflow, which notices by the missing heartbeat; by then the job is done."""
    scene.play("only_in_place", HELD)
    scene.airflow.kill_task(scene.running("in_place"), machine=True)
    scene.finish()
    assert scene.end()["in_place"] == "success"
    assert scene.statuses("in_place") == [SUCCEEDED]
    assert scene.task("in_place").try_number == 2


def test_a_worker_killed_while_it_resumes(scene: Scene) -> None:
    scene.play("only_deferred", HELD)
    scene.running("deferred")
    scene.finish()
    until("the trigger has fired", lambda: scene.task("deferred").state, lambda state: state != "deferred", every=0.1)
    unanswered = scene.aihub.faults.add("hang", method="GET", path=f"{TRAININGS}/*")
    until("the resumed task asks how its job ended", lambda: unanswered.struck)
    scene.airflow.kill_task(scene.task("deferred"))
    scene.aihub.faults.clear()
    assert scene.end()["deferred"] == "success"
    assert scene.statuses("deferred") == [SUCCEEDED]
    assert scene.task("deferred").try_number == 2


def test_a_lost_answer(scene: Scene) -> None:
    scene.aihub.faults.add("lost", method="POST", path=TRAININGS, count=2)
    scene.play("plain")
    assert scene.end() == dict.fromkeys(BOTH, "success")
    for task_id in BOTH:
        assert scene.statuses(task_id) == [SUCCEEDED]
        assert scene.task(task_id).try_number == 1


@pytest.mark.aihub(api="document")
def test_a_lost_answer_where_jobs_cannot_be_listed(scene: Scene) -> None:
    scene.aihub.faults.add("lost", method="POST", path=TRAININGS, count=2)
    scene.play("plain")
    assert scene.end() == dict.fromkeys(BOTH, "failed")
    for task_id in BOTH:
        scene.becomes(task_id, SUCCEEDED)
        assert scene.task(task_id).try_number == 1
        assert "look there whether the training" in scene.log(task_id).tail()


@both
@pytest.mark.aihub(api="document")
def test_a_lost_answer_where_another_job_was_asked_for(scene: Scene, task_id: str) -> None:
    scene.aihub.faults.add("lost", method="POST", path=TRAININGS, count=1)
    scene.play(f"resubmits_{task_id}")
    assert scene.end() == {task_id: "success"}
    scene.becomes(task_id, SUCCEEDED, SUCCEEDED)


@pytest.mark.aihub(api="document")
def test_a_worker_killed_while_it_waits_where_jobs_cannot_be_listed(scene: Scene) -> None:
    """An Airflow that remembers nothing has another job created."""
    jobs = 1 if REMEMBERS else 2
    scene.play("only_in_place", HELD)
    scene.airflow.kill_task(scene.running("in_place"))
    scene.reaches("in_place", "running", beyond_try=1)
    scene.becomes("in_place", *[RUNNING] * jobs)
    scene.finish()
    assert scene.end()["in_place"] == "success"
    assert scene.statuses("in_place") == [SUCCEEDED] * jobs


@pytest.mark.parametrize("state", ["failed", "success"])
def test_marking_a_task_stops_its_job(scene: Scene, state: str) -> None:
    scene.play("plain", HELD)
    for task_id in BOTH:
        scene.running(task_id)
        scene.airflow.mark(scene.dag_id, scene.run_id, task_id, state)
    for task_id in BOTH:
        scene.stopped(task_id)
    assert scene.end() == dict.fromkeys(BOTH, state)
    assert scene.statuses("deferred") == scene.statuses("in_place") == [STOPPED]


def test_marking_a_task_stops_its_job_although_aihub_is_slow_to_agree(scene: Scene) -> None:
    """Airflow cancels the trigger once a second until then."""
    scene.play("plain", HELD)
    for task_id in BOTH:
        scene.running(task_id)
    scene.airflow.mark(scene.dag_id, scene.run_id, "in_place", "failed")
    scene.stopped("in_place")
    refused = scene.aihub.faults.add("status", method="POST", path="*/stop", status=503, count=3)
    scene.airflow.mark(scene.dag_id, scene.run_id, "deferred", "failed")
    scene.stopped("deferred")
    assert refused.struck == 3


def test_marking_a_task_leaves_its_job_alone_if_that_was_asked_for(scene: Scene) -> None:
    scene.play("left_alone", HELD)
    for task_id in BOTH:
        scene.running(task_id)
        scene.airflow.mark(scene.dag_id, scene.run_id, task_id, "failed")
    # As long as it takes to stop one that is not left alone.
    time.sleep(20)
    for task_id in BOTH:
        assert scene.statuses(task_id) == [RUNNING]


def test_ending_a_worker_stops_the_job(scene: Scene) -> None:
    """As when its pod is evicted: SIGTERM, and some seconds of grace."""
    scene.play("one_try", HELD)
    scene.airflow.process(scene.running("in_place")).terminate()
    scene.stopped("in_place")
    scene.reaches("in_place", "failed")
    scene.running("deferred")
    scene.airflow.mark(scene.dag_id, scene.run_id, "deferred", "failed")
    scene.stopped("deferred")


@both
def test_clearing_a_task_stops_its_job_and_creates_one_new(scene: Scene, task_id: str) -> None:
    scene.play("plain", HELD)
    for each in BOTH:
        scene.running(each)
    first = scene.running(task_id)
    scene.airflow.clear(scene.dag_id, scene.run_id, task_id)
    until("the old job is stopped", lambda: scene.statuses(task_id), lambda statuses: statuses[:1] == [STOPPED])
    until("there is a new job", lambda: scene.statuses(task_id), lambda statuses: len(statuses) == 2)
    assert scene.running(task_id).try_number > first.try_number
    for each in BOTH:
        scene.airflow.mark(scene.dag_id, scene.run_id, each, "failed")
    for each in BOTH:
        scene.stopped(each)
    assert scene.statuses(task_id) == [STOPPED, STOPPED]
    assert len(scene.rows("training")) == 3


def test_clearing_finished_tasks_runs_them_anew(scene: Scene) -> None:
    scene.play("plain")
    assert scene.end() == dict.fromkeys(BOTH, "success")
    # Airflow would end the run as it was seen before, and leave the cleared tasks lying.
    until("the run has ended", lambda: scene.airflow.run_state(scene.dag_id, scene.run_id), "success".__eq__)
    scene.airflow.clear(scene.dag_id, scene.run_id, *BOTH)
    for task_id in BOTH:
        scene.reaches(task_id, "success", beyond_try=1)
        assert scene.statuses(task_id) == [SUCCEEDED, SUCCEEDED]


@pytest.mark.parametrize("limit", ["job_timeout", "execution_timeout", "run_timeout"])
def test_a_time_limit_stops_the_job(scene: Scene, limit: str) -> None:
    scene.play(limit, HELD)
    ended = scene.end()
    for task_id in BOTH:
        scene.stopped(task_id)
        assert scene.statuses(task_id) == [STOPPED]
    assert ended == dict.fromkeys(BOTH, "skipped" if limit == "run_timeout" else "failed")
    if limit == "job_timeout":
        for task_id in BOTH:
            assert "AIHubJobTimeout" in scene.log(task_id).tail()


def test_mapped_tasks_have_a_job_each(scene: Scene) -> None:
    held = scene.aihub.faults.add("delay", method="POST", path=TRAININGS, seconds=12, count=6)
    scene.play("mapped")
    until("all create calls are sent", lambda: held.struck, (6).__eq__)
    for task in scene.airflow.tasks(scene.run_id):
        if task.map_index != 1:
            # On a busy machine one may have its job already, and wait for it in the triggerer.
            with suppress(AssertionError):
                scene.airflow.kill_task(task)
    assert set(scene.end().values()) == {"success"}
    names = [f"{task_id}-{number}" for task_id in BOTH for number in range(3)]
    assert [scene.statuses(name) for name in names] == [[SUCCEEDED]] * len(names)
