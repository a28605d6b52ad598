from __future__ import annotations

from typing import Any

from airflow_provider_aihub.aihub.dataset_management import DatasetSpec, DatasetVersionSpec, IngestSpec
from airflow_provider_aihub.aihub.services import Service

from .case import Case, Part, file, ok, page

V1, V2 = "/dataset-mng/api/v1", "/dataset-mng/api/v2"
VERSION: dict[str, Any] = {
    "id": 1,
    "version": 1,
    "dataset_id": 1,
    "upload_path": "",
    "upload_type": 1,
    "parent_version_id": 0,
    "description": "",
    "status": 1,
    "message": "",
    "created_at": 1,
    "user_id": 1,
    "data_size": 1,
    "data_count": 1,
    "parquet_index_path": "1",
}
ACCESS = {"access_key_id": "k", "secret_access_key": "s", "session_token": "t", "endpoint": "h:1", "bucket": "b"}
VERSION_READS = {"id": 1, "version": 1, "status": 1, "parent_version_id": 0, "parquet_index_path": "1"}
DATASET: dict[str, Any] = {
    "id": 3,
    "name": "mnist",
    "description": "",
    "cover_img": "",
    "created_at": 1729063122000,
    "update_at": 1729063122000,
    "user_id": 1,
    "username": "admin",
    "tags": [1, 2],
    "access_user_ids": [4],
    "is_private": True,
    "versions": [
        {
            "id": 8,
            "version": 2,
            "status": 6,
            "parquet_index_path": "http://10.0.0.9/8.parquet",
            "data_count": 70000,
            "file_storage_path": "/data/mnist/V2",
        }
    ],
}


def case(name: str, source: Any, method: Any, route: str, call: str, **more: Any) -> Case:
    defaults = {"id": name, "service": Service.DATASET_MANAGEMENT, "route": route, "path": route}
    return Case(**{**defaults, "source": source, "method": method, "call": call, **more})


