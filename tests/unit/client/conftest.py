from __future__ import annotations

from collections.abc import Iterator

import pytest
from misbehaving import Server, Side, serving


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


@pytest.fixture(params=["blocking", "asynchronous"])
def side(request: pytest.FixtureRequest) -> Side:
    return Side(request.param)
