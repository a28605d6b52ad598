"""Tokens and secrets: who gets which, when a new one is fetched, and where none may ever appear."""

from __future__ import annotations

import asyncio
import copy
import pickle
import threading
from dataclasses import replace
from typing import Any

import pytest
from misbehaving import (
    LOGIN,
    NOW,
    PASSWORD,
    RELAY_TOKEN,
    STATIC_TOKEN,
    USERNAME,
    Server,
    Side,
    answer,
    config,
    jwt,
    ok,
    serving,
    text,
    thing,
)

from airflow_provider_aihub.aihub import user_system
from airflow_provider_aihub.aihub.client import AIHubClient, AsyncAIHubClient
from airflow_provider_aihub.aihub.errors import (
    AIHubAmbiguousSubmit,
    AIHubAuthError,
    AIHubBadAnswerError,
    AIHubConfigError,
    AIHubError,
    AIHubParameterError,
    AIHubRejectedError,
    AIHubUnavailable,
)
from airflow_provider_aihub.aihub.services import Auth, Service
from airflow_provider_aihub.aihub.token import claims, given, issued
from airflow_provider_aihub.http.retry import RetryPolicy
from airflow_provider_aihub.http.token import Token

DAY = 86400
UNAUTHORIZED = answer(401, msg="expired")


@pytest.mark.parametrize(
    ("said", "renew_at"),
    [
        ({"iat": NOW, "exp": NOW + 7 * DAY}, NOW + 7 * DAY - 300),
        ({"iat": NOW, "exp": NOW + 100}, NOW + 90),
        ({"exp": NOW + 100}, NOW + 90),
        ({"iat": NOW - DAY, "exp": NOW - DAY + 100}, NOW + 90),  # AIHub's clock is a day late
        ({"exp": NOW - 1}, None),
        ({"iat": NOW, "exp": "soon"}, None),
        ({}, None),
    ],
)
def test_when_a_token_is_renewed(said: dict[str, Any], renew_at: float | None) -> None:
    token = Token.of(issued(jwt(**said), 42), NOW)
    assert token.renew_at == renew_at
    assert not token.due(NOW)
    if renew_at is not None:
        assert token.due(renew_at)
        assert not token.due(renew_at - 1)


@pytest.mark.parametrize(
    "token", ["", "opaque", "a.b.c", "a.!!.c", "e30.MTI.x", "e30.WzFd.x", "a.\u00e9.c", "...", "e30.bnVsbA.x"]
)
def test_a_token_that_is_no_jwt_says_nothing(token: str) -> None:
    assert claims(token) == {}
    assert Token.of(issued(token), NOW) == Token(token)


def test_the_user_is_known_from_the_login_or_from_the_token() -> None:
    assert issued(jwt(uid=9), 42).user_id == 42
    assert issued(jwt(uid="9")).user_id == 9
    assert given(jwt(uid=9, exp=NOW - 1)) == Token(jwt(uid=9, exp=NOW - 1), 9)


def test_one_login_for_many_requests_and_one_more_when_it_is_due(server: Server, side: Side) -> None:
    server.script["/things/7"] = [ok()]
    if side.name == "blocking":
        with AIHubClient(config(server.url), clock=lambda: side.now) as client:
            assert client.user_id is None
            assert client.authenticate() == 42
            assert (client.user_id, server.logins) == (42, 1)
            client.send(thing())
            side.now += 7 * DAY - 301
            client.send(thing())
            assert server.logins == 1
            side.now += 1
            client.send(thing())
    else:

        async def run() -> None:
            async with side.async_client(config(server.url)) as client:
                assert client.user_id is None
                assert await client.authenticate() == 42
                assert (client.user_id, server.logins) == (42, 1)
                await client.send(thing())
                side.now += 7 * DAY - 301
                await client.send(thing())
                assert server.logins == 1
                side.now += 1
                await client.send(thing())

        asyncio.run(run())
    assert server.logins == 2
    tokens = [seen.headers["Authorization"].removeprefix("Bearer ") for seen in server.asked("/things/7")]
    assert [claims(token)["number"] for token in tokens] == [1, 1, 2]
    login = server.asked(LOGIN)[0]
    assert "Authorization" not in login.headers
    assert login.headers["Content-Type"] == "application/json"


