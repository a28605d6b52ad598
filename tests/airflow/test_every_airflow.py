"""What holds on every Airflow: no module fails to be imported."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import pytest

import airflow_provider_aihub

NEWER_ONLY = {
    "airflow_provider_aihub.watcher.acknowledgements": pytest.mark.airflow(
        ">=3.3", lacks="streams that triggers share"
    ),
}
"""Modules that others import only where Airflow has what they are made of."""
MODULES = sorted(
    module.name for module in pkgutil.walk_packages(airflow_provider_aihub.__path__, "airflow_provider_aihub.")
)


@pytest.mark.parametrize("name", [pytest.param(name, marks=NEWER_ONLY.get(name, ())) for name in MODULES])
def test_a_module_can_be_imported(name: str) -> None:
    assert import_module(name).__name__ == name
