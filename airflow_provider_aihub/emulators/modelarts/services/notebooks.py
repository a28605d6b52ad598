"""Notebook instances, their leases and tags, and images made of them."""

from __future__ import annotations

import uuid
from typing import Any, Literal

from pydantic import Field, field_validator

from ...store import Row
from .. import errors
from ..call import Call, Given, Route, window
from ..jobs.notebooks import HOUR
from ..settings import Notebook

Kind = Literal["timing", "idle"]


class Lease(Given):
    duration: int | None = None
    type: Kind = "timing"

    @field_validator("type", mode="before")
    @classmethod
    def _any_case(cls, value: Any) -> Any:
        # Requests have it in lower case, answers in upper case.
        return value.lower() if isinstance(value, str) else value


class Volume(Given):
    category: str
    ownership: str | None = None
    capacity: int | None = None


class NewNotebook(Given):
    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,128}$")
    image_id: str = Field(min_length=1)
    volume: Volume
    description: str | None = Field(None, max_length=512)
    flavor: str | None = None
    feature: str | None = None
    duration: int | None = None
    workspace_id: str | None = None


class Change(Given):
    name: str | None = Field(None, pattern=r"^[A-Za-z0-9_-]{1,128}$")
    description: str | None = Field(None, max_length=512)
    flavor: str | None = None


class NewImage(Given):
    name: str = Field(pattern=r"^[a-z0-9_.-]{1,512}$")
    namespace: str = Field(min_length=1)
    tag: str = Field("", pattern=r"^[A-Za-z0-9_.-]{0,64}$")
    description: str = Field("", max_length=512)
    workspace_id: str | None = None


class Asked(Given):
    limit: int = Field(10, ge=1, le=1000)
    offset: int = Field(0, ge=0)
    name: str | None = None
    status: str | None = None
    workspace_id: str | None = None
    sort_key: str | None = None
    sort_dir: Literal["asc", "desc"] = "desc"


class TagsAsked(Given):
    workspace_id: str | None = None


async def start(call: Call) -> Any:
    row, asked = _notebook(call), call.query(Lease)
    call.arts.notebooks.start(row, asked.duration, asked.type)
    return show(call, row)


async def stop(call: Call) -> Any:
    row = _notebook(call)
    call.arts.notebooks.stop(row)
    return show(call, row)


async def get(call: Call) -> Any:
    return show(call, _notebook(call))


async def create(call: Call) -> Any:
    given = call.body(NewNotebook)
    workspace = call.arts.workspace(given.workspace_id, writing=True)
    notebook = Notebook(
        id=str(uuid.uuid4()),
        name=given.name,
        description=given.description or "",
        flavor=given.flavor or "modelarts.vm.cpu.2u",
        feature=given.feature or "NOTEBOOK",
        image_id=given.image_id,
        workspace_id=workspace.id,
    )
    return show(call, call.arts.notebooks.create(notebook, given.duration or HOUR))


async def change(call: Call) -> Any:
    row = _notebook(call)
    given = call.body(Change).model_dump(exclude_none=True, include={"name", "description", "flavor"})
    call.arts.store.notebooks.save(row, **given, updated=call.arts.clock.ms())
    return show(call, row)


async def delete(call: Call) -> Any:
    row = _notebook(call)
    call.arts.notebooks.delete(row)
    return show(call, row)


