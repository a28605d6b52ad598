"""Where AIHub is and how to get in: addresses per service, credentials, TLS, time limits."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from airflow_provider_aihub.aihub.errors import KINDS, AIHubConfigError
from airflow_provider_aihub.aihub.services import Service
from airflow_provider_aihub.aihub.web import PAGES
from airflow_provider_aihub.http import fields
from airflow_provider_aihub.http.errors import raised_as
from airflow_provider_aihub.http.secrets import redacted
from airflow_provider_aihub.http.token import is_header_value
from airflow_provider_aihub.http.urls import origin

if TYPE_CHECKING:
    from airflow_provider_aihub.aihub.dialect import AIHubDialect

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
    :raises AIHubConfigError: A value cannot be used.
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
        with raised_as(KINDS):
            addresses = {service: fields.url(url, URL_FIELDS[service]) for service, url in self.addresses.items()}
        object.__setattr__(self, "addresses", addresses)
        for name, token in ((TOKEN, self.token), (S3_RELAY_TOKEN, self.relay_token)):
            if not is_header_value(token):
                variable = f" or the variable {TOKEN_VARIABLE}" if name == TOKEN else ""
                raise AIHubConfigError(
                    f"The connection's '{name}'{variable} holds characters that no token has; enter it anew."
                )
        with raised_as(KINDS):
            if self.ca_file is not None:
                fields.check_ca_file(self.ca_file, CA_FILE)
            fields.check_timeout(self.timeout, TIMEOUT)

    @classmethod
    @raised_as(KINDS)
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
        :raises AIHubConfigError: A field cannot be used; the message names it and what it may hold.
        """
        given = {name: value.strip() if isinstance(value, str) else value for name, value in extra.items()}
        given = {name: value for name, value in given.items() if value not in (None, "")}
        addresses = _addresses(
            fields.text(given, ENVIRONMENT),
            (host or "").strip(),
            str(port or "").strip(),
            (schema or "").strip().lower(),
        )
        bases = set(addresses.values())
        web_url = fields.text(given, WEB_URL) or (bases.pop() if len(bases) == 1 else "")
        addresses |= {service: url for service, name in URL_FIELDS.items() if (url := fields.text(given, name))}
        return cls(
            addresses=addresses,
            username=(login or "").strip(),
            password=password or "",
            token=fields.text(given, TOKEN) or environ.get(TOKEN_VARIABLE, "").strip(),
            relay_token=fields.text(given, S3_RELAY_TOKEN),
            ca_file=fields.text(given, CA_FILE) or None,
            verify=fields.flag(given.get(VERIFY_TLS, True), VERIFY_TLS),
            timeout=fields.seconds(given.get(TIMEOUT, DEFAULT_TIMEOUT), TIMEOUT),
            web_url=fields.url(web_url, WEB_URL) if web_url else None,
            pages=fields.pages(given.get(LINK_TEMPLATES), PAGES, LINK_TEMPLATES),
        )

    @cached_property
    def dialect(self) -> AIHubDialect:
        """The dialect of this connection."""
        from airflow_provider_aihub.aihub.dialect import AIHubDialect

        return AIHubDialect(self)

    @property
    def can_log_in(self) -> bool:
        """Whether a login gives the token, so that it can be renewed."""
        return bool(self.username and self.password)

    def address(self, service: str) -> str:
        """Return the base URL of a service.

        :raises AIHubConfigError: The connection does not say it.
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
        """Return the address of a thing's page in AIHub's web UI; ``None`` if the connection does not say it.

        :param kind: Kind of thing, a key of :data:`~airflow_provider_aihub.aihub.web.PAGES`.
        :param thing: Its id; its name where it has no other.
        """
        return fields.address_of(self.pages[kind], thing, self.web_url)

    def takes_token(self, url: str) -> bool:
        """Whether a URL is on the origin of one of AIHub's own services, so that the token may go there."""
        wanted = origin(url)
        return any(origin(at) == wanted for service, at in self.addresses.items() if service != Service.S3_RELAY)

    def redact(self, text: str, *tokens: str) -> str:
        """Replace this connection's secrets, and the tokens given, by ``***``, however they are written."""
        secrets = {self.password, self.token, self.relay_token, *tokens} - {""}
        login = f"{self.username}:{self.password}" if self.can_log_in else ""
        return redacted(text, secrets | {login} - {""})


def unknown_fields(extra: Mapping[str, Any]) -> str:
    """Return a sentence that names the unknown keys of a connection's extra, and the most similar fields; "" if all are
    known.

    It contains no values.
    """
    return fields.unknown(extra, FIELDS)


@raised_as(KINDS)
def config_from(connection: Any, extra: dict[str, Any]) -> Config:
    """Read an Airflow connection.

    :param extra: The connection's extra, as a dict.
    :raises AIHubConfigError: The connection contradicts itself or has an impossible value.
    """
    return fields.read_connection(Config.from_connection, FIELDS, connection, extra, environ=os.environ)


def _addresses(environment: str, host: str, port: str, schema: str) -> dict[str, str]:
    fields.check_place(port, schema)
    if environment and environment not in PRESETS:
        raise AIHubConfigError(
            f"The connection's '{ENVIRONMENT}' is {environment!r}; it may be {', '.join(map(repr, PRESETS))}."
        )
    preset = PRESETS.get(environment, {})
    if not host:
        return dict(preset)
    base = fields.base(host, port, schema)
    if preset and not port and base.port is None and not base.path.strip("/"):
        return {at: f"{base.scheme}://{base.netloc}:{urlsplit(url).port}" for at, url in preset.items()}
    whole = f"{base.netloc}:{port}" if port and base.port is None else base.netloc
    return dict.fromkeys(Service, base._replace(netloc=whole).geturl())
