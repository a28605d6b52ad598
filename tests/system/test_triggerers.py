"""Triggerers come and go, and the jobs that they wait for are none the wiser."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from cluster import IS_2, TRIGGERERS, Cluster
from scene import HELD, SUCCEEDED, Scene
from waiting import until

pytestmark = pytest.mark.usefixtures("alone")
FIRST, SECOND = TRIGGERERS
GIVEN_UP = re.compile(r"trigger (?:\S*/a_triggerer_that_was_away_\S* .*)?completed")


@pytest.fixture
def waiting(request: pytest.FixtureRequest, airflow: Cluster, new_scene: Callable[..., Scene]) -> Scene:
    """Jobs that both triggerers wait for."""
    scene = new_scene(request.node.name.removeprefix("test_"))
    scene.play("deferred", HELD)
    until("all tasks are with a triggerer", lambda: logs(scene, "*"), lambda found: len(found) == 4)
    return scene


def logs(scene: Scene, triggerer: int | str) -> list[Path]:
    """Return what a triggerer has written about its triggers."""
    return list(scene.airflow.home.glob(f"logs/**/run_id={scene.run_id}/**/*.trigger.{triggerer}.log"))


def held_by(scene: Scene) -> set[int | None]:
    return {task.triggerer for task in scene.airflow.tasks(scene.run_id)}


def assert_followed_to_the_end(scene: Scene) -> None:
    scene.finish()
    assert set(scene.end().values()) == {"success"}
    assert [row["status"] for row in scene.rows("training")] == [SUCCEEDED] * 4
    assert {task.try_number for task in scene.airflow.tasks(scene.run_id)} == {1}


def test_a_triggerer_that_is_restarted(waiting: Scene, airflow: Cluster) -> None:
    for name in TRIGGERERS:
        airflow.end(name)
        airflow.bring_back(name)
    assert_followed_to_the_end(waiting)


def test_a_triggerer_that_is_killed(waiting: Scene, airflow: Cluster) -> None:
    old = airflow.triggerer_id(FIRST)
    airflow.kill(FIRST)
    until("another triggerer holds all triggers", lambda: held_by(waiting), lambda holders: old not in holders)
    airflow.bring_back(FIRST)
    assert_followed_to_the_end(waiting)


def test_a_triggerer_that_was_away_and_comes_back(waiting: Scene, airflow: Cluster) -> None:
    """Its triggers were handed to the other one. Airflow 3.3.0 to 3.3.2 then call ``on_kill``, though nobody acted."""
    holder = until("some triggerer holds a trigger", lambda: held_by(waiting) - {None}).pop()
    names = {airflow.triggerer_id(name): name for name in TRIGGERERS}
    airflow.freeze(names[holder])
    try:
        until("the other triggerer holds all triggers", lambda: held_by(waiting), lambda now: holder not in now)
    finally:
        airflow.freeze(names[holder], thaw=True)
    given_up = logs(waiting, holder)
    assert given_up
    # Airflow 2 tells it in the triggerer's own log.
    told = [airflow.home / f"{names[holder]}.out"] if IS_2 else given_up
    until(
        "the triggers are given up",
        lambda: sum(len(GIVEN_UP.findall(log.read_text())) for log in told),
        len(given_up).__le__,
    )
    assert_followed_to_the_end(waiting)
