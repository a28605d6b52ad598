"""The signature of a request with an access key and a secret key: SDK-HMAC-SHA256, of the request as it came."""

from __future__ import annotations

import datetime
import hashlib
import hmac
import re
import time
from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, unquote

ALGORITHM = "SDK-HMAC-SHA256"
SKEW = 15 * 60
"""Seconds by which the client's clock may differ. It is compared with ours, not with the emulator's."""
_FORM = re.compile(rf"{ALGORITHM} Access=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{{64}})")


class Signed(NamedTuple):
    """What an ``Authorization`` header says.

    :param headers: Names of the headers that were signed, in lower case.
    """

    access_key: str
    headers: tuple[str, ...]
    signature: str


def read(authorization: str) -> Signed | None:
    """What the header says; ``None`` where it is no signature of this kind."""
    match = _FORM.fullmatch(authorization.strip())
    return Signed(match[1], tuple(match[2].lower().split(";")), match[3]) if match else None


def canonical(method: str, target: str, headers: Mapping[str, str], names: Iterable[str], body: bytes) -> str:
    """The text of which a hash is signed.

    :param target: Path and query as they were sent.
    :param headers: All headers of the request; found by names in lower case.
    :param names: The signed ones.
    """
    path, _, query = target.partition("?")
    segments = [_encoded(unquote(segment)) for segment in path.split("/")]
    path = "/".join(segments)
    pairs = sorted((_encoded(name), _encoded(value)) for name, value in parse_qsl(query, keep_blank_values=True))
    names = sorted(names)
    digest = headers.get("x-sdk-content-sha256") or hashlib.sha256(body).hexdigest()
    return "\n".join(
        [
            method.upper(),
            path if path.endswith("/") else f"{path}/",
            "&".join(f"{name}={value}" for name, value in pairs),
            "".join(f"{name}:{headers.get(name, '').strip()}\n" for name in names),
            ";".join(names),
            digest,
        ]
    )


def sign(text: str, date: str, secret_key: str) -> str:
    """The signature of a canonical request.

    :param date: The header ``X-Sdk-Date``.
    """
    to_sign = f"{ALGORITHM}\n{date}\n{hashlib.sha256(text.encode()).hexdigest()}"
    return hmac.new(secret_key.encode(), to_sign.encode(), hashlib.sha256).hexdigest()


def fault(
    signed: Signed, method: str, target: str, headers: Mapping[str, str], body: bytes, secret_key: str
) -> str | None:
    """What is wrong with a signature, in words; ``None`` where it is right."""
    date = headers.get("x-sdk-date", "")
    if "x-sdk-date" not in signed.headers:
        return "the header X-Sdk-Date is not signed."
    try:
        when = datetime.datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC)
    except ValueError:
        return "X-Sdk-Date is not of the form YYYYMMDDTHHMMSSZ."
    if abs(when.timestamp() - time.time()) > SKEW:
        return "X-Sdk-Date is more than 15 minutes off."
    text = canonical(method, target, headers, signed.headers, body)
    if not hmac.compare_digest(sign(text, date, secret_key), signed.signature):
        digest = hashlib.sha256(text.encode()).hexdigest()
        return f"the signature does not match the request, whose canonical form has the SHA-256 {digest}."
    given = headers.get("x-sdk-content-sha256")
    if given and given != hashlib.sha256(body).hexdigest():
        return "X-Sdk-Content-Sha256 is not the hash of the body."
    return None


def _encoded(text: str) -> str:
    return quote(text, safe="-_.~")
