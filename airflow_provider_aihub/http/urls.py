"""Addresses, as both clients send them and as sentences show them."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import SplitResult, quote, urlsplit

_ODD: Final = re.compile(r"%[0-9A-Fa-f]{2}|[^A-Za-z0-9._~!$&'()*+,;=:@/?-]")

_HOST: Final = re.compile(r"[\w.-]*|\[[0-9a-fA-F:.]+(%[\w.-]+)?\]", re.ASCII)


def quoted(url: str) -> str:
    """Return an HTTP URL in which characters that a request cannot hold, such as blanks and Chinese, are quoted.

    What is quoted already is not quoted again. Credentials and the fragment are left out.

    :raises ValueError: It is no such URL.
    """
    origin(url)
    parts = urlsplit(url)
    return SplitResult(parts.scheme, netloc(parts), _requoted(parts.path), _requoted(parts.query), "").geturl()


def origin(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port of an HTTP URL.

    :raises ValueError: It is no such URL.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not an http or https URL")
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


def netloc(parts: SplitResult) -> str:
    """Return host and port of a URL as they stand in one: an IPv6 address in brackets; nothing where it has none.

    :raises ValueError: They cannot be read.
    """
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host.encode("idna").decode()
    if not _HOST.fullmatch(host):
        # The HTTP libraries would take it apart in other ways, and ask another host than this one.
        raise ValueError("not the name of a host")
    return host if parts.port is None else f"{host}:{parts.port}"


def _requoted(text: str) -> str:
    return _ODD.sub(lambda odd: odd[0].upper() if len(odd[0]) == 3 else quote(odd[0], safe=""), text)
