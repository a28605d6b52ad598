"""Import of evaluations."""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import BodyPartReader, web

from ... import own
from ...app import Served
from ...platform import Platform
from ..aihub import AIHub
from ..answers import NOT_FOUND, Refused, not_found
from ..call import Call, Route, file_name, read_part, save_part

TEXTS = ("model_name", "model_type", "epoch", "dataset_name", "id_dataset_name", "gallery_dataset_name", "user_id")
FILES = ("model_file", "pred_file")
MODEL_TYPES = ("3", "4", "5")
LONGEST_LINE = 16 << 20
"""Bytes of a line of a ``pred_file``; a longer one is no JSON."""


async def import_result(call: Call) -> Any:
    if not call.request.content_type.startswith("multipart/"):
        raise Refused("the body must be a multipart form")
    folder = call.hub.home.folder("evaluations", f".incoming-{secrets.token_hex(8)}")
    try:
        texts, files = await _receive(call, folder)
        _check(call, texts, files)
        pred_file = folder / files["pred_file"]["name"]
        predictions = await asyncio.get_running_loop().run_in_executor(None, _count_lines, pred_file)
        row = call.hub.store.evaluations.add(
            {**texts, "files": files, "predictions": predictions, "created_at": call.hub.clock.ms()}
        )
        kept = folder.with_name(str(row["id"]))
        folder.rename(kept)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return {"id": row["id"]}


async def _receive(call: Call, folder: Path) -> tuple[dict[str, str], dict[str, dict[str, Any]]]:
    texts: dict[str, str] = {}
    files: dict[str, dict[str, Any]] = {}
    async for part in await call.request.multipart():
        if not isinstance(part, BodyPartReader):
            continue
        if part.name in FILES and part.filename:
            name = f"{part.name}-{file_name(part)}"
            files[part.name] = {"name": name, "size": await save_part(part, folder / name)}
        elif part.name in TEXTS:
            texts[part.name] = await read_part(part)
    return texts, files


def _check(call: Call, texts: Mapping[str, str], files: Mapping[str, object]) -> None:
    for name in (*TEXTS, *FILES):
        if not texts.get(name) and name not in files:
            raise Refused(f"{name} is required")
    if texts["model_type"] not in MODEL_TYPES:
        raise Refused(f"model_type must be one of {', '.join(MODEL_TYPES)}")
    if texts["user_id"] not in map(str, call.hub.credentials.users):
        raise not_found(f"user {texts['user_id']}")


def _count_lines(path: Path) -> int:
    count = 0
    with path.open("rb") as file:
        for number, line in enumerate(iter(partial(file.readline, LONGEST_LINE), b""), start=1):
            if not line.strip():
                continue
            try:
                json.loads(line)
            except (ValueError, RecursionError):
                raise Refused(f"pred_file is no JSON Lines file: line {number} is no JSON") from None
            count += 1
    if not count:
        raise Refused("pred_file holds no predictions")
    return count


PREFIX = "/api/v2/tasks"
ROUTES = [Route("D", "POST", f"{PREFIX}/import_result", import_result)]


def about(hub: AIHub) -> Served:
    """What the emulator tells of an evaluation to its first user."""

    async def tell(_: Platform, request: web.Request) -> Any:
        call = Call(hub, request, None)
        try:
            row = hub.store.evaluations.get(call.id())
        except Refused as refused:
            raise Refused(str(refused), status=404 if refused.code == NOT_FOUND else 400) from None
        folder = hub.home.path / "evaluations" / str(row["id"])
        files = {name: {**file, "url": call.link(folder / file["name"])} for name, file in row["files"].items()}
        return {**row, "files": files}

    return Served("GET", f"{own.PREFIX}/evaluations/{{id}}", own.told(hub, tell))
