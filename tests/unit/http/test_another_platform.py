"""Another platform over the same machinery: bare JSON, codes as text, a token in a header, or a signature."""

from __future__ import annotations

import hashlib
import hmac
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pytest
from aiohttp import web
from misbehaving import NOW, Act, Server, Side, text

from airflow_provider_aihub.http import errors
from airflow_provider_aihub.http.answers import Call, Heard, decoded, trouble_by_status
from airflow_provider_aihub.http.asynchronous import AsyncClient
from airflow_provider_aihub.http.blocking import Client
from airflow_provider_aihub.http.dialect import Dialect, Reading
from airflow_provider_aihub.http.protocol import Answer, Send
from airflow_provider_aihub.http.request import NO_AUTH, USUAL_AUTH, Request
from airflow_provider_aihub.http.retry import RetryPolicy, Trouble
from airflow_provider_aihub.http.token import Login, Token


class ForgeError(errors.RemoteJobError): ...


class ForgeRequestError(errors.RequestError, ForgeError): ...


class ForgeAuthError(errors.AuthError, ForgeRequestError): ...


class ForgeRejectedError(errors.RejectedError, ForgeRequestError): ...


class ForgeNotFoundError(errors.NotFoundError, ForgeRejectedError): ...


class ForgeUnsupportedError(errors.UnsupportedError, ForgeRejectedError): ...


class ForgeAmbiguousSubmit(errors.AmbiguousSubmit, ForgeRequestError): ...


class ForgeBadAnswerError(errors.BadAnswerError, ForgeRequestError): ...


class ForgeParameterError(errors.ParameterError, ForgeError): ...


@dataclass(frozen=True)
class Forge:
    """A connection to it."""

    url: str
    signs: bool = False
    timeout: float = 5.0
    verify: bool = True
    ca_file: str | None = None

    @cached_property
    def dialect(self) -> ForgeDialect:
        return ForgeDialect(self)

    @property
    def addresses(self) -> Mapping[str, str]:
        return {"forge": self.url}

    def takes_token(self, url: str) -> bool:
        return False

    def redact(self, text: str, *tokens: str) -> str:
        for token in tokens:
            text = text.replace(token, "***")
        return text


class ForgeDialect(Dialect):
    name = "Forge"
    kinds = errors.own_kinds(sys.modules[__name__])
    token = None
    can_log_in = True

    def __init__(self, config: Forge) -> None:
        self._config = config

    def needs_token(self, auth: str) -> bool:
        return auth == USUAL_AUTH and not self._config.signs

    def login(self) -> Request[Login]:
        return Request(
            asks="log in",
            service="identity",
            method="POST",
            path="/v3/tokens",
            read=lambda payload: Login(payload["header"], expires=payload["expires"], issued=NOW),
            json={"user": "bob"},
            auth=NO_AUTH,
            is_login=True,
        )

    def who(self, service: str) -> str:
        return f"The {service} of Forge"

    def address(self, request: Request[Any]) -> str:
        return self._config.url + request.path

    def authorise(self, send: Send, auth: str, token: Token | None, now: float) -> Mapping[str, str]:
        return {"X-Token": token.value} if token else {"X-Signature": signature(send.method, send.url, send.body, now)}

    def read(self, answer: Answer, call: Call) -> Reading | None:
        if answer.status == 204:
            return Reading()
        try:
            payload = decoded(answer.body, call.decode)
        except ValueError:
            return None
        if isinstance(payload, dict) and (code := payload.get("error_code")):
            gateway = code.startswith("GATEWAY")
            return Reading(refused=True, code=code, words=payload.get("error_msg", ""), strange=gateway)
        return Reading(payload=payload | {"header": answer.headers["X-Subject-Token"]} if call.is_login else payload)

    def check(self, request: Request[Any], payload: Any) -> None:
        for name, wanted in request.about.items():
            if payload.get(name) != wanted:
                raise ValueError(f"{name} is {payload.get(name)}")

    def trouble(self, heard: Heard, call: Call) -> Trouble | None:
        if heard.code == "FORGE.1":
            return Trouble.UNAUTHORIZED
        doubtful = call.creates and heard.code is not None and heard.status < 300
        return trouble_by_status(heard, call) or (Trouble.DOUBTFUL if doubtful else None)

    def refusal(self, heard: Heard, call: Call) -> tuple[type[errors.RequestError], str] | None:
        return (errors.NotFoundError, "see what there is") if heard.code == "FORGE.404" else None

    def refused_credential(self, auth: str) -> str:
        return "see who you are"


def signature(method: str, url: str, body: bytes | None, now: float) -> str:
    return hmac.digest(b"key", f"{method} {url} {body!r} {now:.0f}".encode(), hashlib.sha256).hex()


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
    login = said(201, {"X-Subject-Token": "token-1"}, expires=NOW + 1000)
    renewed = said(201, {"X-Subject-Token": "token-2"}, expires=NOW + 1000)
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
