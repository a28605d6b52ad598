"""Templates of workflows. Each pipeline that has a version is one, too, under its own id and name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..answers import Refused, not_found
from ..answers import page as page_of
from ..call import Call, Route
from ..jobs.workflows import new_nodes
from ..settings import Pipeline, PipelineVersion
from ..store import Row
from .runs import new_run, placed

RELEASED = 2
"""The number that this emulator gives the status of a template; AIHub's are not documented."""


async def find(call: Call) -> Any:
    call.query.integer("filter", 1, allowed=(1, 2, 3))
    user = call.query.integer("user_id", 0)
    rows = (show(call, *one) for one in templates(call) if call.query.text("name", "") in one[0].name)
    return call.page((row for row in rows if user in (0, row["user"]["id"])), lambda row: row)


async def search(call: Call) -> Any:
    body = await call.body()
    ids, name = body.integers("ids", []), body.text("name", "")
    found = [
        {"id": pipeline.id, "name": pipeline.name}
        for pipeline, _ in templates(call)
        if (not ids or pipeline.id in ids) and name in pipeline.name
    ]
    return page_of(found, max(len(found), 1), 1)


async def get(call: Call) -> Any:
    return show(call, *template(call, call.id()))


async def input_params(call: Call) -> Any:
    _, version = template(call, call.id())
    return {"data": [{"input_param": name} for name in version.input_params]}


async def run(call: Call) -> Any:
    pipeline, version = template(call, call.id())
    body = await call.body()
    cluster = body.integer("virtual_cluster_id")
    check_cluster(call, cluster)
    row = new_run(
        call,
        pipeline,
        version,
        name=body.text("name"),
        params=check_params(version, body.pairs("params", value="")),
        node_virtual_clusters=placed(version, cluster),
    )
    return {"id": call.hub.workflows.submit(row, new_nodes(version))["id"]}


def templates(call: Call) -> Iterator[tuple[Pipeline, PipelineVersion]]:
    for pipeline in call.hub.settings.pipelines:
        if pipeline.versions:
            yield pipeline, max(pipeline.versions, key=lambda version: version.id)


def template(call: Call, number: int) -> tuple[Pipeline, PipelineVersion]:
    """
    :raises Refused: There is no such template.
    """
    for one in templates(call):
        if one[0].id == number:
            return one
    raise not_found(f"workflow template {number}")


def check_params(version: PipelineVersion, params: list[dict[str, str]]) -> list[dict[str, str]]:
    """:raises Refused: One of them is none of the template's."""
    for pair in params:
        if pair["key"] not in version.input_params:
            raise Refused(f"the template has no parameter {pair['key']}")
    return params


def check_cluster(call: Call, number: int) -> None:
    """:raises Refused: There is no such virtual cluster."""
    if number not in {cluster.id for cluster in call.hub.settings.clusters}:
        raise not_found(f"virtual cluster {number}")


def show(call: Call, pipeline: Pipeline, version: PipelineVersion) -> Row:
    owner = next(iter(call.hub.credentials.users.values()))
    return {
        "id": pipeline.id,
        "name": pipeline.name,
        "description": "",
        "pipeline_id": pipeline.id,
        "pipeline_name": pipeline.name,
        "pipeline_version_id": version.id,
        "pipeline_version_name": version.name,
        "inputs": [{"input_param": name} for name in version.input_params],
        "outputs": [],
        "user": {"id": owner.id, "name": owner.name},
        "tags": [],
        "status": RELEASED,
        "created_at": 0,
    }


PREFIX = "/workflow-center/api/v1/templates"
ROUTES = [
    Route("P", "GET", PREFIX, find),
    Route("P", "POST", f"{PREFIX}/search", search),
    Route("P", "GET", f"{PREFIX}/{{id}}", get),
    Route("P", "GET", f"{PREFIX}/{{id}}/input-params", input_params),
    Route("P", "POST", f"{PREFIX}/{{id}}/run", run),
]
