"""Never fooled: whatever happens between Airflow and AIHub, a task ends with the true result of its one job."""

from __future__ import annotations

from typing import Any

import pytest
from scene import BOTH, FAILED, HELD, SUCCEEDED, TRAININGS, Scene
from waiting import until

WEATHER: dict[str, dict[str, Any]] = {
    "5xx": {"kind": "status", "status": 502},
    "reset": {"kind": "reset"},
    "hang": {"kind": "hang"},
    "busy": {"kind": "status", "status": 429, "retry_after": 1},
    "html": {"kind": "garbage"},
    "cut off": {"kind": "truncate"},
    "token expired": {"kind": "expired_token"},
    "token revoked": {"kind": "revoke"},
    "refused": {"kind": "status", "status": 200, "code": 7, "msg": "not today"},
}


@pytest.mark.parametrize(
    ("code", "state", "status"), [(0, "success", SUCCEEDED), (3, "failed", FAILED)], ids=["succeeds", "fails"]
)
def test_every_weather_in_turn(scene: Scene, code: int, state: str, status: int) -> None:
    scene.play("one_try", f"{HELD}; exit {code}")
    for task_id in BOTH:
        scene.running(task_id)
    # For each job a poll that is spoiled and one that is not, in turn: pauses grow with polls that fail on end.
    storms = [
        scene.aihub.faults.add(**fault, method="GET", path=f"{TRAININGS}/{row['id']}", after=number, count=1)
        for row in scene.rows("training")
        for number, fault in enumerate(WEATHER.values(), start=1)
    ]
    struck = [1] * len(storms)
    until("each storm has struck once", lambda: [storm.struck for storm in storms], struck.__eq__)
    scene.finish()
    assert scene.end() == dict.fromkeys(BOTH, state)
    for task_id in BOTH:
        assert scene.statuses(task_id) == [status]


def test_aihub_is_down_for_a_time(scene: Scene) -> None:
    scene.play("one_try", HELD)
    for task_id in BOTH:
        scene.running(task_id)
    scene.go_down()
    for task_id in BOTH:
        until(f"{task_id} notices", lambda task_id=task_id: log_of(scene, task_id), lambda log: "Could not read" in log)
    scene.come_up()
    scene.finish()
    assert scene.end() == dict.fromkeys(BOTH, "success")
    for task_id in BOTH:
        assert scene.statuses(task_id) == [SUCCEEDED]


def test_aihub_is_down_while_jobs_are_created(scene: Scene) -> None:
    """Refused unseen, a create call is sent again; where AIHub may have taken it, the next try looks first."""
    creating = {"method": "POST", "path": TRAININGS}
    scene.aihub.faults.add("status", status=429, retry_after=1, count=2, **creating)
    scene.aihub.faults.add("status", status=503, count=2, **creating)
    scene.play("plain")
    assert scene.end() == dict.fromkeys(BOTH, "success")
    for task_id in BOTH:
        assert scene.statuses(task_id) == [SUCCEEDED]


def test_a_password_that_was_changed_while_jobs_are_deferred(scene: Scene) -> None:
    scene.play("deferred", HELD)
    until("all jobs are created", lambda: len(scene.rows("training")), (4).__eq__)
    for task in scene.airflow.tasks(scene.run_id):
        scene.reaches(task.task_id, "deferred", map_index=task.map_index)
    scene.go_down()
    new = "changed-" + scene.aihub.password
    scene.secrets.add(new)
    scene.come_up(users={scene.aihub.username: new})
    scene.aihub.faults.add("revoke", count=1)
    until("the old password is tried", lambda: scene.aihub.requests.count("POST", "*/login"))
    scene.change_connection()
    scene.finish()
    assert set(scene.end().values()) == {"success"}
    assert [row["status"] for row in scene.rows("training")] == [SUCCEEDED] * 4
    assert {task.try_number for task in scene.airflow.tasks(scene.run_id)} == {1}


def test_beyond_its_patience_a_task_fails_and_the_next_try_takes_up_the_job(scene: Scene) -> None:
    scene.play("impatient", HELD)
    for task_id in BOTH:
        scene.running(task_id)
    for row in scene.rows("training"):
        outage = scene.aihub.faults.add("status", status=503, method="GET", path=f"{TRAININGS}/{row['id']}")
        scene.reaches(row["name"], "up_for_retry")
        scene.aihub.faults.remove(outage.id)
        assert "AIHubUnavailable" in scene.log(row["name"]).tail()
        scene.reaches(row["name"], "running", "deferred", beyond_try=1)
    scene.finish()
    assert scene.end() == dict.fromkeys(BOTH, "success")
    for task_id in BOTH:
        assert scene.statuses(task_id) == [SUCCEEDED]
        assert scene.task(task_id).try_number == 2


def log_of(scene: Scene, task_id: str) -> str:
    return "\n".join(scene.log(task_id).lines)