async def find(call: Call) -> Any:
    asked = call.query(Asked)
    rows = [
        row
        for row in call.arts.notebooks.all()
        if (asked.name or "") in row["name"]
        and asked.status in (None, row["status"])
        and asked.workspace_id in (None, row["workspace_id"])
    ]
    if asked.sort_dir == "desc":
        rows.reverse()
    return {
        "current": asked.offset // asked.limit,
        "data": [show(call, row) for row in window(rows, asked.offset, asked.limit)],
        "pages": -(-len(rows) // asked.limit),
        "size": asked.limit,
        "total": len(rows),
    }


async def get_lease(call: Call) -> Any:
    return _notebook(call)["lease"]


async def change_lease(call: Call) -> Any:
    row, given = _notebook(call), call.body(Lease)
    if row["status"] != "RUNNING":
        raise errors.notebook_is(row["status"])
    call.arts.notebooks.lease(row, HOUR if given.duration is None else given.duration, given.type)
    return row["lease"]


async def create_image(call: Call) -> Any:
    row, given = _notebook(call), call.body(NewImage)
    workspace = call.arts.workspace(given.workspace_id or row["workspace_id"], writing=True)
    fields = given.model_dump(include={"name", "namespace", "tag", "description"})
    image = call.arts.notebooks.snapshot(row, {**fields, "workspace_id": workspace.id})
    return _show_image(call, image)


async def get_image(call: Call) -> Any:
    return _show_image(call, call.arts.notebooks.image(call.path("image")))


async def tags(call: Call) -> Any:
    asked = call.query(TagsAsked)
    if asked.workspace_id:
        call.arts.workspace(asked.workspace_id)
    found: dict[str, list[str]] = {}
    for row in call.arts.notebooks.all():
        if asked.workspace_id in (None, row["workspace_id"]):
            for key, value in row["tags"].items():
                values = found.setdefault(key, [])
                if value not in values:
                    values.append(value)
    return {"tags": [{"key": key, "values": values} for key, values in found.items()]}


def show(call: Call, row: Row) -> Row:
    """A notebook as it is told of."""
    running = row["status"] == "RUNNING"
    steps = ("PREPARE_STORAGE", "PREPARE_COMPUTE", "CONFIGURE_NETWORK", "INITIALIZE_INSTANCE")
    return {
        "id": row["id"],
        "name": row["name"],
        "status": row["status"],
        "description": row["description"],
        "feature": row["feature"],
        "flavor": row["flavor"],
        "image": {
            "id": row["image_id"],
            "name": row["image_name"],
            "arch": "X86_64",
            "status": "ACTIVE",
            "swr_path": f"swr.{call.arts.settings.region}.example/{row['image_name']}",
        },
        "lease": row["lease"],
        "create_at": row["created"],
        "update_at": row["updated"],
        "fail_reason": "",
        "action_progress": [
            {"step": number, "status": "FINISHED" if running else "WAITING", "description": step}
            for number, step in enumerate(steps, start=1)
        ],
        "token": "",
        "url": f"https://notebook.invalid/{row['id']}" if running else "",
        "volume": {"category": "EFS", "ownership": "MANAGED", "mount_path": "/home/ma-user/work/", "capacity": 50},
        "workspace_id": row["workspace_id"],
    }


def _show_image(call: Call, row: Row) -> Row:
    names = ("id", "name", "namespace", "tag", "description", "status", "workspace_id")
    path = f"swr.{call.arts.settings.region}.example/{row['namespace']}/{row['name']}:{row['tag']}"
    shown = {name: row[name] for name in names}
    return {**shown, "create_at": row["created"], "status_message": row["message"], "swr_path": path}


def _notebook(call: Call) -> Row:
    return call.arts.notebooks.get(call.path("notebook"))


NOTEBOOKS = "/v1/{project}/notebooks"
NOTEBOOK = f"{NOTEBOOKS}/{{notebook}}"
ROUTES = [
    Route("V", "GET", NOTEBOOKS, find),
    Route("V", "POST", NOTEBOOKS, create),
    Route("V", "GET", f"{NOTEBOOKS}/all", find),
    Route("S", "GET", f"{NOTEBOOKS}/tags", tags),
    Route("V", "GET", NOTEBOOK, get),
    Route("V", "PUT", NOTEBOOK, change),
    Route("V", "DELETE", NOTEBOOK, delete),
    Route("S", "POST", f"{NOTEBOOK}/start", start),
    Route("V", "POST", f"{NOTEBOOK}/stop", stop),
    Route("V", "GET", f"{NOTEBOOK}/lease", get_lease),
    Route("V", "PATCH", f"{NOTEBOOK}/lease", change_lease),
    Route("V", "POST", f"{NOTEBOOK}/create-image", create_image),
    Route("V", "GET", "/v1/{project}/images/{image}", get_image),
]
