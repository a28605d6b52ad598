"""The web applications: every endpoint in its place."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web

from ..app import Handler, Served, application, main_application
from .aihub import AIHub
from .answers import envelope
from .call import Call, Route
from .services import (
    artifacts,
    data_warehouse,
    dataset_management,
    eval_platform,
    evaluation,
    labelfree,
    model_center,
    model_deployment,
    model_training,
    notebooks,
    quota_schedule,
    s3_relay,
    tag_system,
    user_system,
    workflow_center,
)

SERVICES = {
    "user_system": user_system,
    "data_warehouse": data_warehouse,
    "dataset_management": dataset_management,
    "workflow_center": workflow_center,
    "model_training": model_training,
    "quota_schedule": quota_schedule,
    "evaluation": evaluation,
    "tag_system": tag_system,
    "model_center": model_center,
    "eval_platform": eval_platform,
    "model_deployment": model_deployment,
    "notebook_management": notebooks,
    "labelfree": labelfree,
    "artifact_management": artifacts,
}
"""All services but the relay, which has a port of its own, by their names in a connection."""


def main_app(hub: AIHub) -> web.Application:
    """All services over HTTP, links to files, and what the emulator offers about itself."""
    routes = [route for service in SERVICES.values() for route in service.ROUTES]
    return main_application(hub, [*_served(hub, routes), evaluation.about(hub), labelfree.about(hub)])


def relay_app(hub: AIHub) -> web.Application:
    """The S3 relay."""
    return application(hub, _served(hub, s3_relay.ROUTES))


def _served(hub: AIHub, routes: Iterable[Route]) -> list[Served]:
    # Left out, not refused: the document's AIHub has no such endpoint and its router says so.
    return [
        Served(route.method, route.path, _handler(hub, route))
        for route in routes
        if route.source == "D" or hub.platform
    ]


def _handler(hub: AIHub, route: Route) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        user = None if route.open else hub.user(request)
        answer = await route.handler(Call(hub, request, user))
        return answer if isinstance(answer, web.Response) else envelope(answer, message=route.message)

    return handle
