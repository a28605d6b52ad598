"""Misbehaviour on demand, and the journal of what was asked."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from plain_http import SEARCHES, TRAININGS, Api, training

from airflow_provider_aihub.emulators.aihub import Faults


@pytest.fixture
def calm(api: Api) -> Iterator[Api]:
    """The shared emulator, behaving before and after."""
    api.aihub.faults.clear()
    yield api
    api.aihub.faults.clear()
    api.login()


def test_a_status_with_retry_after_for_the_first_requests(calm: Api) -> None:
    calm.aihub.faults.add("status", method="GET", path=f"{TRAININGS}*", status=429, retry_after=7, count=2)
    for _ in range(2):
        answer = calm.call("GET", TRAININGS)
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    assert calm.call("GET", TRAININGS).status_code == 200


def test_only_what_matches_is_struck(calm: Api) -> None:
    calm.aihub.faults.add("status", method="POST", path="*/trainings/*/stop")
    job = calm.train("sleep 0")
    assert calm.call("POST", f"{TRAININGS}/{job}/stop").status_code == 503
    assert calm.call("GET", f"{TRAININGS}/{job}").status_code == 200


def test_a_refusal_can_be_asked_for(calm: Api) -> None:
    calm.aihub.faults.add("status", status=200, code=3, msg="database is away")
    answer = calm.call("GET", TRAININGS)
    assert (answer.status_code, answer.json()["code"], answer.json()["msg"]) == (200, 3, "database is away")


@pytest.mark.parametrize(("kind", "done"), [("reset", 0), ("lost", 1)])
def test_the_connection_breaks_off_before_or_after_the_work(calm: Api, kind: str, done: int) -> None:
    calm.aihub.faults.add(kind, method="POST", path=TRAININGS, count=1)
    name = f"broken-{kind}"
    with pytest.raises(requests.ConnectionError):
        calm.call("POST", TRAININGS, json=training("sleep 0", name=name))
    assert calm.get(TRAININGS, name=name)["total"] == done
    assert calm.aihub.requests.count("POST", TRAININGS, status=0) >= 1


def test_an_answer_can_be_cut(calm: Api) -> None:
    calm.aihub.faults.add("truncate", path=TRAININGS)
    answer = calm.http.get(calm.aihub.url + TRAININGS, stream=True, timeout=5)
    assert answer.status_code == 200
    assert 0 < len(answer.raw.read(10)) == 10
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        _ = answer.content


def test_a_download_can_be_cut(calm: Api) -> None:
    number = calm.post(SEARCHES, {"type": 1, "name": "s", "sql": "select * from range(1000)"})["id"]
    url = calm.until(f"{SEARCHES}/{number}", 3)["result_url"]
    calm.aihub.faults.add("truncate", path="/files/*", count=1)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        requests.get(url, timeout=5)
    assert len(requests.get(url, timeout=5).text.splitlines()) == 1001


def test_garbage_is_html(calm: Api) -> None:
    calm.aihub.faults.add("garbage", status=502)
    answer = calm.call("GET", TRAININGS)
    assert (answer.status_code, answer.headers["Content-Type"]) == (502, "text/html; charset=utf-8")
    assert answer.text.startswith("<html>")


def test_a_delay_delays_and_a_hang_never_answers(calm: Api) -> None:
    calm.aihub.faults.add("delay", seconds=0.3, count=1)
    start = time.monotonic()
    assert calm.call("GET", TRAININGS).status_code == 200
    assert time.monotonic() - start >= 0.3
    calm.aihub.faults.add("hang", seconds=60)
    with pytest.raises(requests.ReadTimeout):
        calm.http.get(calm.aihub.url + TRAININGS, timeout=0.3)


def test_tokens_can_be_refused_or_revoked(calm: Api) -> None:
    calm.aihub.faults.add("expired_token", path=TRAININGS, count=1)
    assert calm.call("GET", TRAININGS).status_code == 401
    assert calm.call("GET", TRAININGS).status_code == 200
    calm.aihub.faults.add("revoke", path=TRAININGS, count=1)
    for _ in range(2):
        assert calm.call("GET", TRAININGS).status_code == 401
    calm.login()
    assert calm.call("GET", TRAININGS).status_code == 200


def test_after_count_and_chance() -> None:
    faults = Faults()
    faults.add("reset", after=2, count=3)
    assert [faults.strike("GET", "/x") is not None for _ in range(8)] == [False] * 2 + [True] * 3 + [False] * 3

    def run() -> list[bool]:
        chance = Faults()
        chance.add("reset", probability=0.3, seed=4)
        return [chance.strike("GET", "/x") is not None for _ in range(1000)]

    assert run() == run()
    assert 250 < sum(run()) < 350


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "nonsense"},
        {"kind": "reset", "paht": "*"},
        {"kind": "reset", "count": "2"},
        {"kind": "reset", "probability": 2},
        {"kind": "status", "status": 99},
        {"path": "*"},
        "reset",
        ["reset"],
    ],
)
def test_wrong_faults_are_refused(calm: Api, wrong: Any) -> None:
    answer = calm.call("POST", "/emulator/faults", json=wrong)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert calm.call("GET", "/emulator/faults").json() == []


def test_faults_over_http(calm: Api) -> None:
    (added,) = calm.call("POST", "/emulator/faults", json={"kind": "status", "status": 500}).json()
    assert calm.call("GET", TRAININGS).status_code == 500
    (found,) = json.loads(calm.aihub.get("/emulator/faults"))
    assert (found["id"], found["struck"]) == (added["id"], 1)
    assert calm.call("DELETE", "/emulator/faults").json() == []
    assert calm.call("GET", TRAININGS).status_code == 200


def test_the_emulators_own_addresses_are_for_its_first_user(own: Callable[..., Api]) -> None:
    api = own(users={"ann": "one", "bob": "two"})
    url = f"{api.aihub.url}/emulator/requests"
    assert requests.get(url, timeout=5).status_code == 401
    assert requests.get(url, auth=("ann", "wrong"), timeout=5).status_code == 401
    assert requests.get(url, auth=("bob", "two"), timeout=5).status_code == 401
    assert requests.get(url, auth=("ann", "one"), timeout=5).status_code == 200


def test_the_journal_counts_requests_and_connections(own: Callable[..., Api]) -> None:
    api = own()
    journal = api.aihub.requests
    journal.clear()
    for _ in range(3):
        api.get(TRAININGS)
    api.call("GET", f"{TRAININGS}/1")
    api.call("GET", "/nothing")
    assert [tuple(entry)[:3] for entry in journal] == [
        *[("GET", TRAININGS, 200)] * 3,
        ("GET", f"{TRAININGS}/1", 200),
        ("GET", "/nothing", 404),
    ]
    assert len({entry.port for entry in journal}) == 1
    assert journal.count("GET", f"{TRAININGS}*") == 4
    assert journal.connections == 0
    requests.get(api.aihub.url + TRAININGS, timeout=5)
    assert journal.connections == 1
    said = api.call("GET", "/emulator/requests", params={"last": 2}).json()
    assert said["counts"][f"GET {TRAININGS}/{{id}}"] == 1
    assert (said["total"], len(said["entries"])) == (6, 2)
