"""The http package names no platform. Whom it imports is for ``make lint``."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from airflow_provider_aihub import http

MODULES = sorted(Path(http.__file__).parent.glob("*.py"))
OWN_NAME = re.compile("airflow[_-]provider[_-]aihub")


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.stem)
def test_a_module_names_no_platform(module: Path) -> None:
    text = OWN_NAME.sub("", module.read_text())
    assert re.findall(r"(?i).*(?:aihub|huawei|modelarts).*", text) == []
