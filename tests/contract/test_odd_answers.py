"""Answers that are merely unusual break nothing."""

from __future__ import annotations

import base64
import json
import logging
from functools import partial
from typing import Any

import pytest
import requests_mock
from cases import CASES, SHAPES, Case, case
from cases.case import at, encoded
from changes import Place, changed, places, value_at, without
from transports import Blocking

from airflow_provider_aihub.aihub.client import AIHubClient
from airflow_provider_aihub.aihub.config import Config
from airflow_provider_aihub.aihub.kinds import KINDS, Phase
from airflow_provider_aihub.aihub.services import Service
from airflow_provider_aihub.jobs.waiting import Outcome, Watch, wait

EVERY = pytest.mark.parametrize("one", CASES, ids=str)
EACH_SHAPE = pytest.mark.parametrize("one", SHAPES, ids=str)
READS = {
    "training": "get_training",
    "quota_task": "get_quota_task",
    "search": "get_search",
    "dataset_version": "get_dataset_version",
    "workflow_run": "get_workflow_run",
}
"""The case that reads a job of each kind."""


def ask(one: Case, answer: Any) -> Any:
    return Blocking().ask(one, encoded(answer))[0]


def place_of(one: Case, read: str) -> Place:
    """Where in the answer a value lies that is read at a path of the result."""
    keys = tuple(int(key) if key.isdigit() else key for key in read.split(".")) if read else ()
    in_list = (one.list_key,) if keys and isinstance(keys[0], int) else ()
    return ("data", *in_list, *keys)


def touched(one: Case, place: Place, read: str) -> bool:
    """Whether what is read at a path may differ where the value at a place does."""
    if place[-1] in ("id", "status") and isinstance(place[-2], int):
        # A row without these is left out.
        place = place[:-1]
    return within(place_of(one, read), place)


def within(a: Place, b: Place) -> bool:
    """Whether one of two places lies within the other."""
    return a[: len(b)] == b[: len(a)]


def data_places(one: Case) -> list[Place]:
    return [("data", *place) for place in places(one.answer.get("data"))]


def is_time(place: Place) -> bool:
    return str(place[-1]).endswith("_at")


def needed(one: Case, place: Place) -> bool:
    """Whether an answer is none without a value there; a list may be ``null``, a row of one may not."""
    if one.list_key and place == ("data", one.list_key, 0):
        return True
    return place != ("data", one.list_key) and any(place_of(one, path)[: len(place)] == place for path in one.vital)


def converted(value: Any, convert: Any) -> Any:
    """A copy in which every single value and every object went through a function."""
    if isinstance(value, dict):
        return convert({name: converted(item, convert) for name, item in value.items()})
    return [converted(item, convert) for item in value] if isinstance(value, list) else convert(value)


@EVERY
def test_unknown_fields(one: Case) -> None:
    def more(value: Any) -> Any:
        return {**value, "new_field": {"x": [1]}, "model_new": None} if isinstance(value, dict) else value

    result = ask(one, converted(one.answer, more))
    one.check(result, but=lambda path: isinstance(one.reads[path], dict))


@EVERY
def test_null_wherever_it_may_be(one: Case) -> None:
    for place in data_places(one):
        if not needed(one, place):
            result = ask(one, changed(one.answer, place, None))
            one.check(result, but=partial(touched, one, place))


@EVERY
def test_fields_that_are_missing(one: Case) -> None:
    for place in data_places(one):
        if not needed(one, place) and place != ("data", one.list_key):
            result = ask(one, without(one.answer, place))
            one.check(result, but=partial(touched, one, place))


@EVERY
def test_all_that_may_be_null_at_once(one: Case) -> None:
    answer: Any = one.answer
    for place in sorted(data_places(one), key=len, reverse=True):
        vital = [place_of(one, path) for path in one.vital]
        if not needed(one, place) and not any(within(place, at) for at in vital) and place != ("data", one.list_key):
            answer = changed(answer, place, None)
    result = ask(one, answer)
    one.check(result, but=lambda path: place_of(one, path) not in [place_of(one, vital) for vital in one.vital])
    repr(result)


@EACH_SHAPE
def test_any_message_or_none(one: Case) -> None:
    bare = {name: value for name, value in one.answer.items() if name != "msg"}
    for message in ({}, {"msg": None}, {"msg": "fine"}, {"msg": {"x": 1}}):
        one.check(ask(one, {**bare, **message}))


@pytest.mark.parametrize("name", ["stop_training", "stop_quota_task", "stop_workflow_run"])
@pytest.mark.parametrize("answer", [{"code": 0}, {"code": 0, "data": None}, {"code": 0, "data": []}], ids=str)
def test_a_stop_needs_no_data(name: str, answer: dict[str, Any]) -> None:
    assert ask(case(name), answer) is None


@EVERY
def test_text_where_numbers_are_expected(one: Case) -> None:
    def as_text(value: Any) -> Any:
        return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value

    result = ask(one, converted(one.answer, as_text))
    one.check(result, but=lambda path: isinstance(one.reads[path], dict | list))


