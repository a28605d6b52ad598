"""The connection's fields, and what comes of them."""

from __future__ import annotations

import base64
import html
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from airflow_provider_aihub.aihub.config import PRESETS, URL_FIELDS, Config
from airflow_provider_aihub.aihub.errors import AIHubConfigError
from airflow_provider_aihub.aihub.services import Service

TRAINING, QUOTA, RELAY, USER = Service.MODEL_TRAINING, Service.QUOTA_SCHEDULE, Service.S3_RELAY, Service.USER_SYSTEM


def connection(environ: dict[str, str] | None = None, extra: dict[str, Any] | None = None, **fields: Any) -> Config:
    return Config.from_connection(**fields, extra=extra or {}, environ=environ or {})


@pytest.mark.parametrize(
    ("fields", "extra", "addresses"),
    [
        ({"host": "http://10.0.0.1:30021"}, {}, {TRAINING: "http://10.0.0.1:30021", RELAY: "http://10.0.0.1:30021"}),
        ({"host": "https://aihub.example/"}, {}, {TRAINING: "https://aihub.example"}),
        ({"host": "https://gate.example/aihub/"}, {}, {TRAINING: "https://gate.example/aihub"}),
        ({"host": "10.0.0.1", "port": 30021}, {}, {TRAINING: "http://10.0.0.1:30021"}),
        ({"host": " 10.0.0.1:30021 "}, {}, {TRAINING: "http://10.0.0.1:30021"}),
        ({"host": "10.0.0.1", "port": "30021", "schema": "HTTPS"}, {}, {TRAINING: "https://10.0.0.1:30021"}),
        ({"host": "http://10.0.0.1", "port": 30021}, {}, {TRAINING: "http://10.0.0.1:30021"}),
        ({"host": "::1", "port": 8}, {}, {TRAINING: "http://[::1]:8"}),
        ({"host": "[::1]:8"}, {}, {TRAINING: "http://[::1]:8"}),
        ({"host": "aihub"}, {}, {TRAINING: "http://aihub"}),
        ({}, {"environment": "production"}, {TRAINING: "http://192.168.99.63:30071", QUOTA: None}),
        ({}, {"environment": "internal-test"}, {USER: "http://192.168.99.63:31031"}),
        ({}, {"environment": "external-test"}, {USER: "http://192.168.13.160:31822", RELAY: None}),
        ({"host": "10.1.1.1"}, {"environment": "production"}, {TRAINING: "http://10.1.1.1:30071", QUOTA: None}),
        ({"host": "10.1.1.1", "schema": "https"}, {"environment": "production"}, {USER: "https://10.1.1.1:30031"}),
        ({"host": "10.1.1.1", "port": 5}, {"environment": "production"}, {TRAINING: "http://10.1.1.1:5"}),
        ({"host": "https://10.1.1.1/"}, {"environment": "production"}, {USER: "https://10.1.1.1:30031", QUOTA: None}),
        ({"host": "http://10.1.1.1:80"}, {"environment": "production"}, {TRAINING: "http://10.1.1.1:80"}),
        ({"host": "http://10.1.1.1/ai"}, {"environment": "production"}, {TRAINING: "http://10.1.1.1/ai"}),
        (
            {"host": "http://10.1.1.1:5"},
            {"environment": "production", "s3_relay_url": "https://relay:6/", "user_system_url": None},
            {TRAINING: "http://10.1.1.1:5", RELAY: "https://relay:6", USER: "http://10.1.1.1:5"},
        ),
        ({}, {"quota_schedule_url": "http://q:1"}, {QUOTA: "http://q:1", TRAINING: None}),
        ({"host": "", "port": None, "schema": ""}, {"environment": ""}, {TRAINING: None}),
    ],
)
def test_addresses(fields: dict[str, Any], extra: dict[str, Any], addresses: dict[Service, str | None]) -> None:
    config = connection(extra=extra, **fields)
    assert {service: config.addresses.get(service) for service in addresses} == addresses


