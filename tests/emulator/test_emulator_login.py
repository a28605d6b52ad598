"""Who gets in, and what those see who do not."""

from __future__ import annotations

import json
import stat
import time
from collections.abc import Callable
from pathlib import Path

import jwt
import pytest
import requests
from plain_http import RUNS, TRAININGS, VERSIONS, Api

from airflow_provider_aihub.emulators.aihub import Emulator


def test_the_token_is_a_signed_jwt_of_seven_days(api: Api) -> None:
    body = {"username": api.aihub.username, "password": api.aihub.password}
    data = api.post("/api/v1/auth/login", body)
    claims = jwt.decode(data["token"], options={"verify_signature": False})
    assert claims["uid"] == data["id"] == 1
    assert claims["exp"] - claims["iat"] == pytest.approx(7 * 86400, abs=1)
    assert claims["iat"] == pytest.approx(time.time(), abs=5)
    assert jwt.get_unverified_header(data["token"])["alg"] == "HS256"


def test_a_wrong_password_is_refused_with_http_200(api: Api) -> None:
    code, message = api.refused("/api/v1/auth/login", {"username": "admin", "password": "no"})
    assert (code, message) == (1, "wrong username or password")


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer nonsense", "Basic YTpi", "Bearer " + jwt.encode({"uid": 1, "exp": 9**11}, "x" * 32)],
)
def test_no_token_or_a_wrong_one_gives_401_with_an_envelope(aihub: Emulator, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    answer = requests.get(aihub.url + TRAININGS + "/1", headers=headers, timeout=5)
    assert answer.status_code == 401
    assert answer.json()["code"] != 0
    assert "token" in answer.json()["msg"]


def test_a_token_expires_on_the_emulators_clock(own: Callable[..., Api]) -> None:
    api = own(token_lifetime=3600)
    api.aihub.clock.advance(3590)
    api.get(TRAININGS)
    api.aihub.clock.advance(11)
    assert api.call("GET", TRAININGS).json()["msg"] == "token is expired"
    api.login()
    api.get(TRAININGS)


def test_the_version_detail_needs_no_token(aihub: Emulator) -> None:
    answer = requests.get(f"{aihub.url}{VERSIONS}-detail", params={"name": "no/V1"}, timeout=5)
    assert (answer.status_code, answer.json()["code"]) == (200, 2)


def test_credentials_are_private_and_random_and_kept(own: Callable[..., Api]) -> None:
    first = own()
    file = first.aihub.home / "credentials.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE((first.aihub.home / "relay-key.pem").stat().st_mode) == 0o600
    password, relay_token = first.aihub.password, first.aihub.relay_token
    certificate = Path(first.aihub.ca_file).read_bytes()
    first.aihub.stop()
    second = own(users={"second": "pw"})
    assert (second.aihub.password, second.aihub.relay_token) == (password, relay_token)
    assert Path(second.aihub.ca_file).read_bytes() == certificate
    assert second.post("/api/v1/auth/login", {"username": "second", "password": "pw"})["id"] == 2
    # A token of the first start still counts.
    second.http.headers["Authorization"] = first.http.headers["Authorization"]
    second.get(TRAININGS)
    with Emulator() as other:
        assert password != other.password


def test_given_users_are_the_only_ones(own: Callable[..., Api]) -> None:
    api = own(users={"ann": "one", "bob": "two"})
    assert (api.aihub.username, api.aihub.password) == ("ann", "one")
    assert api.refused("/api/v1/auth/login", {"username": "admin", "password": "admin"})[0] == 1
    connection = json.loads(api.aihub.connection_json())
    assert connection["login"] == "ann"
    assert connection["conn_type"] == "aihub"
    assert connection["host"] == api.aihub.url
    assert set(connection["extra"]) == {"s3_relay_url", "s3_relay_token", "ca_file"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", f"{RUNS}/1", 405),
        ("GET", RUNS, 405),
        ("PUT", f"{RUNS}/1/stop", 404),
        ("GET", f"{TRAININGS}", 405),
        ("GET", f"{TRAININGS}/1/pods/1/logs/new", 404),
        ("GET", f"{VERSIONS}/1", 404),
        ("POST", "/dataset-mng/api/v1/uploads", 404),
        ("GET", "/tag-resource-management/api/v1/select-projects", 404),
    ],
)
def test_the_documents_aihub_lacks_the_platforms_endpoints(document: Api, method: str, path: str, status: int) -> None:
    answer = document.call(method, path)
    assert answer.status_code == status
    assert "json" not in answer.headers["Content-Type"]


def test_each_service_can_have_a_port_of_its_own(own: Callable[..., Api]) -> None:
    api = own(port_per_service=True)
    addresses = api.aihub.services
    assert len({*addresses.values(), api.aihub.url}) == len(addresses) + 1 > 9
    assert api.http.get(addresses["model_training"] + TRAININGS, timeout=5).json()["code"] == 0
    assert api.http.get(addresses["quota_schedule"] + TRAININGS, timeout=5).status_code == 404
    api.get(TRAININGS)
    assert json.loads(api.aihub.connection_json())["extra"]["tag_system_url"] == addresses["tag_system"]
