"""Label projects. Nobody labels them but whoever tells the emulator that they are labelled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from ... import own
from ...app import Served
from ...platform import Platform
from ...refused import Refused
from ..aihub import AIHub
from ..answers import not_found
from ..call import Call, Route

STATUSES = ("pending", "loading", "ready", "finished", "failed")
STATS = {
    "total_annotations": 0,
    "labeled_annotations": 0,
    "total_labels": 0,
    "total_reviews": 0,
    "unlabeled_reviews": 0,
    "labeled_reviews": 0,
    "accepted_count": 0,
    "rejected_count": 0,
}
NEW = {
    "status": "pending",
    "data_exported_count": 0,
    "exported_dataset_name": "",
    "valid_ten_percent": False,
    "valid_fifty_percent": False,
    "valid_hundred_percent": False,
}
EXAMPLE = {
    **dict.fromkeys(("valid_ten_percent", "valid_fifty_percent", "valid_hundred_percent"), True),
    **{"status": "finished", "data_exported_count": 1, "exported_dataset_name": "example-labels"},
    **{"total_annotations": 10, "labeled_annotations": 10, "total_labels": 12},
}
"""What the project ``example`` is like, until somebody says otherwise."""


async def global_stats(call: Call) -> Any:
    name = call.query.text("project_name")
    row = call.hub.store.label_projects.rows.get(name) or ({**NEW, **STATS, **EXAMPLE} if name == "example" else None)
    if row is None:
        raise not_found(f"label project {name}")
    return {**{field: row[field] for field in NEW}, "global_stats": {field: row[field] for field in STATS}}


def put_project(hub: AIHub, name: str, fields: Mapping[str, Any]) -> None:
    """Say how far a project is, which is created if it is missing.

    :raises Refused: A field is unknown or of the wrong type.
    """
    known = {**NEW, **STATS}
    for field, value in fields.items():
        if field not in known:
            raise Refused(f"a label project has no {field}; it has {', '.join(known)}")
        if type(value) is not type(known[field]):
            raise Refused(f"{field} must be like {known[field]!r}")
    if fields.get("status", "pending") not in STATUSES:
        raise Refused(f"status must be one of {', '.join(STATUSES)}")
    table = hub.store.label_projects
    row = table.rows.get(name) or table.add({"id": name, **known})
    table.save(row, **fields)


PREFIX = "/labelfree/api/v2"
ROUTES = [Route("P", "GET", f"{PREFIX}/projects/global_stats", global_stats)]


def about(hub: AIHub) -> Served:
    """``PUT /emulator/label-projects/<name>`` with fields of a project: what its people have done."""

    async def put(_: Platform, request: web.Request) -> Any:
        fields = await own.read_json(request)
        if not isinstance(fields, dict):
            raise Refused("the body must be a JSON object")
        put_project(hub, request.match_info["name"], fields)
        return {}

    return Served("PUT", f"{own.PREFIX}/label-projects/{{name}}", own.told(hub, put))
