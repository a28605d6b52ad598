"""Both transports, and one emulator for each of AIHub's two dialects."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from transports import Asynchronous, Blocking, Transport
from world import PIPELINES, World, tables

from airflow_provider_aihub.emulators.aihub import Emulator


@pytest.fixture(params=[Blocking, Asynchronous], ids=["blocking", "asynchronous"])
def transport(request: pytest.FixtureRequest) -> Transport:
    made: Transport = request.param()
    return made


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tables(tmp_path_factory.mktemp("tables"))


@pytest.fixture(scope="session")
def platform(data: Path) -> Iterator[World]:
    """The newer platform, all services behind one address."""
    with Emulator(data=data, pipelines=PIPELINES) as aihub:
        yield World(aihub, data)


@pytest.fixture(scope="session")
def document(data: Path) -> Iterator[World]:
    """What AIHub's document has and no more, a port for each service."""
    with Emulator(data=data, pipelines=PIPELINES, api="document", port_per_service=True) as aihub:
        yield World(aihub, data)
