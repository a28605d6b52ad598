"""A Redis of the tests' own, through which schedulers hand tasks to Celery's workers."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from kombu import Connection
from redis import Redis
from redis.exceptions import ConnectionError
from waiting import until

from demo.processes import end, start
from demo.real_airflow import free_port


class Broker:
    """A server on 127.0.0.1 that forgets everything at its end."""

    def __init__(self) -> None:
        self._program = program()
        self._home = Path(tempfile.mkdtemp(prefix="aihub-redis-"))
        self._port = free_port()
        self._server: subprocess.Popen[bytes] | None = None
        self.client = Redis(port=self._port)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()
        shutil.rmtree(self._home)

    @property
    def url(self) -> str:
        """Its database."""
        return f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        """Start the server; on return it answers."""
        options = ("--port", str(self._port), "--bind", "127.0.0.1", "--dir", str(self._home), "--save", "")
        self._server = start([self._program, *options], {}, self._home / "log")
        until("Redis answers", self._answers)

    def stop(self) -> None:
        """End the server, and forget all that it kept."""
        if self._server:
            end([self._server])
            self._server = None

    def deliver_again(self) -> None:
        """Give what workers are at work on to other workers, as they do after the ``visibility_timeout``."""
        with Connection(self.url, transport_options={"visibility_timeout": 0}) as connection:
            connection.default_channel.qos.restore_visible()

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except ConnectionError:
            return False


def program() -> str:
    """Return the path of Redis' server.

    :raises RuntimeError: There is none.
    """
    found = shutil.which("redis-server")
    if found is None:
        raise RuntimeError("Celery's tests need the server of Redis, on Debian the package 'redis-server'.")
    return found