def test_presets_are_the_document_s_table() -> None:
    ports = {name: [int(url.rpartition(":")[2]) for url in addresses.values()] for name, addresses in PRESETS.items()}
    assert list(PRESETS["production"]) == [
        Service.USER_SYSTEM,
        Service.DATA_WAREHOUSE,
        Service.DATASET_MANAGEMENT,
        Service.WORKFLOW_CENTER,
        Service.MODEL_TRAINING,
        Service.TAG_SYSTEM,
    ]
    assert ports == {
        "external-test": [31822, 30020, 30061, 32538, 30071, 31043],
        "internal-test": [31031, 31020, 31061, 32023, 31032, 31043],
        "production": [30031, 30020, 30061, 32731, 30071, 30043],
    }


@pytest.mark.parametrize("service", list(Service))
def test_a_missing_address_names_its_field(service: Service) -> None:
    with pytest.raises(AIHubConfigError, match=f"where AIHub's {service} is; fill in '{service}_url'"):
        connection().address(service)
    assert connection(extra={URL_FIELDS[service]: "http://x:1"}).address(service) == "http://x:1"


@pytest.mark.parametrize(
    ("fields", "extra", "words"),
    [
        ({"host": "h", "port": "http"}, {}, ["'port'", "'http'", "1 to 65535"]),
        ({"host": "h", "port": 70000}, {}, ["'port'", "1 to 65535"]),
        ({"host": "h", "port": -1}, {}, ["'port'"]),
        ({"host": "h", "schema": "ftp"}, {}, ["'schema'", "'http' or 'https'"]),
        ({"host": "ftp://h"}, {}, ["'host'", "http://10.0.0.1:30021"]),
        ({"host": "http://h:1", "port": 2}, {}, ["'host'", "port 1", "'port' is 2"]),
        ({"host": "http://h", "schema": "https"}, {}, ["'host'", "'schema'"]),
        ({"host": "http://"}, {}, ["'host'"]),
        ({"host": "two words"}, {}, ["'host'"]),
        ({"host": "http://h:99999"}, {}, ["'host'"]),
        ({"host": "http://" + "a" * 64}, {}, ["'host'"]),
        ({"host": "http://[::1"}, {}, ["'host'"]),
        ({"host": "http://bob:hush@h"}, {}, ["'host'", "their own fields"]),
        ({"host": "http://h?token=hush"}, {}, ["'host'"]),
        ({}, {"environment": "prod"}, ["'environment'", "'prod'", "'production', 'internal-test', 'external-test'"]),
        ({}, {"environment": 3}, ["'environment'", "text"]),
        ({}, {"s3_relay_url": "relay:6"}, ["'s3_relay_url'", "URL"]),
        ({}, {"web_url": "aihub.example"}, ["'web_url'", "URL"]),
        ({}, {"verify_tls": "maybe"}, ["'verify_tls'", "true or false"]),
        ({}, {"timeout": "long"}, ["'timeout'", "seconds"]),
        ({}, {"timeout": 0}, ["'timeout'", "above 0"]),
        ({}, {"timeout": "nan"}, ["'timeout'", "above 0"]),
        ({}, {"timeout": [1]}, ["'timeout'"]),
        ({}, {"ca_file": "/no/such/ca.pem"}, ["'ca_file'", "/no/such/ca.pem", "No such file"]),
        ({}, {"ca_file": __file__}, ["'ca_file'", "no certificates"]),
        ({}, {"token": "hush\nhush"}, ["'token'"]),
        ({}, {"s3_relay_token": "hush\u20ac"}, ["'s3_relay_token'"]),
    ],
)
def test_wrong_values_name_their_field(fields: dict[str, Any], extra: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(AIHubConfigError) as caught:
        connection(extra=extra, **fields)
    for word in words:
        assert word in str(caught.value)
    assert "hush" not in str(caught.value)
    assert str(caught.value).count(". ") == 0
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [(True, True), (False, False), ("False", False), ("1", True), ("off", False), (None, True), ("", True), (0, False)],
)
def test_verify_tls_may_be_text(value: object, expected: bool) -> None:
    assert connection(extra={"verify_tls": value}).verify is expected


