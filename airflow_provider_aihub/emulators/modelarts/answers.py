"""What ModelArts and IAM answer."""

from __future__ import annotations

import datetime
import json
from typing import Any

from aiohttp import web

from ..refused import Refused


class IAMRefused(Refused):
    """What IAM refuses, and how it says so."""


class Answer:
    """An answer with a status of its own, or with headers.

    :param body: As JSON; with HTTP 204 there is none.
    """

    def __init__(self, body: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.body = body
        self.status = status
        self.headers = headers or {}


def as_json(body: Any, status: int, headers: dict[str, str] | None = None) -> web.Response:
    # Bytes with an explicit type: aiohttp would otherwise work out a charset for every answer.
    text = json.dumps(body, ensure_ascii=False).encode()
    return web.Response(
        body=text, status=status, headers={"Content-Type": "application/json;charset=utf-8", **(headers or {})}
    )


def utc(seconds: float) -> str:
    """A moment as IAM and the events of training jobs tell it."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


_CHINA = datetime.timezone(datetime.timedelta(hours=8))


def local(seconds: float) -> str:
    """A moment as workflows tell it."""
    return datetime.datetime.fromtimestamp(seconds, _CHINA).isoformat(timespec="microseconds")


def event_time(seconds: float) -> str:
    """A moment at the beginning of an event of a workflow: no zone is told."""
    return datetime.datetime.fromtimestamp(seconds, _CHINA).strftime("%Y-%m-%d %H:%M:%S")
