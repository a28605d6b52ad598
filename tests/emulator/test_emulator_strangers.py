"""Those who have no business with the emulator: pages of other sites, guessers, other users of the machine, vandals."""

from __future__ import annotations

import base64
import io
import json
import logging
import os
import socket
import stat
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import requests
from plain_http import DATASETS, TRAININGS, VERSIONS, Api, training

from airflow_provider_aihub.emulators import body as bodies
from airflow_provider_aihub.emulators import guard, journal
from airflow_provider_aihub.emulators.aihub import Emulator
from airflow_provider_aihub.emulators.aihub.jobs import unpack
from airflow_provider_aihub.emulators.aihub.settings import Settings
from airflow_provider_aihub.emulators.journal import NO_ENDPOINT, Journal

LOGIN = "/api/v1/auth/login"


def connect(aihub: Emulator) -> socket.socket:
    host, port = aihub.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=20)


def spoken(aihub: Emulator, said: bytes) -> bytes:
    """What the emulator answers to bytes, until it closes the connection."""
    with connect(aihub) as connection:
        connection.sendall(said)
        answer = b""
        while piece := connection.recv(1 << 16):
            answer += piece
        return answer


def status_of(aihub: Emulator, *headers: str, path: str = TRAININGS) -> int:
    lines = [f"GET {path} HTTP/1.1", *headers, "Connection: close"]
    return int(spoken(aihub, "\r\n".join([*lines, "", ""]).encode()).split()[1])


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 401),
        ("127.0.0.1:99", 401),
        ("127.9.9.9:1", 401),
        ("[::1]:99", 401),
        ("localhost:99", 401),
        ("LocalHost.", 401),
        ("aihub.localhost", 401),
        ("evil.example", 403),
        ("evil.example:80", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost.evil.example", 403),
        ("192.168.0.9", 403),
        ("[2001:db8::1]:99", 403),
        ("", 403),
        ("[", 403),
    ],
)
def test_it_answers_to_its_own_names_alone(api: Api, host: str, status: int) -> None:
    assert status_of(api.aihub, f"Host: {host}") == status
    assert status_of(api.aihub, f"Host: {host}", path="/files/a/b") == {401: 404}.get(status, status)
    assert status_of(api.aihub, f"Host: {host}", path="/no/such") == {401: 404}.get(status, status)
    assert status_of(api.aihub, "Host: evil.example", f"Host: {host}") in (400, 403)


@pytest.mark.parametrize(
    ("given", "name", "own"),
    [
        ({"host": "0.0.0.0", "allow_remote": True}, "192.168.0.9", True),
        ({"host": "0.0.0.0", "allow_remote": True}, socket.gethostname(), True),
        ({"host": "0.0.0.0", "allow_remote": True}, "evil.example", False),
        ({"host": "192.168.0.9", "allow_remote": True}, "192.168.0.9", True),
        ({"host": "192.168.0.9", "allow_remote": True}, "192.168.0.8", False),
        ({"host_names": ("aihub",)}, "aihub", True),
        ({"host_names": ("AIHub.lan",)}, "aihub.lan", True),
        ({}, "aihub", False),
    ],
)
def test_its_names_are_those_it_was_told(tmp_path: Path, given: dict[str, Any], name: str, own: bool) -> None:
    assert guard.is_own(name.lower(), Settings(home=tmp_path, **given)) is own


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://{host}", 200),
        ("HTTP://{host}", 200),
        ("http://evil.example", 403),
        ("http://127.0.0.1:1", 403),
        ("http://localhost", 403),
        ("null", 403),
        ("", 403),
        ("file://", 403),
    ],
)
def test_no_page_of_another_site_can_do_anything(api: Api, origin: str, status: int) -> None:
    before = api.get(TRAININGS)["total"]
    headers = {"Origin": origin.format(host=api.aihub.url.removeprefix("http://"))}
    login = {"username": api.aihub.username, "password": api.aihub.password}
    for method, path, body in (
        ("POST", LOGIN, login),
        ("POST", TRAININGS, training()),
        ("GET", TRAININGS, None),
        ("GET", "/emulator/clock", None),
        ("OPTIONS", TRAININGS, None),
    ):
        answer = api.call(method, path, json=body, headers=headers)
        assert answer.status_code == (405 if method == "OPTIONS" and status == 200 else status)
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]
    relayed = requests.post(
        f"{api.aihub.relay_url}/upload?bucket=data&key=page",
        headers={"Token": api.aihub.relay_token, "Origin": "http://evil.example"},
        files={"file": b"x"},
        verify=api.aihub.ca_file,
        timeout=5,
    )
    assert relayed.status_code == 403
    assert api.get(TRAININGS)["total"] == before + (status == 200)


