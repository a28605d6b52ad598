"""Notebooks: they start and close, and nothing runs in them."""

from __future__ import annotations

from typing import Any

from ..answers import Refused, not_found
from ..call import Call, Route, public
from ..fields import Fields
from ..store import Row

CLOSED, STARTING, STARTED = 1, 2, 3
STARTS_FOR = 1000
"""Milliseconds between the call that starts a notebook and its being there."""
KINDS = (1, 2)
IMAGES = [
    {
        "id": number,
        "name": f"{('jupyter', 'desktop')[app - 1]}-{('cpu', 'gpu')[hardware - 1]}",
        "uri": f"registry.local/notebook-{app}-{hardware}:1",
        "app_type": app,
        "hardware_type": hardware,
    }
    for number, (app, hardware) in enumerate(((app, hardware) for app in KINDS for hardware in KINDS), start=1)
]


async def images(call: Call) -> Any:
    app, hardware = (call.query.integer(name, allowed=KINDS) for name in ("app_type", "hardware_type"))
    return {"data": [one for one in IMAGES if (one["app_type"], one["hardware_type"]) == (app, hardware)]}


async def configs(_: Call) -> Any:
    kinds = {"cpu_notebook": 0, "gpu_notebook": 1, "vnc_svr": 2}
    return {
        f"{kind}_default_params": {"image": IMAGES[image], "sku_cnt": 1, "storages": []}
        for kind, image in kinds.items()
    }


async def find(call: Call) -> Any:
    rows = (row for row in call.hub.store.notebooks if call.matches(row, ("app_type", "hardware_type")))
    return {"data": [_show(call, row) for row in rows]}


async def create(call: Call) -> Any:
    body = await call.body()
    app, hardware = (body.integer(name, allowed=KINDS) for name in ("app_type", "hardware_type"))
    row = {
        **_given(call, body, app, hardware),
        "hardware_type": hardware,
        "app_type": app,
        "namespace": "notebooks",
        "pod": "",
        "created_at": call.hub.clock.ms(),
        "creator": {"id": call.user.id, "name": call.user.name},
        "_started_at": 0,
    }
    row = call.hub.store.notebooks.add({"id": max(call.hub.store.notebooks.rows, default=0) + 1, **row})
    return {"id": row["id"]}


async def get(call: Call) -> Any:
    return _show(call, _row(call))


async def edit(call: Call) -> Any:
    row = _row(call)
    call.hub.store.notebooks.save(row, **_given(call, await call.body(), row["app_type"], row["hardware_type"]))
    return {}


async def delete(call: Call) -> Any:
    call.hub.store.notebooks.remove(_row(call))
    return {}


async def start(call: Call) -> Any:
    row = _row(call)
    if not row["_started_at"]:
        call.hub.store.notebooks.save(row, _started_at=call.hub.clock.ms(), pod=f"notebook-{row['id']}")
    return {}


async def stop(call: Call) -> Any:
    call.hub.store.notebooks.save(_row(call), _started_at=0, pod="")
    return {}


def _row(call: Call) -> Row:
    return call.hub.store.notebooks.get(call.id())


def _given(call: Call, body: Fields, app: int, hardware: int) -> Row:
    number = body.integer("image_id")
    image = next((one for one in IMAGES if one["id"] == number), None)
    if image is None:
        raise not_found(f"image {number}")
    if (image["app_type"], image["hardware_type"]) != (app, hardware):
        raise Refused(f"image {number} is for another kind of notebook")
    storages = body.integers("storage_ids", [])
    for storage in storages:
        if storage not in call.hub.storages:
            raise not_found(f"storage {storage}")
    return {
        "image": image,
        "sku_cnt": body.integer("sku_cnt", 1, minimum=1),
        "envs": body.pairs("envs", []),
        "storages": [call.hub.storages[storage] for storage in storages],
        "shm": body.integer("shm", 0, minimum=0),
        "vnc_resolution": body.text("resolution", ""),
    }


def _show(call: Call, row: Row) -> Row:
    began = row["_started_at"]
    there = began and call.hub.clock.ms() >= began + STARTS_FOR
    link = f"http://127.0.0.1/{row['pod']}" if there else ""
    notebook = row["app_type"] == KINDS[0]
    return {
        **public(row),
        "status": STARTED if there else STARTING if began else CLOSED,
        "notebook_url": link if notebook else "",
        "vscode_url": link if notebook else "",
        "vnc_web_url": "" if notebook else link,
        "vnc_svr_addr": "",
        "ssh_info": "",
    }


PREFIX = "/notebook-management/api/v1"
ROUTES = [
    Route("P", "GET", f"{PREFIX}/images", images),
    Route("P", "GET", f"{PREFIX}/configs", configs),
    Route("P", "GET", f"{PREFIX}/notebooks", find),
    Route("P", "POST", f"{PREFIX}/notebooks", create),
    Route("P", "GET", f"{PREFIX}/notebooks/{{id}}", get),
    Route("P", "PUT", f"{PREFIX}/notebooks/{{id}}", edit),
    Route("P", "DELETE", f"{PREFIX}/notebooks/{{id}}", delete),
    Route("P", "POST", f"{PREFIX}/notebooks/{{id}}/start", start),
    Route("P", "POST", f"{PREFIX}/notebooks/{{id}}/stop", stop),
]
