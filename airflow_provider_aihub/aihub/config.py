"""Where AIHub is and how to get in: addresses per service, credentials, TLS, time limits."""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, urlsplit

from airflow_provider_aihub.aihub.errors import AIHubConfigError
from airflow_provider_aihub.aihub.services import Service
from airflow_provider_aihub.aihub.web import PAGES, address_of, read_pages
from airflow_provider_aihub.http.secrets import written
from airflow_provider_aihub.http.token import is_header_value
from airflow_provider_aihub.http.urls import netloc, origin, quoted
from airflow_provider_aihub.http.values import shown

if TYPE_CHECKING:
    from airflow_provider_aihub.aihub.dialect import AIHubDialect

log = logging.getLogger(__name__)
_told: set[str] = set()
"""What this process has said of the fields of connections; it is said once."""

ENVIRONMENT: Final = "environment"
TOKEN: Final = "token"  # noqa: S105
S3_RELAY_TOKEN: Final = "s3_relay_token"  # noqa: S105
CA_FILE: Final = "ca_file"
VERIFY_TLS: Final = "verify_tls"
TIMEOUT: Final = "timeout"
WEB_URL: Final = "web_url"
LINK_TEMPLATES: Final = "link_templates"
URL_FIELDS: Final[Mapping[str, str]] = {service: f"{service}_url" for service in Service}
"""Names of the connection's extra fields, as the form shows them."""

FIELDS: Final = (
    ENVIRONMENT,
    TOKEN,
    S3_RELAY_TOKEN,
    CA_FILE,
    VERIFY_TLS,
    TIMEOUT,
    WEB_URL,
    LINK_TEMPLATES,
    *URL_FIELDS.values(),
)
"""All fields that the connection's extra may have."""
OUTSIDE: Final[Mapping[str, str]] = {
    **{name: name for name in ("host", "port", "login", "password")},
    **dict.fromkeys(("url", "base_url"), "host"),
    **dict.fromkeys(("user", "username"), "login"),
}
"""What people put into the extra that has a field of its own beside it, and which."""
NEAR: Final = 0.75
"""How much alike a misspelt field and the one that was meant are, from 0 to 1."""

TOKEN_VARIABLE: Final = "AI_HUB_TOKEN"  # noqa: S105
"""Environment variable in which AIHub hands a token to the containers of its workflow nodes."""

DEFAULT_TIMEOUT: Final = 30.0


def _preset(host: str, ports: str) -> dict[str, str]:
    listed = (
        Service.USER_SYSTEM,
        Service.DATA_WAREHOUSE,
        Service.DATASET_MANAGEMENT,
        Service.WORKFLOW_CENTER,
        Service.MODEL_TRAINING,
        Service.TAG_SYSTEM,
    )
    return {service: f"http://{host}:{port}" for service, port in zip(listed, ports.split(), strict=True)}


