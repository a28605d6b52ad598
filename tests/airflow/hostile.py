"""An AIHub that logs anybody in and otherwise answers as a test says."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]

LOGIN = "/api/v1/auth/login"


def said(data: Any, **given: Any) -> web.Response:
    """An answer of AIHub that says yes."""
    return web.json_response({"code": 0, "msg": "", "data": data}, **given)


@asynccontextmanager
async def hostile(
    answer: Answer, monkeypatch: pytest.MonkeyPatch, *, login: Answer | None = None, **extra: Any
) -> AsyncIterator[Counter[tuple[str, str]]]:
    """Serve it on the running event loop, behind the connection ``aihub_default``; gives what was asked how often."""
    asked: Counter[tuple[str, str]] = Counter()

    async def handle(request: web.Request) -> web.StreamResponse:
        asked[request.method, request.path] += 1
        if request.path.endswith(LOGIN):
            return await login(request) if login else said({"id": 7, "token": "token"})
        return await answer(request)

    runner = web.AppRunner(_app(handle), shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        connection = {
            "conn_type": "aihub",
            "host": f"http://127.0.0.1:{port}",
            "login": "research",
            "password": "not-to-be-told",
            "extra": extra,
        }
        monkeypatch.setenv("AIRFLOW_CONN_AIHUB_DEFAULT", json.dumps(connection))
        yield asked
    finally:
        await runner.cleanup()


def _app(handle: Answer) -> web.Application:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    return app
