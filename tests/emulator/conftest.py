"""Emulators for the tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from plain_http import Api

from airflow_provider_aihub.emulators.aihub import Cluster, Emulator


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    (folder / "meta.csv").write_text("object_name,width\nsmall.jpg,10\nbig.jpg,2000\n")
    (folder / "feature_lib_7.csv").write_text(
        "image_url,label,box\n"
        'http://x/red/car/1.jpg,red car,"[1, 2, 3, 4]"\n'
        "http://x/blue/car/2.jpg,blue car,\n"
        "http://x/tree/3.jpg,tree,\n"
    )
    return folder


@pytest.fixture(scope="session")
def aihub(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator that the tests share: what one does to it, another may see."""
    with Emulator(tmp_path_factory.mktemp("home"), data=data) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def api(aihub: Emulator) -> Api:
    return Api(aihub)


@pytest.fixture(scope="session")
def document(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """An emulator that serves the document's API alone."""
    with Emulator(tmp_path_factory.mktemp("document"), data=data, api="document") as emulator:
        yield Api(emulator)


@pytest.fixture
def own(tmp_path: Path, data: Path) -> Iterator[Callable[..., Api]]:
    """Starts emulators for one test alone, by default all in the same home."""
    started: list[Emulator] = []

    def start(**given: Any) -> Api:
        emulator = Emulator(**{"home": tmp_path / "home", "data": data, **given})
        started.append(emulator.start())
        return Api(emulator)

    yield start
    for emulator in started:
        emulator.stop()


@pytest.fixture
def small(own: Callable[..., Api]) -> Api:
    """An emulator with one virtual cluster of four SKUs."""
    return own(clusters=(Cluster(id=1, name="small", capacity=4),))
