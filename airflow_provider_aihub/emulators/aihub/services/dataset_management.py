"""Datasets and their versions."""

from __future__ import annotations

import asyncio
import re
import secrets
from typing import Any

from aiohttp import BodyPartReader

from ..answers import EXISTS, Refused, not_found
from ..call import Call, Route, file_name, public, save_part
from ..jobs.versions import INGEST, OUTSIDE, SUCCEEDED, WAITING
from ..store import Row

UPLOADS = "aihub-uploads"
"""The bucket of files that were uploaded here and not through the relay."""


async def create_dataset(call: Call) -> Any:
    body = await call.body()
    name = body.text("name")
    # The name becomes a folder.
    if re.search(r"[/\\\0]", name) or name.startswith(".") or len(name.encode()) > 200:
        raise Refused("name must be at most 200 bytes without '/' and '\\', and must not begin with '.'")
    owner = call.optional_user(body, "create_by")
    row = {
        "name": name,
        "description": body.text("description", empty=True),
        "cover_img": body.text("cover_img", ""),
        "created_at": call.hub.clock.ms(),
        "update_at": call.hub.clock.ms(),
        "user_id": owner.id,
        "username": owner.name,
        "tags": body.integers("tags"),
        "access_user_ids": body.integers("access_user_ids", []),
        "is_private": body.boolean("is_private", False),
    }
    if any(dataset["name"] == name for dataset in call.hub.store.datasets):
        raise Refused(f"dataset {name} exists already", EXISTS)
    return {"id": call.hub.store.datasets.add(row)["id"]}


async def create_version(call: Call) -> Any:
    body = await call.body()
    hub = call.hub
    types = (1, 2, 3, *OUTSIDE) if hub.platform else (1, 2, 3)
    values: Row = {
        "upload_type": body.integer("upload_type", allowed=types),
        "upload_path": body.text("upload_path"),
        "description": body.text("description", ""),
        "parent_version_id": body.integer("parent_version_id", 0),
        "dataset_id": body.integer("dataset_id"),
    }
    hub.store.datasets.get(values["dataset_id"])
    if values["parent_version_id"]:
        parent = hub.store.versions.get(values["parent_version_id"])
        if parent["dataset_id"] != values["dataset_id"]:
            raise not_found(f"dataset version {parent['id']} of dataset {values['dataset_id']}")
    row = hub.versions.submit(
        {
            **values,
            "status": WAITING,
            "message": "",
            "created_at": hub.clock.ms(),
            "user_id": call.user.id,
            "data_size": 0,
            "data_count": 0,
            "_index": "",
        }
    )
    return {"id": row["id"]}


async def access(call: Call) -> Any:
    return await asyncio.get_running_loop().run_in_executor(None, call.hub.objects.access)


async def ingest(call: Call) -> Any:
    body = await call.body()
    dataset = call.hub.store.datasets.get(body.integer("dataset_id"))
    row = call.hub.versions.submit(
        {
            "upload_type": INGEST,
            "upload_path": body.text("s3_target_path"),
            "description": body.text("description", ""),
            "parent_version_id": 0,
            "dataset_id": dataset["id"],
            "status": WAITING,
            "message": "",
            "created_at": call.hub.clock.ms(),
            "user_id": call.user.id,
            "data_size": 0,
            "data_count": 0,
            "_index": "",
            "_sheet": body.text("s3_object_sheet"),
            "_told": [body.integer("object_cnt", -1), body.integer("data_size", -1)],
        }
    )
    return {"id": row["id"]}


async def get_version_by_name(call: Call) -> Any:
    name = call.query.text("name")
    match = re.fullmatch(r"(.+)/V([1-9]\d{0,8})", name)
    if not match:
        raise Refused("name must be <dataset>/V<version>")
    for row in call.hub.store.versions:
        if row["version"] == int(match[2]) and _dataset(call, row)["name"] == match[1]:
            return _show_version(call, row)
    raise not_found(f"dataset version {name}")


async def get_version(call: Call) -> Any:
    return _show_version(call, call.hub.store.versions.get(call.id()))


