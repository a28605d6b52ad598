"""Folders and disks of workers that are bad or change meanwhile, and other tasks that work on the same files."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from stored_files import LARGE, Sent, content, filled
from task_life import TaskLife
from waiting import until

from airflow_provider_aihub.aihub import files, object_store, uploading
from airflow_provider_aihub.aihub.errors import (
    AIHubError,
    AIHubNotFoundError,
    AIHubParameterError,
    AIHubUnavailable,
)
from airflow_provider_aihub.aihub.version_files import JOURNAL, Indexed, download_files
from airflow_provider_aihub.emulators.aihub import Emulator
from airflow_provider_aihub.hooks.aihub import AIHubHook
from airflow_provider_aihub.operators.dataset import (
    CreateDatasetOperator,
    DatasetDownloadOperator,
    DatasetVersionOperator,
)
from airflow_provider_aihub.operators.eval_report import EvalReportOperator
from airflow_provider_aihub.operators.model import ModelDownloadOperator, ModelUploadOperator
from airflow_provider_aihub.operators.s3_relay import S3RelayUploadOperator

FILES = {"a": b"1", "b": b"2", "c": b"3"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(tmp_path_factory.mktemp("bad_files")) as emulator:
        yield emulator


@pytest.fixture(autouse=True)
def _connected(server: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_AIHUB_DEFAULT", server.connection_json())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return filled(tmp_path / "out", FILES)


def upload(model: str, folder: Path) -> TaskLife:
    return TaskLife(lambda: ModelUploadOperator(task_id="up", model=model, local_path=str(folder)))


def download(model: str, target: Path) -> dict[str, Any]:
    found: dict[str, Any] = TaskLife(
        lambda: ModelDownloadOperator(task_id="down", model=model, local_path=str(target))
    ).try_once()
    return found


def version(dataset: str, folder: Path) -> TaskLife:
    TaskLife(lambda: CreateDatasetOperator(task_id="create", name=dataset)).try_once()
    return TaskLife(lambda: DatasetVersionOperator(task_id="make", dataset=dataset, local_path=str(folder)))


def relay(folder: Path) -> TaskLife:
    task = S3RelayUploadOperator
    return TaskLife(lambda: task(task_id="relay", bucket="b12", key="k", local_path=str(folder)))  # type: ignore[arg-type]


def fetch(dataset: str, target: Path) -> dict[str, Any]:
    found: dict[str, Any] = TaskLife(
        lambda: DatasetDownloadOperator(task_id="fetch", dataset_version=f"{dataset}/V1", local_path=str(target))
    ).try_once()
    return found


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, Callable[[], Any]], None]:
    """Let something happen when so many files of a folder have been looked at; each is, twice."""
    look, looks, then = files.check_name, [0], {}

    def looking(name: str) -> None:
        looks[0] += 1
        then.pop(looks[0], lambda: None)()
        look(name)

    monkeypatch.setattr(files, "check_name", looking)
    return then.__setitem__


def test_a_link_to_itself_is_refused(folder: Path, new_name: str) -> None:
    (folder / "loop").symlink_to(folder / "loop")
    with pytest.raises(AIHubParameterError, match="loop cannot be sent, since it is neither a file nor a link to one"):
        upload(new_name, folder).try_once()


def test_a_file_that_is_gone_when_its_turn_comes(
    folder: Path, new_name: str, meanwhile: Callable[[int, Callable[[], Any]], None]
) -> None:
    meanwhile(4, (folder / "b").unlink)
    life = upload(new_name, folder)
    with pytest.raises(AIHubError, match="b cannot be sent: No such file or directory") as gone:
        life.try_once()
    assert not gone.value.final, "a retry looks anew at what there is"
    assert life.try_once()["count"] == 2


def test_a_folder_that_grows_while_it_is_sent(
    folder: Path, tmp_path: Path, new_name: str, meanwhile: Callable[[int, Callable[[], Any]], None]
) -> None:
    meanwhile(3, lambda: filled(folder, {"b": b"22222", "d": b"4"}))
    result = upload(new_name, folder).try_once()
    assert (result["count"], result["size"]) == (4, 8)
    download(new_name, tmp_path / "came")
    assert content(tmp_path / "came") == content(folder)


def test_a_folder_that_changes_between_two_tries(
    folder: Path, tmp_path: Path, new_name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(DatasetVersionOperator, "log", logging.getLogger("test.task"))
    monkeypatch.setattr(uploading, "WORKERS", 1)
    sent, life = Sent(monkeypatch), version(new_name, folder)
    sent.fail_at = 2
    with pytest.raises(AIHubUnavailable):
        life.try_once()
    sent.fail_at = None
    (folder / "a").unlink()
    filled(folder, {"b": b"other", "d": b"4"})
    life.try_once()
    assert "1 files at s3://" in caplog.text
    fetch(new_name, tmp_path / "came")
    came = content(tmp_path / "came")
    came.pop(JOURNAL)
    assert came == content(folder)


@pytest.mark.parametrize("full", [False, True], ids=["taken by a folder", "disk full"])
def test_a_folder_where_nothing_can_be_noted(folder: Path, tmp_path: Path, new_name: str, full: bool) -> None:
    version(new_name, folder).try_once()
    journal = tmp_path / "came" / JOURNAL
    if full:
        journal.parent.mkdir()
        journal.symlink_to("/dev/full")
    else:
        journal.mkdir(parents=True)
    with pytest.raises(AIHubError, match=rf"{JOURNAL}' cannot be written: (No space left|Is a directory)"):
        fetch(new_name, tmp_path / "came")


def test_a_worker_without_room_for_temporary_files(
    folder: Path, tmp_path: Path, new_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(new_name, folder).try_once()
    version(new_name, folder).try_once()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    for task in (
        upload(new_name, folder).try_once,
        lambda: download(new_name, folder),
        lambda: fetch(new_name, folder),
    ):
        with pytest.raises(AIHubError, match="cannot be written: No such file or directory; check the folder"):
            task()


def test_what_came_is_noted_at_once(tmp_path: Path) -> None:
    """A worker that is killed in the middle leaves word of what it has."""

    def give(url: str, target: Any) -> int:
        if url == "second":
            until("the first file is noted", (tmp_path / JOURNAL).read_text, lambda text: "first" in text, patience=9)
        return int(target.write(b"12345"))

    named = (Indexed(name, name, None, None) for name in ("first", "second"))
    assert download_files(named, "v", tmp_path, give, None).count == 2


def test_an_upload_in_parts_that_was_done_already(
    tmp_path: Path, new_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call that puts the parts together was sent again after a lost answer: many stores know no upload then."""
    folder, ask = filled(tmp_path / "out", {"w.bin": bytes(LARGE)}), object_store.ObjectStore.ask

    def twice(store: Any, asks: str, operation: str, **given: Any) -> Any:
        answer = ask(store, asks, operation, **given)
        if operation == "complete_multipart_upload":
            raise AIHubNotFoundError("There is no such upload.")
        return answer

    monkeypatch.setattr(object_store.ObjectStore, "ask", twice)
    assert upload(new_name, folder).try_once()["size"] == LARGE


