"""The code that the README shows does what it says."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"


def test_the_dag_of_the_readme_is_one() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    if "airflow.sdk" not in sys.modules:
        pytest.importorskip("airflow.sdk", reason="Airflow 2 has its DAG class elsewhere")
    names: dict[str, object] = {}
    exec(compile(code, str(README), "exec"), names)
    search, train = names["search"], names["train"]
    assert search.downstream_task_ids == {"train"}  # type: ignore[attr-defined]
    assert train.deferrable  # type: ignore[attr-defined]


def test_every_file_that_the_readme_names_is_there() -> None:
    links = re.findall(r"\]\(([^)h][^)]*)\)", README.read_text())
    assert len(links) >= 2
    for link in links:
        assert (README.parent / link).exists(), link
