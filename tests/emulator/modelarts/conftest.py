"""Emulated ModelArts for the tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from arts_http import Arts

from airflow_provider_aihub.emulators.modelarts import Emulator


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Callable[..., Arts]]:
    """Starts emulators for one test, by default all in the same home."""
    started: list[Emulator] = []

    def start(**given: Any) -> Arts:
        emulator = Emulator(**{"home": tmp_path / "home", **given})
        started.append(emulator.start())
        return Arts(emulator)

    yield start
    for emulator in started:
        emulator.stop()


@pytest.fixture
def arts(own: Callable[..., Arts]) -> Arts:
    """One with what it has when told nothing."""
    return own()
