"""An AIHub that logs anybody in and otherwise answers as a test says."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from http_servers import Act, acting

LOGIN = "/api/v1/auth/login"


def said(data: Any, **given: Any) -> web.Response:
    """An answer of AIHub that says yes."""
    return web.json_response({"code": 0, "msg": "", "data": data}, **given)


@asynccontextmanager
async def hostile(
    answer: Act, monkeypatch: pytest.MonkeyPatch, *, login: Act | None = None, **extra: Any
) -> AsyncIterator[Counter[tuple[str, str]]]:
    """Serve it on the running event loop, behind the connection ``aihub_default``; gives what was asked how often."""
    asked: Counter[tuple[str, str]] = Counter()

    async def handle(request: web.Request) -> web.StreamResponse:
        asked[request.method, request.path] += 1
        if request.path.endswith(LOGIN):
            return await login(request) if login else said({"id": 7, "token": "token"})
        return await answer(request)

    async with acting(handle) as url:
        connection = {
            "conn_type": "aihub",
            "host": url,
            "login": "research",
            "password": "not-to-be-told",
            "extra": extra,
        }
        monkeypatch.setenv("AIRFLOW_CONN_AIHUB_DEFAULT", json.dumps(connection))
        yield asked
