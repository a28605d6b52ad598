"""How the fields of a connection are read: addresses, files, numbers and words. Each error names the field."""

from __future__ import annotations

import json
import logging
import ssl
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from difflib import get_close_matches
from typing import Any, Final, TypeVar
from urllib.parse import SplitResult, quote, urlsplit

from airflow_provider_aihub.http.errors import ConfigError
from airflow_provider_aihub.http.urls import netloc, quoted
from airflow_provider_aihub.http.values import shown

C = TypeVar("C")

STANDARD_FIELDS: Final[Mapping[str, str]] = {
    **{name: name for name in ("host", "port", "login", "password")},
    **dict.fromkeys(("url", "base_url"), "host"),
    **dict.fromkeys(("user", "username"), "login"),
}
"""Keys that people wrongly put into the extra, and the standard field of Airflow in which their value belongs."""
SIMILARITY: Final = 0.75
"""How similar an unknown key and a known one must be, from 0 to 1, for the message to suggest the known one."""
log = logging.getLogger(__name__)
_told: set[str] = set()
"""Warnings about connections that this process has logged already: each is logged once."""
_PLACEHOLDER: Final = "{id}"


def unknown(extra: Mapping[str, Any], known: Collection[str]) -> str:
    """Return a sentence that names the unknown keys of a connection's extra, with suggestions; "" if all are known.

    Values are not shown, since they may be secrets.
    """
    said = []
    for name in extra:
        if name in known:
            continue
        near = get_close_matches(name.lower(), known, 1, SIMILARITY)
        if own := STANDARD_FIELDS.get(name.lower()):
            said.append(f"{shown(name)} (it belongs into the field {own!r} beside the extra)")
        else:
            said.append(f"{shown(name)} (the nearest field is {near[0]!r})" if near else shown(name))
    return f"The connection's extra has {', '.join(said)}, which this provider does not know." if said else ""


def read_connection(read: Callable[..., C], known: Collection[str], connection: Any, extra: Any, **more: Any) -> C:
    """Return what ``read`` makes of an Airflow connection. Unknown keys of its extra are logged, once in a process.

    :param read: Is called with ``host``, ``port``, ``schema``, ``login``, ``password``, ``extra`` and ``more``.
    :param known: The keys that the extra may have.
    :param extra: The connection's extra, as a dict.
    :raises ConfigError: The fields contradict each other, or one has an invalid value.
    """
    if not isinstance(extra, dict):
        raise ConfigError("The connection's extra must be a JSON object.")
    strange = unknown(extra, known)
    if strange and (told := f"{connection.conn_id}: {strange}") not in _told:
        _told.add(told)
        log.warning("%s", told)
    names = ("host", "port", "schema", "login", "password")
    return read(**{name: getattr(connection, name) for name in names}, extra=extra, **more)


def check_ca_file(path: str, name: str) -> None:
    """Check that a file has certificate authorities.

    :raises ConfigError: It has not.
    """
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        problem = "holds no certificates (PEM)"
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
    else:
        return
    raise ConfigError(f"The connection's '{name}' names {path!r}, which {problem}.")


def base(host: str, port: str, schema: str) -> SplitResult:
    """Return the base URL of a host, or of a URL in its place, with the port and the schema beside it.

    :param schema: ``http`` or ``https``; "" for what the host says, or ``http``.
    :raises ConfigError: They contradict each other, or cannot be.
    """
    bare = "://" not in host
    if bare and ":" in host.partition(":")[2] and not host.startswith("["):
        host = f"[{host}]"
    found = split(f"{schema or 'http'}://{host}" if bare else host, "host")
    if schema and found.scheme != schema:
        raise ConfigError(f"The connection's 'host' begins with {found.scheme}:// but its 'schema' is {schema!r}.")
    if port and found.port not in (None, int(port)):
        raise ConfigError(f"The connection's 'host' says port {found.port} but its 'port' is {port}.")
    return found


def check_place(port: str, schema: str) -> None:
    """Check a port and a schema; "" is none.

    :raises ConfigError: One of them cannot be.
    """
    if schema not in ("", "http", "https"):
        raise ConfigError(f"The connection's 'schema' is {schema!r}; it may be 'http' or 'https'.")
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ConfigError(f"The connection's 'port' is {port!r}; it may be a whole number from 1 to 65535.")