def gather(server: Server, count: int, rounds: int = 1) -> list[Any]:
    async def run() -> list[Any]:
        async with AsyncAIHubClient(config(server.url), policy=RetryPolicy(attempts=1)) as client:
            results: list[Any] = []
            for _ in range(rounds):
                results += await asyncio.gather(*(client.send(thing()) for _ in range(count)), return_exceptions=True)
            return results

    return asyncio.run(run())


def test_200_requests_at_once_log_in_once(server: Server) -> None:
    server.script["/things/7"] = [ok()]
    assert gather(server, 200) == [7] * 200
    assert server.logins == 1
    assert len({seen.connection for seen in server.seen}) <= 10


def test_200_requests_at_once_share_a_renewal(server: Server) -> None:
    async def only_the_second_login(request: Any) -> Any:
        number = claims(request.headers["Authorization"])["number"]
        return await (ok() if number == 2 else UNAUTHORIZED)(request)

    server.script["/things/7"] = [only_the_second_login]
    assert gather(server, 200) == [7] * 200
    assert server.logins == 2


def test_the_rest_of_a_question_goes_to_the_login_that_its_beginning_went_to(server: Server) -> None:
    """Behind another login may be another platform: it is asked from the beginning on."""

    async def second_login_alone(request: Any) -> Any:
        number = claims(request.headers["Authorization"])["number"]
        return await (ok() if number == 2 else UNAUTHORIZED)(request)

    server.script |= {"/things/7": [ok(), second_login_alone], "/things/7/rest": [second_login_alone]}
    question = replace(thing(), then=lambda _: replace(thing(), path="/things/7/rest"))
    client = AIHubClient(config(server.url), policy=RetryPolicy(attempts=1))
    assert client.send(question) == 7
    paths = [seen.path for seen in server.seen if seen.path != LOGIN]
    assert paths == ["/things/7", "/things/7/rest", "/things/7", "/things/7", "/things/7/rest"]
    # Who never takes the rest is not asked for ever.
    server.script["/things/7/rest"] = [UNAUTHORIZED]
    with pytest.raises(AIHubAuthError):
        client.send(question)
    assert len(server.asked("/things/7/rest")) == 4


@pytest.mark.parametrize("kind", [AIHubAuthError, AIHubUnavailable])
def test_200_requests_at_once_share_a_login_that_fails(server: Server, kind: type[AIHubError]) -> None:
    refused = answer(code=1, msg="wrong password") if kind is AIHubAuthError else text("", 502)
    server.script[LOGIN] = [refused]
    results = gather(server, 200, rounds=2)
    assert {type(result) for result in results} == {kind}
    assert len({id(result) for result in results}) == len(results)
    assert len(server.asked(LOGIN)) == 2


def test_a_cancelled_login_is_taken_over(server: Server) -> None:
    server.script["/things/7"] = [ok()]
    slow = asyncio.Event()

    async def first_is_slow(request: Any) -> Any:
        await asyncio.sleep(0.2)
        return await ok({"id": 42, "token": jwt(1)})(request)

    server.script[LOGIN] = [first_is_slow, ok({"id": 42, "token": jwt(2)})]

    async def run() -> Any:
        async with AsyncAIHubClient(config(server.url)) as client:
            first, second = (asyncio.create_task(client.send(thing())) for _ in range(2))
            await asyncio.sleep(0.1)
            first.cancel()
            return await second

    assert asyncio.run(run()) == 7
    assert not slow.is_set()


