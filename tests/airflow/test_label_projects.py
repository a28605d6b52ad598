"""Label projects: waited for until people are done with them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from task_life import TaskLife

from airflow_provider_aihub.aihub.errors import AIHubJobFailed, AIHubParameterError, AIHubUnsupportedError
from airflow_provider_aihub.emulators.aihub import Emulator
from airflow_provider_aihub.sensors.label_project import LabelProjectSensor

MODES: dict[str, dict[str, Any]] = {
    "poke": {"mode": "poke"},
    "reschedule": {"mode": "reschedule"},
    "deferred": {"deferrable": True},
}
DONE = {"status": "finished", "total_annotations": 4, "labeled_annotations": 4, "total_labels": 9}


@pytest.fixture(scope="module")
def server() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def labels(server: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    monkeypatch.setenv("AIRFLOW_CONN_AIHUB_DEFAULT", server.connection_json())
    return server


def sensor(mode: str, **given: Any) -> TaskLife:
    how: dict[str, Any] = {"task_id": "wait", "poke_interval": 0.1, "timeout": 30, **MODES[mode]}
    return TaskLife(lambda: LabelProjectSensor(**{**how, **given}))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("exported", [False, "true"], ids=["finished", "exported"])
def test_a_project_is_waited_for(labels: Emulator, mode: str, exported: Any) -> None:
    """It does not exist at first, then people label it, and then, if that is asked for, somebody exports it."""
    name = f"odd/n\u00e4me {mode} {exported}"
    # Each step is taken once the sensor has seen the one before.
    steps: list[dict[str, Any]] = [{"status": "loading"}, {"status": "ready", "total_annotations": 4}, DONE]
    steps += [{"data_exported_count": 1, "exported_dataset_name": "cars"}] if exported else []
    over = threading.Event()

    def work() -> None:
        for step in steps:
            seen = labels.requests.count("GET", "*/global_stats")
            while labels.requests.count("GET", "*/global_stats") < seen + 2 and not over.wait(0.01):
                pass
            labels.label(name, **step)

    people = threading.Thread(target=work)
    people.start()
    try:
        result = sensor(mode, label_project=name, exported=exported).try_once()
    finally:
        over.set()
        people.join()
    exports = (
        {"exported_dataset_name": "cars", "exports": 1} if exported else {"exported_dataset_name": "", "exports": 0}
    )
    assert result == {"id": name, "status": "succeeded", "labels": 9, **exports}


@pytest.mark.parametrize("mode", MODES)
def test_a_project_whose_data_cannot_be_read_fails_the_task(labels: Emulator, mode: str) -> None:
    labels.label("unreadable", status="failed")
    with pytest.raises(AIHubJobFailed, match="label project unreadable failed: AIHub gives no reason"):
        sensor(mode, label_project="unreadable").try_once()


@pytest.mark.parametrize(("given", "words"), [({"label_project": " "}, "label_project"), ({"exported": 2}, "exported")])
def test_a_bad_parameter_fails_before_anything_is_sent(labels: Emulator, given: dict[str, Any], words: str) -> None:
    before = len(labels.requests)
    with pytest.raises(AIHubParameterError, match=words):
        sensor("poke", **{"label_project": "p", **given}).try_once()
    assert len(labels.requests) == before


@pytest.mark.parametrize("mode", MODES)
def test_the_document_has_no_label_projects(document: Emulator, mode: str) -> None:
    with pytest.raises(AIHubUnsupportedError, match="read label project 'p'"):
        sensor(mode, label_project="p").try_once()
