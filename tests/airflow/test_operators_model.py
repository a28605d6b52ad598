"""Models: uploaded, waited for and downloaded, with the files in a real store."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from http_servers import Answered, Asked
from stored_files import LARGE, Sent, content, filled
from task_life import TaskLife
from twisted import GoOn, Twisted

from airflow_provider_aihub.aihub import object_store, uploading
from airflow_provider_aihub.aihub.errors import (
    AIHubBadAnswerError,
    AIHubError,
    AIHubJobFailed,
    AIHubParameterError,
    AIHubUnavailable,
)
from airflow_provider_aihub.emulators.aihub import Emulator
from airflow_provider_aihub.hooks.aihub import AIHubHook
from airflow_provider_aihub.operators.model import ModelDownloadOperator, ModelUploadOperator
from airflow_provider_aihub.sensors.model import ModelSensor
from airflow_provider_aihub.tasks import task_try

NAME = "odd/na me?#%&ü"
"""Quoted, never refused."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(tmp_path_factory.mktemp("models")) as emulator:
        yield emulator


@pytest.fixture
def models(server: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    monkeypatch.setenv("AIRFLOW_CONN_AIHUB_DEFAULT", server.connection_json())
    server.faults.clear()
    return server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Small files, an empty one, one in three parts, and names that need quoting."""
    files = {"a b#%.txt": b"12345", "deep/er/ü.bin": b"\0" * 99, "deep.txt": b"x", "empty": b""}
    return filled(tmp_path / "model", {**files, "weights.bin": os.urandom(LARGE)})


def upload(folder: Path, **given: Any) -> TaskLife:
    return TaskLife(lambda: ModelUploadOperator(**{"task_id": "up", "local_path": str(folder), **given}))


def download(target: Path, **given: Any) -> dict[str, Any]:
    found: dict[str, Any] = TaskLife(
        lambda: ModelDownloadOperator(**{"task_id": "down", "local_path": str(target), **given})
    ).try_once()
    return found


def asked(server: Emulator, path: str, since: int = 0) -> int:
    return sum(one.path.endswith(path) and one.method == "POST" for one in list(server.requests)[since:])


@pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "in place"])
def test_there_and_back(models: Emulator, folder: Path, tmp_path: Path, deferrable: bool) -> None:
    name = f"{NAME} {deferrable}"
    result = upload(folder, model=name, description="why", tags=[3], public="true", deferrable=deferrable).try_once()
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert result == {"id": result["id"], "name": name, "status": "succeeded", "count": 5, "size": size}
    shown = AIHubHook().get_model(result["id"])
    assert (shown.name, shown.description, shown.tags, shown.is_public) == (name, "why", [3], True)
    waited = TaskLife(lambda: ModelSensor(task_id="wait", model=name, deferrable=deferrable)).try_once()
    assert waited["count"] == 5
    found = download(tmp_path / "came", model=name)
    assert found == {"id": result["id"], "name": name, "path": str(tmp_path / "came"), "count": 5, "size": size}
    assert content(tmp_path / "came") == content(folder)


def test_an_upload_goes_on_where_it_stopped(models: Emulator, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = Sent(monkeypatch)
    monkeypatch.setattr(uploading, "WORKERS", 1)
    sent.fail_at = 6
    life = upload(folder, model="interrupted")
    with pytest.raises(AIHubUnavailable, match="The line was cut"):
        life.try_once()
    # Four small files and two of the three parts are there.
    assert sent.puts[-2:] == ["weights.bin 1", "weights.bin 2"]
    sent.fail_at, sent.puts = None, []
    since = len(models.requests)
    result = life.try_once()
    assert sent.puts == ["weights.bin 3", "files.csv", "files.json"]
    assert (result["status"], result["count"]) == ("succeeded", 5)
    assert (asked(models, "/models"), asked(models, "/models/upload", since)) == (asked(models, "/models"), 1)


def test_what_is_there_is_not_uploaded_again(
    models: Emulator, folder: Path, monkeypatch: pytest.MonkeyPatch, created: Callable[[], list[str]]
) -> None:
    first = upload(folder, model="same").try_once()
    assert created() == [f"Created model {first['id']} on AIHub"]
    sent, since = Sent(monkeypatch), len(models.requests)
    assert upload(folder, model="same").try_once() == first
    assert created() == []
    assert (sent.puts, asked(models, "/upload", since)) == (["files.json"], 0)
    (folder / "deep.txt").write_bytes(b"y")
    (folder / "empty").unlink()
    sent.puts.clear()
    assert upload(folder, model=first["id"]).try_once()["count"] == 4
    assert sent.puts == ["deep.txt", "files.csv", "files.json"]
    assert asked(models, "/models/upload", since) == 1


@pytest.mark.parametrize("path", ["*/models", "*/models/upload"])
def test_a_lost_answer_creates_nothing_twice(
    models: Emulator, tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text("1")
    monkeypatch.setattr("airflow_provider_aihub.operators.late.PAUSE", 0.05)
    models.faults.add("lost", path=path, method="POST", count=1)
    name = f"lost {path}"
    assert upload(tmp_path, model=name).try_once()["status"] == "succeeded"
    assert sum(model.name == name for model in AIHubHook().list_models(name=name).data) == 1


def test_how_a_model_was_before_its_new_files_is_not_taken_for_how_it_is(
    twisted: Twisted, tmp_path: Path, new_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_aihub.operators.late.PAUSE", 0.05)
    folder = filled(tmp_path / "model", {"a.txt": b"1"})
    assert upload(folder, model=new_name).try_once()["count"] == 1
    filled(folder, {"b.txt": b"22"})
    shown: list[Answered] = []
    late = [3]

    def as_before(request: Asked, go_on: GoOn) -> Answered:
        answer = go_on(request)
        if request.path.endswith("/models/db"):
            if twisted.count(lambda one: one.path.endswith("/models/upload")) < 2:
                shown.append(answer)
            elif late[0]:
                late[0] -= 1
                return shown[-1]
        return answer

    twisted.rules = [as_before]
    result = upload(folder, model=new_name).try_once()
    assert (result["count"], result["size"], late) == (2, 3, [0])


def test_a_model_that_aihub_never_shows_to_change_is_not_waited_for_without_end(
    twisted: Twisted, tmp_path: Path, new_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_aihub.operators.late.PAUSE", 0.05)
    monkeypatch.setattr(task_try, "PATIENCE", replace(task_try.PATIENCE, settled=0.5))
    folder = filled(tmp_path / "model", {"a.txt": b"1"})
    upload(folder, model=new_name).try_once()
    filled(folder, {"b.txt": b"22"})
    shown: list[Answered] = []

    def as_before(request: Asked, go_on: GoOn) -> Answered:
        if not request.path.endswith("/models/db"):
            return go_on(request)
        shown[:] = shown or [go_on(request)]
        return shown[0]

    twisted.rules = [as_before]
    assert upload(folder, model=new_name).try_once()["count"] == 1
    assert twisted.count(lambda one: one.path.endswith("/models/upload")) == 2
    looks = twisted.count(lambda one: one.path.endswith("/models/db"))
    assert 4 < looks < 40


def test_a_download_goes_on_where_it_stopped(
    models: Emulator, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(folder, model="halves").try_once()
    target, pieces = tmp_path / "came", object_store.ObjectStore.pieces
    asked_from: list[int] = []

    def broken(store: Any, stored: Any, place: Any, start: int) -> Iterator[bytes]:
        asked_from.append(start)
        given = pieces(store, stored, place, start)
        if stored.size < LARGE or len(asked_from) > 20:
            yield from given
            return
        yield next(given)
        raise OSError("killed")

    monkeypatch.setattr(object_store.ObjectStore, "pieces", broken)
    with pytest.raises(AIHubError, match="cannot be written"):
        download(target, model="halves")
    asked_from[:] = [0] * 21
    download(target, model="halves")
    # Of the file that had begun only the rest was asked for, of the others nothing.
    assert [start for start in asked_from[21:] if start] == [2**18]
    assert content(target) == content(folder)
    asked_from.clear()
    (target / "deep.txt").write_text("z")
    download(target, model="halves")
    assert content(target) == content(folder)


def test_a_file_with_another_hash_is_refused(
    models: Emulator, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(folder, model="hashed").try_once()
    monkeypatch.setattr(
        object_store.ObjectStore, "pieces", lambda store, stored, place, start: iter([b"?" * stored.size])
    )
    monkeypatch.setattr("airflow_provider_aihub.aihub.downloading.read_sheet", lambda *_: {})
    with pytest.raises(AIHubBadAnswerError, match="another content than its hash says"):
        download(tmp_path / "came", model="hashed")
    assert not [path for path in (tmp_path / "came").rglob("*.txt") if path.read_bytes()[:1] == b"?"]


def test_credentials_are_got_anew_and_told_to_nobody(
    models: Emulator, folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    masked: list[str] = []
    monkeypatch.setattr("airflow_provider_aihub.hooks.aihub._mask", masked.append)
    hook = AIHubHook()
    store = hook.object_store(hook.get_model_store_access)
    before = store.access
    assert masked == [before.access_key_id, before.secret_access_key, before.session_token]
    for secret in masked:
        assert secret not in repr(before)
    place = object_store.Place("no-such-bucket", "key")
    with pytest.raises(AIHubError) as failure:
        store.put(place, b"")
    assert "NoSuchBucket (HTTP 404)" in str(failure.value)
    client: Any = store._made
    answer = {"Error": {"Code": "ExpiredToken"}, "ResponseMetadata": {"HTTPStatusCode": 400}}

    def expired(**_: Any) -> Any:
        raise client.exceptions.ClientError(answer, "PutObject")

    monkeypatch.setattr(client, "put_object", expired)
    store.put(object_store.Place(before.bucket, "key"), b"1")
    assert store.access.session_token != before.session_token


def test_a_small_file_is_sent_without_asking_first(models: Emulator) -> None:
    hook, asked = AIHubHook(), []
    store = hook.object_store(hook.get_model_store_access)
    store._made.meta.events.register("before-send.s3", lambda request, **_: asked.append(request.headers.get("Expect")))
    for size in (0, object_store.SMALL, object_store.SMALL + 1):
        store.put(object_store.Place(store.access.bucket, "key"), bytes(size))
    assert asked == [None, None, b"100-continue"]


@pytest.mark.parametrize(
    ("kind", "given"),
    [(ModelUploadOperator, {"local_path": "."}), (ModelDownloadOperator, {"local_path": "came"})],
)
def test_the_document_has_no_models(
    document: Emulator, kind: Any, given: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("1")
    with pytest.raises(AIHubParameterError, match="This AIHub has no model center"):
        TaskLife(lambda: kind(task_id="t", model="m", **given)).try_once()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"model": ""}, "model must be a name or an id"),
        ({"model": "None"}, "model must be a name or an id, not 'None', as a template renders when it finds nothing"),
        ({"tags": ["x"]}, r"tags\[0\]"),
        ({"public": "maybe"}, "is_public must be true or false"),
        ({"local_path": ""}, "local_path"),
    ],
)
def test_a_bad_parameter_fails_before_anything_is_sent(
    models: Emulator, folder: Path, given: dict[str, Any], words: str
) -> None:
    before = len(models.requests)
    with pytest.raises(AIHubParameterError, match=words):
        upload(folder, **{"model": "m", **given}).try_once()
    assert len(models.requests) == before


def test_a_model_that_fails(models: Emulator, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploading, "SHEET", ("local_path", "hash", "s3path", "file_size"))
    with pytest.raises(AIHubJobFailed, match=r"AIHub's model \d+ \(broken\) failed"):
        upload(folder, model="broken").try_once()
    with pytest.raises(AIHubError, match="is failed, so its files are not all there"):
        download(folder / "came", model="broken")