def test_a_file_is_no_page_of_the_emulator(api: Api) -> None:
    page = b"<script>fetch('/api/v1/auth/login')</script>"
    url = api.call("POST", "/dataset-mng/api/v1/uploads", files={"file": ("a.html", page)}).json()["data"]["url"]
    answer = requests.get(url, timeout=5)
    assert answer.content == page
    assert answer.headers["Content-Security-Policy"] == "sandbox"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.fixture
def no_mercy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no guess be forgotten while the test runs."""
    monkeypatch.setattr(guard, "PAUSE", 3600.0)


def test_who_guesses_passwords_is_slowed_down_and_nobody_else(
    own: Callable[..., Api], no_mercy: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = own(users={"ann": "one", "bob": "two"})

    def login(name: str, password: str) -> requests.Response:
        return api.call("POST", LOGIN, json={"username": name, "password": password})

    def basic(password: str) -> int:
        login = base64.b64encode(f"ann:{password}".encode()).decode()
        return api.call("GET", "/emulator/clock", headers={"Authorization": f"Basic {login}"}).status_code

    found = [login("ann", "wrong").status_code for _ in range(guard.FREE_GUESSES - 1)]
    # A right one costs nothing.
    assert login("ann", "one").json()["code"] == 0
    found += [basic("wrong"), *(login("ann", "wrong").status_code for _ in range(30))]
    assert found == [200] * (guard.FREE_GUESSES - 1) + [401] + [429] * 30
    # Nor is it told now whether one is right.
    refused = login("ann", "one")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "3600")
    assert "too many wrong passwords" in refused.json()["msg"]
    assert basic("one") == 429
    # Others: a user who is logged in, another one, the same one elsewhere.
    api.get(TRAININGS)
    assert login("bob", "two").json()["code"] == 0
    there = requests.Session()
    there.mount("http://", Elsewhere())
    body = {"username": "ann", "password": "one"}
    assert there.post(api.aihub.url + LOGIN, json=body, timeout=5).json()["code"] == 0
    # Names that nobody has count together.
    assert [login(f"nobody{number}", "x").status_code for number in range(12)] == [200] * 10 + [429] * 2
    monkeypatch.setattr(guard, "PAUSE", 1e-9)
    assert login("ann", "one").json()["code"] == 0


class Elsewhere(requests.adapters.HTTPAdapter):
    """Another address of this machine."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, source_address=("127.0.0.2", 0))


def test_of_guessers_no_more_are_remembered_than_that(monkeypatch: pytest.MonkeyPatch, no_mercy: None) -> None:
    monkeypatch.setattr(guard, "LARGEST_CROWD", 3)
    guesses = guard.Guesses()
    for number in range(100):
        guesses.note((f"10.0.0.{number}", "ann"))
    assert len(guesses) == 3


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


