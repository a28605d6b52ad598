"""Datasets that may be there already, and versions of what lies on this side."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from task_life import TaskInstance, TaskLife

from airflow_provider_aihub.aihub.dataset_management import DatasetSpec
from airflow_provider_aihub.aihub.errors import (
    AIHubAmbiguousSubmit,
    AIHubError,
    AIHubExistsError,
    AIHubNotFoundError,
    AIHubParameterError,
    AIHubRejectedError,
    AIHubUnavailable,
    AIHubUnsupportedError,
)
from airflow_provider_aihub.assets import dataset_uri
from airflow_provider_aihub.emulators.aihub import Emulator
from airflow_provider_aihub.hooks.aihub import AIHubHook
from airflow_provider_aihub.operators.dataset import CreateDatasetOperator, DatasetVersionOperator
from airflow_provider_aihub.operators.names import dataset_named

PROBES = 10
"""Versions that are asked for to find a dataset by its name, where there is none."""

deferred_or_not = pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "in place"])


def create(**given: Any) -> dict[str, Any]:
    return CreateDatasetOperator(task_id="create", **given).execute({"ti": TaskInstance("task")})


def test_a_dataset_is_created_once(aihub: Emulator, new_name: str) -> None:
    hook = AIHubHook()
    first = create(
        name=new_name, description="d", tags=["1", 2], cover_img="s3://b/c.png", is_private=True, access_user_ids=[1]
    )
    uri = dataset_uri(new_name, host=urlsplit(aihub.url).netloc)
    assert first == {"id": first["id"], "name": new_name, "created": True, "uri": uri}
    found = hook.get_dataset(first["id"])
    assert (found.name, found.description, found.tags, found.cover_img) == (new_name, "d", [1, 2], "s3://b/c.png")
    assert (found.is_private, found.access_user_ids) == (True, [1])
    assert create(name=new_name) == {**first, "created": False}
    assert hook.get_dataset(first["id"]) == found
    with pytest.raises(AIHubExistsError):
        create(name=new_name, if_exists="fail")


def test_a_dataset_may_be_called_by_a_number(aihub: Emulator) -> None:
    first = create(name="20261121")
    assert create(name="20261121") == {**first, "created": False}


def test_another_refusal_stays_what_it_is(aihub: Emulator) -> None:
    with pytest.raises(AIHubAmbiguousSubmit, match="must not begin with") as caught:
        create(name=".hidden")
    assert caught.value.refused


@pytest.mark.parametrize(
    "given", [{"name": ""}, {"name": "d "}, {"name": "d", "tags": ["a"]}, {"name": "d", "if_exists": "maybe"}]
)
def test_bad_parameters_of_a_dataset(aihub: Emulator, given: dict[str, Any]) -> None:
    before = len(aihub.requests)
    with pytest.raises(AIHubParameterError):
        create(**given)
    assert len(aihub.requests) == before


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five bytes, three and none, in three files."""
    folder = tmp_path / "pictures"
    (folder / "b").mkdir(parents=True)
    (folder / "a.txt").write_text("12345")
    (folder / "b" / "图.txt").write_text("123")
    (folder / "empty").touch()
    return folder


def version(**given: Any) -> Callable[[], DatasetVersionOperator]:
    return lambda: DatasetVersionOperator(**{"task_id": "version", **given})


def test_the_document_finds_a_dataset_by_its_versions(document: Emulator, new_name: str, folder: Path) -> None:
    first = create(name=new_name)
    before = document.requests.count("GET")
    with pytest.raises(AIHubRejectedError, match="exists already"):
        create(name=new_name)
    # One asks for the list of datasets, which this AIHub does not have.
    assert document.requests.count("GET") - before == 1 + PROBES
    TaskLife(version(dataset=first["id"], dataset_name=new_name, local_path=str(folder), bucket="b12")).try_once()
    assert create(name=new_name) == {**first, "created": False}
    with pytest.raises(AIHubRejectedError, match="exists already"):
        create(name=new_name, if_exists="fail")


