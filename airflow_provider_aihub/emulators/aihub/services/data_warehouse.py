"""Searches in the data warehouse."""

from __future__ import annotations

from typing import Any

from ..call import Call, Route, public
from ..jobs.searches import IMAGES, SQL, TEXT, WAITING
from ..jobs.warehouse import feature_lib_name
from ..store import Row


async def create(call: Call) -> Any:
    body = await call.body()
    kind = body.integer("type", allowed=(SQL, IMAGES, TEXT))
    ranked = kind != SQL
    images = body.objects("images") if kind == IMAGES else []
    lib = body.integer("feature_lib_id") if ranked else 0
    row = call.hub.searches.submit(
        {
            "type": kind,
            "name": body.text("name"),
            "description": body.text("description", ""),
            "sql": body.text("sql") if kind == SQL else "",
            "feature_lib_id": lib,
            "feature_lib_name": feature_lib_name(lib) if ranked else "",
            "images": [{"url": image.text("url"), "box": image.box("box", [])} for image in images] or None,
            "keywords": body.text("keywords") if kind == TEXT else "",
            "top_k": body.integer("top_k", minimum=1) if ranked else 0,
            "status": WAITING,
            "message": "",
            "results": None,
            "created_at": call.hub.clock.ms(),
            "username": call.user.name,
            "user_id": call.user.id,
            "_result": "",
        }
    )
    return {"id": row["id"]}


async def get(call: Call) -> Any:
    return _show(call, call.hub.store.searches.get(call.id()))


async def find(call: Call) -> Any:
    rows = (row for row in call.hub.store.searches.newest() if call.matches(row, ("name", "status", "user_id")))
    return call.page(rows, lambda row: _show(call, row))


def _show(call: Call, row: Row) -> Row:
    return {**public(row, () if call.hub.platform else ("user_id",)), "result_url": call.link(row["_result"])}


PREFIX = "/data-warehouse/api/v1"
ROUTES = [
    Route("D", "POST", f"{PREFIX}/searches", create),
    Route("D", "GET", f"{PREFIX}/searches/{{id}}", get),
    Route("P", "GET", f"{PREFIX}/searches", find),
]
