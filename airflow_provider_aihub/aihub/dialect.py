"""How requests to AIHub work: the envelope of its answers and the codes in it, its login, and what its refusals
mean."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_aihub.aihub import token, user_system
from airflow_provider_aihub.aihub.config import S3_RELAY_TOKEN, TOKEN, Config
from airflow_provider_aihub.aihub.errors import KINDS
from airflow_provider_aihub.aihub.services import Auth
from airflow_provider_aihub.aihub.values import PAGE
from airflow_provider_aihub.http.answers import (
    CHECK_PARAMETERS,
    FORBIDDEN,
    STATUSES,
    Call,
    ParsedAnswer,
    decoded,
    trouble_by_status,
)
from airflow_provider_aihub.http.dialect import Dialect, Reading
from airflow_provider_aihub.http.errors import ConfigError, ExistsError, NotFoundError, RejectedError, RequestError
from airflow_provider_aihub.http.retry import Trouble
from airflow_provider_aihub.http.values import as_int

if TYPE_CHECKING:
    from airflow_provider_aihub.http.protocol import Answer, Send
    from airflow_provider_aihub.http.request import Request
    from airflow_provider_aihub.http.token import Login, Token

UNKNOWN_ERROR: Final = 1
DATABASE_ERROR: Final = 3
REFUSALS: Final[Mapping[int | str | None, tuple[type[RejectedError], str]]] = {
    2: (NotFoundError, "check the ids and names given"),
    8: (ExistsError, "choose another name, or use what exists"),
}
"""The envelope's codes that say what is wrong with the request, whatever the HTTP status."""
KNOWN_CODES: Final = frozenset({UNKNOWN_ERROR, DATABASE_ERROR, *REFUSALS})
"""The codes that AIHub itself is known to answer with."""

CHECK_RELAY_TOKEN: Final = f"check '{S3_RELAY_TOKEN}' of the connection"
CHECK_LOGIN: Final = "check login and password of the connection"


class AIHubDialect(Dialect):
    """Speaks to AIHub over one connection; see its base for what each part is for."""

    name = "AIHub"
    kinds = KINDS

    def __init__(self, config: Config) -> None:
        self._config = config

    @property
    def token(self) -> Token | None:
        config = self._config
        return token.given(config.token) if config.token and not config.can_log_in else None

    @property
    def can_log_in(self) -> bool:
        return self._config.can_log_in

    def needs_token(self, auth: str) -> bool:
        return auth == Auth.BEARER

    def login(self) -> Request[Login]:
        config = self._config
        if not config.can_log_in:
            raise ConfigError(
                f"The connection has {_lacking(config)}; fill in login and password, or '{TOKEN}' in its extra fields."
            )
        request = user_system.login(config.username, config.password)

        def read(data: Any) -> Login:
            login = request.read(data)
            return token.issued(login.token, login.id or None)

        return replace(request, read=read)  # type: ignore[arg-type, return-value]

    def who(self, service: str) -> str:
        return f"AIHub's {service}"

    def address(self, request: Request[Any]) -> str:
        return self._config.address(request.service) + request.path

    def authorise(self, send: Send, auth: str, token: Token | None, now: float) -> Mapping[str, str]:  # noqa: ARG002
        if auth == Auth.RELAY:
            if not self._config.relay_token:
                raise ConfigError(f"The connection has no token for the S3 relay; fill in '{S3_RELAY_TOKEN}'.")
            return {"Token": self._config.relay_token}
        return {"Authorization": f"Bearer {token.value}"} if token else {}

    def read(self, answer: Answer, call: Call) -> Reading | None:
        try:
            envelope = decoded(answer.body, call.decode)
        except ValueError:
            return None
        code = as_int(envelope.get("code")) if isinstance(envelope, dict) else None
        if code is None:
            return None
        if code == 0:
            return Reading(payload=envelope.get("data"), code=0)
        said = envelope.get("msg") or ""
        words = said if isinstance(said, str) else json.dumps(said)
        # A router may well speak JSON, but with a code of its own.
        return Reading(refused=True, code=code, words=words, may_be_gateway=code not in KNOWN_CODES)

    def check(self, request: Request[Any], payload: Any) -> None:
        if not isinstance(payload, dict):
            return
        page, said = as_int((request.query or request.json or {}).get(PAGE)), as_int(payload.get(PAGE))
        # Some servers count no pages; they say 0.
        asked = dict(request.about) if page is None or said is None or said < 1 else {**request.about, PAGE: page}
        for name, number in asked.items():
            found = as_int(payload.get(name))
            if found is not None and found != number:
                raise ValueError(f"{name} is {found}, but {number} was asked for")

    def trouble(self, parsed: ParsedAnswer, call: Call) -> Trouble | None:
        code, status = parsed.code, parsed.status
        if status not in STATUSES and (code in REFUSALS or status == FORBIDDEN):
            return None
        if trouble := trouble_by_status(parsed, call):
            return trouble
        doubtful = status < 300 or code in (0, UNKNOWN_ERROR, DATABASE_ERROR)
        return Trouble.DOUBTFUL if call.creates and parsed.said and code is not None and doubtful else None

    def refusal(self, parsed: ParsedAnswer, call: Call) -> tuple[type[RequestError], str] | None:
        if call.is_login and not parsed.unknown_path:
            return (RejectedError, CHECK_PARAMETERS) if parsed.code == DATABASE_ERROR else None
        if parsed.status == FORBIDDEN and call.auth == Auth.RELAY and parsed.code not in REFUSALS:
            return RejectedError, CHECK_RELAY_TOKEN
        return REFUSALS.get(parsed.code)

    def refused_credential(self, auth: str) -> str:
        if auth == Auth.RELAY:
            return CHECK_RELAY_TOKEN
        if auth == Auth.NONE or self.can_log_in:
            return CHECK_LOGIN
        return f"the connection's token is no longer good, renew '{TOKEN}'"


def _lacking(config: Config) -> str:
    if config.username:
        return "a login and no password"
    return "a password and no login" if config.password else "no credentials"
