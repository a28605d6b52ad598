"""Artifacts of workflow runs: in a real store, and read and written by the vendor's client, too."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aihub.client import Client
from stored_files import LARGE, Sent, content, filled
from task_life import TaskLife

from airflow_provider_aihub.aihub import object_store, uploading
from airflow_provider_aihub.aihub.artifacts import ArtifactSpec
from airflow_provider_aihub.aihub.errors import (
    AIHubAmbiguousSubmit,
    AIHubBadAnswerError,
    AIHubError,
    AIHubNotFoundError,
    AIHubParameterError,
    AIHubUnavailable,
)
from airflow_provider_aihub.emulators.aihub import Emulator
from airflow_provider_aihub.hooks.aihub import AIHubHook
from airflow_provider_aihub.operators.artifact import ArtifactDownloadOperator, ArtifactUploadOperator

CREATE = "*/artifacts"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(tmp_path_factory.mktemp("artifacts")) as emulator:
        yield emulator


@pytest.fixture
def artifacts(server: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    monkeypatch.setenv("AIRFLOW_CONN_AIHUB_DEFAULT", server.connection_json())
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("AI_HUB_TOKEN", raising=False)
    server.faults.clear()
    return server


@pytest.fixture
def run() -> str:
    """A run of which nothing is known but its id."""
    return f"run-{uuid4().hex[:8]}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Small files, an empty one, one in three parts, and names that need quoting."""
    files = {"a b#%.txt": b"12345", "deep/er/\u00fc.bin": b"\0" * 99, "empty": b"", "large.bin": os.urandom(LARGE)}
    return filled(tmp_path / "out", files)


def upload(run: str, path: Path, **given: Any) -> Any:
    given = {"workflow_run_id": run, "local_path": str(path), **given}
    return TaskLife(lambda: ArtifactUploadOperator(task_id="up", **given)).try_once()


def download(run: str, path: str, target: Path) -> Any:
    given = {"workflow_run_id": run, "artifact_path": path, "local_path": str(target)}
    return TaskLife(lambda: ArtifactDownloadOperator(task_id="down", **given)).try_once()


def vendor(server: Emulator) -> Any:
    """The vendor's own client."""
    token = AIHubHook().login(server.username, server.password).token
    return Client(base_url=server.url, token=token, log_level="CRITICAL").artifact


def test_a_folder_there_and_back(artifacts: Emulator, run: str, folder: Path, tmp_path: Path) -> None:
    result = upload(run, folder, artifact_type="Model")
    (shown,) = AIHubHook().list_artifacts(run).data
    assert (shown.src_path, shown.entity_type, shown.is_dir, shown.s3_path) == ("out", "model", True, result["path"])
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert result == {"id": shown.id, "artifact_path": "out", "path": shown.s3_path, "count": 4, "size": size}
    found = download(run, "out", tmp_path / "came")
    assert found == {**result, "path": str(tmp_path / "came")}
    assert content(tmp_path / "came") == content(folder)
    # Ours is read by the vendor's client, and the other way round.
    theirs = vendor(artifacts)
    theirs.download_artifacts(run, "out", str(tmp_path / "theirs"))
    assert content(tmp_path / "theirs") == content(folder)
    theirs.create_artifacts(str(folder), "theirs", run)
    download(run, "theirs", tmp_path / "back")
    assert content(tmp_path / "back") == content(folder)


@pytest.mark.parametrize("name", ["a b#%.txt", "large.bin"])
def test_a_file_there_and_back(artifacts: Emulator, run: str, folder: Path, tmp_path: Path, name: str) -> None:
    size = (folder / name).stat().st_size
    result = upload(run, folder / name, artifact_path="deep/one")
    assert (result["artifact_path"], result["count"], result["size"]) == ("deep/one", 1, size)
    found = download(run, "deep/one", tmp_path / "came")
    assert found == {**result, "path": str(tmp_path / "came" / "deep" / "one")}
    assert (tmp_path / "came" / "deep" / "one").read_bytes() == (folder / name).read_bytes()
    (tmp_path / "theirs").mkdir()
    theirs = vendor(artifacts)
    theirs.download_artifacts(run, "deep/one", str(tmp_path / "theirs"))
    assert (tmp_path / "theirs" / "deep" / "one").read_bytes() == (folder / name).read_bytes()
    theirs.create_artifact(str(folder / name), "theirs", run)
    download(run, "theirs", tmp_path / "back")
    assert (tmp_path / "back" / "theirs").read_bytes() == (folder / name).read_bytes()


