"""Connections of the blocking client that read answers as HTTP has them. Imports ``requests``, so import it late."""

from __future__ import annotations

import http.client
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

MOST_INTERIM: Final = 8
"""How many interim answers (HTTP 1xx) may come before the final one."""


class Session(requests.Session):
    """A session that follows nothing: ``requests`` prepares to, and reads the body of a redirect for it, even if told
    not to."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter())

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Say that there is none."""


class _Response(http.client.HTTPResponse):
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
