"""The rules of trying again, over both transports, against a server that misbehaves."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from misbehaving import (
    LOGIN,
    NOW,
    PASSWORD,
    STATIC_TOKEN,
    Act,
    Server,
    Side,
    answer,
    break_off,
    config,
    hang,
    jwt,
    ok,
    raw,
    refusing_port,
    reset,
    text,
    thing,
)
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from airflow_provider_aihub.aihub.errors import (
    AIHubAmbiguousSubmit,
    AIHubAuthError,
    AIHubBadAnswerError,
    AIHubExistsError,
    AIHubNotFoundError,
    AIHubParameterError,
    AIHubRejectedError,
    AIHubRequestError,
    AIHubUnavailable,
)
from airflow_provider_aihub.aihub.models import new_id
from airflow_provider_aihub.http import receiving
from airflow_provider_aihub.http.retry import (
    Again,
    GiveUp,
    LogIn,
    RetryPolicy,
    Trouble,
    decide,
    retry_after,
)

INTERIM = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
UNAUTHORIZED = answer(401, code=5, msg="token expired")
HTML = text("<html><style>p{}</style><h1>Welcome</h1> to\x07 the gateway</html>")


@dataclass
class Case:
    """What the server does in turn, and what comes of reading a thing and of creating one.

    ``read`` and ``create`` are the result, or the error with a part of its message; ``sent`` says how often the server
    was asked, reading and creating.
    """

    name: str
    acts: list[Act]
    read: object
    create: object
    sent: tuple[int, int]
    slept: tuple[int, int]


LOST = (AIHubAmbiguousSubmit, "may or may not have been done")
CASES = [
    Case("well", [ok()], 7, 7, (1, 1), (0, 0)),
    Case("reset then well", [reset, ok()], 7, LOST, (2, 1), (1, 0)),
    Case("reset always", [reset], (AIHubUnavailable, "(attempt 3)"), LOST, (3, 1), (2, 0)),
    Case("cut off then well", [break_off, ok()], 7, LOST, (2, 1), (1, 0)),
    Case("hangs then well", [hang, ok()], 7, (AIHubAmbiguousSubmit, "nothing came within 1 s"), (2, 1), (1, 0)),
    Case("502 then well", [text("Bad Gateway", 502), ok()], 7, LOST, (2, 1), (1, 0)),
    Case("500 always", [answer(500, code=1, msg="boom")], (AIHubUnavailable, 'code 1: "boom"'), LOST, (3, 1), (2, 0)),
    Case("500, not found", [answer(500, code=2)], (AIHubNotFoundError, ""), (AIHubNotFoundError, ""), (1, 1), (0, 0)),
    Case("408 then well", [text("", 408), ok()], 7, LOST, (2, 1), (1, 0)),
    Case("429 then well", [text("slow", 429), ok()], 7, 7, (2, 2), (1, 1)),
    Case("429 always", [text("", 429)], (AIHubUnavailable, "429"), (AIHubUnavailable, "429"), (3, 3), (2, 2)),
    Case("HTML then well", [HTML, ok()], 7, LOST, (2, 1), (1, 0)),
    Case("HTML always", [HTML], (AIHubBadAnswerError, '"Welcome to the gateway"'), LOST, (3, 1), (2, 0)),
    Case("empty always", [text("")], (AIHubBadAnswerError, "and no more"), LOST, (3, 1), (2, 0)),
    Case("truncated JSON then well", [text('{"code": 0, "da'), ok()], 7, LOST, (2, 1), (1, 0)),
    Case("JSON, no envelope", [text("[1]")], (AIHubBadAnswerError, "no AIHub answer"), LOST, (3, 1), (2, 0)),
    Case("code is true", [text('{"code": true}')], (AIHubBadAnswerError, ""), LOST, (3, 1), (2, 0)),
    Case("code as text", [answer(code="0", data=7)], 7, 7, (1, 1), (0, 0)),
    Case("no msg, no data", [answer(code=0)], None, None, (1, 1), (0, 0)),
    Case("code 1", [answer(code=1, msg="no")], (AIHubRejectedError, "no"), LOST, (1, 1), (0, 0)),
    Case("code 3", [answer(code=3)], (AIHubRejectedError, "code 3"), LOST, (1, 1), (0, 0)),
    Case("an unknown code", [answer(code=504)], (AIHubRejectedError, "code 504"), LOST, (1, 1), (0, 0)),
    Case("400, code 1", [answer(400, code=1)], (AIHubRejectedError, "HTTP 400"), LOST, (1, 1), (0, 0)),
    Case("400, code 3", [answer(400, code=3)], (AIHubRejectedError, "HTTP 400"), LOST, (1, 1), (0, 0)),
    Case("400, code 0", [answer(400, code=0, data=7)], (AIHubRejectedError, "400"), LOST, (1, 1), (0, 0)),
    Case("422, code 7", [answer(422, code=7)], (AIHubRejectedError, "7"), (AIHubRejectedError, "7"), (1, 1), (0, 0)),
    Case("409 page", [text("no", 409)], (AIHubRejectedError, "409"), (AIHubRejectedError, "409"), (1, 1), (0, 0)),
    Case("303", [text("", 303, {"Location": "/x"})], (AIHubBadAnswerError, "a redirect"), LOST, (1, 1), (0, 0)),
    Case("304 always", [text("", 304)], (AIHubBadAnswerError, "a redirect"), LOST, (1, 1), (0, 0)),
    Case("700 always", [raw("HTTP/1.1 700 OK", b"{}")], (AIHubBadAnswerError, "HTTP 700"), LOST, (3, 1), (2, 0)),
    Case("101 always", [raw("HTTP/1.1 101 OK", b"")], (AIHubBadAnswerError, "HTTP 101"), LOST, (3, 1), (2, 0)),
    Case("interim, then well", [raw(f"{INTERIM}HTTP/1.1 200 OK", b'{"code": 0, "data": 7}')], 7, 7, (1, 1), (0, 0)),
    Case("code 2", [answer(code=2)], (AIHubNotFoundError, "ids"), (AIHubNotFoundError, "ids"), (1, 1), (0, 0)),
    Case("code 8", [answer(code=8)], (AIHubExistsError, ""), (AIHubExistsError, "another name"), (1, 1), (0, 0)),
    Case("403 page", [text("no", 403)], (AIHubRejectedError, "403"), (AIHubRejectedError, "403"), (1, 1), (0, 0)),
    Case("404 page", [text("no", 404)], (AIHubRejectedError, "address"), (AIHubRejectedError, ""), (1, 1), (0, 0)),
    Case("401 then well", [UNAUTHORIZED, ok()], 7, 7, (2, 2), (0, 0)),
    Case("401 always", [UNAUTHORIZED], (AIHubAuthError, "login"), (AIHubAuthError, "expired"), (2, 2), (0, 0)),
    Case("401, 502, well", [UNAUTHORIZED, text("", 502), ok()], 7, LOST, (3, 2), (1, 0)),
]


@pytest.mark.parametrize("creates", [False, True], ids=["read", "create"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_misbehaviour(server: Server, side: Side, case: Case, creates: bool) -> None:
    request = thing(creates=creates)
    server.script[request.path] = list(case.acts)
    settings = config(server.url, timeout=1.0 if hang in case.acts else 5)
    expected = case.create if creates else case.read
    policy = RetryPolicy(attempts=3)
    if isinstance(expected, tuple):
        kind, words = expected
        with pytest.raises(AIHubRequestError) as caught:
            side.send(settings, request, policy)
        assert type(caught.value) is kind
        assert words in str(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None
        assert_sentence(caught.value, request.asks, f"{request.method} {server.url}{request.path}")
    else:
        assert side.send(settings, request, policy) == expected
    assert len(server.asked(request.path)) == case.sent[creates]
    assert len(side.slept) == case.slept[creates]


def assert_sentence(error: AIHubRequestError, asks: str, where: str) -> None:
    message = str(error)
    assert message.startswith(f"AIHub's model_training was asked to {asks} ({where}) and ")
    assert message.endswith(".")
    assert "; " in message
    assert (error.service, error.asks) == ("model_training", asks)
    assert len(message) < 700
    assert message.isprintable()
    assert "in-query" not in message


@pytest.mark.parametrize("creates", [False, True], ids=["read", "create"])
def test_refused_connections_are_tried_again(side: Side, creates: bool) -> None:
    settings = config(f"http://127.0.0.1:{refusing_port()}", token=STATIC_TOKEN, username="")
    with pytest.raises(AIHubUnavailable, match="could not be reached: connection refused"):
        side.send(settings, thing(creates=creates), RetryPolicy(attempts=4))
    assert len(side.slept) == 3


@pytest.mark.parametrize("creates", [False, True], ids=["read", "create"])
def test_unknown_host(side: Side, creates: bool) -> None:
    settings = config("http://aihub.invalid", token=STATIC_TOKEN, username="")
    with pytest.raises(AIHubUnavailable, match="the host name could not be resolved"):
        side.send(settings, thing(creates=creates), RetryPolicy(attempts=2))
    assert len(side.slept) == 1


def test_no_connection_in_time(side: Side) -> None:
    """A listener whose queue is full takes no connection: nothing was sent, so even a create is tried again."""
    import socket

    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for filling in (first, second):
            filling.setblocking(False)
            filling.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}"
        settings = config(url, token=STATIC_TOKEN, username="", timeout=0.2)
        with pytest.raises(AIHubUnavailable, match=r"no connection within 0\.2 s"):
            side.send(settings, thing(creates=True), RetryPolicy(attempts=2))
    assert len(side.slept) == 1


def test_a_create_by_put_is_sent_once(server: Server, side: Side) -> None:
    """aiohttp would send a PUT again by itself when the connection breaks."""
    server.script["/things"] = [ok(), reset]
    request = thing(creates=True, method="PUT")
    with pytest.raises(AIHubAmbiguousSubmit):
        side.run(config(server.url), request, request)
    assert [seen.method for seen in server.asked("/things")] == ["PUT", "PUT"]


def test_a_create_has_a_connection_of_its_own(server: Server, side: Side) -> None:
    server.script |= {"/things": [ok()], "/things/7": [ok()]}
    side.run(config(server.url), thing(), thing(creates=True), thing())
    read, create, again = (seen.connection for seen in server.seen if seen.path != LOGIN)
    assert read == again
    assert create != read


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("17", 17.0),
        (format_datetime(datetime.fromtimestamp(NOW + 60, UTC), usegmt=True), 60.0),
        ("9999", 120.0),
        ("0", 0.0),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_comes_first(server: Server, side: Side, header: str, expected: float, status: int) -> None:
    server.script["/things/7"] = [text("", status, {"Retry-After": header}), ok()]
    assert side.send(config(server.url), thing()) == 7
    assert side.slept == [expected]


def test_a_poller_is_told_when_to_come_back(server: Server, side: Side) -> None:
    server.script["/things/7"] = [text("", 429, {"Retry-After": "17"})]
    with pytest.raises(AIHubUnavailable) as caught:
        side.send(config(server.url), thing(), RetryPolicy(attempts=1))
    assert (caught.value.status, caught.value.retry_after) == (429, 17.0)
    assert side.slept == []


@pytest.mark.parametrize(
    ("header", "expected"),
    [(None, None), ("", None), ("soon", None), ("-5", None), ("3.5", None), (" 8 ", 8.0), ("٣", None)],
)
def test_retry_after_that_says_nothing(header: str | None, expected: float | None) -> None:
    assert retry_after(header, NOW) == expected


def test_retry_after_in_the_past() -> None:
    assert retry_after(format_datetime(datetime.fromtimestamp(NOW - 60, UTC), usegmt=True), NOW) == 0.0


def test_pauses_double_up_to_their_bound() -> None:
    def pause(attempt: int, dice: float) -> float:
        policy = RetryPolicy(attempts=100, first_pause=2, longest_pause=30)
        verdict = decide(
            Trouble.LOST,
            policy=policy,
            attempt=attempt,
            creates=False,
            can_log_in=False,
            retry_after=None,
            random=lambda: dice,
        )
        assert isinstance(verdict, Again)
        return verdict.seconds

    assert [pause(attempt, 1.0) for attempt in (1, 2, 3, 4, 5, 90)] == [2, 4, 8, 16, 30, 30]
    assert pause(1, 0.0) == 1


@pytest.mark.parametrize("trouble", list(Trouble))
@pytest.mark.parametrize("creates", [False, True])
def test_nothing_is_tried_again_by_a_policy_of_one_attempt(trouble: Trouble, creates: bool) -> None:
    verdict = decide(
        trouble,
        policy=RetryPolicy(attempts=1),
        attempt=1,
        creates=creates,
        can_log_in=True,
        retry_after=3,
        random=lambda: 0.5,
    )
    assert isinstance(verdict, LogIn if trouble is Trouble.UNAUTHORIZED else GiveUp)


def test_each_retry_is_logged_once(server: Server, side: Side, caplog: pytest.LogCaptureFixture) -> None:
    server.script["/things/7"] = [text(f"oops {PASSWORD} {jwt(1, iat=int(NOW), exp=int(NOW) + 604800)}", 502), ok()]
    with caplog.at_level(logging.INFO, logger="airflow_provider_aihub"):
        side.send(config(server.url), thing())
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert 'answered HTTP 502: "oops *** ***"; trying again in' in record.getMessage()


def test_data_that_cannot_be_used(server: Server, side: Side) -> None:
    def read(data: object) -> object:
        raise ValueError("id: field required")

    server.script |= {"/things": [ok({})], "/things/7": [ok({})]}
    with pytest.raises(AIHubBadAnswerError, match="id: field required"):
        side.send(config(server.url), thing(read=read))
    with pytest.raises(AIHubAmbiguousSubmit, match="id: field required"):
        side.send(config(server.url), thing(read=read, creates=True))
    assert side.slept == []


def test_an_answer_without_end_is_not_read_into_memory(
    server: Server, side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving, "LARGEST_ANSWER", 10_000)
    server.script["/things/7"] = [text(json.dumps({"code": 0, "data": "x" * 10_000}))]
    with pytest.raises(AIHubBadAnswerError, match="longer than 10000 bytes"):
        side.send(config(server.url), thing())
    assert len(server.asked("/things/7")) == 1


@pytest.mark.parametrize("foreign", [ConnectionRefusedError(), ConnectTimeoutError(), AIHubParameterError("not this")])
def test_what_was_wrong_before_says_nothing_of_a_call(server: Server, side: Side, foreign: Exception) -> None:
    """A create call whose answer is lost is sent once, also where another failure is being handled."""
    server.script["/things"] = [reset]
    foreign.__context__ = NewConnectionError("", "")  # type: ignore[arg-type]
    try:
        raise foreign
    except type(foreign):
        with pytest.raises(AIHubAmbiguousSubmit, match="the connection"):
            side.send(config(server.url), thing(creates=True), RetryPolicy(attempts=4))
    assert len(server.asked("/things")) == 1
    assert side.slept == []


@pytest.mark.parametrize(
    ("act", "refused"),
    [
        (answer(code=1), True),
        (answer(400, code=3), True),
        (answer(code=77), True),
        (answer(500, code=1), False),
        (text("", 303), False),
        (reset, False),
        (ok({}), False),
    ],
)
def test_a_doubtful_refusal_is_told_from_a_lost_answer(server: Server, side: Side, act: Act, refused: bool) -> None:
    server.script["/things"] = [act]
    with pytest.raises(AIHubAmbiguousSubmit) as caught:
        side.send(config(server.url), thing(creates=True, read=new_id))
    assert caught.value.refused is refused