def test_a_retry_goes_on_where_it_stopped(
    artifacts: Emulator, run: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = Sent(monkeypatch)
    monkeypatch.setattr(uploading, "WORKERS", 1)
    sent.fail_at = 5
    told = artifacts.requests.count("POST", f"{CREATE}/*/uploaded")
    with pytest.raises(AIHubUnavailable, match="The line was cut"):
        upload(run, folder)
    assert sent.puts[-2:] == ["large.bin 1", "large.bin 2"]
    assert artifacts.requests.count("POST", f"{CREATE}/*/uploaded") == told
    sent.fail_at, sent.puts = None, []
    assert upload(run, folder)["count"] == 4
    assert sent.puts == ["large.bin 3"]
    assert len(AIHubHook().list_artifacts(run).data) == 1
    sent.puts.clear()
    upload(run, folder)
    assert sent.puts == []
    # Nor is anything fetched that is there, one of several parts included.
    download(run, "out", tmp_path / "came")
    fetched: list[str] = []
    monkeypatch.setattr(object_store.ObjectStore, "pieces", lambda *given: fetched.append("one") or iter(()))
    download(run, "out", tmp_path / "came")
    assert fetched == []


def test_a_lost_answer_creates_nothing_twice(
    artifacts: Emulator, run: str, folder: Path, monkeypatch: pytest.MonkeyPatch, little_patience: None
) -> None:
    monkeypatch.setattr("airflow_provider_aihub.operators.late.PAUSE", 0.05)
    artifacts.faults.add("lost", path=CREATE, method="POST", count=1)
    upload(run, folder / "empty")
    assert len(AIHubHook().list_artifacts(run).data) == 1
    artifacts.faults.add("status", path=CREATE, method="POST", status=502, count=1)
    with pytest.raises(AIHubAmbiguousSubmit):
        upload(run, folder / "a b#%.txt")


def test_what_is_not_there(artifacts: Emulator, run: str, tmp_path: Path) -> None:
    with pytest.raises(AIHubNotFoundError, match=f"Run {run} on AIHub has no artifact 'out'"):
        download(run, "out", tmp_path / "came")
    AIHubHook().create_artifact(ArtifactSpec.build(entity_id=run, src_path="empty"))
    with pytest.raises(AIHubNotFoundError, match="has nothing at s3://"):
        download(run, "empty", tmp_path / "came")


def test_a_list_that_is_none_is_no_empty_folder(
    artifacts: Emulator, run: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What boto3 reads of a page in HTML."""
    upload(run, folder)
    ask = object_store.ObjectStore.ask
    page: Any = lambda store, asks, operation, **given: (  # noqa: E731
        {} if operation == "list_objects_v2" else ask(store, asks, operation, **given)
    )
    monkeypatch.setattr(object_store.ObjectStore, "ask", page)
    with pytest.raises(AIHubBadAnswerError, match="gave something that is no answer to it"):
        download(run, "out", tmp_path / "came")


def test_no_path_leads_out_of_the_folder(artifacts: Emulator, run: str, folder: Path, tmp_path: Path) -> None:
    upload(run, folder / "a b#%.txt", artifact_path="../out.txt")
    with pytest.raises(AIHubError, match="would lead out of the folder"):
        download(run, "../out.txt", tmp_path / "came")
    assert not (tmp_path / "out.txt").exists()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"workflow_run_id": ""}, "workflow_run_id"),
        (
            {"workflow_run_id": "None"},
            "workflow_run_id must be .*, not 'None', as a template renders",
        ),
        ({"artifact_path": "None"}, "artifact_path must be the path of an artifact, not 'None', as a template renders"),
        ({"artifact_type": "thing"}, "artifact_type must be one of dataset, model, .*, other"),
        ({"local_path": ""}, "local_path"),
    ],
)
def test_a_bad_parameter_fails_before_anything_is_sent(
    artifacts: Emulator, run: str, folder: Path, given: dict[str, Any], words: str
) -> None:
    before = len(artifacts.requests)
    with pytest.raises(AIHubParameterError, match=words):
        upload(run, folder, **given)
    assert len(artifacts.requests) == before


def test_the_document_has_no_artifacts(document: Emulator, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("1")
    with pytest.raises(AIHubParameterError, match="This AIHub has no artifacts"):
        upload("1", tmp_path)
    with pytest.raises(AIHubParameterError, match="This AIHub has no artifacts"):
        download("1", "a", tmp_path / "came")
