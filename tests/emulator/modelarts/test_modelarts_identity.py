"""Who may speak to the emulator: signatures, tokens, projects; and who is kept out."""

from __future__ import annotations

import datetime
import hashlib
import stat
from collections.abc import Callable
from typing import Any

import pytest
import requests
from arts_http import Arts, job, login_body

from airflow_provider_aihub.emulators import guard
from airflow_provider_aihub.emulators.modelarts import Emulator, signature

P = "0123456789abcdef0123456789abcdef"
AK, SK = "AKEXAMPLE0000000TEST", "SKexample/0000000000000000000000000TEST+"
HEADERS = {
    "content-type": "application/json",
    "host": "127.0.0.1:8123",
    "x-project-id": P,
    "x-sdk-date": "20240102T030405Z",
}


@pytest.mark.parametrize(
    ("method", "target", "body", "digest", "signed"),
    [
        (
            "POST",
            f"/v2/{P}/training-jobs/2cd88daa-31a4-40a8-a58f-d186b0e93e4f/actions",
            b'{"action_type":"terminate"}',
            "4f183e87b73622528304c776d90f0d1af7b2c15a35cc183089b63777efa3af30",
            "1fa4aac36a2b4ac4e03d3969941e7426e0bf67918bf8aa51a7ca76a93da5719a",
        ),
        (
            "GET",
            f"/v2/{P}/workflows/w%201/executions?sort_by=create_time&limit=10&labels=a%20b%2C~c%2Fd",
            b"",
            "ee2d637187fce02ceb359fc31bceed14189baabdfcc87dc769602c542d644cf2",
            "ce89233287554e9f96c31106fa040a823a9c451b33d8aabe77222dbe54c7f2d9",
        ),
    ],
)
def test_the_known_signatures(method: str, target: str, body: bytes, digest: str, signed: str) -> None:
    text = signature.canonical(method, target, HEADERS, HEADERS, body)
    assert hashlib.sha256(text.encode()).hexdigest() == digest
    assert signature.sign(text, HEADERS["x-sdk-date"], SK) == signed


def signed_get(emulator: Emulator, path: str, **change: Any) -> requests.Response:
    """A signed request; ``change`` is what is not as it should be."""
    when = datetime.datetime.now(datetime.UTC) + change.get("late", datetime.timedelta())
    headers = {
        "Host": emulator.url.removeprefix("http://"),
        "X-Sdk-Date": change.get("date", when.strftime("%Y%m%dT%H%M%SZ")),
        "X-Project-Id": emulator.project_id,
    }
    low = {name.lower(): value for name, value in headers.items()}
    names = change.get("names", sorted(low))
    text = signature.canonical("GET", path, low, names, b"")
    proof = signature.sign(text, headers["X-Sdk-Date"], change.get("secret_key", emulator.secret_key))
    access_key = change.get("access_key", emulator.access_key)
    form = "SDK-HMAC-SHA256 Access={}, SignedHeaders={}, Signature={}"
    headers["Authorization"] = form.format(access_key, ";".join(names), proof)
    sent = change.get("sent", path)
    return requests.get(emulator.url + sent, headers=headers, timeout=10)


def test_a_signature_is_checked(arts: Arts) -> None:
    emulator = arts.emulator
    path = f"/v1/{emulator.project_id}/workspaces?name=a%20b&limit=5"
    assert signed_get(emulator, path).status_code == 200
    minutes = datetime.timedelta(minutes=1)
    for change in (
        {"secret_key": "other"},
        {"access_key": "other"},
        {"sent": path.replace("limit=5", "limit=6")},
        {"late": 16 * minutes},
        {"late": -16 * minutes},
        {"names": ["host", "x-project-id"]},
        {"date": "yesterday"},
    ):
        answer = signed_get(emulator, path, **change)
        assert (answer.status_code, answer.json()["error_code"]) == (401, "APIGW.0301"), change
    assert signed_get(emulator, path, late=14 * minutes).status_code == 200
    assert requests.get(emulator.url + path, timeout=10).status_code == 401
    other = f"/v1/{'f' * 32}/workspaces"
    answer = signed_get(emulator, other)
    assert (answer.status_code, answer.json()["error_code"]) == (404, "ModelArts.2786")


def test_lenient_takes_any_signature_and_any_token(own: Callable[..., Arts]) -> None:
    emulator = own(signatures="lenient").emulator
    path = f"/v1/{emulator.project_id}/workspaces"
    assert signed_get(emulator, path, secret_key="other", access_key="who").status_code == 200
    assert requests.get(emulator.url + path, headers={"X-Auth-Token": "any"}, timeout=10).status_code == 200
    assert requests.get(emulator.url + path, timeout=10).status_code == 401


def test_a_lenient_one_takes_large_bodies_too(own: Callable[..., Arts]) -> None:
    emulator = own(signatures="lenient").emulator
    url = f"{emulator.url}/v2/{emulator.project_id}/training-job-searches"
    large = b" " * (64 << 10) + b"{}"
    assert requests.post(url, data=large, headers={"X-Auth-Token": "any"}, timeout=10).status_code == 200


