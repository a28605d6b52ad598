"""An AIHub for the tests of operators, and the connection to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from airflow_provider_aihub.client import waiting
from airflow_provider_aihub.client.sync import AIHubClient
from airflow_provider_aihub.emulator import Emulator
from airflow_provider_aihub.triggers import job


@pytest.fixture(autouse=True)
def _quick_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs of these tests take no time; what the pauses between polls are is tested with a clock of its own."""
    monkeypatch.setattr(waiting, "POLL_FLOOR", 0.1)
    monkeypatch.setenv("AIRFLOW__AIHUB__POLL_FLOOR", "0.1")
    monkeypatch.setattr(job, "HANDOVER", 0.0)


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the blocking client try again at once."""
    monkeypatch.setitem(AIHubClient.__init__.__kwdefaults__, "sleep", lambda _: None)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder for the emulator's warehouse."""
    folder = tmp_path_factory.mktemp("warehouse")
    (folder / "meta.csv").write_text('object_name,width,note\nbig,2000,"a\nb"\nsmall,10,\nhuge,3000,"say ""hi"""\n')
    (folder / "feature_lib_1.csv").write_text("image_url,label\nhttp://x/1.jpg,red car\nhttp://x/2.jpg,blue bus\n")
    return folder


@pytest.fixture(scope="session")
def platform_server(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(home=tmp_path_factory.mktemp("aihub"), data=data) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def document_server(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(home=tmp_path_factory.mktemp("aihub-d"), data=data, api="document") as emulator:
        yield emulator


@pytest.fixture
def aihub(platform_server: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """An AIHub of the newer platform, behind the connection ``aihub_default``."""
    monkeypatch.setenv("AIRFLOW_CONN_AIHUB_DEFAULT", platform_server.connection_json())
    yield platform_server
    platform_server.faults.clear()


@pytest.fixture
def document(document_server: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """An AIHub that has the document's API only, behind the connection ``aihub_default``."""
    monkeypatch.setenv("AIRFLOW_CONN_AIHUB_DEFAULT", document_server.connection_json())
    yield document_server
    document_server.faults.clear()


@pytest.fixture
def new_name() -> str:
    """A name that nothing has yet."""
    return f"n{uuid4().hex[:12]}"
