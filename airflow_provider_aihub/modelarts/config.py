"""Where ModelArts is and how to get in: region or address, project, keys or IAM user, TLS, time limit."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_aihub.http import fields
from airflow_provider_aihub.http.errors import ConfigError, raised_as
from airflow_provider_aihub.http.secrets import redacted
from airflow_provider_aihub.http.token import is_header_value
from airflow_provider_aihub.http.urls import origin
from airflow_provider_aihub.modelarts.errors import KINDS
from airflow_provider_aihub.modelarts.services import Service
from airflow_provider_aihub.modelarts.web import CONSOLE, PAGES

if TYPE_CHECKING:
    from airflow_provider_aihub.modelarts.dialect import ModelArtsDialect

FIELDS: Final = (
    "region",
    "project_id",
    "workspace_id",
    "security_token",
    "iam_user",
    "iam_password",
    "account",
    "iam_url",
    "ca_file",
    "verify_tls",
    "timeout",
    "web_url",
    "link_templates",
)
"""All fields that the connection's extra may have."""
OTHERWISE: Final = frozenset({"verify_tls", "timeout", "link_templates"})
"""The fields that need not be text."""
DEFAULT_WORKSPACE: Final = "0"
DEFAULT_TIMEOUT: Final = 30.0
DOMAINS: Final = {"ap-southeast-1": "myhuaweicloud.cn"}
"""Regions whose ModelArts is not in ``myhuaweicloud.com``."""
REMEMBERED: Final = 64
"""How many of the last signatures are remembered, so that they are removed from quoted answers."""


