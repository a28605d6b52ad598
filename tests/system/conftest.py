"""One Airflow for all tests of this folder that want it, and scenes that are played in it side by side.

Airflow takes its time from one state of a task to the next. So the tests that take a ``scene`` all begin when the first
of them does, each in a thread of its own, and each test tells what became of its scene.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import broker
import pytest
from celery_cluster import CeleryCluster
from cluster import Cluster
from pods import PodCluster
from scene import Scene

from airflow_provider_aihub.emulators.tokens import Tokens
from demo.postgres import Postgres, programs

HERE = Path(__file__).parent
SIDE_BY_SIDE = 8
EXECUTOR = os.environ.get("EXECUTOR") or "local"
"""Where tasks run: as children of the scheduler, in the workers of ``celery``, or in ``pods``."""
ONLY_ON = {"test_celery.py": "celery", "test_pods.py": "pods"}
collect_ignore = [name for name, executor in ONLY_ON.items() if executor != EXECUTOR]
ON_EVERY_AIRFLOW = ("test_flagship.py", "test_kills.py", "test_same_history.py", "test_triggerers.py")


@pytest.fixture(scope="session")
def secrets() -> Iterator[set[str]]:
    """Every token that an emulator of these tests has issued, and what the tests add."""
    issued: set[str] = set()
    real = Tokens.issue

    def issue(tokens: Tokens, claims: dict[str, Any]) -> str:
        token = real(tokens, claims)
        issued.add(token)
        return token

    patch = pytest.MonkeyPatch()
    patch.setattr(Tokens, "issue", issue)
    yield issued
    patch.undo()


@pytest.fixture(scope="session")
def postgresql() -> None:
    """The programs of PostgreSQL are there."""
    need(programs)


def need(look: Callable[[], Any]) -> None:
    """Skip what needs a program that is not installed, which a look for it raises."""
    try:
        look()
    except RuntimeError as missing:
        # A machine of one's own may lack it; where it counts, nothing is left out.
        if "CI" in os.environ:
            raise
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def airflow(tmp_path_factory: pytest.TempPathFactory, postgresql: None, secrets: set[str]) -> Iterator[Cluster]:
    home = tmp_path_factory.mktemp("cluster")
    with ExitStack() as stack:
        database = stack.enter_context(Postgres())
        if EXECUTOR == "celery":
            need(broker.program)
            cluster: Cluster = CeleryCluster(home, database, stack.enter_context(broker.Broker()))
        else:
            cluster = (PodCluster if EXECUTOR == "pods" else Cluster)(home, database)
        yield stack.enter_context(cluster)


@pytest.fixture(scope="session")
def new_scene(
    airflow: Cluster, secrets: set[str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Scene]]:
    """Set scenes; each is known by a name of its own."""
    scenes = []

    def make(name: str, **settings: Any) -> Scene:
        """Make one; ``emulator`` may be among the settings."""
        name = re.sub(r"\W+", "_", name).strip("_")
        scene = Scene(airflow, secrets, name, tmp_path_factory.mktemp("platform"), **settings)
        scenes.append(scene)
        return scene

    yield make
    for scene in scenes:
        scene.aihub.stop()


@pytest.fixture(scope="session")
def stage(request: pytest.FixtureRequest, new_scene: Callable[..., Scene]) -> Iterator[dict[str, Future[None]]]:
    """The tests that take a scene, under way."""
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        yield {item.nodeid: pool.submit(_play, item, new_scene) for item in request.session.items if _has_scene(item)}


@pytest.fixture
def scene(stage: dict[str, Future[None]]) -> None:
    """An AIHub with a connection of its own. The mark ``aihub`` gives settings of the emulator."""


@pytest.fixture(scope="session")
def alone(request: pytest.FixtureRequest) -> None:
    """For a test that is not to disturb any scene, or wants them all played: waits for their ends."""
    if any(_has_scene(item) for item in request.session.items):
        wait(request.getfixturevalue("stage").values())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what needs this Airflow behind all else, so that nothing else has to share the machine with it; and the
    search for secrets last, when there is most to be found."""

    def place(item: pytest.Item) -> int:
        needs_it = item.path.parent == HERE and "airflow" in getattr(item, "fixturenames", ())
        return needs_it + (item.path.name == "test_secrets.py")

    items.sort(key=place)
    for item in items:
        if item.path.parent == HERE and item.path.name not in ON_EVERY_AIRFLOW:
            item.add_marker(pytest.mark.airflow(">=3.3", lacks="what the DAGs of these tests rely on"))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not _has_scene(pyfuncitem):
        return None
    pyfuncitem.funcargs["stage"][pyfuncitem.nodeid].result()
    return True


def _has_scene(item: pytest.Item) -> bool:
    return "scene" in getattr(item, "fixturenames", ()) and item.path.parent == HERE


def _play(item: Any, new_scene: Callable[..., Scene]) -> None:
    mark = item.get_closest_marker("aihub")
    given = dict(item.callspec.params) if hasattr(item, "callspec") else {}
    item.obj(new_scene(item.name.removeprefix("test_"), **(mark.kwargs if mark else {})), **given)
