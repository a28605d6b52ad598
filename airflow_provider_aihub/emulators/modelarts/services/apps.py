"""Apps, with which calls of services are authorised."""

from __future__ import annotations

import secrets
import uuid
from typing import Any

from pydantic import Field

from ...store import Row
from .. import errors
from ..call import Call, Given, Route

MOST = 5
"""Apps of one user."""


class NewApp(Given):
    app_name: str = Field(min_length=1, max_length=64)
    app_remark: str | None = Field(None, max_length=200)
    workspace_id: str | None = None


class Asked(Given):
    app_name: str | None = None


async def create(call: Call) -> Any:
    given = call.body(NewApp)
    call.arts.workspace(given.workspace_id, writing=True)
    own = [row for row in call.arts.store.apps if row["user_id"] == call.user.id]
    if any(row["app_name"] == given.app_name for row in own):
        raise call.refused(f"There is an app of the name {given.app_name} already.")
    if len(own) >= MOST:
        raise errors.beyond_quota(f"A user has at most {MOST} apps.")
    now = call.arts.clock.ms()
    row = {
        "id": str(uuid.uuid4()),
        "app_name": given.app_name,
        "app_key": secrets.token_hex(16),
        "app_secret": secrets.token_hex(16),
        "app_codes": [secrets.token_urlsafe(48)],
        "app_type": "APIG",
        "app_remark": given.app_remark or "",
        "bounded_api_count": 0,
        "created_at": now,
        "updated_at": now,
        "project_id": call.arts.credentials.project_id,
        "user_id": call.user.id,
    }
    return {"app": _show(call.arts.store.apps.add(row))}


async def find(call: Call) -> Any:
    name = call.query(Asked).app_name
    found = [_show(row) for row in call.arts.store.apps if name in (None, row["app_name"])]
    return {"total_count": len(found), "count": len(found), "apps": found}


async def delete(call: Call) -> Any:
    call.arts.store.apps.remove(call.arts.store.apps.get(call.path("app")))
    return {"result": "true"}


def _show(row: Row) -> Row:
    return {"app_id": row["id"], **{name: value for name, value in row.items() if name != "id"}}


APPS = "/v1/{project}/app-auth/apps"
ROUTES = [
    Route("S", "POST", APPS, create),
    Route("D", "GET", APPS, find),
    Route("D", "DELETE", f"{APPS}/{{app}}", delete),
]