def test_what_it_keeps_is_for_nobody_else_on_the_machine(own: Callable[..., Api], tmp_path: Path) -> None:
    before = os.umask(0o000)
    try:
        old = tmp_path / "old"
        (old / "logs").mkdir(parents=True)
        (old / "aihub.sqlite").touch()
        for home, mode in ((tmp_path / "deep" / "new", 0o700), (old, 0o777)):
            api = own(home=home)
            job = api.train("echo secret")
            api.until(f"{TRAININGS}/{job}", 3)
            api.log(f"{TRAININGS}/{job}")
            api.call("POST", "/dataset-mng/api/v1/uploads", files={"file": b"x"})
            assert stat.S_IMODE(home.stat().st_mode) == mode
            found = modes(home)
            assert {"logs", "jobs", "storage", "relay", "aihub.sqlite", "aihub.sqlite-wal"} <= set(found)
            public = {"relay-ca.pem", "lock"}
            assert {name for name, one in found.items() if one & 0o077} <= public
    finally:
        os.umask(before)


def test_strangers_requests_take_no_room(own: Callable[..., Api]) -> None:
    api = own()
    api.aihub.requests.clear()
    for number in range(300):
        api.call("GET", f"/{number}" + "x" * 2000)
    assert api.aihub.requests.counts == {NO_ENDPOINT: 300}
    assert max(len(entry.path) for entry in api.aihub.requests) == journal.LONGEST
    noted = Journal()
    noted.note(journal.Entry("M" * 5000, "/", 404, 1), None)
    assert len(next(iter(noted)).method) == 16


GARBAGE = [
    b"\x00\x01garbage\r\n\r\n",
    b"GET " + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"A: b\r\n" * 500 + b"\r\n",
    b"POST /api/v1/auth/login HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST /api/v1/auth/login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n"
    b"Connection: close\r\n\r\nabc",
    b"POST /api/v1/auth/login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\nConnection: close\r\n\r\n[[[[[[[[[",
]


WAITS = pytest.mark.skipif(
    int(version("aiohttp").split(".")[1]) < 14, reason="aiohttp before 3.14 waits for the rest of a first request."
)
"""Only the emulator's own machine can keep it waiting so."""


@pytest.mark.parametrize(
    "said", [pytest.param(said, marks=[WAITS] if n == 2 else [], id=str(n)) for n, said in enumerate(GARBAGE)]
)
def test_what_is_no_request_fills_no_log(api: Api, caplog: pytest.LogCaptureFixture, said: bytes) -> None:
    caplog.set_level(logging.INFO)
    answer = spoken(api.aihub, said)
    assert answer.startswith((b"HTTP/1.0 400", b"HTTP/1.1 400", b"HTTP/1.1 200 OK")), answer
    assert b'"code": 0' not in answer
    assert not caplog.records