def test_a_token_lives_a_day_and_can_be_revoked(arts: Arts) -> None:
    emulator = arts.emulator
    answer = requests.post(f"{emulator.url}/v3/auth/tokens?nocatalog=true", json=login_body(emulator), timeout=10)
    assert answer.status_code == 201
    token = answer.json()["token"]
    end = datetime.datetime.strptime(token["expires_at"], "%Y-%m-%dT%H:%M:%S.%f%z").timestamp()
    assert end == pytest.approx(emulator.clock.now() + 86400, abs=60)
    assert token["project"]["id"] == emulator.project_id
    assert "catalog" not in token
    arts.get("workspaces", "v1")
    emulator.clock.advance(86400)
    assert arts.refused("GET", "workspaces", "v1") == (401, "APIGW.0301")
    arts.login()
    arts.get("workspaces", "v1")
    emulator.faults.add("revoke", count=1)
    for _ in range(2):
        assert arts.refused("GET", "workspaces", "v1") == (401, "APIGW.0301")


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"password": "wrong"}, 401),
        ({"name": "nobody"}, 401),
        ({"domain": {"name": "other"}}, 401),
        ({"name": None}, 400),
    ],
)
def test_iam_refuses_in_its_own_form(arts: Arts, change: dict[str, Any], status: int) -> None:
    body = login_body(arts.emulator, **change)
    answer = requests.post(f"{arts.emulator.url}/v3/auth/tokens", json=body, timeout=10)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["code"] == status
    assert error["message"]
    assert error["title"]
    assert "X-Subject-Token" not in answer.headers


def test_the_project_is_found_by_its_name(arts: Arts) -> None:
    emulator = arts.emulator
    (project,) = signed_get(emulator, f"/v3/projects?name={emulator.region}").json()["projects"]
    assert (project["id"], project["name"]) == (emulator.project_id, emulator.region)
    assert signed_get(emulator, "/v3/projects?name=elsewhere").json()["projects"] == []
    assert "error" in requests.get(f"{emulator.url}/v3/projects", timeout=10).json()


def test_who_guesses_passwords_is_slowed_down(arts: Arts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "PAUSE", 3600.0)
    url = f"{arts.emulator.url}/v3/auth/tokens"
    wrong = login_body(arts.emulator, password="wrong")
    found = [requests.post(url, json=wrong, timeout=10).status_code for _ in range(guard.FREE_GUESSES + 2)]
    assert found == [401] * guard.FREE_GUESSES + [429] * 2
    assert requests.post(url, json=login_body(arts.emulator), timeout=10).status_code == 429


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "http://evil.example"}])
def test_no_page_of_another_site_can_do_anything(arts: Arts, headers: dict[str, str]) -> None:
    for path in ("training-jobs", "nothing"):
        assert arts.call("POST", path, json=job(), headers=headers).status_code == 403
    assert requests.post(f"{arts.emulator.url}/v3/auth/tokens", headers=headers, timeout=10).status_code == 403
    assert arts.ask("POST", "training-job-searches", json={})["total"] == 0


def test_the_gateway_knows_no_such_api(arts: Arts) -> None:
    for method, path in (("GET", "nothing"), ("PUT", "training-jobs"), ("POST", "")):
        answer = arts.call(method, path)
        assert answer.status_code == 404
        assert answer.json()["error_code"] == "APIGW.0101"
        assert answer.json()["request_id"]
    assert requests.get(f"{arts.emulator.url}/", timeout=10).json()["error_code"] == "APIGW.0101"


def test_a_rate_is_kept_to(own: Callable[..., Arts]) -> None:
    arts = own(rate=20)
    answers = [arts.call("GET", "workspaces", "v1") for _ in range(60)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) >= 20
    assert refused[0].json()["error_code"] == "APIGW.0308"
    assert "limit:20,time:1 second" in refused[0].json()["error_msg"]


def test_a_body_has_its_bounds(arts: Arts) -> None:
    large = b" " * (64 << 10) + b"{}"
    assert arts.call("POST", "training-job-searches", data=large).status_code == 200
    answer = requests.post(
        f"{arts.emulator.url}/v2/{arts.emulator.project_id}/training-job-searches", data=large, timeout=10
    )
    assert answer.status_code == 413


def test_what_is_secret_is_nobody_elses(arts: Arts) -> None:
    home = arts.emulator.home
    assert stat.S_IMODE((home / "credentials.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((home / "modelarts.sqlite").stat().st_mode) == 0o600
    assert stat.S_IMODE((home / "obs").stat().st_mode) == 0o700
    assert arts.emulator.secret_key not in repr(arts.emulator.settings)


def test_faults_strike(arts: Arts) -> None:
    path = "training-job-searches"
    arts.emulator.faults.add("status", status=429, code="ModelArts.2799", msg="slowly", retry_after=3, count=1)
    answer = arts.call("POST", path, json={})
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "3")
    assert answer.json() == {"error_msg": "slowly", "error_code": "ModelArts.2799"}
    arts.emulator.faults.add("status", status=200, code="ModelArts.2780", count=1)
    answer = arts.call("POST", path, json={})
    assert (answer.status_code, answer.json()["error_code"]) == (200, "ModelArts.2780")
    lost = arts.emulator.faults.add("lost", method="POST", path="*/training-jobs", count=1)
    with pytest.raises(requests.ConnectionError):
        arts.call("POST", "training-jobs", json=job(name="lost"))
    assert lost.struck == 1
    found = arts.ask("POST", path, json={"filters": [{"key": "name", "operator": "in", "value": ["lost"]}]})
    assert found["count"] == 1
    arts.emulator.faults.add("garbage", count=1)
    assert arts.call("POST", path, json={}).text.startswith("<html>")
    assert arts.emulator.requests.count("POST", f"*/{path}", status=200) == 3
