"""Datasets, their versions, and the files that come in through the relay and the upload."""

from __future__ import annotations

import io
import socket
import ssl
import zipfile
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import pytest
import requests
from plain_http import DATASETS, VERSIONS, Api

from airflow_provider_aihub.emulators.aihub import Emulator

FILES = {"a.txt": b"12345", "deep/b.txt": b"123"}


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def relay(aihub: Emulator, key: str, content: bytes, bucket: str = "data", token: str | None = None) -> Any:
    return requests.post(
        f"{aihub.relay_url}/upload",
        params={"bucket": bucket, "key": key},
        headers={"Token": aihub.relay_token if token is None else token},
        files={"file": ("name", content)},
        verify=aihub.ca_file,
        timeout=10,
    )


def dataset(api: Api) -> tuple[int, str]:
    name = f"d{uuid4().hex[:8]}"
    return api.post(DATASETS, {"name": name, "description": "", "tags": [3]})["id"], name


def version(api: Api, dataset_id: int, upload_type: int, upload_path: str, **more: Any) -> Any:
    body = {"dataset_id": dataset_id, "upload_type": upload_type, "upload_path": upload_path, **more}
    number = api.post(f"{VERSIONS}-upload", body)["id"]
    return api.until(f"{VERSIONS}/{number}", 3, 4)


def shared(api: Api, name: str) -> Path:
    return api.aihub.home / "storage" / "shared" / name


