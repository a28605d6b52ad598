from __future__ import annotations

from typing import Any

from airflow_provider_aihub.aihub.model_center import ModelSpec, UploadedSpec
from airflow_provider_aihub.aihub.services import Service

from .case import Part, newer, ok, page

MODELS = "/model-center/api/v1/models"
MODEL: dict[str, Any] = {
    "id": 1,
    "name": "",
    "description": "d",
    "creator_id": 1,
    "creator_name": "admin",
    "created_at": 1,
    "updated_at": 1,
    "tags": [],
    "status": "ready",
    "is_public": True,
}
RECORD: dict[str, Any] = {
    "id": 1,
    "name": "a/b",
    "description": "",
    "readme_content": "",
    "user_id": 1,
    "status": "ready",
    "is_public": False,
    "base_model_id": 0,
    "relation": "",
    "object_cnt": 2,
    "data_size": 8,
    "object_storage_path": "s3://b/models/1/files",
    "file_storage_path": "",
    "parquet_index_path": "",
    "csv_file_path": "s3://b/models/1/files.csv",
    "task_status_s3_path": "s3://b/models/1/files.json",
    "created_at": 1,
    "updated_at": 1,
}
ACCESS = {
    "access_key_id": "k",
    "secret_access_key": "s",
    "session_token": "t",
    "expiration": 1,
    "endpoint": "10.0.0.9:9000",
    "bucket": "b",
}

case = newer(Service.MODEL_CENTER, MODELS)

CASES = (
    case(
        "create_model",
        "POST",
        "",
        args=(ModelSpec.build(name="a/b", description="d", tags=[3, "4"], is_public=True),),
        form=(
            Part("name", b"a/b"),
            Part("is_public", b"true"),
            Part("remote_storage_path", b""),
            Part("description", b"d"),
            Part("tags", b"3,4"),
            Part("upload_type", b"local"),
        ),
        answer=ok({"id": 1}),
        reads={"": 1},
        vital=("id",),
        real=lambda world: (ModelSpec.build(name=world.new_name(), tags=[1]),),
    ),
    case(
        "list_models",
        "GET",
        "",
        kwargs={"name": "a/b", "tags": [3], "model_ids": ["1", 2]},
        query="page_size=20&page_num=1&name=a%2Fb&tags=3&model_ids=1%2C2",
        answer=page(MODEL),
        reads={"total": 1, "data.0.id": 1, "data.0.status": "ready", "data.0.is_public": True},
        vital=("data.0.id",),
        list_key="data",
        real=lambda world: (1, 20, world.model_name),
    ),
    case(
        "get_model_record",
        "GET",
        "/db",
        args=("1",),
        query="id=1",
        answer=ok(RECORD),
        reads={
            "id": 1,
            "status": "ready",
            "name": "a/b",
            "object_cnt": 2,
            "data_size": 8,
            "object_storage_path": "s3://b/models/1/files",
            "csv_file_path": "s3://b/models/1/files.csv",
            "task_status_s3_path": "s3://b/models/1/files.json",
        },
        vital=("id",),
        real=lambda world: (world.model,),
    ),
    case(
        "get_model_store_access",
        "GET",
        "/get-sts",
        answer=ok(ACCESS),
        reads={"access_key_id": "k", "secret_access_key": "s", "session_token": "t", "endpoint": "10.0.0.9:9000"},
        real=lambda world: (),
    ),
    case(
        "finish_model_upload",
        "POST",
        "/upload",
        args=(UploadedSpec.build(model_id=1, object_cnt=2, data_size=0),),
        body={"model_id": 1, "object_cnt": 2, "data_size": 0},
        answer=ok({}),
        reads={"": None},
        real=lambda world: (UploadedSpec.build(model_id=world.model, object_cnt=1, data_size=1),),
    ),
    case(
        "get_model",
        "GET",
        "/{id}",
        args=("1",),
        answer=ok({**MODEL, "readme_content": "r", "file_storage_path": None}),
        reads={"id": 1, "status": "ready", "readme_content": "r"},
        vital=("id",),
        real=lambda world: (world.model,),
    ),
)