def split(url: str, name: str) -> SplitResult:
    """Split an address into its parts. The error does not show the address, which may hold a password.

    :param name: Name of the field, for the error.
    :raises ConfigError: It is no HTTP URL, or has credentials, a query or a fragment.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        netloc(parts)
        usable = parts.scheme in ("http", "https") and host != "" and parts.port != 0
    except ValueError:
        usable = False
    if not usable or any(char.isspace() or not char.isprintable() for char in url):
        raise ConfigError(
            f"The connection's '{name}' cannot be used as an address; it may be a URL such as http://10.0.0.1:30021."
        )
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ConfigError(
            f"The connection's '{name}' may hold only scheme, host, port and path, and nothing with '?' or '#'; "
            "credentials have their own fields."
        )
    return parts


def url(given: str, name: str) -> str:
    """Return an address as it is sent, without a slash at its end.

    :raises ConfigError: It is none.
    """
    return quoted(split(given, name).geturl()).rstrip("/")


def text(fields: Mapping[str, Any], name: str) -> str:
    """Return a field that holds a text, "" where it is not there.

    :raises ConfigError: It holds something else.
    """
    value = fields.get(name, "")
    if not isinstance(value, str):
        raise ConfigError(f"The connection's '{name}' must be text, not {type(value).__name__}.")
    return value


def flag(value: Any, name: str) -> bool:
    """Return a boolean, or what its word says.

    :raises ConfigError: It is neither.
    """
    words = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    try:
        return words[str(value).lower()]
    except KeyError:
        raise ConfigError(f"The connection's '{name}' is {value!r}; it may be true or false.") from None


def seconds(value: Any, name: str) -> float:
    """Return a number of seconds.

    :raises ConfigError: It is none.
    """
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ConfigError(f"The connection's '{name}' is {value!r}; it may be a number of seconds.") from None


def check_timeout(timeout: float, name: str) -> None:
    """Check that a time limit is one.

    :raises ConfigError: It is none.
    """
    if not 0 < timeout < float("inf"):
        raise ConfigError(f"The connection's '{name}' must be a number of seconds above 0.")


def pages(given: Any, known: Mapping[str, str], name: str) -> dict[str, str]:
    """Read where a connection says that the pages of a web UI are.

    :param given: A mapping of kinds to paths or whole URLs, or such a mapping as JSON. What is ``None`` or empty is
        not set.
    :param known: Where pages are by default, by the kinds that there are.
    :raises ConfigError: naming the field and what it may hold.
    """
    if isinstance(given, str):
        with suppress(ValueError):
            given = json.loads(given)
    given = given or {}
    if not isinstance(given, Mapping):
        kind, page = next(iter(known.items()))
        example = json.dumps({kind: page})
        raise ConfigError(f"The connection's '{name}' must be a JSON object of kinds and paths, such as {example}.")
    found = dict(known)
    for kind, page in given.items():
        if kind not in known:
            raise ConfigError(
                f"The connection's '{name}' has a page for {kind!r}; it may have pages for "
                f"{', '.join(map(repr, known))}."
            )
        if page is None or page == "":
            continue
        # The page is not repeated in the error, since it could hold a password.
        if not isinstance(page, str) or not _is_page(page):
            raise ConfigError(
                f"The connection's '{name}' has a page for {kind!r} that cannot be used; it may be a path that begins "
                f"with / or a URL, without credentials or spaces, and {_PLACEHOLDER} is its only placeholder."
            )
        found[kind] = page
    return found


def address_of(page: str, thing: int | str, web_url: str | None) -> str | None:
    """Return the URL of the page of one thing, such as a training.

    :param page: Path or URL of such pages, with the placeholder ``{id}``.
    :param thing: Its id; its name if it has no id.
    :param web_url: URL of the web UI; ``None`` if unknown.
    :return: ``None`` if ``page`` is a path and ``web_url`` is unknown.
    """
    if page.startswith("/"):
        if web_url is None:
            return None
        page = web_url + page
    return page.replace(_PLACEHOLDER, quote(str(thing), safe=""))


def _is_page(text: str) -> bool:
    fixed = text.replace(_PLACEHOLDER, "")
    if any(char in "{}" or char.isspace() or not char.isprintable() for char in fixed):
        return False
    if text.startswith("/"):
        return True
    try:
        parts = urlsplit(fixed)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return False