def test_a_zip_from_the_relay_becomes_a_version(api: Api) -> None:
    number, name = dataset(api)
    path = relay(api.aihub, f"{name}/images.zip", zipped(FILES)).json()["data"]["path"]
    found = version(api, number, 1, path)
    assert (found["status"], found["version"], found["data_count"], found["data_size"]) == (3, 1, 2, 8)
    folder = api.aihub.home / "storage" / "datasets" / name / "V1"
    assert {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*.txt")} == FILES
    index = shared(api, "index.parquet")
    index.write_bytes(requests.get(found["parquet_index_path"], timeout=5).content)
    assert duckdb.read_parquet(str(index)).project("path, size").order("path").fetchall() == [
        ("a.txt", 5),
        ("deep/b.txt", 3),
    ]
    by_name = requests.get(f"{api.aihub.url}{VERSIONS}-detail", params={"name": f"{name}/V1"}, timeout=5).json()
    assert by_name["data"] == found
    shown = api.get(f"{DATASETS}/{number}")
    assert shown["versions"][0]["file_storage_path"] == str(folder)
    assert shown["tags"] == [3]


def test_folders_of_s3_and_of_the_host_are_copied(api: Api) -> None:
    number, name = dataset(api)
    for key, content in FILES.items():
        relay(api.aihub, f"{name}/{key}", content)
    first = version(api, number, 2, f"s3://data/{name}/")
    assert first["data_count"] == 2
    folder = shared(api, name)
    (folder / "x").mkdir(parents=True)
    (folder / "x" / "y.bin").write_bytes(b"0" * 1000)
    (folder / "link").symlink_to("/etc/passwd")
    second = version(api, number, 3, str(folder), parent_version_id=first["id"])
    assert (second["version"], second["data_count"], second["data_size"]) == (2, 1, 1000)
    listed = api.get(VERSIONS, dataset_id=number)
    assert [row["version"] for row in listed["data"]] == [2, 1]
    assert {row["dataset_name"] for row in listed["data"]} == {name}
    ids = ",".join(str(row["id"]) for row in listed["data"])
    assert api.get(VERSIONS, dataset_version_ids=ids)["total"] == 2


@pytest.mark.parametrize(
    ("upload_type", "path", "message"),
    [
        (1, "s3://data/missing.zip", "does not exist"),
        (1, "s3://data/../../credentials.json", "without '..'"),
        (1, "/etc/hostname", "neither on a storage nor in the data folder"),
        (1, "{shared}/../../credentials.json", "neither on a storage nor in the data folder"),
        (1, "{shared}/escape/hostname", "neither on a storage nor in the data folder"),
        (1, "relative.zip", "no absolute path"),
        (1, "{shared}/no.zip", "not a zip file"),
        (1, "{shared}/slip.zip", "leads out of its folder"),
        (1, "{shared}/absolute.zip", "leads out of its folder"),
        (1, "{shared}", "is no file"),
        (2, "{shared}", "must begin with s3://"),
        (3, "s3://data", "no folder of a host"),
        (3, "{shared}/no.zip", "is no folder"),
        (3, "{datasets}", "holds the dataset version itself"),
        (4, "anything", "cannot fetch from Labelfree"),
        (7, "org/name", "cannot fetch from Hugging Face"),
    ],
)
def test_what_cannot_be_fetched_fails_the_version(api: Api, upload_type: int, path: str, message: str) -> None:
    number, name = dataset(api)
    shared(api, "no.zip").write_bytes(b"no zip")
    shared(api, "slip.zip").write_bytes(zipped({"../../slip.txt": b"x"}))
    shared(api, "absolute.zip").write_bytes(zipped({"/tmp/slip.txt": b"x"}))
    if not shared(api, "escape").is_symlink():
        shared(api, "escape").symlink_to("/etc")
    found = version(
        api, number, upload_type, path.format(shared=shared(api, ""), datasets=shared(api, "").parent / "datasets")
    )
    assert found["status"] == 4
    assert message in found["message"]
    assert not list((api.aihub.home / "storage").rglob("slip.txt"))
    assert not (api.aihub.home / "storage" / "datasets" / name / "V1").exists()
    # A version that failed keeps its number.
    assert version(api, number, upload_type, "relative")["version"] == 2


def test_names_are_taken_once(api: Api) -> None:
    number, name = dataset(api)
    code, message = api.refused(DATASETS, {"name": name, "description": "", "tags": []})
    assert code == 8
    assert name in message
    assert [row["id"] for row in api.get(DATASETS, name=name[1:])["data"]] == [number]


def test_a_parent_must_be_of_the_same_dataset(api: Api) -> None:
    number, _ = dataset(api)
    other = version(api, dataset(api)[0], 1, "relative")["id"]
    for parent in (other, 99999):
        body = {"dataset_id": number, "upload_type": 1, "upload_path": "s3://a/b", "parent_version_id": parent}
        code, message = api.refused(f"{VERSIONS}-upload", body)
        assert code == 2
        assert f"dataset version {parent}" in message
    assert api.get(VERSIONS, dataset_id=number)["total"] == 0


def test_versions_are_read_by_name_alone_in_the_document(document: Api) -> None:
    number, name = dataset(document)
    relay(document.aihub, "a.zip", zipped(FILES))
    for _ in range(2):
        document.post(f"{VERSIONS}-upload", {"dataset_id": number, "upload_type": 1, "upload_path": "s3://data/a.zip"})
    found = document.until(f"{VERSIONS}-detail?name={name}/V2", 3)
    assert (found["version"], found["data_count"]) == (2, 2)
    fields = """id version dataset_id upload_path upload_type parent_version_id description status message created_at
    user_id data_size data_count parquet_index_path"""
    assert set(found) == set(fields.split())
    for wrong, code in ((f"{name}/V3", 2), (f"{name}", 1), (f"{name}/V0", 1)):
        assert document.call("GET", f"{VERSIONS}-detail", params={"name": wrong}).json()["code"] == code


def test_the_relay_keeps_what_it_is_sent(api: Api) -> None:
    content = bytes(range(256)) * 8192
    answer = relay(api.aihub, "some/key ö.bin", content)
    assert set(answer.json()) == {"code", "data"}
    found = answer.json()["data"]
    assert found["path"] == "s3://data/some/key ö.bin"
    assert found["url"].startswith(api.aihub.url)
    assert requests.get(found["url"], timeout=5).content == content
    relay(api.aihub, "some/key ö.bin", b"new")
    assert requests.get(found["url"], timeout=5).content == b"new"


def test_the_relay_wants_its_own_token(api: Api) -> None:
    before = sorted((api.aihub.home / "relay").rglob("*"))
    for token in ("", "wrong"):
        answer = relay(api.aihub, "refused", b"x", token=token)
        assert answer.status_code == 401
        assert "token" in answer.json()["msg"]
    assert sorted((api.aihub.home / "relay").rglob("*")) == before


@pytest.mark.parametrize(
    ("bucket", "key"),
    [
        ("data", "../x"),
        ("data", "a/../../x"),
        ("data", "/x"),
        ("data", "a//b"),
        ("..", "x"),
        ("a/b", "x"),
        ("", "x"),
        ("data", ""),
    ],
)
def test_keys_cannot_leave_their_bucket(api: Api, bucket: str, key: str) -> None:
    before = sorted(api.aihub.home.rglob("x"))
    answer = relay(api.aihub, key, b"x", bucket)
    assert answer.json()["code"] == 1
    assert sorted(api.aihub.home.rglob("x")) == before


def test_the_relays_certificate_stands_strict_checks(aihub: Emulator) -> None:
    context = ssl.create_default_context(cafile=aihub.ca_file)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    port = int(aihub.relay_url.rsplit(":", 1)[1])
    for name in ("127.0.0.1", "localhost"):
        with (
            socket.create_connection(("127.0.0.1", port), 5) as plain,
            context.wrap_socket(plain, server_hostname=name) as secured,
        ):
            assert secured.version() in ("TLSv1.2", "TLSv1.3")
    with pytest.raises(requests.exceptions.SSLError):
        requests.post(f"{aihub.relay_url}/upload", timeout=5)


def test_an_upload_on_the_platform_can_be_used(api: Api) -> None:
    archive = zipped(FILES)
    found = api.call("POST", "/dataset-mng/api/v1/uploads", files={"file": ("my data.zip", archive)}).json()["data"]
    assert requests.get(found["url"], timeout=5).content == archive
    assert version(api, dataset(api)[0], 1, found["path"])["data_count"] == 2
    plain = api.call("POST", "/dataset-mng/api/v1/uploads", files={"file": ("notes.txt", b"text")}).json()["data"]
    assert version(api, dataset(api)[0], 1, plain["path"])["data_size"] == 4
    assert api.call("POST", "/dataset-mng/api/v1/uploads", files={"other": ("x", b"x")}).json()["code"] == 1
