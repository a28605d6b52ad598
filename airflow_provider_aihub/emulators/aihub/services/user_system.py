"""Login, and who there is."""

from __future__ import annotations

from typing import Any

from ..answers import Refused, not_found, page
from ..auth import User
from ..call import Call, Route
from ..fields import Fields
from ..store import Row

USABLE = 1


async def login(call: Call) -> Any:
    body = await call.body()
    user = call.login(body.text("username"), body.text("password"))
    if user is None:
        raise Refused("wrong username or password")
    return {"id": user.id, "token": call.hub.issue(user)}


async def find(call: Call) -> Any:
    key = call.query.text("search_key", "")
    return call.page((row for row in _users(call) if key in row["username"]), dict)


async def get(call: Call) -> Any:
    number = call.id()
    if number not in call.hub.credentials.users:
        raise not_found(f"user {number}")
    return _show(call.hub.credentials.users[number])


async def search(call: Call) -> Any:
    body = await call.body()
    ids = body.integers("user_ids", [])
    found = [
        row
        for row in _users(call)
        if all(body.text(name, "") in row[name] for name in ("username", "nickname", "email"))
        and (not ids or row["id"] in ids)
        and body.integer("status", USABLE) == USABLE
    ]
    return page(found, *_place(body))


def _place(body: Fields) -> tuple[int, int]:
    return body.integer("page_size", 20, minimum=1), body.integer("page_num", 1, minimum=1)


def _users(call: Call) -> list[Row]:
    return [_show(user) for user in call.hub.credentials.users.values()]


def _show(user: User) -> Row:
    return {
        "id": user.id,
        "username": user.name,
        "nickname": user.name,
        "email": f"{user.name}@aihub.example",
        "roles": None,
        "status": USABLE,
        "tags": None,
        "created_at": 0,
    }


PREFIX = "/api/v1"
ROUTES = [
    Route("D", "POST", f"{PREFIX}/auth/login", login, open=True),
    Route("P", "GET", f"{PREFIX}/users", find),
    Route("P", "GET", f"{PREFIX}/users/{{id}}", get),
    Route("P", "POST", f"{PREFIX}/search-users", search),
]