@dataclass(slots=True)
class Learnt:
    """What the clients of a connection have learnt: all of them share it.

    :param project_id: Id of the project, where it was looked up by its name.
    :param signatures: The last ones that were made.
    """

    project_id: str = ""
    signatures: deque[str] = field(default_factory=lambda: deque(maxlen=REMEMBERED), repr=False)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything a client needs to know before its first request.

    :param addresses: Base URL of each service, see :class:`~airflow_provider_aihub.modelarts.services.Service`.
    :param region: Name of the region, which is also that of its project; "" where it is not known.
    :param project_id: Id of the project; "" to look it up by the region's name.
    :param workspace_id: Id of the workspace; ``"0"`` is the default one.
    :param access_key: Access key; with ``secret_key`` it signs each request, and goes before the IAM user.
    :param security_token: Belongs to temporary keys.
    :param iam_user: Name of an IAM user, to get a token with, together with ``iam_password`` and ``account``.
    :param ca_file: File of certificate authorities (PEM) to trust, instead of the usual ones.
    :param verify: Whether TLS certificates are verified.
    :param timeout: Seconds to wait for a connection, for an answer to begin, and then for all of it.
    :param web_url: Address of the console, for links.
    :param pages: Where it has the page of each kind of thing, as in
        :data:`~airflow_provider_aihub.modelarts.web.PAGES`.
    :raises ModelArtsConfigError: A value cannot be used.
    """

    addresses: Mapping[str, str]
    region: str = ""
    project_id: str = ""
    workspace_id: str = DEFAULT_WORKSPACE
    access_key: str = ""
    secret_key: str = field(default="", repr=False)
    security_token: str = field(default="", repr=False)
    iam_user: str = ""
    iam_password: str = field(default="", repr=False)
    account: str = ""
    ca_file: str | None = None
    verify: bool = True
    timeout: float = DEFAULT_TIMEOUT
    web_url: str | None = None
    pages: Mapping[str, str] = field(default_factory=lambda: PAGES)
    learnt: Learnt = field(default_factory=Learnt, repr=False, compare=False)

    def __post_init__(self) -> None:
        with raised_as(KINDS):
            for name, pattern, allowed in (
                ("project_id", r"[0-9A-Za-z_-]*", "the 32 characters of a project's id"),
                ("workspace_id", r"0|[0-9a-f]{32}", "0 for the default one, or 32 hexadecimal digits"),
                ("region", r"[0-9a-z-]*", "the name of a region such as cn-north-4"),
            ):
                value = getattr(self, name)
                if not re.fullmatch(pattern, value):
                    raise ConfigError(f"The connection's '{name}' is {value!r}; it may be {allowed}.")
            for name, secret in (("login", self.access_key), ("security_token", self.security_token)):
                if not is_header_value(secret):
                    raise ConfigError(f"The connection's '{name}' holds characters that no key has; enter it anew.")
            if bool(self.access_key) != bool(self.secret_key):
                raise ConfigError("The connection has only one of login (access key) and password (secret key).")
            if self.ca_file is not None:
                fields.check_ca_file(self.ca_file, "ca_file")
            fields.check_timeout(self.timeout, "timeout")

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
    ) -> Config:
        """Read the fields of an Airflow connection. ``None`` and ``""`` mean that a field is not set.

        :param host: Host name, or a URL, of ModelArts; without it the region says where it is.
        :param schema: ``https`` (the default) or ``http``.
        :param login: Access key.
        :param password: Secret key.
        :param extra: The fields in :data:`FIELDS`.
        :raises ModelArtsConfigError: A field cannot be used; the message names it and what it may hold.
        """
        given = {name: value.strip() if isinstance(value, str) else value for name, value in extra.items()}
        given = {name: value for name, value in given.items() if value not in (None, "")}
        words = {name: fields.text(given, name) for name in FIELDS if name not in OTHERWISE}
        region, web_url = words["region"], words.pop("web_url")
        place = (host or "").strip(), str(port or "").strip(), (schema or "").strip().lower()
        addresses = _addresses(region, words.pop("iam_url"), *place)
        console = CONSOLE if region and not place[0] else None
        words["workspace_id"] = words["workspace_id"] or DEFAULT_WORKSPACE
        ca_file = words.pop("ca_file") or None
        return cls(
            **words,  # type: ignore[arg-type]
            ca_file=ca_file,
            addresses=addresses,
            access_key=(login or "").strip(),
            secret_key=(password or "").strip(),
            verify=fields.flag(given.get("verify_tls", True), "verify_tls"),
            timeout=fields.seconds(given.get("timeout", DEFAULT_TIMEOUT), "timeout"),
            web_url=fields.url(web_url, "web_url") if web_url else console,
            pages=fields.pages(given.get("link_templates"), PAGES, "link_templates"),
        )

    @cached_property
    def dialect(self) -> ModelArtsDialect:
        """The dialect of this connection."""
        from airflow_provider_aihub.modelarts.dialect import ModelArtsDialect

        return ModelArtsDialect(self)

    @property
    def signs(self) -> bool:
        """Whether requests are signed with keys; otherwise they carry a token of IAM."""
        return bool(self.access_key)

    @property
    def can_log_in(self) -> bool:
        """Whether IAM gives the token, so that it can be renewed."""
        return not self.signs and bool(self.iam_user and self.iam_password and self.account)

    def address(self, service: str) -> str:
        """Return the base URL of a service.

        :raises ConfigError: The connection does not say it.
        """
        try:
            return self.addresses[service]
        except KeyError:
            pass
        if service != Service.IAM:
            raise ConfigError("The connection does not say where ModelArts is; fill in 'region' or the base URL.")
        # Where ModelArts is no region's own, neither is IAM.
        wanted = ["'iam_url'", *(["'region'"] if not self.region else []), *(["'project_id'"] if self.signs else [])]
        raise ConfigError(f"The connection does not say where IAM is; fill in {' or '.join(wanted)}.")

    def page(self, kind: str, thing: int | str) -> str | None:
        """Return the address of a thing's page in the console; ``None`` if the connection does not say it.

        :param kind: Kind of thing, a key of :data:`~airflow_provider_aihub.modelarts.web.PAGES`; others have no page.
        :param thing: Its id.
        """
        page = self.pages.get(kind)
        return page and fields.address_of(page, thing, self.web_url)

    def takes_token(self, url: str) -> bool:
        """Whether a URL is on the origin of ModelArts itself, so that the credential may go there."""
        at = self.addresses.get(Service.MODELARTS)
        return at is not None and origin(url) == origin(at)

    def redact(self, text: str, *tokens: str) -> str:
        """Replace this connection's secrets, the tokens given and the last signatures by ``***``."""
        for signature in tuple(self.learnt.signatures):
            text = text.replace(signature, "***")
        return redacted(text, {self.secret_key, self.security_token, self.iam_password, *tokens} - {""})


def unknown_fields(extra: Mapping[str, Any]) -> str:
    """Return a sentence that names the unknown keys of a connection's extra; "" if all are known. It contains no
    values."""
    return fields.unknown(extra, FIELDS)


@raised_as(KINDS)
def config_from(connection: Any, extra: dict[str, Any]) -> Config:
    """Read an Airflow connection.

    :param extra: The connection's extra, as a dict.
    :raises ModelArtsConfigError: The connection contradicts itself or has an impossible value.
    """
    return fields.read_connection(Config.from_connection, FIELDS, connection, extra)


def _addresses(region: str, iam_url: str, host: str, port: str, schema: str) -> dict[str, str]:
    fields.check_place(port, schema)
    found = {}
    if region:
        domain = DOMAINS.get(region, "myhuaweicloud.com")
        found = {
            Service.MODELARTS: f"https://modelarts.{region}.{domain}",
            Service.IAM: f"https://iam.{region}.myhuaweicloud.com",
        }
    if host:
        base = fields.base(host, port, schema or ("" if "://" in host else "https"))
        whole = f"{base.netloc}:{port}" if port and base.port is None else base.netloc
        # The IAM of a public region would not know who uses a private cloud.
        found = {Service.MODELARTS: fields.url(base._replace(netloc=whole).geturl(), "host")}
    if iam_url:
        found[Service.IAM] = fields.url(iam_url, "iam_url")
    return {str(service): url for service, url in found.items()}