@EVERY
def test_numbers_where_text_is_expected(one: Case) -> None:
    answer = one.answer
    for place in data_places(one):
        if isinstance(value_at(answer, place), str) and not needed(one, place):
            result = ask(one, changed(answer, place, 7))
            one.check(result, but=partial(touched, one, place))
            for path, want in one.reads.items():
                if place_of(one, path) == place and isinstance(want, str):
                    assert at(result, path) == "7"


@pytest.mark.parametrize("one", [one for one in CASES if any(map(is_time, data_places(one)))], ids=str)
def test_times_that_are_not_yet(one: Case) -> None:
    answer = one.answer
    for place in data_places(one):
        if is_time(place):
            answer = changed(answer, place, 0)
    result = ask(one, answer)
    one.check(result, but=lambda path: path.endswith("_at"))
    for path in one.reads:
        assert not path.endswith("_at") or at(result, path) == 0


@pytest.mark.parametrize(("kind", "name"), READS.items())
@pytest.mark.parametrize("status", [0, 9, -1, 99])
def test_a_status_that_nobody_knows(kind: str, name: str, status: int) -> None:
    one = case(name)
    result = ask(one, changed(one.answer, ("data", "status"), status))
    assert result.status == status
    state = KINDS[kind].state(1, result)
    assert state.phase is Phase.UNKNOWN
    assert state.verb == f"is in status {status}, which this provider does not know"
    assert not Phase.UNKNOWN.terminal


@pytest.mark.parametrize(("kind", "name"), READS.items())
def test_a_status_that_goes_backwards(kind: str, name: str) -> None:
    one, statuses = case(name), iter(["2", 1, 9, 2, 1, 3, 2])
    waited = wait(
        lambda: KINDS[kind].state(1, ask(one, changed(one.answer, ("data", "status"), next(statuses)))),
        Watch(kind=KINDS[kind], job_id=1, since=0.0),
        logging.getLogger("contract"),
        sleep=lambda _: None,
        clock=lambda: 0.0,
    )
    assert waited.outcome is Outcome.ENDED
    assert waited.state is not None
    assert (waited.state.status, waited.state.phase) == (3, Phase.SUCCEEDED)
    assert next(statuses) == 2


@pytest.mark.parametrize("one", [one for one in CASES if one.list_key], ids=str)
@pytest.mark.parametrize("rows", [None, []], ids=str)
def test_a_list_of_nothing(one: Case, rows: Any) -> None:
    result = ask(one, changed(one.answer, ("data", one.list_key), rows))
    assert getattr(result, "data", result) == []


@pytest.mark.parametrize("one", [one for one in CASES if one.list_key], ids=str)
def test_a_row_that_cannot_be_read_is_left_out(one: Case) -> None:
    row = value_at(one.answer, ("data", one.list_key, 0))
    result = ask(one, changed(one.answer, ("data", one.list_key), ["no row", row, None, 7]))
    assert len(getattr(result, "data", result)) == 1
    one.check(result)


def test_a_version_that_cannot_be_read_hides_no_other() -> None:
    one = case("get_dataset")
    good = value_at(one.answer, ("data", "versions", 0))
    odd = [{**good, "id": None}, without(good, ("status",)), None, "V3", {}]
    dataset = ask(one, changed(one.answer, ("data", "versions"), [*odd, good, {**good, "id": 9}]))
    assert [version.id for version in dataset.versions] == [8, 9]


@EACH_SHAPE
def test_a_code_as_text(one: Case) -> None:
    one.check(ask(one, {**one.answer, "code": "0"}))


@pytest.mark.parametrize("exp", [0, -1, "1800000000", None, [], 1.5, 1e308, 10**400, "9" * 5000, True], ids=str)
def test_a_login_whose_token_says_odd_things(exp: Any) -> None:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": exp, "uid": exp}).encode()).decode().rstrip("=")
    token = f"e30.{claims}.c2ln"
    config = Config(addresses=dict.fromkeys(Service, "http://10.0.0.1"), username="u", password="p")
    with requests_mock.Mocker() as mock, AIHubClient(config) as client:
        mock.post("http://10.0.0.1/api/v1/auth/login", json={"code": 0, "data": {"id": None, "token": token}})
        mock.get(f"http://10.0.0.1{case('list_storages').path}", json=case("list_storages").answer)
        assert len(client.list_storages()) == 1
        assert mock.last_request.headers["Authorization"] == f"Bearer {token}"


TOLD = ("id", "status", "version", "page_num", "vc_id", "training_id")
"""Numbers that say what an answer is about, or what a row is."""


@pytest.mark.parametrize("number", [10**400, -(10**400), "9" * 400, 2**63, 1e308, 9007199254740993.0], ids=range(6))
def test_numbers_that_are_none(number: Any) -> None:
    """Whatever is read of them can be reckoned with."""
    for one in CASES:
        answer = one.answer
        for place in data_places(one):
            value = value_at(answer, place)
            if isinstance(value, int) and not isinstance(value, bool) and place[-1] not in TOLD:
                answer = changed(answer, place, number)
        result = ask(one, answer)
        repr(result)
        for path, want in one.reads.items():
            read = at(result, path)
            # A number that a newer platform also gives as a text stays one.
            assert not isinstance(want, int) or isinstance(read, str) or abs(read) < 2**63, path
