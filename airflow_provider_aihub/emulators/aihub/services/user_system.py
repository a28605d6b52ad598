"""Login."""

from __future__ import annotations

from typing import Any

from ..answers import Refused
from ..call import Call, Route


async def login(call: Call) -> Any:
    body = await call.body()
    user = call.login(body.text("username"), body.text("password"))
    if user is None:
        raise Refused("wrong username or password")
    return {"id": user.id, "token": call.hub.issue(user)}


PREFIX = "/api/v1/auth"
ROUTES = [Route("D", "POST", f"{PREFIX}/login", login, open=True)]
