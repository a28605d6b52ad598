"""What an AIHub service answers: the envelope, pages, refusals."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from aiohttp import web

from .. import refused

UNKNOWN = 1
"""``code`` of a failure that has none of its own."""
NOT_FOUND = 2
EXISTS = 8
UNAUTHORIZED = 401


class Refused(refused.Refused):
    """A request that AIHub refuses: HTTP 200 with a ``code`` other than 0, unless told otherwise."""

    def __init__(self, message: str, code: int = UNKNOWN, status: int = 200) -> None:
        super().__init__(message, code, status)


def not_found(what: str) -> Refused:
    return Refused(f"{what} not found", NOT_FOUND)


NO_DATA = object()
"""What a call returns whose answer has no ``data``, such as the stop calls."""


def envelope(data: Any, *, message: bool = True) -> web.Response:
    """A success.

    :param message: Whether the envelope has an (empty) ``msg``; the S3 relay's has none.
    """
    body: dict[str, Any] = {"code": 0}
    if message:
        body["msg"] = ""
    if data is not NO_DATA:
        body["data"] = data
    return _json(body, 200)


def refusal(why: refused.Refused) -> web.Response:
    code = UNKNOWN if why.code is None else why.code
    return _json({"code": code, "msg": str(why), "data": None}, why.status)


def _json(body: Mapping[str, Any], status: int) -> web.Response:
    # Bytes with an explicit type: aiohttp would otherwise work out a charset for every answer.
    return web.Response(
        body=json.dumps(body, ensure_ascii=False).encode(),
        status=status,
        headers={"Content-Type": "application/json; charset=utf-8"},
    )


def page(rows: Iterable[Any], size: int, number: int) -> dict[str, Any]:
    """One page of what was found.

    :param number: From 1; a page behind the last is empty.
    """
    found = list(rows)
    start = (number - 1) * size
    return {"total": len(found), "page_size": size, "page_num": number, "data": found[start : start + size]}
