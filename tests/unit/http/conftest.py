from __future__ import annotations

from collections.abc import Iterator

import pytest
from misbehaving import Server, Side, serving


@pytest.fixture(scope="session")
def running_server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def server(running_server: Server) -> Server:
    running_server.forget()
    return running_server


@pytest.fixture(params=["blocking", "asynchronous"])
def side(request: pytest.FixtureRequest) -> Side:
    return Side(request.param)