PRESETS: Final[Mapping[str, Mapping[str, str]]] = {
    "production": _preset("192.168.99.63", "30031 30020 30061 32731 30071 30043"),
    "internal-test": _preset("192.168.99.63", "31031 31020 31061 32023 31032 31043"),
    "external-test": _preset("192.168.13.160", "31822 30020 30061 32538 30071 31043"),
}
"""Addresses printed at the end of AIHub's document, by environment. It gives none for the other services."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything a client needs to know before its first request.

    :param addresses: Base URL of each service, e.g. ``http://10.0.0.1:30071``, without the service's own path.
    :param username: Name to log in with.
    :param password: Password to log in with.
    :param token: JWT to use where there is no username and password. It cannot be renewed.
    :param relay_token: Token of the S3 relay, given out by its administrator.
    :param ca_file: File of certificate authorities (PEM) to trust, instead of the usual ones.
    :param verify: Whether TLS certificates are verified.
    :param timeout: Seconds to wait for a connection, for an answer to begin, and then for all of it; of a file that is
        downloaded, for each 16 KiB of it. After an upload longer, see
        ``Send.patience``.
    :param web_url: Address of AIHub's web UI, for links.
    :param pages: Where it has the page of each kind of thing, as in :data:`~airflow_provider_aihub.aihub.web.PAGES`.
    :raises AIHubConfigError: for a value that cannot be used.
    """

    addresses: Mapping[str, str]
    username: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    relay_token: str = field(default="", repr=False)
    ca_file: str | None = None
    verify: bool = True
    timeout: float = DEFAULT_TIMEOUT
    web_url: str | None = None
    pages: Mapping[str, str] = field(default_factory=lambda: PAGES)

    def __post_init__(self) -> None:
        addresses = {service: _url(url, URL_FIELDS[service]) for service, url in self.addresses.items()}
        object.__setattr__(self, "addresses", addresses)
        for name, token in ((TOKEN, self.token), (S3_RELAY_TOKEN, self.relay_token)):
            if not is_header_value(token):
                variable = f" or the variable {TOKEN_VARIABLE}" if name == TOKEN else ""
                raise AIHubConfigError(
                    f"The connection's '{name}'{variable} holds characters that no token has; enter it anew."
                )
        if self.ca_file is not None:
            _check_ca_file(self.ca_file)
        if not 0 < self.timeout < float("inf"):
            raise AIHubConfigError(f"The connection's '{TIMEOUT}' must be a number of seconds above 0.")

    @classmethod
    def from_connection(
        cls,
        *,
        host: str | None = None,
        port: int | str | None = None,
        schema: str | None = None,
        login: str | None = None,
        password: str | None = None,
        extra: Mapping[str, Any],
        environ: Mapping[str, str],
    ) -> Config:
        """Read the fields of an Airflow connection. ``None`` and ``""`` mean that a field is not set.

        An address of a single service wins over the host, the host over the environment's preset. A host without a
        port and without a path takes the ports of the preset where one is chosen. Login and password win over a token,
        and the connection's token over the one in the variable ``AI_HUB_TOKEN``. Without a field of its own, the web UI
        is taken to be at the address behind which all services are.

        :param host: Host name or address, or a URL such as ``http://10.0.0.1:30021``, behind which all services are.
        :param port: Port at that host.
        :param schema: ``http`` (the default) or ``https``.
        :param extra: The fields named at the top of this module.
        :param environ: Environment variables.
        :raises AIHubConfigError: naming the field that cannot be used, and what it may hold.
        """
        fields = {name: value.strip() if isinstance(value, str) else value for name, value in extra.items()}
        fields = {name: value for name, value in fields.items() if value not in (None, "")}
        addresses = _addresses(
            _text(fields, ENVIRONMENT), (host or "").strip(), str(port or "").strip(), (schema or "").strip().lower()
        )
        bases = set(addresses.values())
        web_url = _text(fields, WEB_URL) or (bases.pop() if len(bases) == 1 else "")
        addresses |= {service: url for service, name in URL_FIELDS.items() if (url := _text(fields, name))}
        return cls(
            addresses=addresses,
            username=(login or "").strip(),
            password=password or "",
            token=_text(fields, TOKEN) or environ.get(TOKEN_VARIABLE, "").strip(),
            relay_token=_text(fields, S3_RELAY_TOKEN),
            ca_file=_text(fields, CA_FILE) or None,
            verify=_flag(fields.get(VERIFY_TLS, True), VERIFY_TLS),
            timeout=_seconds(fields.get(TIMEOUT, DEFAULT_TIMEOUT), TIMEOUT),
            web_url=_url(web_url, WEB_URL) if web_url else None,
            pages=read_pages(fields.get(LINK_TEMPLATES), LINK_TEMPLATES),
        )

    @cached_property
    def dialect(self) -> AIHubDialect:
        """How to speak to AIHub over this connection."""
        from airflow_provider_aihub.aihub.dialect import AIHubDialect

        return AIHubDialect(self)

    @property
    def can_log_in(self) -> bool:
        """Whether a token can be had by logging in, and so be renewed."""
        return bool(self.username and self.password)

    def address(self, service: str) -> str:
        """Return the base URL of a service.

        :raises AIHubConfigError: where the connection does not say it.
        """
        try:
            return self.addresses[service]
        except KeyError:
            pass
        raise AIHubConfigError(
            f"The connection does not say where AIHub's {service} is; fill in '{URL_FIELDS[service]}', or the base URL "
            f"where all services are behind one address."
        )

    def page(self, kind: str, thing: int | str) -> str | None:
        """Return the address of a thing's page in AIHub's web UI; ``None`` where the connection says nothing of it.

        :param kind: Kind of thing, a key of :data:`~airflow_provider_aihub.aihub.web.PAGES`.
        :param thing: Its id; its name where it has no other.
        """
        return address_of(self.pages[kind], thing, self.web_url)

    def takes_token(self, url: str) -> bool:
        """Whether a URL is on the origin of one of AIHub's own services, so that the token may go there."""
        wanted = origin(url)
        return any(origin(at) == wanted for service, at in self.addresses.items() if service != Service.S3_RELAY)

    def redact(self, text: str, *tokens: str) -> str:
        """Replace this connection's secrets, and the tokens given, by ``***``, however they are written."""
        secrets = {self.password, self.token, self.relay_token, *tokens} - {""}
        login = f"{self.username}:{self.password}" if self.can_log_in else ""
        for pattern in sorted((written(secret) for secret in secrets | {login} - {""}), key=lambda p: -len(p.pattern)):
            text = pattern.sub("***", text)
        return text


