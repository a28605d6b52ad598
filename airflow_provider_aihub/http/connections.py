"""Connections of the blocking client: ``requests`` with stricter limits. Import it within functions: it is slow."""

from __future__ import annotations

import http.client
import io
import logging
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from requests.cookies import RequestsCookieJar
from requests.structures import CaseInsensitiveDict
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from airflow_provider_aihub.http.protocol import TooSlowError
from airflow_provider_aihub.http.receiving import STEP

MOST_INTERIM: Final = 8
"""How many interim answers (HTTP 1xx) may come before the final one."""

_quiet: ContextVar[bool] = ContextVar("quiet", default=False)

for _name in ("connection", "connectionpool", "response", "util.retry"):
    # urllib3 logs whole addresses, signatures included, and what a server has sent.
    logging.getLogger(f"urllib3.{_name}").addFilter(lambda _: not _quiet.get())


class Session(requests.Session):
    """A session that follows no redirect, keeps no cookie and lets nothing of an address into a log."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False
        self.cookies = _NoCookies()
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter())

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Say that there is none: ``requests`` would read the body of a redirect, however long, to prepare for it."""

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send a request in silence."""
        with _silence():
            return super().send(request, **kwargs)


def prepared(method: str, url: str, headers: Mapping[str, str], data: Any) -> requests.PreparedRequest:
    """Return a request with exactly this URL: ``requests`` would quote it in its own way."""
    request = requests.PreparedRequest()
    request.method, request.url = method, url
    request.headers = CaseInsensitiveDict(headers)
    request.prepare_body(data, None)
    return request


def start_body_timer(response: requests.Response, *, patient: bool) -> None:
    """Start the time limit of a body.

    :param patient: Whether the limit is for each :data:`~.receiving.STEP` of the body, and not for all of it.
    """
    original = getattr(response.raw, "_original_response", None)
    if isinstance(original, _Response):
        original.timed.begin(STEP if patient else None)


@contextmanager
def _silence() -> Iterator[None]:
    before = _quiet.set(True)
    try:
        yield
    finally:
        _quiet.reset(before)


class _NoCookies(RequestsCookieJar):
    def extract_cookies(self, response: Any, request: Any) -> None:
        """Take none."""


class _Timed(io.RawIOBase):
    """Reads from a socket, within a time limit."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw = raw
        self._sock = sock
        self._limit = sock.gettimeout() or 0.0
        self._received = False
        self.begin(None)

    def begin(self, step: int | None) -> None:
        """Start the time limit: for the next ``step`` bytes, and again for each ``step`` after; ``None`` for all."""
        self._step = self._left = step
        self._until = time.monotonic() + self._limit

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        remaining = self._until - time.monotonic()
        if remaining <= 0:
            raise TooSlowError
        self._sock.settimeout(remaining)
        try:
            count: int | None = self._raw.readinto(buffer)
        except TimeoutError as error:
            if self._received:
                raise TooSlowError from error
            raise
        self._received = True
        if self._left is not None and self._step is not None:
            self._left -= count or 0
            if self._left <= 0:
                self.begin(self._step)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    timed: _Timed

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.timed = _Timed(self.fp.detach(), sock)
        self.fp = io.BufferedReader(self.timed)

    def _read_status(self) -> Any:
        # The standard library takes an interim answer other than 100 for the final one, and reads 100 without end.
        for _ in range(MOST_INTERIM):
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if not 100 <= status < 200 or status == http.client.SWITCHING_PROTOCOLS:
                return version, status, reason
            http.client.parse_headers(self.fp)
        raise http.client.HTTPException("too many interim answers")


class _Connection(HTTPConnection):
    response_class = _Response


class _TLSConnection(HTTPSConnection):
    response_class = _Response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}
