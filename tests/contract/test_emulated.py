"""Each call against a running AIHub, with ids of things that are there."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cases import CASES, Case
from world import World


@pytest.mark.parametrize("case", CASES, ids=str)
def test_on_the_platform(case: Case, platform: World) -> None:
    # The platform has the document's way of reading a run, but the better one is used.
    check(case, platform, method="GET" if case.id == "get_workflow_run-post" else case.method)


@pytest.mark.parametrize("case", [case for case in CASES if case.source == "D"], ids=str)
def test_on_what_the_document_has(case: Case, document: World) -> None:
    check(case, document, method=case.method)


def check(case: Case, world: World, method: str) -> None:
    """Call, and compare the answer's fields with those of the case's example."""
    asked = world.aihub.requests.counts
    endpoint = f"{method} {case.route}"
    before = asked[endpoint]
    result = getattr(world.client, case.call)(*case.real(world))
    assert asked[endpoint] == before + 1
    heard = json.loads(world.client.heard)
    assert heard["code"] == 0
    # A success may have no message.
    assert set(heard) | {"msg"} == set(case.answer) | {"msg"}
    if "data" in heard:
        check_fields(case.answer["data"], heard["data"], case.id)
    if case.list_key:
        assert heard["data"][case.list_key]
        assert len(getattr(result, "data", result)) == len(heard["data"][case.list_key])
    if {"id", "status"} <= set(case.vital):
        assert (result.id, result.status) == (heard["data"]["id"], heard["data"]["status"])


def check_fields(documented: Any, got: Any, where: str) -> None:
    """Whatever the example has must be there, and be of the same kind where both say something."""
    if documented is None or got is None:
        return
    assert kind(got) == kind(documented), where
    if isinstance(documented, dict):
        assert set(documented) - set(got) == set(), where
        for name, value in documented.items():
            check_fields(value, got[name], f"{where}.{name}")
    elif isinstance(documented, list) and documented:
        assert got, f"{where} is empty, so nothing can be said of what it would hold"
        for index, item in enumerate(got):
            check_fields(documented[0], item, f"{where}[{index}]")


def kind(value: Any) -> str:
    """What a value is called in JSON."""
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else type(value).__name__
