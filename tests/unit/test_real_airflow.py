"""What is said when the Airflow that demo and tests run does not answer."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from demo import real_airflow
from demo.processes import start
from demo.real_airflow import AirflowError, RealAirflow


@pytest.fixture
def airflow(tmp_path: Path) -> Iterator[RealAirflow]:
    """An Airflow none of whose components was started."""
    airflow = RealAirflow(tmp_path, tmp_path)
    yield airflow
    airflow.stop()


class Pools(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'{"pools": []}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing."""


def test_a_component_that_has_ended_says_why(airflow: RealAirflow) -> None:
    ended = [sys.executable, "-c", "import sys; sys.exit('no memory is left')"]
    airflow.processes["api-server"] = start(ended, airflow.env, airflow.home / "api-server.out")
    airflow.processes["api-server"].wait()
    with pytest.raises(AirflowError, match="api-server of Airflow ended with exit code 1:\nno memory is left"):
        airflow.api("GET", "/pools")


def test_where_nobody_listens_for_long_the_last_words_are_told(
    airflow: RealAirflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(real_airflow, "UNHEARD", 0.0)
    (airflow.home / "api-server.out").write_text("its worker is made anew")
    with pytest.raises(AirflowError, match=r"^GET /pools had no answer: [^\n]*refused[^\n]*\nits worker is made anew$"):
        airflow.api("GET", "/pools")


def test_one_that_listens_again_is_asked_again(airflow: RealAirflow) -> None:
    def serve_one() -> None:
        with HTTPServer(("127.0.0.1", int(airflow.url.rpartition(":")[2])), Pools) as server:
            server.handle_request()

    late = threading.Timer(1.5, serve_one)
    late.start()
    assert airflow.api("GET", "/pools") == {"pools": []}
    late.join()
