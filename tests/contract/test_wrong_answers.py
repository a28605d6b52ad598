"""Answers that are wrong, and refusals, give the error of their kind."""

from __future__ import annotations

from typing import Any

import pytest
from cases import CASES, SHAPES, Case, case
from cases.case import encoded
from changes import changed, without
from transports import Asynchronous, Blocking, Transport

from airflow_provider_aihub.api.errors import (
    AIHubAmbiguousSubmit,
    AIHubAuthError,
    AIHubBadAnswerError,
    AIHubError,
    AIHubExistsError,
    AIHubNotFoundError,
    AIHubRejectedError,
    AIHubRequestError,
    AIHubUnavailable,
)

EACH_SHAPE = pytest.mark.parametrize("one", SHAPES, ids=str)
EVERY = pytest.mark.parametrize(
    ("one", "transport"),
    [*((one, Blocking()) for one in CASES), *((one, Asynchronous()) for one in SHAPES)],
    ids=lambda given: given.id if isinstance(given, Case) else type(given).__name__.lower(),
)
"""All cases, most of them by one client, since both take answers in one way."""
VITAL = [(one, path) for one in CASES for path in one.vital]
REFUSALS = {1: AIHubRejectedError, 2: AIHubNotFoundError, 3: AIHubRejectedError, 8: AIHubExistsError}
HTML = b"<html><head><title>502</title></head><body><h1>Bad Gateway</h1></body></html>"


def error_of(transport: Transport, one: Case, body: bytes, status: int = 200) -> AIHubRequestError:
    with pytest.raises(AIHubError) as caught:
        transport.ask(one, body, status)
    error = caught.value
    assert isinstance(error, AIHubRequestError)
    assert error.service == one.service
    assert str(error).startswith(f"AIHub's {one.service} was asked to {error.asks} ({one.method} http://")
    assert not any(secret in str(error) for secret in (*one.credential.values(), "the-token", "the-relay-token"))
    return error


def lost(one: Case) -> type[AIHubError]:
    """The error where AIHub may have done what was asked, but does not say what came of it."""
    return AIHubAmbiguousSubmit if one.creates else AIHubBadAnswerError


@EACH_SHAPE
def test_no_aihub_answer(one: Case, transport: Transport) -> None:
    for body in (HTML, b"", b'[{"code": 0}]'):
        assert type(error_of(transport, one, body)) is lost(one), body


@EACH_SHAPE
def test_other_answers_that_are_none_of_aihub(one: Case) -> None:
    codes = (b"null", b"[]", b'"x"', b"true", b"9" * 5000, b'"' + b"9" * 5000 + b'"')
    for body in (b"null", b'"ok"', b"0", b"{}", b"\xff\xfe", *(b'{"code": ' + code + b"}" for code in codes)):
        assert type(error_of(Blocking(), one, body)) is lost(one), body


@EACH_SHAPE
def test_an_answer_that_is_cut_off(one: Case, transport: Transport) -> None:
    assert type(error_of(transport, one, encoded(one.answer)[:-3])) is lost(one)


@pytest.mark.parametrize(("one", "path"), VITAL, ids=[f"{one.id}-{path}" for one, path in VITAL])
def test_an_answer_without_what_it_is_for(one: Case, path: str) -> None:
    place = ("data", *(int(key) if key.isdigit() else key for key in path.split(".")))
    values: list[Any] = [None, "", [], {}]
    if path == "id" and one.reads.keys() == {""}:
        # What was created has an id above 0.
        values += [0, -1, "0", True, 1.5, "one"]
    for answer in (without(one.answer, place), *(changed(one.answer, place, value) for value in values)):
        assert type(error_of(Blocking(), one, encoded(answer))) is lost(one)


@pytest.mark.parametrize("one", [one for one in CASES if one.list_key or one.vital], ids=str)
def test_data_that_is_no_object_or_empty(one: Case) -> None:
    envelope: dict[str, Any] = {"code": 0, "msg": ""}
    odd: list[Any] = [None, [], [1], "text", 7, {}]
    for answer in (envelope, *({**envelope, "data": data} for data in odd)):
        assert type(error_of(Blocking(), one, encoded(answer))) is lost(one), answer


@pytest.mark.parametrize("one", [one for one in CASES if one.list_key], ids=str)
def test_a_list_that_is_none(one: Case) -> None:
    odd: list[Any] = [{}, "text", 7, [None], [[]]]
    for rows in odd:
        answer = changed(one.answer, ("data", one.list_key), rows)
        assert type(error_of(Blocking(), one, encoded(answer))) is lost(one), rows


@EACH_SHAPE
def test_a_refusal(one: Case, transport: Transport) -> None:
    for code, kind in REFUSALS.items():
        error = error_of(transport, one, encoded({"code": code, "msg": "no such luck", "data": None}))
        # A login that is refused, for whatever reason but a broken database, is a matter of credentials.
        assert type(error) is (AIHubAuthError if one.id == "login" and code != 3 else kind), code
        assert error.code == code
        assert '"no such luck"' in str(error)


@EVERY
def test_aihub_is_unwell(one: Case, transport: Transport) -> None:
    for status, body in ((500, encoded({"code": 1, "msg": "down"})), (502, HTML), (503, b""), (429, HTML)):
        error = error_of(transport, one, body, status)
        # 429 says that nothing was done.
        assert type(error) is (AIHubAmbiguousSubmit if one.creates and status != 429 else AIHubUnavailable), status
        assert error.status == status


@EACH_SHAPE
def test_a_token_that_is_refused(one: Case, transport: Transport) -> None:
    assert type(error_of(transport, one, encoded({"code": 401, "msg": "token expired"}), 401)) is AIHubAuthError


def test_the_sentence_says_what_was_wrong(transport: Transport) -> None:
    error = error_of(transport, case("get_training"), encoded({"code": 0, "data": {"status": 3}}))
    assert "id is missing" in str(error)
    assert "Bad Gateway" in str(error_of(transport, case("create_training"), HTML, 502))
