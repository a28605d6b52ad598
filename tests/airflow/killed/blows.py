"""Tries of a task in processes of their own, with a proxy before AIHub and its object store that strikes a request."""

from __future__ import annotations

import http.client
import json
import os
import pickle
import re
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from http_servers import Answered, Asked, answering
from task_life import Store, TaskLife

SECRETS = re.compile(rb'"(?:secret_access_key|session_token|access_key_id|token)": ?"([^"]+)"')
IN_STORE = re.compile(r"/aihub[0-9a-f]{8}(/|$)")
"""Paths that begin with the bucket of an emulator."""
EXPIRED = b"<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>"
HOP = ("host", "connection", "expect", "transfer-encoding", "content-length", "keep-alive")
DELAY = 0.5
"""Seconds that AIHub takes for what it does late."""


class Half(bytes):
    """The first half of a body that was said to be whole."""

    def __len__(self) -> int:
        return 2 * super().__len__() + 1


@dataclass
class Between:
    """The proxy. Its blows are those of its methods that take a request alone.

    :param aihub: Address of AIHub; that of its object store is in the credentials that AIHub gives out.
    """

    aihub: str
    url: str = ""
    store: str = ""
    pid: int = 0
    """The process that asks, once it is known."""
    asked: list[str] = field(default_factory=list)
    """Methods and paths."""
    struck: str | None = None
    secrets: set[bytes] = field(default_factory=set)
    _strike: Callable[[Asked], Answered | None] | None = None
    _wanted: Callable[[int, str], bool] = lambda number, what: False
    _lock: Any = field(default_factory=threading.Lock)
    _timers: list[threading.Timer] = field(default_factory=list)

    def begin(self, blow: str = "", wanted: int | str = "") -> None:
        """Let a blow strike the request of a number, or the first one whose method and path match a pattern."""
        self.settle()
        self.asked, self.struck = [], None
        self._strike = getattr(self, blow) if blow else None
        self._wanted = lambda number, what: number == wanted if isinstance(wanted, int) else fnmatchcase(what, wanted)

    def settle(self) -> None:
        """Wait for what AIHub does late."""
        while self._timers:
            self._timers.pop().join()

    def __call__(self, request: Asked) -> Answered | None:
        what = f"{request.method} {request.path}"
        with self._lock:
            number = len(self.asked)
            self.asked.append(what)
            strikes = self._strike is not None and self.struck is None and self._wanted(number, what)
            if strikes:
                self.struck = what
        return self._strike(request) if strikes and self._strike else self._forward(request)

    def _forward(self, request: Asked) -> Answered:
        of_store = bool(IN_STORE.match(request.path))
        parts = urlsplit(self.store if of_store else self.aihub)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        try:
            kept = {name: value for name, value in request.headers.items() if name.lower() not in HOP}
            connection.request(request.method, request.target, request.body, kept)
            response = connection.getresponse()
            body = response.read()
            headers = {name: value for name, value in response.getheaders() if name.lower() not in HOP}
            if request.method == "HEAD":
                headers["Content-Length"] = response.getheader("Content-Length") or "0"
        finally:
            connection.close()
        if not of_store and body.startswith(b"{"):
            body = self._shown(body)
        return Answered(response.status, headers, body)

    def _shown(self, body: bytes) -> bytes:
        """Let what AIHub says lead to this proxy."""
        self.secrets.update(SECRETS.findall(body))
        body = body.replace(self.aihub.encode(), self.url.encode())
        if b'"endpoint"' not in body:
            return body
        said = json.loads(body)
        self.store = f"http://{said['data']['endpoint']}"
        said["data"]["endpoint"] = urlsplit(self.url).netloc
        return json.dumps(said).encode()

    def _later(self, seconds: float, work: Callable[..., Any], *given: Any) -> None:
        self._timers.append(threading.Timer(seconds, work, given))
        self._timers[-1].start()

    def _kill(self) -> None:
        # The process may be quicker than who has begun it.
        while not self.pid:
            time.sleep(0.001)
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    # Blows

    def killed_before(self, request: Asked) -> None:
        """The worker dies before it has sent the request."""
        self._kill()

    def killed_after(self, request: Asked) -> None:
        """The worker dies before it sees the answer."""
        self._forward(request)
        self._kill()

    def killed_and_late(self, request: Asked) -> None:
        """The worker dies, and AIHub works on the request while the next try begins."""
        self._later(DELAY, self._forward, request)
        self._kill()

    def killed_amid(self, request: Asked) -> Answered:
        """The worker dies when it has half of the answer."""
        self._later(0.15, self._kill)
        answer = self.cut(request)
        return replace(answer, headers={name: value for name, value in answer.headers.items() if name != "Connection"})

    def lost(self, request: Asked) -> None:
        """The answer is lost."""
        self._forward(request)

    def late(self, request: Asked) -> None:
        """The connection breaks off, and AIHub takes its time."""
        self._later(DELAY, self._forward, request)

    def reset(self, request: Asked) -> None:
        """The connection breaks off before AIHub has got the request."""

    def busy(self, request: Asked) -> Answered:
        """It is not done now."""
        return Answered(503, {}, b"later")

    def belied(self, request: Asked) -> Answered:
        """It is done, and a gateway says that it was not."""
        self._forward(request)
        return Answered(502, {}, b"no upstream")

    def cut(self, request: Asked) -> Answered:
        """The connection breaks off in the middle of the answer."""
        answer = self._forward(request)
        body = Half(answer.body[: len(answer.body) // 2]) if answer.body else b""
        return replace(answer, body=body, headers={**answer.headers, "Connection": "close"})

    def garbage(self, request: Asked) -> Answered:
        """A gateway answers instead."""
        return Answered(200, {"Content-Type": "text/html"}, b"<html><h1>Something is in between</h1></html>")

    def expired(self, request: Asked) -> Answered:
        """The credentials of the store are not good any more."""
        return Answered(400, {}, EXPIRED) if IN_STORE.match(request.path) else self._forward(request)


BLOWS = ("killed_before", "killed_after", "killed_and_late", "killed_amid", "lost", "late", "reset", "busy", "belied")
BLOWS += ("cut", "garbage", "expired")


@contextmanager
def between(aihub: str) -> Iterator[Between]:
    """Put the proxy before an AIHub."""
    proxy = Between(aihub)
    with answering(proxy) as proxy.url:
        yield proxy
    proxy.settle()


class StoreInFile(Store):
    """Airflow's task state store, which outlives the process of a try."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def get(self, key: str, default: Any = None) -> Any:
        self.values = json.loads(self._path.read_text()) if self._path.exists() else {}
        return super().get(key, default)

    def set(self, key: str, value: Any) -> None:
        super().set(key, value)
        self._path.write_text(json.dumps(self.values))

    def delete(self, key: str) -> None:
        super().delete(key)
        self._path.write_text(json.dumps(self.values))


@dataclass
class Ended:
    """How a try ended: with a result, with an error, or killed."""

    result: Any = None
    error: BaseException | None = None
    killed: bool = False
    log: str = ""


def run_a_try(life: TaskLife, proxy: Between, folder: Path) -> Ended:
    """Run a try in a process of its own.

    :param folder: For what it writes into its log.
    """
    log = folder / "log"
    reading, writing = os.pipe()
    proxy.pid = 0
    with warnings.catch_warnings():
        # Newer Pythons warn of a fork beside threads; those of the servers hold nothing that a try needs.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if not pid:
        _be_the_worker(life, writing, log)
    proxy.pid = pid
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read()
    os.waitpid(pid, 0)
    life.ti.try_number += 1
    ended: Ended = pickle.loads(told) if told else Ended(killed=True)
    return replace(ended, log=log.read_text())


def _be_the_worker(life: TaskLife, writing: int, log: Path) -> None:
    """Run the try and end the process, which is the test's own copy."""
    ended = Ended()
    try:
        for stream in (1, 2):
            os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), stream)
        try:
            ended.result = life.try_once()
        except BaseException as error:
            ended.error = error
        with os.fdopen(writing, "wb") as pipe:
            pickle.dump(ended, pipe)
    finally:
        os._exit(0)
