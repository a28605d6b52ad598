"""Files up through the relay, results of searches down into files."""

from __future__ import annotations

import csv
import io
import os
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import fsspec  # type: ignore[import-untyped]
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, ObjectStoragePath
from task_life import TaskInstance, TaskLife

from airflow_provider_aihub import storage
from airflow_provider_aihub.aihub.data_warehouse import SearchSpec
from airflow_provider_aihub.aihub.errors import (
    AIHubConfigError,
    AIHubError,
    AIHubJobFailed,
    AIHubNotFoundError,
    AIHubParameterError,
    AIHubUnavailable,
)
from airflow_provider_aihub.emulators.aihub import Emulator
from airflow_provider_aihub.hooks.aihub import AIHubHook
from airflow_provider_aihub.links import ResultCsvLink, ViewInAIHubLink
from airflow_provider_aihub.operators.s3_relay import S3RelayUploadOperator
from airflow_provider_aihub.operators.warehouse import (
    CsvRows,
    WarehouseResultToObjectStorageOperator,
    WarehouseSearchOperator,
)
from airflow_provider_aihub.storage import check_output, find_source

try:
    from airflow.sdk.io.store import attach
except ImportError:
    from airflow.io.store import attach  # type: ignore[import-not-found,no-redef]

deferred_or_not = pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "in place"])


