"""Triggerers come and go, and the jobs that they wait for are none the wiser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cluster import TRIGGERERS, Cluster, until
from scene import SUCCEEDED, Scene

pytestmark = pytest.mark.usefixtures("alone")
FIRST, SECOND = TRIGGERERS


@pytest.fixture
def waiting(request: pytest.FixtureRequest, airflow: Cluster, new_scene: Callable[..., Scene]) -> Scene:
    """Jobs that both triggerers wait for."""
    scene = new_scene(request.node.name.removeprefix("test_"))
    scene.play("deferred", "sleep 20; exit 0")

    until(lambda: len(logs(scene, "*")) == 4, "all tasks are with a triggerer")
    return scene


def logs(scene: Scene, triggerer: int | str) -> list[Path]:
    """Return what a triggerer has written about its triggers."""
    return list(scene.airflow.home.glob(f"logs/**/run_id={scene.run_id}/**/*.trigger.{triggerer}.log"))


def held_by(scene: Scene) -> set[int | None]:
    return {task.triggerer for task in scene.airflow.tasks(scene.run_id)}


def assert_followed_to_the_end(scene: Scene) -> None:
    assert set(scene.end().values()) == {"success"}
    assert [row["status"] for row in scene.rows("training")] == [SUCCEEDED] * 4
    assert {task.try_number for task in scene.airflow.tasks(scene.run_id)} == {1}


def test_a_triggerer_that_is_restarted(waiting: Scene, airflow: Cluster) -> None:
    for name in TRIGGERERS:
        airflow.end(name)
        airflow.start_component("triggerer", name)
    assert_followed_to_the_end(waiting)


def test_a_triggerer_that_is_killed(waiting: Scene, airflow: Cluster) -> None:
    old = airflow.triggerer_id(FIRST)
    airflow.kill(FIRST)
    until(lambda: old not in held_by(waiting), "another triggerer holds all triggers")
    airflow.start_component("triggerer", FIRST)
    assert_followed_to_the_end(waiting)


def test_a_triggerer_that_was_away_and_comes_back(waiting: Scene, airflow: Cluster) -> None:
    """Its triggers were handed to the other one. Airflow 3.3.0 to 3.3.2 then call ``on_kill``, though nobody acted."""
    holder = until(lambda: held_by(waiting) - {None}, "some triggerer holds a trigger").pop()
    names = {airflow.triggerer_id(name): name for name in TRIGGERERS}
    airflow.freeze(names[holder])
    try:
        until(lambda: holder not in held_by(waiting), "the other triggerer holds all triggers")
    finally:
        airflow.freeze(names[holder], thaw=True)
    given_up = logs(waiting, holder)
    assert given_up
    until(lambda: all("trigger completed" in log.read_text() for log in given_up), "the triggers are given up")
    assert_followed_to_the_end(waiting)
