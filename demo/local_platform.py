"""An emulated platform as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

import requests

from demo.processes import end, last_output, start


class LocalPlatform(ABC):
    """Runs an emulator in a folder.

    :param home: Folder for all that it keeps.
    """

    name: ClassVar[str]
    """What people call the platform."""
    module: ClassVar[str]
    """The emulator's, which is a program."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.address: dict[str, Any] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._http = requests.Session()
        self._http.trust_env = False

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def prepare(self) -> Sequence[str]:
        """Write what it needs into the home, and return further arguments of the program."""
        return ()

    @abstractmethod
    def log_in(self) -> None:
        """Let :attr:`_http` be a user from here on."""

    @abstractmethod
    def job_status(self, operator: str, job_id: Any) -> tuple[str, str] | None:
        """Return what the job of an operator is called and how it is, e.g. ``("training 7", "running")``.

        :return: ``None`` where the operator has no job here.
        """

    def start(self, timeout: float = 600) -> None:
        """Start the emulator, and wait until it says that it is ready.

        :param timeout: Seconds to wait for it.
        :raises RuntimeError: if it ends or is not ready in time.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        ready, output = self.home / "ready.json", self.home / "emulator.out"
        command = [sys.executable, "-m", self.module, "--port", "0", "--ready-file", str(ready)]
        command += ["--home", str(self.home / self.name.lower()), *self.prepare()]
        # Jobs run with the Python of this environment, as on a node whose image has what they need.
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
        self._process = start(command, {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1"}, output)
        deadline = time.monotonic() + timeout
        while not ready.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"The {self.name} emulator did not start:\n{last_output(output)}")
            time.sleep(0.1)
        self.address = json.loads(ready.read_text())
        self.log_in()

    def stop(self) -> None:
        """End the emulator and the jobs that it runs."""
        if self._process is not None:
            end([self._process])
            self._process = None

    @property
    def url(self) -> str:
        """Its base URL."""
        return str(self.address["url"])

    @property
    def connection(self) -> str:
        """The Airflow connection that leads to it, as JSON."""
        connection = self.address["connection"]
        return connection if isinstance(connection, str) else json.dumps(connection)

    def get(self, path: str, **query: Any) -> Any:
        """Return what a GET is answered with."""
        answer = self._http.get(self.url + path, params=query, timeout=10)
        answer.raise_for_status()
        return answer.json()
