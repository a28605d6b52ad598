"""The relay through which files come into S3."""

from __future__ import annotations

import hmac
import secrets
from typing import Any

from aiohttp import BodyPartReader

from ..answers import UNAUTHORIZED, Refused
from ..call import Call, Route, save_part


async def upload(call: Call) -> Any:
    hub = call.hub
    token = call.request.headers.get("Token", "")
    if not hmac.compare_digest(token.encode(), hub.credentials.relay_token.encode()):
        raise Refused("token is missing or invalid", UNAUTHORIZED, 401)
    bucket, key = call.query.text("bucket"), call.query.text("key")
    place = hub.buckets.place(bucket, key)
    if not call.request.content_type.startswith("multipart/"):
        raise Refused("the body must be a multipart form")
    incoming = hub.home.folder("incoming") / secrets.token_hex(8)
    try:
        async for part in await call.request.multipart():
            if isinstance(part, BodyPartReader) and part.name == "file":
                await save_part(part, incoming)
        if not incoming.exists():
            raise Refused("file is required")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            incoming.replace(place)
        except OSError:
            raise Refused(f"{key} lies within another object or has others within it") from None
    finally:
        incoming.unlink(missing_ok=True)
    return {"path": f"s3://{bucket}/{key}", "url": call.link(place)}


ROUTES = [Route("D", "POST", "/upload", upload, open=True, message=False)]
