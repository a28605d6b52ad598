"""An AIHub and a ModelArts for the code in the documentation."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_aihub.emulators.aihub import Emulator
from airflow_provider_aihub.emulators.modelarts import Emulator as ModelArts


@pytest.fixture(scope="session")
def aihub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An AIHub with the tables that the pages speak of."""
    tables = tmp_path_factory.mktemp("tables")
    tables.joinpath("meta.csv").write_text("object_name,width\ncat.jpg,640\nmountains.jpg,4000\nharbour.jpg,2000\n")
    with Emulator(home=tmp_path_factory.mktemp("aihub"), data=tables) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def modelarts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelArts]:
    """A ModelArts with what it has when told nothing."""
    with ModelArts(tmp_path_factory.mktemp("modelarts")) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def environment(aihub: Emulator, modelarts: ModelArts) -> dict[str, str]:
    """The variables that a page's code finds set: the connections, and what the page about moving reads."""
    return {
        "AIRFLOW_CONN_AIHUB_DEFAULT": aihub.connection_json(),
        "AIRFLOW_CONN_MODELARTS_DEFAULT": modelarts.connection_json(),
        "AIHUB_URL": aihub.url,
        "AIHUB_USER": aihub.username,
        "AIHUB_PASSWORD": aihub.password,
        "NO_PROXY": "127.0.0.1,localhost",
    }