def test_the_document_finds_a_dataset_of_which_old_versions_were_deleted(document: Emulator, new_name: str) -> None:
    """So many versions that there is one among those that are asked for."""
    for first, last in ((2, 2), (9, 13), (30, 45), (67, 100)):
        name, numbers = f"{new_name}-{first}", range(first, last + 1)

        def read(asked: str, name: str = name, numbers: range = numbers) -> SimpleNamespace:
            number = int(asked.removeprefix(f"{name}/V"))
            if number in numbers:
                return SimpleNamespace(dataset_id=7)
            raise AIHubNotFoundError("It was deleted.")

        def unsupported(**_: Any) -> None:
            raise AIHubUnsupportedError("This AIHub does not list datasets.")

        hook: Any = SimpleNamespace(get_dataset_version_by_name=read, list_datasets=unsupported)
        assert dataset_named(hook, name) == 7, (first, last)


def test_the_document_s_dataset_without_a_version_is_known_from_an_earlier_run(
    document: Emulator, new_name: str, folder: Path
) -> None:
    ti = TaskInstance("task")

    def again() -> dict[str, Any]:
        return CreateDatasetOperator(task_id="task", name=new_name).execute({"ti": ti})

    first = again()
    ti.earlier = {"return_value": first}
    assert again() == {**first, "created": False}
    # What is told of another AIHub, or of another dataset, is about another dataset.
    ti.earlier = {"return_value": {**first, "uri": dataset_uri(new_name, host="10.0.0.1")}}
    with pytest.raises(AIHubRejectedError, match="exists already"):
        again()
    made = version(dataset=first["id"], dataset_name=new_name, local_path=str(folder), bucket="b12")
    assert TaskLife(made).try_once()["dataset_version"] == f"{new_name}/V1"


def test_two_names_for_one_dataset(aihub: Emulator, new_name: str) -> None:
    before = len(aihub.requests)
    with pytest.raises(AIHubParameterError, match="dataset is 'a' and dataset_name is 'b'"):
        TaskLife(version(dataset="a", dataset_name="b", upload_path="/x", upload_type=1)).try_once()
    assert len(aihub.requests) == before
    create(name=new_name)
    twice = {"dataset": new_name, "dataset_name": new_name, "wait_for_completion": False}
    assert TaskLife(version(**twice, upload_path="s3://x", upload_type=1)).try_once()


@deferred_or_not
@pytest.mark.parametrize("bucket", [None, "uploads"], ids=["endpoint", "relay"])
@pytest.mark.parametrize("form", ["folder", "zip file", "URI"])
def test_a_local_folder_becomes_a_version(
    aihub: Emulator, new_name: str, folder: Path, deferrable: bool, bucket: str | None, form: str
) -> None:
    dataset_id = create(name=new_name)["id"]
    path = folder.as_uri() if form == "URI" else str(folder)
    if form == "zip file":
        path = str(folder.with_suffix(".zip"))
        with zipfile.ZipFile(path, "w") as packed:
            for file in ("a.txt", "b/图.txt", "empty"):
                packed.write(folder / file, file)
    life = TaskLife(version(dataset=new_name, local_path=path, bucket=bucket, deferrable=deferrable))
    result = life.try_once()
    assert (result["dataset_version"], result["data_count"], result["data_size"]) == (f"{new_name}/V1", 3, 8)
    found = AIHubHook().get_dataset_version(result["id"])
    # A folder without a bucket goes to the object store, file by file.
    in_store = form != "zip file" and bucket is None
    assert (found.dataset_id, found.upload_type) == (dataset_id, 5 if in_store else 1)
    if in_store:
        assert re.fullmatch(rf"s3://aihub\w+/dataset_workspace/{dataset_id}/[\w-]+/", found.upload_path)
    else:
        place = "s3://uploads/airflow/adhoc_airflow/version/" if bucket else "s3://aihub-uploads/"
        assert found.upload_path.startswith(place)
        assert found.upload_path.endswith("/pictures.zip")
    built = Path(aihub.home, "storage", "datasets", new_name, "V1")
    assert (built / "b" / "图.txt").read_text() == "123"


def uploads(aihub: Emulator) -> int:
    return aihub.requests.count(path="/upload") + aihub.requests.count(path="/dataset-mng/api/v1/uploads")


def test_a_retry_that_takes_up_a_version_uploads_nothing(aihub: Emulator, new_name: str, folder: Path) -> None:
    create(name=new_name)
    life = TaskLife(version(dataset=new_name, local_path=str(folder), bucket="uploads", deferrable=True))
    before = uploads(aihub)
    life.start()
    for file in folder.rglob("*.txt"):
        file.unlink()
    result = life.try_once()
    assert uploads(aihub) == before + 1
    assert (result["dataset_version"], result["data_size"]) == (f"{new_name}/V1", 8)


