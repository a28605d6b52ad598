"""What a person finds in the log of a task that failed: one error, in one sentence."""

from __future__ import annotations

from scene import Scene

from demo.real_airflow import free_port

EXPECTED = {
    "wrong_password": ("AIHubAuthError", "log in"),
    "connection_refused": ("AIHubUnavailable", "create training 'connection_refused'"),
    "no_address": ("AIHubConfigError", "or the base URL where all services are behind one address"),
    "html": ("AIHubBadAnswerError", "tag_system"),
    "unknown_id": ("AIHubNotFoundError", "create training 'unknown_id'"),
    "wrong_parameter": ("AIHubParameterError", "cooking"),
    "job_fails": ("AIHubJobFailed", "it broke"),
    "job_fails_deferred": ("AIHubJobFailed", "it broke"),
}
"""Type of the error by task, and words of its sentence."""


def test_each_mistake_is_told_once(scene: Scene) -> None:
    scene.secrets.add("not-the-password")
    known, nobody = scene.connection(), f"http://127.0.0.1:{free_port()}"
    others = {
        "wrong_password": scene.connection(password="not-the-password"),
        "refused": scene.connection(extra={"model_training_url": nobody}),
        "no_address": {**known, "host": None},
    }
    for name, connection in others.items():
        scene.airflow.api("POST", "/connections", json={**connection, "connection_id": f"{scene.conn_id}_{name}"})
    scene.aihub.faults.add("garbage", path="/tag-resource-management/*")
    scene.play("mistakes")
    assert scene.end() == dict.fromkeys(EXPECTED, "failed")
    for task_id, (error, words) in EXPECTED.items():
        log = scene.log(task_id)
        (told,) = log.errors
        assert told["exc_type"] == error, task_id
        assert words in told["exc_value"], task_id
        assert "\n" not in told["exc_value"], task_id
        assert "Traceback" not in "\n".join(log.lines), task_id
