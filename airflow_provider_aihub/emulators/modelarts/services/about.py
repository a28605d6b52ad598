"""What the emulator lets its first user do to it besides: put things into states that are hard to come by."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from ... import own
from ...app import Served
from ...platform import Platform
from ...refused import Refused
from ...store import Row, Table
from ..modelarts import ModelArts

KINDS = ("training-jobs", "executions", "steps", "notebooks", "images")


def routes(arts: ModelArts) -> list[Served]:
    """``PUT /emulator/states/<kind>/<id>`` with ``{"state": ..}``; the kinds are :data:`KINDS`."""

    async def put(_: Platform, request: web.Request) -> Any:
        body = await own.read_json(request)
        state = body.get("state") if isinstance(body, dict) else None
        if not isinstance(state, str):
            raise Refused("state must be a string")
        set_state(arts, request.match_info["kind"], request.match_info["id"], state)
        return {"state": state}

    return [Served("PUT", f"{own.PREFIX}/states/{{kind}}/{{id:.+}}", own.told(arts, put))]


def set_state(arts: ModelArts, kind: str, number: str, state: str) -> None:
    """:raises Refused: There is no such thing."""
    match kind:
        case "training-jobs":
            arts.trainings.set_phase(_row(arts.store.jobs, number), state)
        case "executions":
            arts.executions.set_status(_row(arts.store.executions, number), state)
        case "steps":
            for row in arts.store.executions:
                for step in row["steps"]:
                    if step["uuid"] == number:
                        arts.executions.set_step_status(row, step, state)
                        return
            raise Refused(f"there is no step {number}", status=404)
        case "notebooks":
            arts.notebooks.set_status(_row(arts.store.notebooks, number), state)
        case "images":
            arts.notebooks.set_image_status(_row(arts.store.images, number), state, "the emulator was told to say so")
        case _:
            raise Refused(f"kind must be one of {', '.join(KINDS)}", status=404)


def _row(table: Table, number: str) -> Row:
    row = table.rows.get(number)
    if row is None:
        raise Refused(f"there is no {number}", status=404)
    return row
