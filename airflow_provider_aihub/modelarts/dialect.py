"""How requests to ModelArts work: signatures or tokens, the codes of its errors, and what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlsplit

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
from airflow_provider_aihub.http.request import NO_AUTH
from airflow_provider_aihub.http.retry import Trouble
from airflow_provider_aihub.modelarts import iam, signing
from airflow_provider_aihub.modelarts.config import Config
from airflow_provider_aihub.modelarts.errors import KINDS
from airflow_provider_aihub.modelarts.services import PROJECT, WORKSPACE, Service

if TYPE_CHECKING:
    from airflow_provider_aihub.http.protocol import Answer, Send
    from airflow_provider_aihub.http.request import Request
    from airflow_provider_aihub.http.token import Login, Token

T = TypeVar("T")

EXISTS: Final = "ModelArts.2751"
MISSING: Final = frozenset(f"ModelArts.{code}" for code in (2775, 6309, 6404, 7511, 7512, 7519))
"""Codes for something that does not exist: training job, notebook, workflow execution, workflow, subscription. HTTP
400, mostly."""
BAD_TOKEN: Final = "ModelArts.2784"  # noqa: S105
"""The code for a token that is no longer valid, with HTTP 403."""
ADVICE: Final[Mapping[str, str]] = {
    "ModelArts.2755": "check the algorithm given",
    "ModelArts.2780": "check the engine given",
    "ModelArts.2781": "check the flavor given",
    "ModelArts.2785": "grant ModelArts an agency in its console, under the global settings",
    "ModelArts.0118": "ask for a greater quota, or free what is used of it",
    "ModelArts.0102": "check the workspace of the connection",
    "ModelArts.7005": "check the workspace of the connection",
    "ModelArts.0210": "check the project of the connection",
    "ModelArts.2786": "check the project of the connection",
}
"""What a person can do about a refusal."""
GATEWAYS: Final = ("APIGW.", "APIG.")
"""Beginnings of the codes of gateways in front of ModelArts."""

CHECK_KEYS: Final = "check login (access key) and password (secret key) of the connection, and this machine's clock"
CHECK_USER: Final = "check 'iam_user', 'iam_password' and 'account' of the connection"


class ModelArtsDialect(Dialect):
    """Speaks to ModelArts over one connection; see its base for what each part is for."""

    name = "ModelArts"
    kinds = KINDS
    token = None

    def __init__(self, config: Config) -> None:
        self._config = config

    @property
    def can_log_in(self) -> bool:
        return self._config.can_log_in

    def needs_token(self, auth: str) -> bool:
        return auth != NO_AUTH and not self._config.signs

    def login(self) -> Request[Login]:
        config = self._config
        if not config.can_log_in:
            user = {"iam_user": config.iam_user, "iam_password": config.iam_password, "account": config.account}
            lacking = [f"'{name}'" for name, value in user.items() if not value]
            raise ConfigError(
                f"The connection has an IAM user, but not all of it; fill in {' and '.join(lacking)}."
                if len(lacking) < len(user)
                else "The connection has no credentials; fill in login and password (access key and secret key), or "
                "'iam_user', 'iam_password' and 'account'."
            )
        self._check_project()
        return iam.create_token(
            config.iam_user,
            config.iam_password,
            config.account,
            {"id": config.project_id} if config.project_id else {"name": config.region},
        )

    def _check_project(self) -> None:
        if not (self._config.project_id or self._config.region):
            raise ConfigError("The connection does not say which project; fill in 'region' or 'project_id'.")

    @property
    def _project_id(self) -> str:
        return self._config.project_id or self._config.learnt.project_id

    def before(self, request: Request[Any]) -> Request[Any] | None:
        if PROJECT not in request.path or self._project_id:
            return None
        self._check_project()
        asked = iam.list_projects(self._config.region)

        def keep(data: Any) -> None:
            projects = asked.read(data)
            if len(projects) != 1 or not projects[0].id:
                raise ConfigError(
                    f"IAM was asked for the project of the region {self._config.region!r} and knows {len(projects)} of "
                    "that name; see whether 'region' is right, or fill in 'project_id'."
                )
            self._config.learnt.project_id = projects[0].id

        return replace(asked, read=keep)  # type: ignore[arg-type]

    def completed(self, request: Request[T]) -> Request[T]:
        def filled(given: Mapping[str, Any]) -> dict[str, Any]:
            own = {"workspace_id": self._config.workspace_id} if given.get("workspace_id") == WORKSPACE else {}
            return {**given, **own}

        json = None if request.json is None else filled(request.json)
        if json and isinstance(json.get("metadata"), Mapping):
            json["metadata"] = filled(json["metadata"])
        path = request.path.replace(PROJECT, self._project_id)
        return replace(request, path=path, query=filled(request.query), json=json)

    def who(self, service: str) -> str:
        return "Huawei Cloud's IAM" if service == Service.IAM else "ModelArts"

    def address(self, request: Request[Any]) -> str:
        return self._config.address(request.service) + request.path

    def authorise(self, send: Send, auth: str, token: Token | None, now: float) -> Mapping[str, str]:  # noqa: ARG002
        config = self._config
        headers = {"Content-Type": send.headers.get("Content-Type", "application/json")}
        if token is not None:
            return {**headers, "X-Auth-Token": token.value}
        headers |= {"Host": _host(send.url), signing.DATE_HEADER: signing.date_of(now)}
        if self._project_id:
            headers["X-Project-Id"] = self._project_id
        if config.security_token:
            headers["X-Security-Token"] = config.security_token
        form = signing.canonical(send.method, send.url, headers, send.body)
        signature = signing.signature(form, headers[signing.DATE_HEADER], config.secret_key)
        config.learnt.signatures.append(signature)
        return {**headers, "Authorization": signing.authorization(config.access_key, headers, signature)}

    def read(self, answer: Answer, call: Call) -> Reading | None:
        if not answer.body.strip():
            # A deletion has no more to say, and a log that is not there yet is HTTP 204.
            return Reading() if 200 <= answer.status < 300 else None
        try:
            payload = decoded(answer.body, call.decode)
        except ValueError:
            return None
        said: Any = payload if isinstance(payload, dict) else {}
        code, words = said.get("error_code"), said.get("error_msg")
        if isinstance(of_iam := said.get("error"), dict) and answer.status >= 300:
            code, words = f"IAM.{of_iam.get('code')}", of_iam.get("message")
        if code:
            text = str(words or "") + (f" ({hint})" if (hint := said.get("error_solution")) else "")
            return Reading(refused=True, code=str(code), words=text, may_be_gateway=str(code).startswith(GATEWAYS))
        if call.is_login and isinstance(payload, dict):
            payload = {**payload, iam.TOKEN_HEADER: answer.headers.get(iam.TOKEN_HEADER)}
        return Reading(payload=payload)

    def check(self, request: Request[Any], payload: Any) -> None:
        for name, wanted in request.about.items():
            found = payload
            for part in name.split("."):
                found = found.get(part) if isinstance(found, dict) else None
            if found not in (None, "") and str(found) != str(wanted):
                raise ValueError(f"{name} is {found}, but {wanted} was asked for")

    def trouble(self, parsed: ParsedAnswer, call: Call) -> Trouble | None:
        code, status = parsed.code, parsed.status
        if code == BAD_TOKEN and self.can_log_in:
            return Trouble.UNAUTHORIZED
        if status not in STATUSES and (code in MISSING or status == FORBIDDEN):
            return None
        if trouble := trouble_by_status(parsed, call):
            return trouble
        return Trouble.DOUBTFUL if call.creates and code is not None and status < 300 else None

    def refusal(self, parsed: ParsedAnswer, call: Call) -> tuple[type[RequestError], str] | None:
        code = str(parsed.code)
        if code in MISSING:
            return NotFoundError, "check the ids given"
        if code == EXISTS:
            return ExistsError, "choose another name"
        if call.is_login and parsed.status == 400:
            return RejectedError, CHECK_PARAMETERS
        return (RejectedError, ADVICE[code]) if code in ADVICE else None

    def refused_credential(self, auth: str) -> str:  # noqa: ARG002
        return CHECK_KEYS if self._config.signs else CHECK_USER


def _host(url: str) -> str:
    """Return host and port as they are sent: the port that goes without saying is left out."""
    parts = urlsplit(url)
    usual = {"http": ":80", "https": ":443"}[parts.scheme]
    return parts.netloc.removesuffix(usual)