def test_a_failure_of_its_own_is_told(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("airflow_provider_aihub.emulators.server.http")
    log.error("Error handling request", exc_info=RuntimeError("its own"))
    assert [record.message for record in caplog.records] == ["Error handling request"]


def pieces(size: int) -> Iterator[bytes]:
    yield b'{"username": "'
    for _ in range(size // 1024):
        yield b"a" * 1024
    yield b'"}'


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_has_an_end(api: Api, announced: bool) -> None:
    for path, headers, largest in (
        (LOGIN, {"Authorization": None}, bodies.LARGEST_OPEN_BODY),
        (TRAININGS, {}, bodies.LARGEST_BODY),
    ):
        body: Any = b"".join(pieces(largest)) if announced else pieces(largest)
        answer = api.call("POST", path, data=body, headers=headers)
        assert (answer.status_code, answer.json()["msg"]) == (413, f"the body is larger than {largest} bytes")


def test_a_body_is_not_unpacked(api: Api) -> None:
    import gzip

    body = gzip.compress(b" " * (8 << 20) + json.dumps({"username": "a", "password": "b"}).encode())
    answer = api.call("POST", LOGIN, data=body, headers={"Content-Encoding": "gzip"}).json()
    assert answer["msg"] == "the body is no JSON"


def test_a_body_that_is_too_deep_is_no_json(api: Api) -> None:
    assert api.refused_text(LOGIN, b"[" * 60_000) == (1, "the body is no JSON")
    assert api.refused_text(TRAININGS, b'{"a":' * 1_000_000) == (1, "the body is no JSON")


@WAITS
def test_who_sends_too_slowly_is_not_waited_for(own: Callable[..., Api], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "PATIENCE", 0.5)
    aihub = own().aihub
    heads = [b"", b"G", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nA: "]
    half_a_body = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99\r\n\r\n{"
    answers: dict[bytes, bytes] = {}
    threads = [threading.Thread(target=lambda said=said: answers.update({said: spoken(aihub, said)})) for said in heads]
    for thread in threads:
        thread.start()
    for thread in threads:
        # Each returns when the emulator has closed the connection.
        thread.join(20)
    assert answers == dict.fromkeys(heads, b"")
    with closing(connect(aihub)) as connection:
        connection.sendall(half_a_body)
        assert connection.recv(1000).startswith(b"HTTP/1.1 408")


def test_a_zip_bomb_does_not_go_off(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "NO_BOMB", 1 << 20)
    number = api.post(DATASETS, {"name": "bomb", "description": "", "tags": []})["id"]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in range(10):
            archive.writestr(f"{name}.txt", b"0" * (2 << 20))
    for files, status in ((buffer.getvalue(), 4), (zipped(b"0" * 1000), 3)):
        upload = api.call("POST", "/dataset-mng/api/v1/uploads", files={"file": ("a.zip", files)}).json()["data"]
        body = {"dataset_id": number, "upload_type": 1, "upload_path": upload["path"]}
        found = api.until(f"{VERSIONS}/{api.post(f'{VERSIONS}-upload', body)['id']}", 3, 4)
        assert found["status"] == status
        if status == 4:
            assert "would become 20971520 bytes; at most" in found["message"]
    unpacked = (api.aihub.home / "storage" / "datasets" / "bomb").rglob("*.txt")
    assert [path.name for path in unpacked] == ["a.txt"]


def zipped(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd", "_.._etc_passwd"),
        ("n" * 5000 + ".zip", "n" * 196 + ".zip"),
        ("图" * 500 + ".zip", None),
        ("a b:c.zip", "a_b_c.zip"),
        ("...", "file"),
        ("图.txt", "图.txt"),
    ],
)
def test_an_upload_is_kept_under_a_harmless_name(api: Api, name: str, kept: str | None) -> None:
    part = f'--b\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\nx\r\n--b--\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    found = api.call("POST", "/dataset-mng/api/v1/uploads", data=part.encode(), headers=headers).json()
    assert found["code"] == 0, found
    last = found["data"]["path"].rpartition("/")[2]
    assert kept is None or last == kept
    assert len(last.encode()) <= 200
    assert requests.get(found["data"]["url"], timeout=5).content == b"x"


def test_half_a_character_is_not_kept(api: Api) -> None:
    for field in ("name", "description", "command"):
        body = json.dumps(training(**{field: "half \ud83d"})).encode()
        assert api.refused_text(TRAININGS, body) == (1, f"{field} must be text in Unicode")
    body = json.dumps(training(envs=[{"key": "A", "value": "\udc00"}])).encode()
    assert api.refused_text(TRAININGS, body) == (1, "envs[0].value must be text in Unicode")
    api.get(TRAININGS)


@pytest.mark.parametrize("predictions", [b"[" * 100_000, b'"' + b"a" * (17 << 20) + b'"'], ids=["deep", "long"])
def test_predictions_are_read_in_bounded_pieces(api: Api, predictions: bytes) -> None:
    texts = dict.fromkeys(("model_name", "epoch", "dataset_name", "id_dataset_name", "gallery_dataset_name"), "x")
    files = {"model_file": ("m", b"m"), "pred_file": ("p", predictions)}
    path = "/api/v2/tasks/import_result"
    form = {**texts, "model_type": "3", "user_id": "1"}
    assert "line 1 is no JSON" in api.call("POST", path, data=form, files=files).json()["msg"]
    files["pred_file"] = ("p", b"{}")
    answer = api.call("POST", path, data={**form, "epoch": "9" * (1 << 20)}, files=files)
    assert (answer.status_code, answer.json()["msg"]) == (413, f"epoch is larger than {bodies.LARGEST_OPEN_BODY} bytes")
