"""Artifacts: files that belong to a run."""

from __future__ import annotations

import asyncio
from typing import Any

from ..call import Call, Route, public

TYPES = ("dataset", "model", "metrics", "log", "checkpoint", "image", "prediction", "other")


async def access(call: Call) -> Any:
    return await asyncio.get_running_loop().run_in_executor(None, call.hub.objects.access)


async def create(call: Call) -> Any:
    body = await call.body()
    path = body.text("src_path")
    row = {
        "entity_id": body.text("entity_id"),
        "entity_type": body.text("entity_type", allowed=TYPES),
        "src_path": path,
        "is_dir": body.boolean("is_dir", False),
        "_uploaded": False,
    }
    row = call.hub.store.artifacts.add(row)
    place = f"s3://{call.hub.objects.bucket}/artifacts/{row['id']}/{path.strip('/')}"
    call.hub.store.artifacts.save(row, s3_path=place)
    return {"id": row["id"], "s3_path": place}


async def uploaded(call: Call) -> Any:
    call.hub.store.artifacts.save(call.hub.store.artifacts.get(call.id()), _uploaded=True)
    return {}


async def find(call: Call) -> Any:
    run = call.query.text("entity_id")
    return call.page((row for row in call.hub.store.artifacts if row["entity_id"] == run), public)


PREFIX = "/artifact-management/api/v1"
ROUTES = [
    Route("P", "GET", f"{PREFIX}/artifacts/get-sts", access),
    Route("P", "POST", f"{PREFIX}/artifacts", create),
    Route("P", "POST", f"{PREFIX}/artifacts/{{id}}/uploaded", uploaded),
    Route("P", "GET", f"{PREFIX}/artifacts", find),
]
