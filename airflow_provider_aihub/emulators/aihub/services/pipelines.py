"""Pipelines: what workflow runs are runs of."""

from __future__ import annotations

from typing import Any

from ..answers import not_found
from ..call import Call, Route
from ..settings import Pipeline, PipelineVersion


async def select(call: Call) -> Any:
    return {"data": [{"id": one.id, "name": one.name} for one in call.hub.settings.pipelines if _named(call, one.name)]}


async def get(call: Call) -> Any:
    pipeline = find(call, call.id())
    latest = max(pipeline.versions, key=lambda version: version.id, default=None)
    owner = next(iter(call.hub.credentials.users.values()))
    return {
        "id": pipeline.id,
        "name": pipeline.name,
        "description": "",
        "latest_version_id": latest.id if latest else 0,
        "latest_version_name": latest.name if latest else "",
        "version_cnt": len(pipeline.versions),
        "ran_cnt": sum(run["pipeline_id"] == pipeline.id for run in call.hub.store.runs),
        "created_at": 0,
        "user_id": owner.id,
        "username": owner.name,
    }


async def select_versions(call: Call) -> Any:
    versions = find(call, call.query.integer("pipeline_id")).versions
    return {"data": [{"id": one.id, "name": one.name} for one in versions if _named(call, one.name)]}


async def input_params(call: Call) -> Any:
    for pipeline in call.hub.settings.pipelines:
        for version in pipeline.versions:
            if version.id == call.id():
                return {"data": version.input_params}
    raise not_found(f"pipeline version {call.id()}")


def find(call: Call, pipeline_id: int) -> Pipeline:
    for pipeline in call.hub.settings.pipelines:
        if pipeline.id == pipeline_id:
            return pipeline
    raise not_found(f"pipeline {pipeline_id}")


def find_version(call: Call, pipeline_id: int, version_id: int) -> tuple[Pipeline, PipelineVersion]:
    pipeline = find(call, pipeline_id)
    for version in pipeline.versions:
        if version.id == version_id:
            return pipeline, version
    raise not_found(f"pipeline version {version_id} of pipeline {pipeline_id}")


def _named(call: Call, name: str) -> bool:
    return call.query.text("name", "") in name


PREFIX = "/workflow-center/api/v1"
ROUTES = [
    Route("P", "GET", f"{PREFIX}/select-pipelines", select),
    Route("P", "GET", f"{PREFIX}/pipelines/{{id}}", get),
    Route("P", "GET", f"{PREFIX}/select-pipeline-versions", select_versions),
    Route("P", "GET", f"{PREFIX}/pipeline-versions/{{id}}/input-params", input_params),
]