def unknown_fields(extra: Mapping[str, Any]) -> str:
    """Say which keys of a connection's extra are none of its fields, and which field is near; "" where all are known.

    No value is told.
    """
    said = []
    for name in extra:
        if name in FIELDS:
            continue
        near = get_close_matches(name.lower(), FIELDS, 1, NEAR)
        if own := OUTSIDE.get(name.lower()):
            said.append(f"{shown(name)} (it belongs into the field {own!r} beside the extra)")
        else:
            said.append(f"{shown(name)} (the nearest field is {near[0]!r})" if near else shown(name))
    return f"The connection's extra has {', '.join(said)}, which this provider does not know." if said else ""


def config_from(connection: Any, extra: dict[str, Any]) -> Config:
    """Read an Airflow connection.

    :param extra: The connection's extra, as a dict.
    :raises AIHubConfigError: The connection contradicts itself or has a value that cannot be.
    """
    if not isinstance(extra, dict):
        raise AIHubConfigError("The connection's extra must be a JSON object.")
    unknown = unknown_fields(extra)
    if unknown and (told := f"{connection.conn_id}: {unknown}") not in _told:
        _told.add(told)
        log.warning("%s", told)
    return Config.from_connection(
        host=connection.host,
        port=connection.port,
        schema=connection.schema,
        login=connection.login,
        password=connection.password,
        extra=extra,
        environ=os.environ,
    )


def _check_ca_file(path: str) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        problem = "holds no certificates (PEM)"
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
    else:
        return
    raise AIHubConfigError(f"The connection's '{CA_FILE}' names {path!r}, which {problem}.")


def _addresses(environment: str, host: str, port: str, schema: str) -> dict[str, str]:
    if schema not in ("", "http", "https"):
        raise AIHubConfigError(f"The connection's 'schema' is {schema!r}; it may be 'http' or 'https'.")
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise AIHubConfigError(f"The connection's 'port' is {port!r}; it may be a whole number from 1 to 65535.")
    if environment and environment not in PRESETS:
        raise AIHubConfigError(
            f"The connection's '{ENVIRONMENT}' is {environment!r}; it may be {', '.join(map(repr, PRESETS))}."
        )
    preset = PRESETS.get(environment, {})
    if not host:
        return dict(preset)
    bare = "://" not in host
    if bare and ":" in host.partition(":")[2] and not host.startswith("["):
        host = f"[{host}]"
    base = _split(f"{schema or 'http'}://{host}" if bare else host, "host")
    if schema and base.scheme != schema:
        raise AIHubConfigError(f"The connection's 'host' begins with {base.scheme}:// but its 'schema' is {schema!r}.")
    if port and base.port not in (None, int(port)):
        raise AIHubConfigError(f"The connection's 'host' says port {base.port} but its 'port' is {port}.")
    if preset and not port and base.port is None and not base.path.strip("/"):
        return {at: f"{base.scheme}://{base.netloc}:{urlsplit(url).port}" for at, url in preset.items()}
    whole = f"{base.netloc}:{port}" if port and base.port is None else base.netloc
    return dict.fromkeys(Service, base._replace(netloc=whole).geturl())


def _split(url: str, name: str) -> SplitResult:
    """Take an address apart. The address is not repeated in the error where it could hold a password."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        netloc(parts)
        usable = parts.scheme in ("http", "https") and host != "" and parts.port != 0
    except ValueError:
        usable = False
    if not usable or any(char.isspace() or not char.isprintable() for char in url):
        raise AIHubConfigError(
            f"The connection's '{name}' cannot be used as an address; it may be a URL such as http://10.0.0.1:30021."
        )
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise AIHubConfigError(
            f"The connection's '{name}' may hold only scheme, host, port and path, and nothing with '?' or '#'; "
            "credentials have their own fields."
        )
    return parts


def _url(text: str, name: str) -> str:
    return quoted(_split(text, name).geturl()).rstrip("/")


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name, "")
    if not isinstance(value, str):
        raise AIHubConfigError(f"The connection's '{name}' must be text, not {type(value).__name__}.")
    return value


def _flag(value: Any, name: str) -> bool:
    words = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    try:
        return words[str(value).lower()]
    except KeyError:
        raise AIHubConfigError(f"The connection's '{name}' is {value!r}; it may be true or false.") from None


def _seconds(value: Any, name: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise AIHubConfigError(f"The connection's '{name}' is {value!r}; it may be a number of seconds.") from None
