"""What the AIHub of these tests has, which is behind the fixture ``aihub``."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from task_life import TaskInstance
from twisted import Twisted, serving

from airflow_provider_aihub.aihub.client import AIHubClient
from airflow_provider_aihub.emulators.aihub import Emulator
from airflow_provider_aihub.operators.base import JobOperator
from airflow_provider_aihub.operators.modelarts_base import ModelArtsJobOperator
from airflow_provider_aihub.tasks import own_xcoms, task_try
from airflow_provider_aihub.triggers.job import JobTrigger


@pytest.fixture(autouse=True)
def _quick_polls(quick_aihub_polls: None) -> None:
    """What the pauses between polls are is tested with a clock of its own."""


@pytest.fixture(autouse=True)
def _no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow 2 asks around a task's code in which thread it was called, and its database since when it has waited."""
    if find_spec("airflow.sdk") is None:
        from airflow.models.baseoperator import ExecutorSafeguard

        monkeypatch.setattr(ExecutorSafeguard, "_sentinel", SimpleNamespace(callers={}))
        monkeypatch.setattr(
            "airflow.sensors.base._orig_start_date",
            lambda task_id, **_: TaskInstance.newest[task_id].first_reschedule_date,
        )


@pytest.fixture(autouse=True)
def _xcoms_of_a_made_up_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package's own XComs are among those of the task instance, as in Airflow."""
    monkeypatch.setattr(own_xcoms, "put", lambda ti, key, value: ti.xcom_push(key, value))
    monkeypatch.setattr(own_xcoms, "get", lambda ti, key: ti.xcoms.get(key))


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the blocking client try again soon. It does pause, since what counts its pauses waits by them."""
    monkeypatch.setitem(AIHubClient.__init__.__kwdefaults__, "sleep", lambda seconds: time.sleep(min(seconds, 0.05)))


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder for the emulator's warehouse."""
    folder = tmp_path_factory.mktemp("warehouse")
    (folder / "meta.csv").write_text('object_name,width,note\nbig,2000,"a\nb"\nsmall,10,\nhuge,3000,"say ""hi"""\n')
    (folder / "feature_lib_1.csv").write_text("image_url,label\nhttp://x/1.jpg,red car\nhttp://x/2.jpg,blue bus\n")
    return folder


@pytest.fixture
def aihub_settings(data: Path) -> dict[str, Any]:
    return {"data": data}


@pytest.fixture
def document(make_aihub: Callable[..., Emulator], data: Path) -> Emulator:
    """An AIHub that has the document's API only, behind the connection ``aihub_default``."""
    return make_aihub(api="document", data=data)


@pytest.fixture
def twisted(aihub: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Twisted]:
    """A proxy between the connection ``aihub_default`` and the emulator ``aihub``."""
    with serving(aihub, monkeypatch) as proxy:
        yield proxy


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tasks look often for what AIHub shows late, and find it on a slow machine as well."""
    monkeypatch.setattr(
        task_try, "PATIENCE", task_try.Patience(settled=30.0, shown=30.0, first_pause=0.05, longest_pause=0.2)
    )
    monkeypatch.setattr(task_try, "HIDDEN", 0.1)


@pytest.fixture
def little_patience(patience: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tasks wait a second at most for what AIHub never shows."""
    monkeypatch.setattr(task_try, "PATIENCE", replace(task_try.PATIENCE, settled=1.0, shown=1.0))


@pytest.fixture
def new_name() -> str:
    """A name that nothing has yet."""
    return f"n{uuid4().hex[:12]}"


@pytest.fixture
def created(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What a task of AIHub has said it created, since this was asked last."""
    log = logging.getLogger("test.task")
    monkeypatch.setattr(JobOperator, "log", log)
    caplog.set_level(logging.INFO, log.name)

    def said() -> list[str]:
        lines = [line for line in caplog.messages if line.startswith("Created ")]
        caplog.clear()
        return lines

    return said


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """What a task of ModelArts writes into its log, in worker and triggerer."""
    log = logging.getLogger("test.task")
    for kind in (ModelArtsJobOperator, JobTrigger):
        monkeypatch.setattr(kind, "log", log)
    caplog.set_level(logging.INFO, log.name)
    return lambda: caplog.text