def test_each_try_of_an_upload_replaces_the_last(aihub: Emulator, new_name: str, folder: Path) -> None:
    create(name=new_name)
    life = TaskLife(version(dataset=new_name, local_path=str(folder), bucket="retried"))
    aihub.faults.add("status", status=400, path="/dataset-mng/api/v2/dataset-versions-upload", count=1)
    before = uploads(aihub)
    with pytest.raises(AIHubError):
        life.try_once()
    assert life.try_once()["data_size"] == 8
    assert uploads(aihub) == before + 2
    assert len([path for path in Path(aihub.home, "relay", "retried").rglob("*") if path.is_file()]) == 1


def test_a_key_of_ones_own(aihub: Emulator, new_name: str, folder: Path) -> None:
    create(name=new_name)
    result = TaskLife(version(dataset=new_name, local_path=str(folder), bucket="b12", key="x/{{ 1 }}.zip")).try_once()
    assert AIHubHook().get_dataset_version(result["id"]).upload_path == "s3://b12/x/{{ 1 }}.zip"


def test_the_document_has_no_upload_endpoint(document: Emulator, new_name: str, folder: Path) -> None:
    dataset_id = AIHubHook().create_dataset(DatasetSpec.build(name=new_name))
    life = TaskLife(version(dataset=dataset_id, dataset_name=new_name, local_path=str(folder)))
    with pytest.raises(AIHubParameterError, match="give the bucket"):
        life.try_once()
    assert life.store is not None
    assert not life.store.values


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "upload_path and local_path must be given, not none"),
        ({"upload_path": "/x", "upload_type": 1, "local_path": "/y"}, "not both"),
        ({"local_path": "/y", "upload_type": "zip"}, "upload_type has a meaning only together with upload_path"),
        ({"upload_path": "/x", "upload_type": 1, "bucket": "b"}, "bucket has a meaning only together with local_path"),
        ({"local_path": "/y", "key": "k"}, "key has a meaning only together with bucket"),
        ({"upload_path": "/x"}, "upload_type is missing"),
        ({"local_path": ""}, "local_path must be a path or a URI"),
        ({"local_path": "nonsense://x"}, "local_path is 'nonsense://x', which Airflow cannot reach: .*nonsense"),
    ],
)
def test_the_data_is_given_in_one_way(aihub: Emulator, given: dict[str, Any], words: str) -> None:
    before = len(aihub.requests)
    with pytest.raises(AIHubParameterError, match=words):
        TaskLife(version(dataset="d", **given)).try_once()
    assert len(aihub.requests) == before


def test_a_source_that_cannot_be_sent(aihub: Emulator, new_name: str, tmp_path: Path) -> None:
    create(name=new_name)
    empty, linked = tmp_path / "empty", tmp_path / "linked"
    empty.mkdir()
    linked.mkdir()
    (linked / "loop").symlink_to(linked)
    for path, words in (
        (str(tmp_path / "nowhere"), "there is no such file or folder"),
        (str(empty), "the folder holds no file"),
        (str(linked), "loop cannot be sent"),
    ):
        with pytest.raises(AIHubParameterError, match=words):
            TaskLife(version(dataset=new_name, local_path=path)).try_once()


def test_a_link_to_a_file_counts_as_the_file(aihub: Emulator, new_name: str, folder: Path) -> None:
    create(name=new_name)
    (folder / "link.txt").symlink_to(folder / "a.txt")
    os.chmod(folder / "a.txt", 0o400)  # noqa: PTH101 - a file that can only be read
    result = TaskLife(version(dataset=new_name, local_path=str(folder))).try_once()
    assert (result["data_count"], result["data_size"]) == (4, 13)


@pytest.mark.usefixtures("short_pauses")
def test_an_upload_that_is_never_taken_leaves_no_trace(aihub: Emulator, new_name: str, folder: Path) -> None:
    create(name=new_name)
    life = TaskLife(version(dataset=new_name, local_path=str(folder / "a.txt")))
    aihub.faults.add("status", status=503, path="/dataset-mng/api/v1/uploads", count=5)
    with pytest.raises(AIHubUnavailable, match=r"take the file 'a\.txt'"):
        life.try_once()
    assert life.store is not None
    assert not life.store.values
