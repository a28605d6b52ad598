"""What becomes of the job of a task whose pod is deleted, as far as processes can play pods."""

from __future__ import annotations

import pytest
from scene import HELD, RUNNING, STOPPED, SUCCEEDED, Scene

GRACE = 30
"""Seconds that Kubernetes grants, unless a pod says otherwise."""
SHORT = 3


def test_a_pod_that_is_deleted_stops_the_job(scene: Scene) -> None:
    """Its task is told to end and has the time for it; the next try creates another job."""
    scene.play("only_in_place", HELD)
    scene.airflow.delete_pod(scene.running("in_place"), GRACE)
    scene.becomes("in_place", STOPPED, RUNNING)
    scene.finish()
    assert scene.end() == {"in_place": "success"}
    assert scene.statuses("in_place") == [STOPPED, SUCCEEDED]


def test_a_pod_that_is_deleted_leaves_the_job_to_the_next_try_if_that_was_asked_for(scene: Scene) -> None:
    scene.play("kept", HELD)
    task = scene.running("in_place")
    scene.airflow.delete_pod(task, GRACE)
    scene.reaches("in_place", "running", beyond_try=task.try_number)
    scene.finish()
    assert scene.end() == {"in_place": "success"}
    assert scene.statuses("in_place") == [SUCCEEDED]


def test_a_pod_whose_grace_is_too_short(scene: Scene) -> None:
    """AIHub does not stop the job for longer than the pod has: the next try takes it up."""
    scene.play("only_in_place", HELD)
    task = scene.running("in_place")
    scene.aihub.faults.add("status", method="POST", path="*/stop", status=503)
    scene.airflow.delete_pod(task, SHORT)
    scene.aihub.faults.clear()
    scene.reaches("in_place", "running", beyond_try=task.try_number)
    scene.finish()
    assert scene.end() == {"in_place": "success"}
    assert scene.statuses("in_place") == [SUCCEEDED]


def test_a_pod_that_is_lost_with_its_node(scene: Scene) -> None:
    scene.play("only_in_place", HELD)
    task = scene.running("in_place")
    scene.airflow.delete_pod(task, 0)
    scene.reaches("in_place", "running", beyond_try=task.try_number)
    scene.finish()
    assert scene.end() == {"in_place": "success"}
    assert scene.statuses("in_place") == [SUCCEEDED]


def test_a_deferred_task_has_no_pod(scene: Scene) -> None:
    """While its job runs; the pods that submit and resume come and go."""
    scene.play("only_deferred", HELD)
    scene.running("deferred")
    with pytest.raises(AssertionError, match="has no process"):
        scene.airflow.process(scene.task("deferred"))
    scene.finish()
    assert scene.end() == {"deferred": "success"}
