"""Another platform over the same machinery: bare JSON, codes as text, a token in a header, or a signature."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from forge import (
    Forge,
    ForgeAmbiguousSubmit,
    ForgeAuthError,
    ForgeBadAnswerError,
    ForgeDialect,
    ForgeError,
    ForgeNotFoundError,
    ForgeParameterError,
    ForgeRejectedError,
    ForgeUnsupportedError,
    signature,
)
from misbehaving import NOW, Act, Server, Side, text

from airflow_provider_aihub.http import errors
from airflow_provider_aihub.http.asynchronous import AsyncClient
from airflow_provider_aihub.http.blocking import Client
from airflow_provider_aihub.http.request import NO_AUTH, Request
from airflow_provider_aihub.http.retry import RetryPolicy


def job(**changes: Any) -> Request[Any]:
    known: dict[str, Any] = {
        "asks": "read job a-1",
        "service": "forge",
        "method": "GET",
        "path": "/jobs/a-1",
        "read": lambda payload: payload,
        "query": {"part": "a b"},
        "about": {"id": "a-1"},
    }
    return Request(**(known | changes))


def created() -> Request[Any]:
    return job(asks="create a job", method="POST", path="/jobs", about={}, json={"name": "x"}, creates=True)


def said(status: int = 200, headers: Mapping[str, str] | None = None, **body: Any) -> Act:
    async def act(_: web.Request) -> web.StreamResponse:
        return web.json_response(body, status=status, headers=headers)

    return act


def refused(status: int, code: str) -> Act:
    return said(status, error_code=code, error_msg="no")


@pytest.fixture
def forge(server: Server) -> Server:
    login = said(201, {"X-Subject-Token": "token-1"}, expires=NOW + 1000, issued=NOW)
    renewed = said(201, {"X-Subject-Token": "token-2"}, expires=NOW + 1000, issued=NOW)
    server.script["/v3/tokens"] = [login, renewed]
    return server


async def sent(side: Side, config: Forge, request: Request[Any]) -> Any:
    policy = RetryPolicy(attempts=1)
    if side.name == "blocking":
        with Client(config, policy=policy, clock=lambda: NOW) as client:
            return client.send(request)
    async with AsyncClient(config, policy=policy, clock=lambda: NOW) as client:
        return await client.send(request)


async def test_a_token_comes_in_a_header_and_is_renewed_for_a_code(forge: Server, side: Side) -> None:
    forge.script["/jobs/a-1"] = [refused(403, "FORGE.1"), said(id="a-1", phase="Running")]
    assert await sent(side, Forge(forge.url), job()) == {"id": "a-1", "phase": "Running"}
    assert [one.headers["X-Token"] for one in forge.asked("/jobs/a-1")] == ["token-1", "token-2"]


async def test_a_signature_covers_what_is_sent(forge: Server, side: Side) -> None:
    forge.script["/jobs"] = [said(201, id="a-1")]
    assert await sent(side, Forge(forge.url, signs=True), created()) == {"id": "a-1"}
    (one,) = forge.seen
    assert one.headers["X-Signature"] == signature(
        one.method, f"{forge.url}{one.path}?{one.query}", json.dumps({"name": "x"}).encode(), NOW
    )


@pytest.mark.parametrize(
    ("act", "request_", "kind", "words"),
    [
        (
            refused(400, "FORGE.404"),
            job(),
            ForgeNotFoundError,
            'HTTP 400 with code FORGE.404: "no"; see what there is.',
        ),
        (refused(400, "FORGE.7"), created(), ForgeRejectedError, "check the parameters given"),
        (refused(201, "FORGE.7"), created(), ForgeAmbiguousSubmit, "look on Forge before asking again"),
        (refused(404, "GATEWAY.1"), job(optional=True), ForgeUnsupportedError, "this Forge does not offer it"),
        (refused(401, "FORGE.9"), job(), ForgeAuthError, "see who you are"),
        (said(id="b-2"), job(), ForgeBadAnswerError, "id is b-2"),
        (text("<p>hi</p>"), job(), ForgeBadAnswerError, "something that is no Forge answer"),
        (said(id="a-1"), job(path="/jobs/.."), ForgeParameterError, "Forge cannot be asked to read job a-1"),
    ],
)
async def test_what_goes_wrong_is_an_error_of_its_own(
    forge: Server, side: Side, act: Act, request_: Request[Any], kind: type[ForgeError], words: str
) -> None:
    forge.script |= {"/jobs": [act], "/jobs/a-1": [act]}
    with pytest.raises(errors.RemoteJobError) as caught:
        await sent(side, Forge(forge.url), request_)
    assert type(caught.value) is kind
    assert words in str(caught.value)
    assert "AIHub" not in str(caught.value)


async def test_an_answer_without_a_body(forge: Server, side: Side) -> None:
    forge.script["/jobs/a-1"] = [text("", 204)]
    assert await sent(side, Forge(forge.url), job(about={})) is None


async def test_what_is_so_already_is_no_refusal(forge: Server, side: Side) -> None:
    forge.script["/jobs/a-1"] = [refused(409, "FORGE.9")]
    stop = job(method="POST", read=lambda payload: ("stopped", payload), about={}, already=frozenset({"FORGE.9"}))
    assert await sent(side, Forge(forge.url), stop) == ("stopped", None)


class Placed(ForgeDialect):
    """Knows its place only once it has asked for it, and puts it into requests."""

    place = ""

    def before(self, request: Request[Any]) -> Request[Any] | None:
        known = self.place or request.path == "/place" or request.auth == NO_AUTH
        return None if known else job(path="/place", about={}, read=self._keep)

    def _keep(self, payload: Any) -> None:
        self.place = payload["place"]

    def completed(self, request: Request[Any]) -> Request[Any]:
        return replace(request, path=request.path.replace("jobs", self.place), headers={"X-Place": self.place})


async def test_a_request_is_completed_by_what_was_asked_before(forge: Server, side: Side) -> None:
    forge.script |= {"/place": [said(place="here")], "/here/a-1": [said(id="a-1")]}
    config = Forge(forge.url)
    config.__dict__["dialect"] = Placed(config)
    assert await sent(side, config, job()) == {"id": "a-1"}
    assert forge.asked("/here/a-1")[0].headers["X-Place"] == "here"
