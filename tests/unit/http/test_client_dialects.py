"""Endpoints that not every AIHub has: learnt once per client, and done without."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from misbehaving import Act, Server, Side, answer, config, ok, text, thing

from airflow_provider_aihub.aihub.errors import (
    AIHubError,
    AIHubNotFoundError,
    AIHubRejectedError,
    AIHubUnavailable,
    AIHubUnsupportedError,
)
from airflow_provider_aihub.http.exchange import endpoint
from airflow_provider_aihub.http.request import Request
from airflow_provider_aihub.http.retry import RetryPolicy

NO_METHOD = text("405 method not allowed", 405)
NO_PATH = text("404 page not found", 404)
NO_PATH_JSON = answer(404, detail="Not Found")
NO_THING = answer(404, code=2, msg="no such thing")
NO_THING_200 = answer(code=2, msg="no such thing")


def optional(number: int = 7, *, fallback: bool) -> Request[Any]:
    old = thing(method="POST", path=f"/old/{number}")
    return thing(path=f"/new/{number}", optional=True, fallback=old if fallback else None)


@pytest.mark.parametrize("new", [NO_METHOD, NO_PATH, NO_PATH_JSON, NO_THING])
def test_the_fallback_is_found_once(server: Server, side: Side, new: Act, caplog: pytest.LogCaptureFixture) -> None:
    server.script |= {"/new/7": [new], "/old/7": [ok("old")], "/old/8": [ok("eight")]}
    with caplog.at_level(logging.INFO, logger="airflow_provider_aihub"):
        requests = [optional(number, fallback=True) for number in (7, 7, 8)]
        assert side.run(config(server.url), *requests) == ["old", "old", "eight"]
    assert len(server.asked("/new/7")) == 1
    assert not server.asked("/new/8")
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        (
            "INFO",
            "This AIHub does not have GET /new/{} of model_training; POST /old/{} of model_training is used instead.",
        )
    ]


@pytest.mark.parametrize(
    ("new", "old", "kind"),
    [
        (NO_THING, NO_THING, AIHubNotFoundError),
        (NO_THING, NO_METHOD, AIHubNotFoundError),
        (NO_THING, NO_PATH, AIHubNotFoundError),
        (NO_PATH, NO_THING_200, AIHubNotFoundError),
        (NO_METHOD, NO_PATH, AIHubRejectedError),
        (NO_METHOD, text("", 502), AIHubUnavailable),
        (NO_THING_200, ok(), AIHubNotFoundError),
    ],
)
def test_nothing_is_learnt_where_the_fallback_fails(
    server: Server, side: Side, new: Act, old: Act, kind: type[AIHubError]
) -> None:
    server.script |= {"/new/7": [new], "/old/7": [old], "/new/8": [ok("new")]}
    with pytest.raises(AIHubError) as caught:
        side.send(config(server.url), optional(fallback=True), RetryPolicy(attempts=1))
    assert type(caught.value) is kind
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None

    def run(*requests: Request[Any]) -> list[Any]:
        return side.run(config(server.url), *requests, policy=RetryPolicy(attempts=1))

    assert run(optional(8, fallback=True)) == ["new"]


@pytest.mark.parametrize(
    ("new", "kind", "asked"),
    [
        (NO_METHOD, AIHubUnsupportedError, 1),
        (answer(405, code=1), AIHubUnsupportedError, 1),
        (NO_PATH, AIHubUnsupportedError, 1),
        (NO_PATH_JSON, AIHubUnsupportedError, 1),
        (NO_THING, AIHubNotFoundError, 2),
        (NO_THING_200, AIHubNotFoundError, 2),
        (answer(404, code=1), AIHubRejectedError, 2),
    ],
)
async def test_an_endpoint_without_fallback(server: Server, new: Act, kind: type[AIHubError], asked: int) -> None:
    server.script |= {"/new/7": [new]}
    async with Side("asynchronous").async_client(config(server.url)) as client:
        for _ in range(2):
            with pytest.raises(AIHubRejectedError) as caught:
                await client.send(optional(fallback=False))
            assert type(caught.value) is kind
    assert len(server.asked("/new/7")) == asked


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/dataset-mng/api/v2/dataset-versions/12", "/dataset-mng/api/v2/dataset-versions/{}"),
        ("/a/api/v1/runs/12/tasks/run-12-ab3c/logs", "/a/api/v1/runs/{}/tasks/{}/logs"),
        ("/api/v1", "/api/v1"),
        ("/x/v12a/y", "/x/{}/y"),
    ],
)
def test_names_of_endpoints(path: str, name: str) -> None:
    assert endpoint(thing(path=path)) == f"GET {name} of model_training"
