"""The page about reliability names tests and errors that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))


@pytest.mark.parametrize(("file", "name"), NAMED, ids=[name for _, name in NAMED])
def test_a_test_that_is_named_exists(file: str, name: str) -> None:
    module = ast.parse((ROOT / file).read_text())
    assert name in {node.name for node in module.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_promise_names_its_test() -> None:
    promised = PAGE.partition("## The simulation")[0]
    rows = [row for row in promised.splitlines() if row.startswith("| ") and "proved by" not in row]
    promises = [row for row in rows if not row.startswith("| `AIHub") and not row.startswith("| type")]
    assert len(NAMED) > 20
    assert all("::" in row for row in promises), [row for row in promises if "::" not in row]


def test_every_kind_of_error_is_on_the_page() -> None:
    from airflow_provider_aihub.aihub import errors

    kinds = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.AIHubError)}
    raised = {kind.__name__ for kind in kinds - {errors.AIHubError, errors.AIHubRequestError, errors.AIHubJobError}}
    assert {name for name in raised if f"`{name}`" not in PAGE} == set()


def test_every_class_that_the_simulation_counts_apart_is_on_the_page() -> None:
    simulated = ast.parse((ROOT / "tests" / "simulation" / "histories.py").read_text())
    (classes,) = (
        ast.literal_eval(node.value)
        for node in simulated.body
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and node.target.id == "EXCUSES"
        and node.value
    )
    assert len(classes) > 5
    assert [name for name in classes if f"- {name}" not in PAGE] == []
