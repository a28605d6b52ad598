from __future__ import annotations

from airflow_provider_aihub.aihub.artifacts import ArtifactSpec
from airflow_provider_aihub.aihub.services import Service

from .case import newer, ok, page
from .model_center import ACCESS

ARTIFACTS = "/artifact-management/api/v1/artifacts"
ARTIFACT = {
    "id": 1,
    "entity_type": "model",
    "entity_id": "12",
    "src_path": "out/model",
    "s3_path": "s3://b/artifacts/1/out/model",
    "is_dir": True,
}

case = newer(Service.ARTIFACT_MANAGEMENT, ARTIFACTS)

CASES = (
    case(
        "get_artifact_store_access",
        "GET",
        "/get-sts",
        answer=ok(ACCESS),
        reads={"access_key_id": "k", "secret_access_key": "s", "session_token": "t", "endpoint": "10.0.0.9:9000"},
        real=lambda world: (),
    ),
    case(
        "create_artifact",
        "POST",
        "",
        args=(ArtifactSpec.build(entity_id=12, entity_type="model", src_path="out/model", is_dir="true"),),
        body={"entity_id": "12", "entity_type": "model", "src_path": "out/model", "is_dir": True},
        answer=ok({"id": 1, "s3_path": "s3://b/artifacts/1/out/model"}),
        reads={"id": 1, "s3_path": "s3://b/artifacts/1/out/model"},
        vital=("id", "s3_path"),
        real=lambda world: (ArtifactSpec.build(entity_id=world.run, src_path=world.new_name()),),
    ),
    case(
        "finish_artifact_upload",
        "POST",
        "/{id}/uploaded",
        args=("1",),
        answer=ok(None),
        reads={"": None},
        real=lambda world: (world.artifact,),
    ),
    case(
        "list_artifacts",
        "GET",
        "",
        args=("a/b", 2, 5),
        query="page_size=5&page_num=2&entity_id=a%2Fb",
        answer=page(ARTIFACT, number=2),
        reads={
            "total": 1,
            "data.0.id": 1,
            "data.0.entity_type": "model",
            "data.0.src_path": "out/model",
            "data.0.s3_path": "s3://b/artifacts/1/out/model",
            "data.0.is_dir": True,
        },
        vital=("data.0.id",),
        list_key="data",
        real=lambda world: (world.run,),
    ),
)
