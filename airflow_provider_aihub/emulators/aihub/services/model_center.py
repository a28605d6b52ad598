"""Models."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import BodyPartReader

from ..answers import EXISTS, Refused, not_found
from ..call import Call, Route, public, read_part
from ..jobs.models import INIT
from ..store import Row
from . import model_deployment, model_tasks


async def create(call: Call) -> Any:
    if not call.request.content_type.startswith("multipart/"):
        raise Refused("the body must be a multipart form")
    fields: dict[str, str] = {}
    async for part in await call.request.multipart():
        if isinstance(part, BodyPartReader) and part.name:
            fields[part.name] = await read_part(part)
    name, public = fields.get("name", ""), fields.get("is_public", "")
    if not name.strip():
        raise Refused("name is required")
    if public not in ("true", "false"):
        raise Refused("is_public must be true or false")
    if fields.get("upload_type", "local") != "local":
        raise Refused("the emulator takes models by upload alone")
    try:
        tags = [int(tag) for tag in fields.get("tags", "").split(",") if tag]
    except ValueError:
        raise Refused("tags must be integers parted by commas") from None
    if any(row["name"] == name for row in call.hub.store.models):
        raise Refused(f"model {name} exists already", EXISTS)
    now = call.hub.clock.ms()
    row = {
        "name": name,
        "description": fields.get("description", ""),
        "readme_content": fields.get("readme_file", ""),
        "creator_id": call.user.id,
        "creator_name": call.user.name,
        "created_at": now,
        "updated_at": now,
        "tags": tags,
        "status": INIT,
        "is_public": public == "true",
        "object_cnt": 0,
        "data_size": 0,
        "_index": "",
    }
    return {"id": call.hub.store.models.add(row)["id"]}


async def find(call: Call) -> Any:
    query = call.query
    ids, tags = (
        {int(one) for one in query.text(name, "").split(",") if one.isdigit()} for name in ("model_ids", "tags")
    )
    rows = (
        row
        for row in call.hub.store.models.newest()
        if call.matches(row, ("name",)) and (not ids or row["id"] in ids) and tags <= set(row["tags"])
    )
    return call.page(rows, _card)


async def get(call: Call) -> Any:
    row = call.hub.store.models.get(call.id())
    shown = {"readme_content": row["readme_content"], "file_storage_path": "", "model_tree": None, "base_model": None}
    return {**_card(row), **shown}


async def get_record(call: Call) -> Any:
    if call.query.given("id"):
        return _record(call, call.hub.store.models.get(call.query.integer("id")))
    name = call.query.text("name")
    for row in call.hub.store.models:
        if row["name"] == name:
            return _record(call, row)
    raise not_found(f"model {name}")


async def access(call: Call) -> Any:
    return await asyncio.get_running_loop().run_in_executor(None, call.hub.objects.access)


async def uploaded(call: Call) -> Any:
    body = await call.body()
    row = call.hub.store.models.get(body.integer("model_id"))
    count, size = body.integer("object_cnt", minimum=0), body.integer("data_size", minimum=0)
    call.hub.models.take_in(row, count, size)
    return {}


def _card(row: Row) -> Row:
    return public(row, ("readme_content", "object_cnt", "data_size"))


def _record(call: Call, row: Row) -> Row:
    place = f"s3://{call.hub.objects.bucket}/{call.hub.models.place(row)}"
    return {
        **public(row, ("creator_id", "creator_name", "tags")),
        "user_id": row["creator_id"],
        "base_model_id": 0,
        "relation": "",
        "object_storage_path": f"{place}/files",
        "file_storage_path": "",
        "parquet_index_path": call.link(row["_index"]),
        "csv_file_path": f"{place}/files.csv",
        "task_status_s3_path": f"{place}/files.json",
    }


PREFIX = "/model-center/api/v1"
ROUTES = [
    Route("P", "POST", f"{PREFIX}/models", create),
    Route("P", "GET", f"{PREFIX}/models", find),
    Route("P", "GET", f"{PREFIX}/models/db", get_record),
    Route("P", "GET", f"{PREFIX}/models/get-sts", access),
    Route("P", "POST", f"{PREFIX}/models/upload", uploaded),
    Route("P", "GET", f"{PREFIX}/models/{{id}}", get),
    *model_tasks.ROUTES,
    *model_deployment.SERVICES,
]