@pytest.mark.parametrize("kind", ["model", "version"])
def test_several_tasks_fetch_into_one_folder(
    tmp_path: Path, new_name: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of them may be a worker that Airflow takes for dead."""
    source = filled(tmp_path / "out", {**FILES, "large": bytes(range(256)) * 20_000})
    (upload if kind == "model" else version)(new_name, source).try_once()
    together, told = dict[Path, threading.Barrier](), list[Any]()
    replace = Path.replace

    def at_once(part: Path, place: Path) -> Path:
        # All of them have all of a file before the first gives it its name; each fetches several at a time.
        together.setdefault(place, threading.Barrier(3)).wait(60)
        return replace(part, place)

    monkeypatch.setattr(Path, "replace", at_once)

    def work() -> None:
        try:
            told.append((download if kind == "model" else fetch)(new_name, tmp_path / "came")["size"])
        except BaseException as error:
            told.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == [3 + 256 * 20_000] * 3
    came = content(tmp_path / "came")
    came.pop(JOURNAL, None)
    assert came == content(source)


def test_a_clear_with_fewer_retries_is_a_clear(folder: Path, new_name: str) -> None:
    """It sets the same number of tries as before."""
    report = TaskLife(lambda: EvalReportOperator(task_id="report", name=new_name, retries=2))
    made = version(new_name, folder)
    for life in (report, made):
        life.retries = life.ti.max_tries = 2
        first = life.try_once()
        life.retries = 1
        life.clear()
        assert life.ti.max_tries == 2
        assert life.try_once()["id"] != first["id"]
    old, new = AIHubHook().list_dataset_versions(dataset_id=made.try_once()["dataset_id"]).data
    assert old.upload_path != new.upload_path, "a version that was made may refer to its files"


def test_a_name_with_a_line_break_breaks_no_sentence(tmp_path: Path, new_name: str) -> None:
    folder = filled(tmp_path / "out", {"a\nb": b"1"})
    with pytest.raises(AIHubError) as refused:
        upload(new_name, folder).try_once()
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("a\0b", "that is no path"),
        (f"/tmp/{'x' * 300}", "that is no path: File name too long"),
        ("{folder}/a/b", "there is no such file or folder"),
    ],
    ids=["null", "long", "below a file"],
)
def test_a_path_that_can_be_none(folder: Path, new_name: str, path: str, problem: str) -> None:
    given = path.replace("{folder}", str(folder))
    for task in (upload(new_name, Path(given)), version(new_name, Path(given)), relay(Path(given))):
        with pytest.raises(AIHubParameterError, match=f"local_path is .* but {problem}"):
            task.try_once()
    if "\0" in path:
        with pytest.raises(AIHubParameterError, match="which cannot be made: that is no path"):
            download(new_name, Path(given))


def test_a_folder_that_is_gone_when_its_turn_comes_may_come_again(
    tmp_path: Path, new_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, scan = filled(tmp_path / "out", {"a": b"1", "b/c": b"2"}), os.scandir

    def gone(path: str) -> Any:
        if path.endswith("/b"):
            raise FileNotFoundError(2, "No such file or directory")
        return scan(path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", gone)
        with pytest.raises(AIHubError, match="/b cannot be read: No such file or directory") as failure:
            upload(new_name, folder).try_once()
        assert not failure.value.final
    assert upload(new_name, folder).try_once()["count"] == 2


@pytest.mark.parametrize("line", [b"\xff\xfe", b"5", b"[[1], 2]", b'["a"', b"\0" * 9], ids=repr)
def test_what_is_no_line_of_a_journal_is_passed_over(folder: Path, tmp_path: Path, new_name: str, line: bytes) -> None:
    version(new_name, folder).try_once()
    fetch(new_name, tmp_path / "came")
    journal = tmp_path / "came" / JOURNAL
    first, *others = journal.read_bytes().splitlines()
    journal.write_bytes(b"\n".join([first, line, *others]))
    assert fetch(new_name, tmp_path / "came")["count"] == len(FILES)
    journal.write_bytes(line)
    assert fetch(new_name, tmp_path / "came")["count"] == len(FILES)


def test_a_path_may_be_one_of_python_s_own(folder: Path, tmp_path: Path, new_name: str) -> None:
    TaskLife(lambda: ModelUploadOperator(task_id="up", model=new_name, local_path=folder)).try_once()
    TaskLife(lambda: ModelDownloadOperator(task_id="down", model=new_name, local_path=tmp_path / "came")).try_once()
    assert content(tmp_path / "came") == content(folder)