CASES = (
    case(
        "create_dataset",
        "D",
        "POST",
        f"{V2}/datasets",
        "create_dataset",
        args=(DatasetSpec.build(name="手写", description="d", tags=[1, 2, "3"], cover_img="s3://b/c", create_by=1),),
        body={"name": "手写", "description": "d", "tags": [1, 2, 3], "cover_img": "s3://b/c", "create_by": 1},
        answer=ok({"id": 1}),
        reads={"": 1},
        vital=("id",),
        real=lambda world: (DatasetSpec.build(name=world.new_name(), tags=[1], create_by=world.user_id),),
    ),
    case(
        "create_dataset-private",
        "P",
        "POST",
        f"{V2}/datasets",
        "create_dataset",
        args=(DatasetSpec.build(name="d", is_private="true", access_user_ids=[4]),),
        body={"name": "d", "description": "", "tags": [], "is_private": True, "access_user_ids": [4]},
        answer=ok({"id": 1}),
        reads={"": 1},
        vital=("id",),
        real=lambda world: (DatasetSpec.build(name=world.new_name(), is_private=True, access_user_ids=[1]),),
    ),
    case(
        "create_dataset_version",
        "D",
        "POST",
        f"{V2}/dataset-versions-upload",
        "create_dataset_version",
        args=(
            DatasetVersionSpec.build(
                upload_type="host", upload_path="/data/x", description="d", parent_version_id=1, dataset_id=1
            ),
        ),
        body={
            "upload_type": 3,
            "upload_path": "/data/x",
            "description": "d",
            "parent_version_id": 1,
            "dataset_id": 1,
        },
        answer=ok({"id": 1}),
        reads={"": 1},
        vital=("id",),
        real=lambda world: (
            DatasetVersionSpec.build(
                upload_type="host",
                upload_path=str(world.data),
                dataset_id=world.dataset,
                parent_version_id=world.version,
            ),
        ),
    ),
    case(
        "get_dataset_version_by_name",
        "D",
        "GET",
        f"{V2}/dataset-versions-detail",
        "get_dataset_version_by_name",
        args=("mnist & 数/V1",),
        query="name=mnist+%26+%E6%95%B0%2FV1",
        answer=ok(VERSION),
        reads=VERSION_READS,
        vital=("id", "status"),
        real=lambda world: (f"{world.dataset_name}/V1",),
    ),
    case(
        "get_dataset_store_access",
        "P",
        "GET",
        f"{V2}/dataset-versions/get-sts",
        "get_dataset_store_access",
        answer=ok(
            {"access_key_id": "k", "secret_access_key": "s", "session_token": "t", "endpoint": "h:1", "bucket": "b"}
        ),
        reads={"access_key_id": "k", "secret_access_key": "s", "session_token": "t", "endpoint": "h:1", "bucket": "b"},
        real=lambda world: (),
    ),
    case(
        "ingest_dataset_version",
        "P",
        "POST",
        f"{V2}/dataset-versions/data-ingest",
        "ingest_dataset_version",
        args=(
            IngestSpec.build(
                dataset_id=3,
                s3_object_sheet="s3://b/w/u.csv",
                s3_target_path="s3://b/w/u/",
                description="d",
                object_cnt=2,
                data_size=8,
            ),
        ),
        body={
            "dataset_id": 3,
            "s3_object_sheet": "s3://b/w/u.csv",
            "s3_target_path": "s3://b/w/u/",
            "description": "d",
            "object_cnt": 2,
            "data_size": 8,
        },
        answer=ok({"id": 1}),
        reads={"": 1},
        vital=("id",),
        real=lambda world: (
            IngestSpec.build(
                dataset_id=world.dataset, s3_object_sheet="s3://aihub/no.csv", s3_target_path="s3://aihub/no/"
            ),
        ),
    ),
    case(
        "get_dataset_version",
        "P",
        "GET",
        f"{V2}/dataset-versions/{{id}}",
        "get_dataset_version",
        args=(1,),
        path=f"{V2}/dataset-versions/1",
        answer=ok(VERSION),
        reads=VERSION_READS,
        vital=("id", "status"),
        real=lambda world: (world.version,),
    ),
    case(
        "list_dataset_versions",
        "P",
        "GET",
        f"{V2}/dataset-versions",
        "list_dataset_versions",
        kwargs={"dataset_id": 3, "dataset_version_ids": [1, "2"]},
        query="page_size=20&page_num=1&dataset_id=3&dataset_version_ids=1%2C2",
        answer=page({**VERSION, "username": "admin", "dataset_name": "mnist"}),
        reads={"total": 1, "data.0.id": 1, "data.0.username": "admin", "data.0.dataset_name": "mnist"},
        vital=("data.0.id", "data.0.status"),
        list_key="data",
        real=lambda world: (1, 20, world.dataset, [world.version]),
    ),
    case(
        "get_dataset",
        "P",
        "GET",
        f"{V2}/datasets/{{id}}",
        "get_dataset",
        args=("3",),
        path=f"{V2}/datasets/3",
        answer=ok(DATASET),
        reads={
            "id": 3,
            "tags": [1, 2],
            "is_private": True,
            "access_user_ids": [4],
            "versions.0.status": 6,
            "versions.0.file_storage_path": "/data/mnist/V2",
        },
        vital=("id",),
        real=lambda world: (world.dataset,),
    ),
    case(
        "list_datasets",
        "P",
        "GET",
        f"{V2}/datasets",
        "list_datasets",
        kwargs={"name": "mnist", "tags": [1, 2], "create_by": 1, "scope": "shared"},
        query="page_size=20&page_num=1&create_by=1&name=mnist&tags=1%2C2&scope=shared",
        answer=page({**DATASET, "versions": None, "tags": None}),
        reads={"total": 1, "data.0.name": "mnist", "data.0.versions": [], "data.0.tags": []},
        vital=("data.0.id",),
        list_key="data",
        real=lambda world: (1, 20, world.dataset_name, [1], world.user_id, "all"),
    ),
    case(
        "upload_file",
        "P",
        "POST",
        f"{V1}/uploads",
        "upload_file",
        args=(file("数 据.zip", b"PK\x00\xff\r\n"),),
        form=(Part("file", b"PK\x00\xff\r\n", "数 据.zip"),),
        answer=ok({"path": "s3://uploads/a.zip", "url": "http://10.0.0.9/a.zip"}),
        reads={"path": "s3://uploads/a.zip", "url": "http://10.0.0.9/a.zip"},
        vital=("path",),
        real=lambda _: (file("a.zip", b"abc"),),
    ),
)
