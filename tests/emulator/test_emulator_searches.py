"""Searches: DuckDB over the data folder, and nothing but the data folder."""

from __future__ import annotations

import csv
import io
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from plain_http import SEARCHES, Api
from waiting import until

from airflow_provider_aihub.emulators.aihub.jobs.unpack import write_index


def search(api: Api, **given: Any) -> dict[str, Any]:
    number = api.post(SEARCHES, {"name": "s", **given})["id"]
    found: dict[str, Any] = api.until(f"{SEARCHES}/{number}", 3, 4)
    return found


def sql(api: Api, text: str) -> dict[str, Any]:
    return search(api, type=1, sql=text)


def rows(found: dict[str, Any]) -> list[list[str]]:
    assert found["status"] == 3, found["message"]
    answer = requests.get(found["result_url"], timeout=10)
    return list(csv.reader(io.StringIO(answer.text)))


def test_the_documents_own_example(api: Api) -> None:
    found = sql(api, "select object_name from meta where width>1000")
    assert rows(found) == [["object_name"], ["big.jpg"]]
    assert (found["results"], found["images"], found["username"]) == (None, None, "admin")


def test_parquet_files_are_tables_too(own: Callable[..., Api], tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a.txt").write_text("12345")
    tables = tmp_path / "tables"
    tables.mkdir()
    write_index(tmp_path / "source", tables / "files.parquet", "s3://bucket/{}".format)
    assert rows(sql(own(data=tables), "select path, size from files")) == [["path", "size"], ["a.txt", "5"]]


def test_an_error_ends_with_duckdbs_message(api: Api) -> None:
    found = sql(api, "select * from no_such_table")
    assert found["status"] == 4
    assert "Table with name no_such_table does not exist" in found["message"]
    assert found["result_url"] == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("select * from read_text('/etc/passwd')", "Cannot access file"),
        ("select * from glob('/etc/*')", "Cannot access file"),
        ("select * from read_csv('{home}/credentials.json')", "Cannot access file"),
        ("copy meta to '{data}/stolen.csv'", "Only a single SELECT"),
        ("insert into meta values ('x', 1)", "Only a single SELECT"),
        ("create table t as select 1", "Only a single SELECT"),
        ("attach '{data}/new.db'", "Only a single SELECT"),
        ("set enable_external_access = true", "Only a single SELECT"),
        ("select 1; drop view meta", "Only a single SELECT"),
        ("install httpfs", "Only a single SELECT"),
        ("select * from sql", "Table with name sql does not exist"),
        ("selct 1", "syntax error"),
    ],
)
def test_sql_can_neither_write_nor_leave_the_data_folder(api: Api, data: Path, text: str, message: str) -> None:
    before = sorted(data.iterdir())
    found = sql(api, text.format(data=data, home=api.aihub.home))
    assert found["status"] == 4
    assert message in found["message"]
    assert sorted(data.iterdir()) == before


def test_a_broken_file_is_named(own: Callable[..., Api], tmp_path: Path) -> None:
    (tmp_path / "broken.parquet").write_bytes(b"no parquet")
    found = sql(own(data=tmp_path), "select 1")
    assert found["status"] == 4
    assert found["message"].startswith("broken.parquet is no table")


@pytest.mark.parametrize("pause", [0, 1])
def test_a_long_query_holds_nobody_up_and_ends_with_the_emulator(own: Callable[..., Api], pause: float) -> None:
    api = own()
    # It needs no memory, only years.
    sql = "select count(*) from range(100000) a, range(100000) b, range(100000) c, range(100000) d"
    number = api.post(SEARCHES, {"type": 1, "name": "s", "sql": sql})
    api.until(f"{SEARCHES}/{number['id']}", 2)
    assert {api.get(f"{SEARCHES}/{number['id']}")["status"] for _ in range(20)} == {2}
    # Its query may have begun by now or not.
    time.sleep(pause)
    ending = threading.Thread(target=api.aihub.stop, daemon=True)
    ending.start()
    until("the emulator has ended", ending.is_alive, (False).__eq__, patience=30)


def test_a_text_search_ranks_by_shared_words(api: Api) -> None:
    found = search(api, type=3, feature_lib_id=7, keywords="Red car", top_k=2)
    assert [item["label"] for item in found["results"]] == ["red car", "blue car"]
    assert found["results"][0] == {
        "image_url": "http://x/red/car/1.jpg",
        "label": "red car",
        "score": 1.0,
        "box": [1, 2, 3, 4],
    }
    assert found["feature_lib_name"] == "feature_lib_7"
    assert rows(found)[1][:3] == ["http://x/red/car/1.jpg", "red car", "1.0"]


def test_an_image_search_ranks_by_address(api: Api) -> None:
    images = [{"url": "http://x/tree/3.jpg", "box": [0, 0, 1, 1]}]
    found = search(api, type=2, feature_lib_id=7, images=images, top_k=1)
    assert [(item["label"], item["score"]) for item in found["results"]] == [("tree", 1.0)]
    assert found["images"] == images


def test_an_unknown_feature_library_fails_the_search(api: Api) -> None:
    found = search(api, type=3, feature_lib_id=99, keywords="x", top_k=1)
    assert found["status"] == 4
    assert "Feature library 99 does not exist" in found["message"]


def test_searches_are_listed(api: Api) -> None:
    number = search(api, type=1, sql="select 1", name="listed-one")["id"]
    assert [row["id"] for row in api.get(SEARCHES, name="listed-", status=3)["data"]] == [number]
    assert api.get(SEARCHES, name="listed-", status=4)["total"] == 0
