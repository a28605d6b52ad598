"""The web applications: every endpoint in its place, and what happens to each request on its way."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from email.utils import formatdate
from typing import TYPE_CHECKING

from aiohttp import web

from .aihub import AIHub
from .answers import Refused, envelope, refusal
from .call import Call, Route
from .faults import WHOLE, misbehave
from .files import FILES
from .guard import check_site
from .journal import Entry
from .services import (
    data_warehouse,
    dataset_management,
    evaluation,
    model_training,
    own,
    quota_schedule,
    s3_relay,
    tag_system,
    user_system,
    workflow_center,
)

if TYPE_CHECKING:
    from aiohttp.typedefs import Middleware

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

SERVICES = {
    "user_system": user_system,
    "data_warehouse": data_warehouse,
    "dataset_management": dataset_management,
    "workflow_center": workflow_center,
    "model_training": model_training,
    "quota_schedule": quota_schedule,
    "evaluation": evaluation,
    "tag_system": tag_system,
}
"""All services but the relay, which has a port of its own, by their names in a connection."""


INERT = {"Content-Security-Policy": "sandbox", "X-Content-Type-Options": "nosniff"}
"""A file is no page of the emulator, whatever somebody has uploaded."""


LAST_DATE = 253402300799.0
"""The last second of the year 9999, in Unix seconds: HTTP has no word for later ones."""


def main_app(hub: AIHub) -> web.Application:
    """All services over HTTP, links to files, and what the emulator offers about itself."""
    routes = [route for service in SERVICES.values() for route in service.ROUTES]
    app = _app(hub, [*routes, *own.ROUTES])
    app.router.add_get(f"{FILES}/{{signature}}/{{name:.+}}", _file_handler(hub))
    return app


def relay_app(hub: AIHub) -> web.Application:
    """The S3 relay."""
    return _app(hub, s3_relay.ROUTES)


def _app(hub: AIHub, routes: Iterable[Route]) -> web.Application:
    app = web.Application(middlewares=[_on_the_way(hub)])
    app.on_response_prepare.append(_dated(hub))
    for route in routes:
        # Left out, not refused: the document's AIHub has no such endpoint and its router says so.
        if route.source == "D" or hub.platform:
            app.router.add_route(route.method, route.path, _handler(hub, route))
    return app


def _dated(hub: AIHub) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """Let answers tell the time of the emulator's clock."""

    async def date(_: web.Request, response: web.StreamResponse) -> None:
        response.headers["Date"] = formatdate(min(hub.clock.now(), LAST_DATE), usegmt=True)

    return date


def _handler(hub: AIHub, route: Route) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            user = None if route.open else hub.tokens.user(request.headers.get("Authorization"))
            answer = await route.handler(Call(hub, request, user))
            return answer if isinstance(answer, web.Response) else envelope(answer, message=route.message)
        except Refused as refused:
            return refusal(refused)
        except web.HTTPException:
            raise
        except (ConnectionError, ValueError, web.RequestPayloadError) as error:
            # A body that is cut off or is no multipart after all.
            log.debug("Request could not be read", exc_info=True)
            return refusal(Refused(f"the request cannot be read: {error}"))
        except Exception:
            log.exception("%s %s failed within the emulator", request.method, request.path)
            return refusal(Refused("the emulator has failed, its log says why", status=500))

    return handle


def _on_the_way(hub: AIHub) -> Middleware:
    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        transport = request.transport
        port = transport.get_extra_info("peername")[1] if transport else 0
        resource = request.match_info.route.resource
        status = 0
        try:
            response = await _pass_on(hub, request, handler)
            status = 0 if response.prepared is False and transport and transport.is_closing() else response.status
        except web.HTTPException as error:
            status = error.status
            raise
        else:
            return response
        finally:
            endpoint = resource.canonical if resource else None
            hub.journal.note(Entry(request.method, request.path, status, port), endpoint)

    return middleware


async def _pass_on(hub: AIHub, request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        check_site(request, hub.settings)
    except Refused as refused:
        return refusal(refused)
    if hub.service_ports and request.transport:
        prefix = hub.service_ports.get(request.transport.get_extra_info("sockname")[1], "/")
        if not request.path.startswith(prefix):
            raise web.HTTPNotFound
    if not request.path.startswith(own.PREFIX):
        fault = hub.faults.strike(request.method, request.path)
        if fault:
            return await misbehave(fault, request, handler, hub.tokens.revoke)
    return await handler(request)


def _file_handler(hub: AIHub) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        path = hub.links.open(request.match_info["signature"], request.match_info["name"])
        if path is None or not path.is_file():
            raise web.HTTPNotFound
        if WHOLE.get():
            return web.Response(body=path.read_bytes(), headers=INERT)
        return web.FileResponse(path, headers=INERT)

    return handle
