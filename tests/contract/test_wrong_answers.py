"""Answers that are wrong, and refusals, give the error of their kind."""

from __future__ import annotations

from typing import Any

import pytest
from cases import CASES, SHAPES, Case, case
from cases.case import encoded
from changes import changed, value_at, without
from transports import Asynchronous, Blocking, Transport

from airflow_provider_aihub.aihub.config import Config
from airflow_provider_aihub.aihub.errors import (
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
from airflow_provider_aihub.aihub.kinds import KINDS

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
    odd: list[Any] = [[], [1], "text", 7, {}]
    # It answers nothing at all where a model has no tasks.
    none = [] if one.call == "list_model_tasks" else [envelope, {**envelope, "data": None}]
    for answer in (*none, *({**envelope, "data": data} for data in odd)):
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
        kind = AIHubAuthError if one.id == "login" and code != 3 else kind
        # What AIHub does not know, or its database, may have gone wrong after the work was done.
        doubtful = one.creates and code in (1, 3)
        assert type(error) is (AIHubAmbiguousSubmit if doubtful else kind), code
        assert not doubtful or error.refused
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


BY_ID = [one for one in CASES if "id" in one.reads]


@pytest.mark.parametrize("one", BY_ID, ids=str)
@pytest.mark.parametrize("other", [77, "77", 77.0, 0, -1])
def test_an_answer_about_another_thing(one: Case, other: Any) -> None:
    if not one.request().about:
        # A new run, a new artifact, the user who logs in, and a version that is read by name are told by the answer.
        assert one.call in ("resubmit_workflow_run", "create_artifact", "login")
        return
    (name,) = one.request().about
    assert name == ("version" if one.call == "get_dataset_version_by_name" else "id")
    error = error_of(Blocking(), one, encoded(changed(one.answer, ("data", name), other)))
    assert type(error) is lost(one)
    assert f"{name} is {int(other)}, but " in str(error)


@pytest.mark.parametrize("name", ["get_training", "get_quota_task", "get_search", "get_dataset_version"])
def test_a_job_that_is_looked_at_is_the_one_that_was_asked_for(name: str) -> None:
    one = case(name)
    kind = next(kind for kind in KINDS.values() if kind.read.__name__ in (name, "_read_dataset_version"))
    look = kind.look(one.args[0])
    with pytest.raises(ValueError, match="id is 77, but"):
        Config(addresses={}).dialect.check(look, {**one.answer["data"], "id": 77})


def numbers(json_text: str) -> bytes:
    return b'{"code": 0, "msg": "", "data": {"id": ' + json_text.encode() + b"}}"


@pytest.mark.parametrize("id_", ["9007199254740993.0", "9007199254740992.0", "1e300", "1e16", "9" * 400, "1e400"])
def test_an_id_that_is_not_to_be_trusted(id_: str, transport: Transport) -> None:
    create, read = case("create_training"), case("get_training")
    assert type(error_of(transport, create, numbers(id_))) is AIHubAmbiguousSubmit
    body = encoded(changed(read.answer, ("data", "id"), "ID")).replace(b'"ID"', id_.encode())
    assert type(error_of(transport, read, body)) is AIHubBadAnswerError


def test_an_id_of_64_bits(transport: Transport) -> None:
    assert transport.ask(case("create_training"), numbers(str(2**63 - 1)))[0] == 2**63 - 1


@pytest.mark.parametrize("one", [one for one in CASES if one.kwargs and one.list_key], ids=str)
def test_a_page_with_one_row_twice_or_of_another_number(one: Case, transport: Transport) -> None:
    row = value_at(one.answer, ("data", "data", 0))
    twice = changed(one.answer, ("data", "data"), [{**row, "id": 5}, {**row, "id": 6}, {**row, "id": "5"}])
    assert "two rows of id 5" in str(error_of(transport, one, encoded(twice)))
    other = changed(one.answer, ("data", "page_num"), 9)
    assert "page_num is 9, but" in str(error_of(transport, one, encoded(other)))
    for says_nothing in (0, None, -1, "one"):
        transport.ask(one, encoded(changed(one.answer, ("data", "page_num"), says_nothing)))
