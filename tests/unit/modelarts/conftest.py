"""A server that does what a script says, both clients of ModelArts, and what the document's examples show."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "http"))

from misbehaving import Server, serving


@pytest.fixture(scope="session")
def running_server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def server(running_server: Server) -> Server:
    running_server.forget()
    return running_server