async def find_versions(call: Call) -> Any:
    query = call.query
    text = query.text("dataset_version_ids", "")
    try:
        wanted = {int(number) for number in text.split(",")} if text else None
    except ValueError:
        raise Refused("dataset_version_ids must be integers parted by commas") from None
    rows = (
        row
        for row in call.hub.store.versions.newest()
        if call.matches(row, ("dataset_id",)) and (wanted is None or row["id"] in wanted)
    )
    return call.page(rows, lambda row: _show_listed(call, row))


async def get_dataset(call: Call) -> Any:
    return _show_dataset(call, call.hub.store.datasets.get(call.id()))


async def find_datasets(call: Call) -> Any:
    query = call.query
    scope = query.text("scope", "all", allowed=("created", "shared", "all"))
    text = query.text("tags", "")
    try:
        tags = {int(tag) for tag in text.split(",")} if text else set()
    except ValueError:
        raise Refused("tags must be integers parted by commas") from None
    owner = query.integer("create_by") if query.given("create_by") else None
    user = call.user.id

    def wanted(row: Row) -> bool:
        mine, shared = row["user_id"] == user, user in row["access_user_ids"]
        return (
            {"created": mine, "shared": shared, "all": mine or shared or not row["is_private"]}[scope]
            and tags <= set(row["tags"])
            and owner in (None, row["user_id"])
            and call.matches(row, ("name",))
        )

    return call.page(filter(wanted, call.hub.store.datasets.newest()), lambda row: _show_dataset(call, row))


async def upload(call: Call) -> Any:
    if not call.request.content_type.startswith("multipart/"):
        raise Refused("the body must be a multipart form")
    found = None
    async for part in await call.request.multipart():
        if isinstance(part, BodyPartReader) and part.name == "file" and found is None:
            key = f"{secrets.token_hex(8)}/{file_name(part)}"
            found = key, call.hub.buckets.place(UPLOADS, key)
            await save_part(part, found[1])
    if found is None:
        raise Refused("file is required")
    return {"path": f"s3://{UPLOADS}/{found[0]}", "url": call.link(found[1])}


def _dataset(call: Call, version: Row) -> Row:
    return call.hub.store.datasets.get(version["dataset_id"])


def _show_version(call: Call, row: Row) -> Row:
    return {**public(row), "parquet_index_path": call.link(row["_index"])}


def _show_listed(call: Call, row: Row) -> Row:
    owner = call.hub.credentials.users.get(row["user_id"])
    return {
        **_show_version(call, row),
        "username": owner.name if owner else "",
        "dataset_name": _dataset(call, row)["name"],
    }


def _show_dataset(call: Call, row: Row) -> Row:
    versions = [version for version in call.hub.store.versions if version["dataset_id"] == row["id"]]
    return {
        **public(row),
        "versions": [
            {
                "id": version["id"],
                "version": version["version"],
                "status": version["status"],
                "parquet_index_path": call.link(version["_index"]),
                "data_count": version["data_count"],
                "file_storage_path": str(call.hub.versions.folder(version)) if version["status"] == SUCCEEDED else "",
            }
            for version in versions
        ],
    }


PREFIX = "/dataset-mng/api"
ROUTES = [
    Route("D", "POST", f"{PREFIX}/v2/datasets", create_dataset),
    Route("D", "POST", f"{PREFIX}/v2/dataset-versions-upload", create_version),
    Route("D", "GET", f"{PREFIX}/v2/dataset-versions-detail", get_version_by_name, open=True),
    Route("P", "GET", f"{PREFIX}/v2/dataset-versions/get-sts", access),
    Route("P", "POST", f"{PREFIX}/v2/dataset-versions/data-ingest", ingest),
    Route("P", "GET", f"{PREFIX}/v2/dataset-versions/{{id}}", get_version),
    Route("P", "GET", f"{PREFIX}/v2/dataset-versions", find_versions),
    Route("P", "GET", f"{PREFIX}/v2/datasets/{{id}}", get_dataset),
    Route("P", "GET", f"{PREFIX}/v2/datasets", find_datasets),
    Route("P", "POST", f"{PREFIX}/v1/uploads", upload),
]