@pytest.fixture
def memory() -> Iterator[Any]:
    """An object storage: files cannot be rewound while they are written, and appear when they are closed."""
    storage = fsspec.filesystem("memory")
    attach("memory", fs=storage)
    storage.rm("/", recursive=True)
    yield storage
    storage.rm("/", recursive=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    (folder / "b").mkdir(parents=True)
    (folder / "a.txt").write_text("12345")
    (folder / "b" / "图 1.txt").write_text("123")
    return folder


# Up


def upload(**given: Any) -> dict[str, Any]:
    return S3RelayUploadOperator(task_id="upload", **{"bucket": "b12", **given}).execute({"ti": TaskInstance("task")})


def kept(aihub: Emulator, key: str) -> bytes:
    return Path(aihub.home, "relay", "b12", key).read_bytes()


@pytest.mark.parametrize("server", ["aihub", "document"])
def test_a_file_is_uploaded(request: pytest.FixtureRequest, server: str, folder: Path, new_name: str) -> None:
    aihub = request.getfixturevalue(server)
    result = upload(local_path=str(folder / "a.txt"), key=f"{new_name}/one.txt")
    assert result["path"] == f"s3://b12/{new_name}/one.txt"
    content = io.BytesIO()
    AIHubHook().download(result["url"], content)
    assert content.getvalue() == b"12345"
    assert upload(local_path=str(folder / "a.txt"), key=f"{new_name}/")["path"] == f"s3://b12/{new_name}/a.txt"
    assert kept(aihub, f"{new_name}/a.txt") == b"12345"


def test_the_files_of_a_folder_are_uploaded(aihub: Emulator, folder: Path, new_name: str) -> None:
    expected = {"path": f"s3://b12/{new_name}", "count": 2, "bytes": 8}
    for key in (new_name, f"{new_name}/"):
        assert upload(local_path=str(folder), key=key) == expected
    assert kept(aihub, f"{new_name}/a.txt") == b"12345"
    assert kept(aihub, f"{new_name}/b/图 1.txt") == b"123"


@pytest.mark.parametrize("what", ["folder", "file"])
def test_an_archive_is_made_while_it_is_sent(aihub: Emulator, folder: Path, new_name: str, what: str) -> None:
    path = folder if what == "folder" else folder / "a.txt"
    result = upload(local_path=str(path), key=f"{new_name}.zip", archive=True)
    assert result["path"] == f"s3://b12/{new_name}.zip"
    names = ["a.txt", "b/图 1.txt"] if what == "folder" else ["a.txt"]
    with zipfile.ZipFile(io.BytesIO(kept(aihub, f"{new_name}.zip"))) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == names


def test_files_of_an_object_storage_are_uploaded(aihub: Emulator, memory: Any, new_name: str) -> None:
    memory.pipe("/from/a.txt", b"12345")
    memory.pipe("/from/b/c.txt", b"123")
    assert upload(local_path="memory://from", key=new_name)["count"] == 2
    assert kept(aihub, f"{new_name}/b/c.txt") == b"123"
    assert upload(local_path=ObjectStoragePath("memory://from/b/c.txt"), key=f"{new_name}/one")["url"]
    assert kept(aihub, f"{new_name}/one") == b"123"


@pytest.mark.usefixtures("short_pauses")
def test_an_upload_that_breaks_is_sent_anew(aihub: Emulator, folder: Path, new_name: str) -> None:
    aihub.faults.add("reset", path="/upload", count=1)
    upload(local_path=str(folder), key=f"{new_name}.zip", archive=True)
    assert zipfile.ZipFile(io.BytesIO(kept(aihub, f"{new_name}.zip"))).testzip() is None


@pytest.mark.parametrize("given", [{"bucket": ""}, {"key": ""}, {"key": "/"}, {"local_path": "/nowhere/at/all"}])
def test_bad_parameters_of_an_upload(aihub: Emulator, folder: Path, given: dict[str, Any]) -> None:
    before = len(aihub.requests)
    with pytest.raises(AIHubParameterError, match=next(iter(given))):
        upload(**{"local_path": str(folder), "key": "k", **given})
    assert len(aihub.requests) == before


def test_a_connection_without_a_relay(aihub: Emulator, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_AIHUB_DEFAULT", f'{{"conn_type": "aihub", "host": "{aihub.url}"}}')
    with pytest.raises(AIHubConfigError, match="s3_relay_token"):
        upload(local_path=str(folder), key="k")


def test_a_source_says_what_it_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    source = find_source("local_path", "pictures/")
    assert (source.name, source.is_folder, list(source.files), source.size) == (
        "pictures",
        True,
        ["a.txt", "b/图 1.txt"],
        8,
    )
    assert find_source("local_path", "pictures/a.txt").as_file().name == "a.txt"


def test_links_within_a_folder_are_followed(aihub: Emulator, folder: Path, new_name: str) -> None:
    (folder / "b" / "link.txt").symlink_to("../a.txt")
    (folder.parent / "other").symlink_to(folder)
    for place in (folder, folder.parent / "other"):
        assert upload(local_path=str(place), key=new_name)["count"] == 3
        assert kept(aihub, f"{new_name}/b/link.txt") == b"12345"
    assert upload(local_path=str(folder / "b" / "link.txt"), key=f"{new_name}/one")["path"].endswith("/one")
    assert kept(aihub, f"{new_name}/one") == b"12345"


@pytest.mark.parametrize("archive", [True, False])
@pytest.mark.parametrize("target", ["../secret.txt", "../pictures-too/x.txt", "../pictures-too", "/dev/null", "gone"])
def test_a_link_that_leads_elsewhere_is_refused(
    aihub: Emulator, folder: Path, new_name: str, target: str, archive: bool
) -> None:
    (folder.parent / "secret.txt").write_text("secret")
    (folder.parent / "pictures-too").mkdir()
    (folder.parent / "pictures-too" / "x.txt").write_text("secret")
    (folder / "b" / "link.txt").symlink_to(folder / target)
    before = len(aihub.requests)
    with pytest.raises(AIHubParameterError, match=r"b/link\.txt cannot be sent, since it is .*link"):
        upload(local_path=str(folder), key=new_name, archive=archive)
    assert len(aihub.requests) == before


@pytest.mark.parametrize("archive", [True, False])
def test_a_file_that_becomes_something_else_while_others_are_sent(
    folder: Path, aihub: Emulator, new_name: str, archive: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder.parent / "secret.txt").write_text("123")
    last, find = folder / "b" / "图 1.txt", storage.find_source

    def pipe() -> None:
        os.mkfifo(last)

    def link() -> None:
        last.symlink_to(folder.parent / "secret.txt")

    def shorter() -> None:
        last.write_text("1")

    def nothing() -> None:
        pass

    for become in (pipe, link, shorter, nothing):

        def found(*given: Any, become: Any = become) -> Any:
            source = find(*given)
            last.unlink()
            become()
            return source

        last.unlink(missing_ok=True)
        last.write_text("123")
        monkeypatch.setattr(storage, "find_source", found)
        with pytest.raises(AIHubError, match=r"The file '图 1\.txt' (cannot be sent|became shorter)") as caught:
            upload(local_path=str(folder), key=new_name, archive=archive)
        assert not isinstance(caught.value, AirflowFailException), become.__name__
        last.unlink(missing_ok=True)
        last.write_text("123")
        monkeypatch.setattr(storage, "find_source", find)
        upload(local_path=str(folder), key=new_name, archive=archive)


@pytest.mark.parametrize("archive", [True, False])
@pytest.mark.parametrize("name", [b"caf\xe9.txt", b"caf\xe9/a.txt"])
def test_a_name_that_is_no_utf_8_is_shown(
    aihub: Emulator, folder: Path, new_name: str, archive: bool, name: bytes
) -> None:
    path = folder / os.fsdecode(name)
    path.parent.mkdir(exist_ok=True)
    path.write_text("1")
    before = len(aihub.requests)
    with pytest.raises(AIHubParameterError, match=re.escape(rf"'{name.decode(errors='backslashreplace')}'")):
        upload(local_path=str(folder), key=new_name, archive=archive)
    assert len(aihub.requests) == before


@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_is_sent_under_a_name_that_is_no_utf_8(aihub: Emulator, folder: Path, new_name: str, what: str) -> None:
    path = folder.rename(folder.parent / os.fsdecode(b"caf\xe9"))
    if what == "file":
        path = (path / "a.txt").rename(path / os.fsdecode(b"caf\xe9"))
    before = len(aihub.requests)
    for archive in (True, False) if what == "file" else (True,):
        with pytest.raises(AIHubParameterError, match=r"The file 'caf\\xe9.* cannot be sent: its name is no UTF-8"):
            upload(local_path=str(path), key=f"{new_name}/", archive=archive)
    assert len(aihub.requests) == before


def test_a_folder_below_that_may_not_be_read_is_not_left_out(
    aihub: Emulator, folder: Path, new_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scandir = os.scandir

    def refuse(path: Any = ".") -> Any:
        if str(path) == str(folder / "b"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(AIHubParameterError, match="it may not be read"):
        upload(local_path=str(folder), key=new_name)


# Down

SQL = "select object_name, note from meta order by 1"
ROWS = [["object_name", "note"], ["big", "a\nb"], ["huge", 'say "hi"'], ["small", ""]]


def search(**given: Any) -> TaskLife:
    return TaskLife(lambda: WarehouseSearchOperator(**{"task_id": "search", "name": "s", "sql": SQL, **given}))


def rows(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode())))


def earlier(sql: str = SQL) -> int:
    return AIHubHook().create_search(SearchSpec.build(name="s", sql=sql))


def save(search_id: Any, output_path: Any) -> dict[str, Any]:
    arguments = {"search_id": search_id, "output_path": output_path}
    return WarehouseResultToObjectStorageOperator(task_id="save", **arguments).execute({"ti": TaskInstance("task")})


@deferred_or_not
@pytest.mark.parametrize("server", ["aihub", "document"])
def test_a_search_saves_its_result(
    request: pytest.FixtureRequest, server: str, tmp_path: Path, deferrable: bool
) -> None:
    aihub = request.getfixturevalue(server)
    path = tmp_path / "new" / "found.csv"
    before = aihub.requests.count(path="/files/*")
    result = search(output_path=str(path), deferrable=deferrable).try_once()
    assert result["output_path"] == str(path)
    assert result["result_count"] == 3
    assert set(result) == {"id", "result_url", "result_count", "output_path"}
    assert rows(path.read_bytes()) == ROWS
    assert aihub.requests.count(path="/files/*") == before + 1, "one download counts and saves"
    assert [file.name for file in path.parent.iterdir()] == ["found.csv"]


def test_a_search_by_keywords_saves_its_result(aihub: Emulator, tmp_path: Path) -> None:
    path = tmp_path / "found.csv"
    result = search(
        sql=None, keywords="red car", feature_lib_id=1, top_k=1, output_path=ObjectStoragePath(f"file://{path}")
    ).try_once()
    assert result["result_count"] == 1
    assert rows(path.read_bytes())[1][:2] == ["http://x/1.jpg", "red car"]


def test_an_earlier_search_is_saved(aihub: Emulator, memory: Any) -> None:
    search_id = search().try_once()["id"]
    memory.pipe("/b/found.csv", b"of yesterday")
    result = save(str(search_id), "memory://b/found.csv")
    assert result == {"id": search_id, "output_path": "memory://b/found.csv", "result_count": 3}
    assert rows(memory.cat("/b/found.csv")) == ROWS
    assert memory.ls("/b", detail=False) == ["/b/found.csv"]


def test_an_earlier_search_that_has_no_result(aihub: Emulator, tmp_path: Path) -> None:
    path = tmp_path / "found.csv"
    life = search(sql="select 1 from no_such_table")
    with pytest.raises(AIHubJobFailed):
        life.try_once()
    with pytest.raises(AIHubJobFailed, match="no_such_table"):
        save(life.ti.xcoms["job_id"], str(path))
    with pytest.raises(AIHubNotFoundError):
        save(987654, str(path))
    running = earlier("select count(*) from range(1000000000) a")
    with pytest.raises(AIHubError, match=r"has no result yet, it is (waiting|running); .*WarehouseSearchSensor"):
        save(running, str(path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("storage", ["local", "memory"])
@pytest.mark.usefixtures("short_pauses")
def test_a_broken_download_leaves_no_half_file(
    aihub: Emulator, memory: Any, tmp_path: Path, storage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    search_id = search(sql="select a.range, repeat('x', 100) from range(20000) a").try_once()["id"]
    path = f"{tmp_path}/found.csv" if storage == "local" else "memory://b/found.csv"
    fs, place = (fsspec.filesystem("file"), path) if storage == "local" else (memory, "/b/found.csv")
    fs.pipe(place, b"of yesterday")
    aihub.faults.add("truncate", path="/files/*")
    with pytest.raises(AIHubUnavailable, match="give a file"):
        save(search_id, path)
    assert fs.cat(place) == b"of yesterday"
    assert len(fs.ls(place.rpartition("/")[0])) == 1
    aihub.faults.clear()
    aihub.faults.add("truncate", path="/files/*", count=1)
    if storage == "local":
        assert save(search_id, path)["result_count"] == 20000, "a local file is begun anew"
        assert len(rows(fs.cat(place))) == 20001


@pytest.mark.parametrize(
    "path",
    [
        "",
        "nonsense://x/y",
        "{tmp}",
        "{tmp}/",
        "{tmp}/new/",
        "{tmp}/a file/found.csv",
        "{tmp}/a file/below/found.csv",
        "{tmp}/pipe",
        "/dev/null",
        "/proc/found.csv",
        "/proc/no/such/folder/found.csv",
        "{tmp}/" + "x" * 256,
        "{tmp}/" + "x" * 256 + "/found.csv",
        "{tmp}/nul\0",
        "{tmp}/loop/found.csv",
        "file://{tmp}/a file/found.csv",
        "s3://nobody_knows_it@bucket/found.csv",
    ],
)
def test_an_output_path_that_cannot_be(aihub: Emulator, tmp_path: Path, path: str) -> None:
    (tmp_path / "a file").touch()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    there = sorted(tmp_path.iterdir())
    before = len(aihub.requests)
    given = path.format(tmp=tmp_path)
    for run in (lambda: search(output_path=given).try_once(), lambda: save(1, given)):
        with pytest.raises(AIHubParameterError, match="output_path"):
            run()
    assert len(aihub.requests) == before
    assert sorted(tmp_path.iterdir()) == there


@pytest.mark.parametrize("path", ["new/folders/found.csv", "x" * 255, "as/" + "x" * 255, "图 {} % ?.csv", "old.csv"])
def test_an_output_path_that_can_be(aihub: Emulator, tmp_path: Path, path: str) -> None:
    (tmp_path / "old.csv").write_text("old")
    target = tmp_path / path
    check_output("output_path", str(target))
    assert [file.name for file in tmp_path.rglob("*")] == ["old.csv"], "looking leaves nothing"
    assert search(output_path=str(target)).try_once()["output_path"] == str(target)
    assert target.read_text() != "old"
    assert {file for file in tmp_path.rglob("*") if file.is_file()} == {target, tmp_path / "old.csv"}


@pytest.fixture
def refuses(memory: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, Exception]:
    """What the object storage refuses, once: to be looked at (``isdir``), or to open a file (``rb``, ``wb``)."""
    refused: dict[str, Exception] = {}
    isdir, opened = memory.isdir, memory.open

    def look(path: str) -> Any:
        if "isdir" in refused:
            raise refused.pop("isdir")
        return isdir(path)

    def open_(path: str, mode: str = "rb", **how: Any) -> Any:
        if mode in refused:
            raise refused.pop(mode)
        return opened(path, mode, **how)

    monkeypatch.setattr(memory, "isdir", look)
    monkeypatch.setattr(memory, "open", open_)
    return refused


STORED = "memory://bucket/found.csv"


def test_a_storage_that_does_not_answer_is_found_before_anything_is_sent(
    aihub: Emulator, refuses: dict[str, Exception]
) -> None:
    before = len(aihub.requests)
    for run in (lambda: search(output_path=STORED).try_once(), lambda: save(1, STORED)):
        refuses["isdir"] = RuntimeError("no credentials: hunter2")
        with pytest.raises(AIHubError, match=r"output_path is .*bucket/found.csv'.*RuntimeError") as failure:
            run()
        assert "hunter2" not in str(failure.value)
        assert not failure.value.final
    assert len(aihub.requests) == before


@pytest.mark.parametrize("asked", ["isdir", "rb"])
def test_a_storage_that_does_not_answer_is_tried_again(
    aihub: Emulator, memory: Any, refuses: dict[str, Exception], new_name: str, asked: str
) -> None:
    memory.pipe("/from/a.txt", b"12345")
    refuses[asked] = RuntimeError("no credentials: hunter2")
    with pytest.raises(AIHubError, match="RuntimeError") as failure:
        upload(local_path="memory://from", key=new_name)
    assert "hunter2" not in str(failure.value)
    assert not failure.value.final
    assert upload(local_path="memory://from", key=new_name)["count"] == 1


def test_who_may_write_need_not_be_allowed_to_list(aihub: Emulator, refuses: dict[str, Exception]) -> None:
    refuses["isdir"] = PermissionError("ListBucket")
    assert search(output_path=STORED).try_once()["result_count"] == 3


def test_what_a_storage_refuses_at_the_end_is_told(aihub: Emulator, refuses: dict[str, Exception]) -> None:
    refuses["wb"] = PermissionError("PutObject")
    task = search(output_path=STORED)
    with pytest.raises(AIHubError, match=r"bucket/found.csv' could not be written \(PermissionError\)"):
        task.try_once()
    searches = aihub.requests.count(method="POST", path="/data-warehouse/*")
    assert task.try_once()["result_count"] == 3
    assert aihub.requests.count(method="POST", path="/data-warehouse/*") == searches, "the search is taken up"


@pytest.mark.parametrize(
    ("content", "count"),
    [
        (b"", 0),
        (b"a,b\n", 0),
        (b"a,b", 0),
        (b"a\n1\n2", 2),
        (b'a\n"x\ny"\n"say ""hi""\n"\n', 2),
        (b"a\r\n1\r\n", 1),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 100])
def test_rows_are_counted_in_pieces(content: bytes, count: int, size: int) -> None:
    target = io.BytesIO()
    counted = CsvRows(cast("BinaryIO", target))
    for _ in range(2):
        counted.seek(0)
        counted.truncate()
        for start in range(0, len(content), size):
            counted.write(content[start : start + size])
        assert counted.count == count
        assert target.getvalue() == content


def test_large_results_stay_out_of_xcom(aihub: Emulator, tmp_path: Path) -> None:
    life = search(sql="select a.range from range(200000) a", output_path=str(tmp_path / "r.csv"))
    result = life.try_once()
    assert result["result_count"] == 200_000
    assert len(re.sub(r"http\S+", "", str(result))) < 300
    assert set(life.ti.xcoms) == {"job_id", ViewInAIHubLink.xcom_key, ResultCsvLink.xcom_key}