def test_threads_share_a_login(server: Server) -> None:
    server.script["/things/7"] = [ok()]
    results: list[Any] = []
    with AIHubClient(config(server.url)) as client:
        threads = [threading.Thread(target=lambda: results.append(client.send(thing()))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert results == [7] * 8
    assert server.logins == 1


@pytest.mark.parametrize(
    ("act", "kind", "words"),
    [
        (answer(code=1, msg="wrong password"), AIHubAuthError, "check login and password"),
        (answer(code=2, msg="no such user"), AIHubAuthError, "no such user"),
        (answer(401, code=1), AIHubAuthError, "check login and password"),
        (text("forbidden", 403), AIHubAuthError, "forbidden"),
        (answer(code=3, msg="database error"), AIHubRejectedError, "database error"),
        (text("no", 404), AIHubRejectedError, "check the address"),
        (ok({"id": 1}), AIHubBadAnswerError, "token"),
        (ok({"id": 1, "token": "two\nlines"}), AIHubBadAnswerError, "no header can hold"),
        (text("<h1>hi</h1>"), AIHubBadAnswerError, "check the address"),
    ],
)
def test_a_login_that_goes_wrong(server: Server, side: Side, act: Any, kind: type, words: str) -> None:
    server.script[LOGIN] = [act]
    with pytest.raises(AIHubError) as caught:
        side.send(config(server.url), thing(creates=True), RetryPolicy(attempts=1))
    assert type(caught.value) is kind
    assert words in str(caught.value)
    assert f"AIHub's user_system was asked to log in as '{USERNAME}' (POST {server.url}{LOGIN})" in str(caught.value)
    assert "two" not in str(caught.value)
    assert not server.asked("/things")


def test_a_static_token_is_used_until_it_is_refused(server: Server, side: Side) -> None:
    server.script["/things/7"] = [ok(), UNAUTHORIZED]
    settings = config(server.url, token=STATIC_TOKEN, username="")
    with pytest.raises(AIHubAuthError, match=r"renew 'token'\.$"):
        side.run(settings, thing(), thing())
    assert [seen.headers["Authorization"] for seen in server.seen] == [f"Bearer {STATIC_TOKEN}"] * 2
    assert server.logins == 0


def test_the_relay_has_a_token_of_its_own(server: Server, side: Side) -> None:
    server.script["/upload"] = [ok(), UNAUTHORIZED]
    upload = thing(path="/upload", auth=Auth.RELAY)
    with pytest.raises(AIHubAuthError, match="'s3_relay_token'"):
        side.run(config(server.url, relay_token=RELAY_TOKEN), upload, upload)
    assert [(seen.headers["Token"], "Authorization" in seen.headers) for seen in server.seen] == [
        (RELAY_TOKEN, False)
    ] * 2
    with pytest.raises(AIHubConfigError, match="'s3_relay_token'"):
        side.send(config(server.url), upload)


def test_no_credentials(server: Server, side: Side) -> None:
    with pytest.raises(AIHubConfigError, match="login and password"):
        side.send(config(server.url, password=""), thing())
    assert not server.seen


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("creates", [False, True])
def test_no_redirect_is_followed(server: Server, side: Side, status: int, creates: bool) -> None:
    with serving() as other:
        place = text("", status, {"Location": f"http://u:p@127.0.0.1:{other.port}/things/7?x=1"})
        request = thing(creates=creates)
        server.script[request.path] = [place]
        kind = AIHubAmbiguousSubmit if creates else AIHubBadAnswerError
        with pytest.raises(kind, match=rf"redirect \(HTTP {status}\) to 127.0.0.1:{other.port}, "):
            side.send(config(server.url), request)
        assert not other.seen
    assert len(server.asked(request.path)) == 1


def test_cookies_are_not_kept(server: Server, side: Side) -> None:
    server.script["/things/7"] = [answer(code=0, data=7, headers={"Set-Cookie": "a=b; Path=/"})]
    side.run(config(server.url), thing(), thing())
    assert all("Cookie" not in seen.headers for seen in server.seen)


def test_the_environment_decides_nothing(
    server: Server, side: Side, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login x password y\n")
    for name, value in {
        "NETRC": str(netrc),
        "http_proxy": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
    }.items():
        monkeypatch.setenv(name, value)
    server.script["/things/7"] = [ok()]
    assert side.send(config(server.url), thing()) == 7
    assert server.asked("/things/7")[0].headers["Authorization"].startswith("Bearer ")


ECHO = [
    PASSWORD,
    STATIC_TOKEN,
    RELAY_TOKEN,
    jwt(1, iat=int(NOW), exp=int(NOW) + 604800),
    jwt(2, iat=int(NOW), exp=int(NOW) + 604800),
]


@pytest.mark.parametrize("form", ["envelope", "page", "escaped"])
@pytest.mark.parametrize("status", [200, 400, 401, 500])
@pytest.mark.parametrize("auth", [Auth.BEARER, Auth.RELAY, Auth.NONE])
def test_a_server_that_repeats_secrets(server: Server, side: Side, form: str, status: int, auth: Auth) -> None:
    import html
    from urllib.parse import quote

    said = "| ".join(ECHO)
    if form == "envelope":
        act = answer(status, code=1, msg=said)
    else:
        act = text(f"<p>{html.escape(said)} {quote(said)}</p>" if form == "escaped" else said, status)
    server.script["/things/7"] = [act]
    settings = config(server.url, token=STATIC_TOKEN, relay_token=RELAY_TOKEN)
    with pytest.raises(AIHubError) as caught:
        side.send(settings, thing(auth=auth), RetryPolicy(attempts=1))
    for shown in (str(caught.value), repr(caught.value), repr(caught.value.__dict__)):
        assert "***" in str(caught.value)
        for secret in ECHO if auth is Auth.BEARER and status == 401 else ECHO[: 4 if auth is Auth.BEARER else 3]:
            assert secret not in shown
            assert html.escape(secret) not in shown
            assert quote(secret, safe="") not in shown


@pytest.mark.parametrize("token", ["opaque-new-token", "eyJhbGciOiJIUzI1NiJ9.eyJ1aWQiOjF9.c2ln"])
@pytest.mark.parametrize(
    "cut", ['{"code": 0, "data": {"id": 1, "token": "%s', '{"data": {"token": "%s"}}', "<p>%s</p>"]
)
def test_a_garbled_login_does_not_show_its_token(server: Server, side: Side, token: str, cut: str) -> None:
    server.script[LOGIN] = [text(cut % token)]
    with pytest.raises(AIHubBadAnswerError) as caught:
        side.send(config(server.url), thing(), RetryPolicy(attempts=1))
    assert token not in str(caught.value)


def test_a_jwt_is_never_quoted(server: Server, side: Side) -> None:
    server.script["/things/7"] = [answer(code=1, msg="Bearer eyJhbGciOiJIUzI1NiJ9.eyJ1aWQiOjF9.c2ln is bad")]
    with pytest.raises(AIHubRejectedError, match=r'code 1: "Bearer \*\*\* is bad"'):
        side.send(config(server.url), thing())


def test_no_repr_holds_a_secret(server: Server) -> None:
    settings = config(server.url, token=STATIC_TOKEN, relay_token=RELAY_TOKEN)
    server.script["/things/7"] = [ok()]
    with AIHubClient(settings) as client:
        client.send(thing())
        state = client._state
    shown = repr([settings, state, state.token, client, user_system.login(USERNAME, PASSWORD)])
    for secret in (PASSWORD, STATIC_TOKEN, RELAY_TOKEN, state.token.value if state.token else ""):
        assert secret
        assert secret not in shown
        assert repr(secret)[1:-1] not in shown


def test_errors_survive_copying_and_pickling(server: Server, side: Side) -> None:
    server.script["/things/7"] = [answer(404, code=2, msg="gone")]
    with pytest.raises(AIHubRejectedError) as caught:
        side.send(config(server.url), thing())
    for twin in (copy.copy(caught.value), pickle.loads(pickle.dumps(caught.value))):
        assert (str(twin), vars(twin)) == (str(caught.value), vars(caught.value))
        assert vars(twin)["code"] == 2


@pytest.mark.parametrize("path", ["/things/..", "/things/./x", "/things/../../api"])
def test_no_id_leaves_its_path(server: Server, side: Side, path: str) -> None:
    with pytest.raises(AIHubParameterError):
        side.send(config(server.url), thing(path=path))
    assert not server.seen


def test_a_service_without_an_address(side: Side) -> None:
    settings = config("http://127.0.0.1:1", addresses={Service.USER_SYSTEM: "http://127.0.0.1:1"})
    with pytest.raises(AIHubConfigError, match="'model_training_url'"):
        side.send(settings, thing())
