"""A web application, and what happens to each request on its way."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from email.utils import formatdate
from typing import TYPE_CHECKING, NamedTuple

from aiohttp import web

from . import own
from .faults import WHOLE, misbehave
from .files import FILES
from .guard import check_site
from .journal import Entry
from .platform import Platform
from .refused import Refused

if TYPE_CHECKING:
    from aiohttp.typedefs import Middleware

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

INERT = {"Content-Security-Policy": "sandbox", "X-Content-Type-Options": "nosniff"}
"""A file is no page of the emulator, whatever somebody has uploaded."""


LAST_DATE = 253402300799.0
"""The last second of the year 9999, in Unix seconds: HTTP has no word for later ones."""


class Served(NamedTuple):
    """An endpoint of the application; its handler may raise :class:`Refused`."""

    method: str
    path: str
    handler: Handler


def application(platform: Platform, endpoints: Iterable[Served]) -> web.Application:
    """An application with these endpoints, guarded, and struck by the platform's faults."""
    app = web.Application(middlewares=[_on_the_way(platform)])
    app.on_response_prepare.append(_dated(platform))
    for endpoint in endpoints:
        app.router.add_route(endpoint.method, endpoint.path, _answered(platform, endpoint.handler))
    return app


def main_application(
    platform: Platform, endpoints: Iterable[Served], otherwise: Iterable[Served] = ()
) -> web.Application:
    """The same with links to files, and with what the emulator offers about itself.

    :param otherwise: Endpoints for what none of the others serves.
    """
    about = [Served(method, f"{own.PREFIX}/{path}", own.told(platform, tell)) for method, path, tell in own.ABOUT]
    link, show = f"{FILES}/{{signature}}/{{name:.+}}", _file_handler(platform)
    links = [Served("GET", link, show), Served("HEAD", link, show)]
    return application(platform, [*endpoints, *about, *links, *otherwise])


def _dated(platform: Platform) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """Let answers tell the time of the emulator's clock."""

    async def date(_: web.Request, response: web.StreamResponse) -> None:
        response.headers["Date"] = formatdate(min(platform.clock.now(), LAST_DATE), usegmt=True)

    return date


def _answered(platform: Platform, handler: Handler) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except Refused as refused:
            return platform.refusal(refused)
        except web.HTTPException:
            raise
        except (ConnectionError, ValueError, web.RequestPayloadError) as error:
            # A body that is cut off or is no multipart after all.
            log.debug("Request could not be read", exc_info=True)
            return platform.refusal(platform.unreadable(f"the request cannot be read: {error}"))
        except Exception:
            log.exception("%s %s failed within the emulator", request.method, request.path)
            return platform.refusal(Refused("the emulator has failed, its log says why", status=500))

    return handle


def _on_the_way(platform: Platform) -> Middleware:
    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        transport = request.transport
        port = transport.get_extra_info("peername")[1] if transport else 0
        resource = request.match_info.route.resource
        status = 0
        try:
            response = await _pass_on(platform, request, handler)
            status = 0 if response.prepared is False and transport and transport.is_closing() else response.status
        except web.HTTPException as error:
            status = error.status
            raise
        else:
            return response
        finally:
            endpoint = resource.canonical if resource else None
            platform.journal.note(Entry(request.method, request.path, status, port), endpoint)

    return middleware


async def _pass_on(platform: Platform, request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        check_site(request, platform.settings)
    except Refused as refused:
        return platform.refusal(refused)
    if not platform.serves(request):
        raise web.HTTPNotFound
    if not request.path.startswith(own.PREFIX):
        fault = platform.faults.strike(request.method, request.path)
        if fault:
            return await misbehave(fault, request, handler, platform)
    return await handler(request)


def _file_handler(platform: Platform) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        path = platform.file(request)
        if path is None or not path.is_file():
            raise web.HTTPNotFound
        if WHOLE.get():
            return web.Response(body=path.read_bytes(), headers=INERT)
        return web.FileResponse(path, headers=INERT)

    return handle
