"""Import of evaluations."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
from plain_http import Api

PATH = "/api/v2/tasks/import_result"
TEXTS = {
    "model_name": "m",
    "model_type": "3",
    "epoch": "12",
    "dataset_name": "gallery",
    "id_dataset_name": "id",
    "gallery_dataset_name": "query",
    "user_id": "1",
}
MODEL = b"\x00\x01" * 300_000
PREDICTIONS = b'{"image": 1, "label": "a"}\n\n{"image": 2, "label": "b"}\n'
FILES = {"model_file": ("model.bin", MODEL), "pred_file": ("pred.jsonl", PREDICTIONS)}


def send(api: Api, texts: dict[str, str], files: dict[str, Any]) -> Any:
    return api.call("POST", PATH, data=texts, files=files).json()


def test_everything_is_kept(api: Api) -> None:
    number = send(api, TEXTS, FILES)["data"]["id"]
    kept = json.loads(api.aihub.get(f"/emulator/evaluations/{number}"))
    assert {name: kept[name] for name in TEXTS} == TEXTS
    assert kept["predictions"] == 2
    assert requests.get(kept["files"]["model_file"]["url"], timeout=5).content == MODEL
    assert requests.get(kept["files"]["pred_file"]["url"], timeout=5).content == PREDICTIONS


@pytest.mark.parametrize(
    ("change", "message"),
    [
        *(({name: None}, f"{name} is required") for name in (*TEXTS, *FILES)),
        ({"model_type": "6"}, "model_type must be one of 3, 4, 5"),
        ({"user_id": "77"}, "user 77 not found"),
        ({"pred_file": ("p", b'{"a": 1}\n{"a": \n')}, "line 2 is no JSON"),
        ({"pred_file": ("p", b"\n")}, "holds no predictions"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_kept(api: Api, change: dict[str, Any], message: str) -> None:
    folder = api.aihub.home / "evaluations"
    before = set(folder.iterdir()) if folder.exists() else set()
    texts = {name: value for name, value in {**TEXTS, **change}.items() if name in TEXTS and value is not None}
    files = {name: value for name, value in {**FILES, **change}.items() if name in FILES and value is not None}
    answer = api.call("POST", PATH, data=texts, files=files or {"other": ("x", b"x")}).json()
    assert answer["code"] != 0
    assert message in answer["msg"]
    assert set(folder.iterdir()) == before


def test_a_body_that_is_no_form_is_refused(api: Api) -> None:
    assert api.refused(PATH, TEXTS) == (1, "the body must be a multipart form")
