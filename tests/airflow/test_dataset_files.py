"""Folders as dataset versions without a zip archive, and versions as folders."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stored_files import Sent, content, filled
from task_life import TaskLife

from airflow_provider_aihub.aihub import uploading
from airflow_provider_aihub.aihub.errors import AIHubBadAnswerError, AIHubError, AIHubParameterError, AIHubUnavailable
from airflow_provider_aihub.aihub.version_files import JOURNAL
from airflow_provider_aihub.emulators.aihub import Emulator
from airflow_provider_aihub.hooks.aihub import AIHubHook
from airflow_provider_aihub.operators.dataset import (
    CreateDatasetOperator,
    DatasetDownloadOperator,
    DatasetVersionOperator,
)

NAME = "odd na me?#&ü"
FILES = {"a b#?.txt": b"12345", "deep/er/ü%41.bin": b"\0" * 99, "deep.txt": b"x", "empty": b""}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(tmp_path_factory.mktemp("datasets")) as emulator:
        yield emulator


@pytest.fixture
def datasets(server: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    monkeypatch.setenv("AIRFLOW_CONN_AIHUB_DEFAULT", server.connection_json())
    server.faults.clear()
    return server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return filled(tmp_path / "data", FILES)


def make(name: str, folder: Path, **given: Any) -> TaskLife:
    TaskLife(lambda: CreateDatasetOperator(task_id="create", name=name)).try_once()
    return TaskLife(
        lambda: DatasetVersionOperator(**{"task_id": "make", "dataset": name, "local_path": str(folder), **given})
    )


def fetch(version: str | int, target: Path | str) -> dict[str, Any]:
    found: dict[str, Any] = TaskLife(
        lambda: DatasetDownloadOperator(task_id="fetch", dataset_version=version, local_path=str(target))
    ).try_once()
    return found


def gets(server: Emulator, since: int) -> int:
    return sum(one.path.startswith("/files/") and "/index/" not in one.path for one in list(server.requests)[since:])


@pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "in place"])
def test_there_and_back(datasets: Emulator, folder: Path, tmp_path: Path, deferrable: bool) -> None:
    name = f"{NAME} {deferrable}"
    result = make(name, folder, description="why", deferrable=deferrable).try_once()
    assert (result["dataset_version"], result["data_count"], result["data_size"]) == (f"{name}/V1", 4, 105)
    made = AIHubHook().get_dataset_version(result["id"])
    assert (made.upload_type, made.description.partition(" ")[0]) == (5, "why")
    for given in (f"{name}/V1", result["id"]):
        found = fetch(given, tmp_path / f"came {given!s:.3}")
        assert (found["id"], found["count"], found["size"]) == (result["id"], 4, 105)
    came = content(tmp_path / f"came {result['id']!s:.3}")
    came.pop(JOURNAL)
    assert came == content(folder)


def test_an_upload_goes_on_where_it_stopped(datasets: Emulator, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = Sent(monkeypatch)
    monkeypatch.setattr(uploading, "WORKERS", 1)
    sent.fail_at = 2
    life = make("interrupted", folder)
    with pytest.raises(AIHubUnavailable, match="The line was cut"):
        life.try_once()
    first, sent.fail_at = [*sent.puts], None
    sent.puts.clear()
    assert life.try_once()["data_count"] == 4
    assert len(first) == 2
    assert len(sent.puts) == len(FILES) - 2 + 2
    assert not set(first) & set(sent.puts)
    assert len(AIHubHook().list_dataset_versions(dataset_id=life.try_once()["dataset_id"]).data) == 1


def test_a_download_goes_on_where_it_stopped(datasets: Emulator, folder: Path, tmp_path: Path) -> None:
    make("halves", folder).try_once()
    target = tmp_path / "came"
    datasets.faults.add("status", path="/files/*deep.txt", status=403)
    with pytest.raises(AIHubError):
        fetch("halves/V1", target)
    datasets.faults.clear()
    there, since = {name for name in content(target) if name[0] != "."}, len(datasets.requests)
    assert 0 < len(there) < 4
    assert fetch("halves/V1", target)["count"] == 4
    # Those that came while another failed may not have been noted.
    assert 0 < gets(datasets, since) <= 4
    since = len(datasets.requests)
    (target / "deep.txt").write_text("other")
    assert fetch("halves/V1", target)["size"] == 105
    assert gets(datasets, since) == 1
    came = content(target)
    came.pop(JOURNAL)
    assert came == content(folder)


def test_another_version_is_fetched_anew(datasets: Emulator, folder: Path, tmp_path: Path) -> None:
    make("two", folder).try_once()
    fetch("two/V1", tmp_path / "came")
    (folder / "deep.txt").write_bytes(b"y")
    make("two", folder, task_id="make_again").try_once()
    fetch("two/V2", tmp_path / "came")
    assert (tmp_path / "came" / "deep.txt").read_bytes() == b"y"
    assert json.loads((tmp_path / "came" / JOURNAL).read_text().splitlines()[0])["dataset_version"]


def test_a_file_of_another_size_is_refused(datasets: Emulator, folder: Path, tmp_path: Path) -> None:
    made = make("cut", folder).try_once()
    (datasets.home / "storage" / "datasets" / "cut" / "V1" / "deep.txt").write_bytes(b"longer")
    with pytest.raises(AIHubBadAnswerError, match=r"'deep.txt' with another content than its index says"):
        fetch(made["id"], tmp_path / "came")
    assert not (tmp_path / "came" / "deep.txt").exists()


def test_other_roads(datasets: Emulator, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A single file goes as it is; a folder as an archive where boto3 is missing or AIHub gives no credentials."""
    made = make("roads", folder / "deep.txt").try_once()
    assert AIHubHook().get_dataset_version(made["id"]).upload_type == 1
    datasets.faults.add("status", path="*/get-sts", status=404)
    made = make("roads", folder, task_id="no_store").try_once()
    assert AIHubHook().get_dataset_version(made["id"]).upload_type == 1
    datasets.faults.clear()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    made = make("roads", folder, task_id="no_boto3").try_once()
    assert AIHubHook().get_dataset_version(made["id"]).upload_type == 1


def test_a_version_that_is_not_there_yet(datasets: Emulator, tmp_path: Path) -> None:
    made = make("failing", tmp_path, local_path=None, upload_path="/nowhere", upload_type="host")
    with pytest.raises(AIHubError):
        made.try_once()
    with pytest.raises(AIHubError, match="failing/V1 has failed and has no index, so its files cannot be fetched"):
        fetch("failing/V1", tmp_path / "came")
    with pytest.raises(AIHubParameterError, match="files are fetched to a folder on the worker alone"):
        fetch("failing/V1", "s3://bucket/x")


def test_names_that_a_csv_or_a_disk_takes_badly(datasets: Emulator, tmp_path: Path, new_name: str) -> None:
    names = ["a\rb", "a\u2028b", "a\x0bb", 'a"b,c', " a ", "a" * 255, "\u4e2d" * 85]
    folder = filled(tmp_path / "data", {name: name.encode() for name in names})
    make(new_name, folder).try_once()
    fetch(f"{new_name}/V1", tmp_path / "came")
    came = content(tmp_path / "came")
    del came[JOURNAL]
    assert came == content(folder)
