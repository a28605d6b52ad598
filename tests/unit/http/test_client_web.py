"""Where a connection says that AIHub has its pages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_aihub.aihub.config import Config
from airflow_provider_aihub.aihub.errors import AIHubConfigError
from airflow_provider_aihub.aihub.kinds import KINDS
from airflow_provider_aihub.aihub.web import PAGES

BASE = "http://10.0.0.1:30021"


def connection(host: str | None = BASE, **extra: Any) -> Config:
    return Config.from_connection(host=host, extra=extra, environ={})


def test_every_kind_of_job_has_a_page() -> None:
    assert set(PAGES) == {*(kind.page_kind for kind in KINDS.values()), "dataset", "eval_report"}
    config = connection()
    for kind in PAGES:
        page = config.page(kind, 12)
        assert page is not None
        assert page.startswith(f"{BASE}/#/")
        assert page.endswith("/12")


@pytest.mark.parametrize(
    ("host", "extra", "page"),
    [
        (BASE, {}, f"{BASE}/#/trainings/12"),
        ("https://gate.example/aihub/", {}, "https://gate.example/aihub/#/trainings/12"),
        (BASE, {"web_url": "https://aihub.example/ui/"}, "https://aihub.example/ui/#/trainings/12"),
        (None, {"web_url": "https://aihub.example"}, "https://aihub.example/#/trainings/12"),
        (BASE, {"link_templates": {"training": "/train?id={id}&tab={id}"}}, f"{BASE}/train?id=12&tab=12"),
        (BASE, {"link_templates": {"training": "/trainings"}}, f"{BASE}/trainings"),
        (BASE, {"link_templates": {"search": "/s/{id}"}}, f"{BASE}/#/trainings/12"),
        (BASE, {"link_templates": {"training": None, "search": ""}}, f"{BASE}/#/trainings/12"),
        (BASE, {"link_templates": '{"training": "/t/{id}"}'}, f"{BASE}/t/12"),
        (None, {"link_templates": {"training": "https://train.example/{id}"}}, "https://train.example/12"),
        # Nothing says where the web UI is.
        (None, {}, None),
        (None, {"environment": "production"}, None),
        ("10.0.0.1", {"environment": "production"}, None),
        (None, {"model_training_url": BASE}, None),
        (None, {"link_templates": {"training": "/t/{id}"}}, None),
    ],
)
def test_the_page_of_a_training(host: str | None, extra: dict[str, Any], page: str | None) -> None:
    assert connection(host, **extra).page("training", 12) == page


@pytest.mark.parametrize("nothing", [None, "", {}, [], "{}", "null", " "])
def test_an_empty_field_says_nothing(nothing: Any) -> None:
    assert connection(link_templates=nothing).pages == dict(PAGES)


def test_a_name_is_quoted() -> None:
    assert connection().page("dataset_version", "m n/V1?#") == f"{BASE}/#/dataset-versions/m%20n%2FV1%3F%23"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("/#/{id}", ["JSON object"]),
        (["training"], ["JSON object"]),
        (3, ["JSON object"]),
        ({"trainings": "/t/{id}"}, ["'trainings'", "'training', 'quota_task', 'search'"]),
        ({"training": "/t/{ID}"}, ["'training'", "{id}"]),
        ({"training": "/t/{id"}, ["'training'", "{id}"]),
        ({"training": "/t/{id!r}"}, ["'training'", "{id}"]),
        ({"training": "/t/{{id}}"}, ["'training'", "{id}"]),
        ({"training": "t/{id}"}, ["'training'", "begins with /"]),
        ({"training": "/a b/{id}"}, ["'training'", "spaces"]),
        ({"training": "javascript:alert({id})"}, ["'training'", "URL"]),
        ({"training": "https://bob:hush@h/{id}"}, ["'training'", "credentials"]),
        ({"training": "https://[h/{id}"}, ["'training'"]),
        ({"training": "https:///{id}"}, ["'training'"]),
        ({"training": 12}, ["'training'"]),
        ({"training": {"path": "/t/{id}"}}, ["'training'"]),
    ],
)
@pytest.mark.parametrize("as_text", [False, True])
def test_mistakes_name_the_field(given: Any, words: list[str], as_text: bool) -> None:
    with pytest.raises(AIHubConfigError) as caught:
        connection(link_templates=json.dumps(given) if as_text else given)
    for word in ["'link_templates'", *words]:
        assert word in str(caught.value)
    assert "hush" not in str(caught.value)
    assert caught.value.__context__ is None