def test_token_precedence() -> None:
    environ, extra = {"AI_HUB_TOKEN": " from-environ "}, {"token": "from-extra"}
    assert connection(environ).token == "from-environ"
    assert connection(environ, extra).token == "from-extra"
    assert connection(environ, extra, login="bob", password="p").can_log_in
    assert not connection(environ, extra, login="bob").can_log_in


def test_the_rest() -> None:
    config = connection(
        login="bob", password=" p ", extra={"timeout": "2.5", "web_url": "https://a.b/c/", "s3_relay_token": "t"}
    )
    assert (config.username, config.password, config.timeout) == ("bob", " p ", 2.5)
    assert (config.web_url, config.relay_token, config.ca_file) == ("https://a.b/c", "t", None)
    assert connection().timeout == 30


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://a:80/x?y", True),
        ("HTTP://A/x", True),
        ("https://a/x", False),
        ("http://a:81/x", False),
        ("http://a.evil/x", False),
        ("http://evil/@a", False),
        ("http://a@evil/", False),
        ("https://relay/x", False),
    ],
)
def test_where_the_token_may_go(url: str, expected: bool) -> None:
    config = connection(host="http://a", extra={"s3_relay_url": "https://relay"})
    assert config.takes_token(url) is expected


def test_client_and_api_import_no_airflow() -> None:
    import subprocess
    import sys

    code = (
        "import sys, airflow_provider_aihub.aihub.client\n"
        "heavy = {'airflow', 'requests', 'aiohttp', 'requests_toolbelt'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def writings(secret: str) -> dict[str, str]:
    """What a server may make of a secret that it repeats."""
    go = json.dumps(secret)
    for char in "&<>":
        go = go.replace(char, f"\\u{ord(char):04x}")
    quoted = quote(secret, safe="")
    return {
        "as it is": secret,
        "JSON": json.dumps(secret),
        "JSON in JSON": json.dumps(json.dumps(secret)),
        "JSON in UTF-8": json.dumps(secret, ensure_ascii=False),
        "JSON of Go": go,
        "JSON in capitals": re.sub(r"\\u....", lambda found: "\\u" + found[0][2:].upper(), go),
        "JSON of PHP": json.dumps(secret).replace("/", "\\/"),
        "a URL": quoted,
        "a path": quote(secret),
        "lower case": re.sub(r"%..", lambda found: found[0].lower(), quoted),
        "a form": quote_plus(secret),
        "a URL in a URL": quote(quoted, safe=""),
        "HTML": html.escape(secret),
        "HTML, apostrophes bare": html.escape(secret, quote=False),
        "HTML in HTML": html.escape(html.escape(secret)),
        "numbers of HTML": "".join(f"&#{ord(char)};" if not char.isalnum() else char for char in secret),
        "hex of HTML": "".join(f"&#x{ord(char):X};" if not char.isalnum() else char for char in secret),
        "Base64": base64.b64encode(secret.encode()).decode(),
        "Base64 for URLs": base64.urlsafe_b64encode(secret.encode()).decode().rstrip("="),
        "Basic": "Basic " + base64.b64encode(f"bob:{secret}".encode()).decode(),
    }


SECRETS = ["hush&hush", "a<b>\"c' d+e", "密码\t€/\\😀%", "\\\\x\\", "~._-Az09", "&amp;%25\\u0026", "?>?>?>~~~"]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("how", list(writings("x")))
def test_a_secret_is_known_however_it_is_written(secret: str, how: str) -> None:
    config = connection(login="bob", password=secret)
    text = config.redact(f"before {writings(secret)[how]} after")
    assert re.fullmatch(r'before (Basic )?[\\"]*\*\*\*[\\"]* after', text)


@pytest.mark.parametrize("secret", [*(char * 24 for char in '&\\%+ "<'), "\\x" * 20, "&amp;" * 10])
def test_to_look_for_a_secret_takes_time_in_proportion(secret: str) -> None:
    config = connection(login="bob", password=secret + "!")
    for piece in {*writings(secret).values(), *"&\\%+<", "&amp;", "%25", "\\u0026"}:
        text = piece * (40_000 // len(piece))
        assert config.redact(text) == text
