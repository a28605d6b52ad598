"""What all tests have: this package's own pytest plugin, and a mark for what not every Airflow can do."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

pytest_plugins = ["airflow_provider_aihub.testing", "pytester"]

AIRFLOW = version("apache-airflow")
MASKERS = (
    "airflow.sdk._shared.secrets_masker.secrets_masker",
    "airflow._shared.secrets_masker.secrets_masker",
    "airflow.sdk.execution_time.secrets_masker",
    "airflow.utils.log.secrets_masker",
)
"""Modules that mask secrets in logs, one or two in each version of Airflow."""

LONGEST = (
    "test_flagship",
    "test_example_dags",
    "test_site",
    "test_python_blocks",
    "test_never_twice",
    "test_dataset_watcher",
    "test_believed_too_soon",
    "test_client_hostile",
    "test_start",
    "test_simulation",
    "test_slow_answers",
)
"""Modules that take long. Where several processes test, they begin with these; then they end at about the same time."""

if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    # Airflow reads its home when it is imported, and two processes must not share one.
    home = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser()
    os.environ["AIRFLOW_HOME"] = str(home / worker)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "airflow(versions, lacks): the test is about what the other versions of Airflow lack"
    )


@pytest.fixture(autouse=True)
def _forget_secrets() -> Iterator[None]:
    """Let Airflow forget what a test has had masked.

    Every emulator has secrets of its own, and with each of them Airflow compiles all that it knows of anew: after
    thousands of tests that would take most of the time.
    """
    yield
    for name in MASKERS:
        masker = vars(sys.modules[name]).get("_secrets_masker") if name in sys.modules else None
        if masker is not None:
            masker().patterns, masker().replacer = set(), None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {module: place for place, module in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(LONGEST)))
    for item in items:
        for mark in item.iter_markers("airflow"):
            (versions,) = mark.args
            if not SpecifierSet(versions).contains(AIRFLOW, prereleases=True):
                item.add_marker(pytest.mark.skip(reason=f"Airflow {AIRFLOW} lacks {mark.kwargs['lacks']}."))
