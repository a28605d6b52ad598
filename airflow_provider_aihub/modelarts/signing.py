"""SDK-HMAC-SHA256: how a request is signed with an access key and a secret key, as Huawei Cloud's gateways check it."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlsplit

ALGORITHM: Final = "SDK-HMAC-SHA256"
DATE_HEADER: Final = "X-Sdk-Date"


def canonical(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> str:
    """Return the one form of a request that both sides compute.

    :param headers: Those that are signed. Names with an underscore must not be among them.
    """
    parts = urlsplit(url)
    path = "/".join(_encoded(unquote(segment)) for segment in parts.path.split("/"))
    pairs = sorted(parse_qsl(parts.query, keep_blank_values=True))
    signed = sorted((name.lower(), value.strip()) for name, value in headers.items())
    return "\n".join(
        (
            method,
            path if path.endswith("/") else f"{path}/",
            "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in pairs),
            "".join(f"{name}:{value}\n" for name, value in signed),
            ";".join(name for name, _ in signed),
            hashlib.sha256(body or b"").hexdigest(),
        )
    )


def signature(canonical_request: str, date: str, secret_key: str) -> str:
    """Return the signature of a canonical request.

    :param date: Value of the header :data:`DATE_HEADER`.
    """
    digest = hashlib.sha256(canonical_request.encode()).hexdigest()
    return hmac.digest(secret_key.encode(), f"{ALGORITHM}\n{date}\n{digest}".encode(), hashlib.sha256).hex()


def date_of(now: float) -> str:
    """Write Unix seconds as the header :data:`DATE_HEADER` has them: ``20240102T030405Z``."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")


def authorization(access_key: str, headers: Mapping[str, str], signed: str) -> str:
    """Return the header ``Authorization``.

    :param headers: Those that are signed.
    :param signed: The signature.
    """
    names = ";".join(sorted(name.lower() for name in headers))
    return f"{ALGORITHM} Access={access_key}, SignedHeaders={names}, Signature={signed}"


def _encoded(text: str) -> str:
    return quote(text, safe="")
