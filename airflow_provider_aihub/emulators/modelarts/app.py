"""The web application: every endpoint in its place, for whoever may ask."""

from __future__ import annotations

from aiohttp import web

from ..app import Handler, Served, main_application
from ..body import LARGEST_BODY, LARGEST_OPEN_BODY, read_body
from ..refused import Refused
from . import errors
from .answers import Answer, IAMRefused, as_json
from .call import Call, Route
from .modelarts import ModelArts
from .services import about, apps, iam, notebooks, training_catalog, training_jobs, workflows, workspaces

SERVICES = (training_jobs, training_catalog, workflows, notebooks, workspaces, apps)


def main_app(arts: ModelArts) -> web.Application:
    """All services over HTTP, links to logs, and what the emulator offers about itself."""
    served = [Served(route.method, route.path, _iam_handler(arts, route)) for route in iam.ROUTES]
    for service in SERVICES:
        invalid = errors.TRAINING if service in (training_jobs, training_catalog) else errors.OTHER
        served += [Served(route.method, route.path, _handler(arts, route, invalid)) for route in service.ROUTES]
    # Last, since it is for what none of the others serves.
    served += about.routes(arts)
    nowhere = [Served(method, "/{path:.*}", _nowhere) for method in ("GET", "POST", "PUT", "PATCH", "DELETE")]
    return main_application(arts, served, nowhere)


async def _nowhere(request: web.Request) -> web.StreamResponse:
    raise errors.no_api(request.method, request.path)


def _handler(arts: ModelArts, route: Route, invalid: str) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        arts.limit()
        # Whoever has not said who that is may not send much.
        body = await read_body(request, LARGEST_BODY if arts.knows(request) else LARGEST_OPEN_BODY)
        user = None if route.open else arts.user(request, body)
        # The example of one call has a blank behind the project's id.
        project = request.match_info.get("project", arts.credentials.project_id).strip()
        if project != arts.credentials.project_id:
            raise errors.not_the_project(project)
        given = await route.handler(Call(arts, request, body, user, invalid))
        answer = given if isinstance(given, Answer) else Answer(given, route.status)
        if answer.status == 204:
            return web.Response(status=204)
        return as_json(answer.body, answer.status, answer.headers)

    return handle


def _iam_handler(arts: ModelArts, route: Route) -> Handler:
    handle = _handler(arts, route, errors.OTHER)

    async def in_its_own_form(request: web.Request) -> web.StreamResponse:
        try:
            return await handle(request)
        except Refused as refused:
            raise IAMRefused(str(refused), status=refused.status, retry_after=refused.retry_after) from None

    return in_its_own_form
