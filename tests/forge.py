"""A made-up platform: ids and phases as text, bare JSON, a login whose token comes in a header, lists with a cursor,
names that are unique, and HTTP 400 for a job that is not there. What it takes to follow its jobs is all here.
"""

from __future__ import annotations

import hashlib
import hmac
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_aihub.http import errors
from airflow_provider_aihub.http.answers import Call, ParsedAnswer, decoded, trouble_by_status
from airflow_provider_aihub.http.asynchronous import AsyncClient
from airflow_provider_aihub.http.blocking import Client
from airflow_provider_aihub.http.dialect import Dialect, Reading
from airflow_provider_aihub.http.protocol import Answer, Send
from airflow_provider_aihub.http.request import NO_AUTH, USUAL_AUTH, Request, path
from airflow_provider_aihub.http.retry import Trouble
from airflow_provider_aihub.http.token import Login, Token
from airflow_provider_aihub.jobs import errors as job_errors
from airflow_provider_aihub.jobs.kind import Batch, Facts, JobId, JobKind, Phase
from airflow_provider_aihub.jobs.parts import Part, PartLog
from airflow_provider_aihub.jobs.platform import Platform
from airflow_provider_aihub.tasks.job_operator import RemoteJobOperator
from airflow_provider_aihub.tasks.job_sensor import RemoteJobSensor
from airflow_provider_aihub.tasks.job_state import Marker
from airflow_provider_aihub.tasks.links import TaskLink
from airflow_provider_aihub.tasks.platform_task import PlatformTask


class ForgeError(errors.RemoteJobError): ...


class ForgeRequestError(errors.RequestError, ForgeError): ...


class ForgeAuthError(errors.AuthError, ForgeRequestError): ...


class ForgeRejectedError(errors.RejectedError, ForgeRequestError): ...


class ForgeNotFoundError(errors.NotFoundError, ForgeRejectedError): ...


class ForgeUnsupportedError(errors.UnsupportedError, ForgeRejectedError): ...


class ForgeAmbiguousSubmit(errors.AmbiguousSubmit, ForgeRequestError): ...


class ForgeBadAnswerError(errors.BadAnswerError, ForgeRequestError): ...


class ForgeParameterError(errors.ParameterError, ForgeError): ...


class ForgeUnavailable(errors.Unavailable, ForgeRequestError): ...


class ForgeJobError(job_errors.JobError, ForgeError): ...


class ForgeJobFailed(job_errors.JobFailed, ForgeJobError): ...


class ForgeJobStopped(job_errors.JobStopped, ForgeJobError): ...


class ForgeJobTimeout(job_errors.JobTimeout, ForgeJobError): ...


@dataclass(frozen=True)
class Forge:
    """A connection to it."""

    url: str
    signs: bool = False
    timeout: float = 5.0
    verify: bool = True
    ca_file: str | None = None

    @cached_property
    def dialect(self) -> ForgeDialect:
        return ForgeDialect(self)

    @property
    def addresses(self) -> Mapping[str, str]:
        return {"forge": self.url}

    def page(self, kind: str, job_id: JobId) -> str:
        return f"{self.url}/see/{kind}/{job_id}"

    def takes_token(self, url: str) -> bool:
        return False

    def redact(self, text: str, *tokens: str) -> str:
        for token in tokens:
            text = text.replace(token, "***")
        return text


class ForgeDialect(Dialect):
    name = "Forge"
    kinds = errors.own_kinds(sys.modules[__name__])
    token = None
    can_log_in = True

    def __init__(self, config: Forge) -> None:
        self._config = config

    def needs_token(self, auth: str) -> bool:
        return auth == USUAL_AUTH and not self._config.signs

    def login(self) -> Request[Login]:
        return Request(
            asks="log in",
            service="identity",
            method="POST",
            path="/v3/tokens",
            read=lambda payload: Login(payload["header"], expires=payload["expires"], issued=payload["issued"]),
            json={"user": "bob"},
            auth=NO_AUTH,
            is_login=True,
        )

    def who(self, service: str) -> str:
        return f"The {service} of Forge"

    def address(self, request: Request[Any]) -> str:
        return self._config.url + request.path

    def authorise(self, send: Send, auth: str, token: Token | None, now: float) -> Mapping[str, str]:
        return {"X-Token": token.value} if token else {"X-Signature": signature(send.method, send.url, send.body, now)}

    def read(self, answer: Answer, call: Call) -> Reading | None:
        if answer.status == 204:
            return Reading()
        try:
            payload = decoded(answer.body, call.decode)
        except ValueError:
            return None
        if isinstance(payload, dict) and (code := payload.get("error_code")):
            gateway = code.startswith("GATEWAY")
            return Reading(refused=True, code=code, words=payload.get("error_msg", ""), may_be_gateway=gateway)
        return Reading(payload=payload | {"header": answer.headers["X-Subject-Token"]} if call.is_login else payload)

    def check(self, request: Request[Any], payload: Any) -> None:
        for name, wanted in request.about.items():
            if payload.get(name) != wanted:
                raise ValueError(f"{name} is {payload.get(name)}")

    def trouble(self, parsed: ParsedAnswer, call: Call) -> Trouble | None:
        if parsed.code == "FORGE.1":
            return Trouble.UNAUTHORIZED
        doubtful = call.creates and parsed.code is not None and parsed.status < 300
        return trouble_by_status(parsed, call) or (Trouble.DOUBTFUL if doubtful else None)

    def refusal(self, parsed: ParsedAnswer, call: Call) -> tuple[type[errors.RequestError], str] | None:
        return (errors.NotFoundError, "see what there is") if parsed.code == "FORGE.404" else None

    def refused_credential(self, auth: str) -> str:
        return "see who you are"


def signature(method: str, url: str, body: bytes | None, now: float) -> str:
    return hmac.digest(b"key", f"{method} {url} {body!r} {now:.0f}".encode(), hashlib.sha256).hex()


# Its one kind of job


def _job(read: Mapping[str, Any] | Any) -> dict[str, Any]:
    if not isinstance(read, dict):
        raise ValueError("it is no object")  # noqa: TRY004 - what is read of an answer says so by ValueError
    return read


def read_job(job_id: JobId) -> Request[Any]:
    about = {"id": job_id}
    return Request(
        asks=f"read job {job_id}", service="forge", method="GET", path=path("/jobs/{}", job_id), read=_job, about=about
    )


def stop_job(job_id: JobId) -> Request[Any]:
    return Request(
        asks=f"stop job {job_id}", service="forge", method="POST", path=path("/jobs/{}/end", job_id), read=_job
    )


def create_job(name: str, command: str, description: str) -> Request[Any]:
    return Request(
        asks=f"create job {name}",
        service="forge",
        method="POST",
        path="/jobs",
        read=lambda payload: payload["id"],
        json={"name": name, "command": command, "description": description},
        creates=True,
    )


def list_jobs(
    start: Any = None, /, *, size: int, name: str | None = None, user_id: JobId | None = None
) -> Request[Batch[Any]]:
    return Request(
        asks="list jobs",
        service="forge",
        method="GET",
        path="/jobs",
        query={"cursor": start, "size": size, "name": name},
        read=lambda payload: Batch(payload["jobs"], payload["next"]),
    )


def _facts(job: Mapping[str, Any]) -> Facts:
    return Facts(
        name=job["name"],
        description=job["description"],
        created=job["created"],
        started=job["started"],
        finished=job["finished"],
        message=job["why"] or "",
    )


def _steps(job: Mapping[str, Any]) -> list[Part]:
    state = {"broken": "Failed", "done": "Succeeded"}.get(job["phase"], "Running")
    logs = replace(read_job(job["id"]), read=lambda now: [PartLog("log", text=now["log"])])
    return [Part(key="1", name="one", state=state, logs=logs)]


JOB = JobKind(
    platform="Forge",
    key="forge.job",
    noun="job",
    phases={
        "queued": Phase.WAITING,
        "hot": Phase.RUNNING,
        "done": Phase.SUCCEEDED,
        "broken": Phase.FAILED,
        "cold": Phase.STOPPED,
    },
    decode=_job,
    row=lambda job: (job["id"], job["phase"]) if job.get("id") and job.get("phase") else None,
    facts=_facts,
    brief=lambda job: job,
    read=read_job,
    stop=stop_job,
    listed=list_jobs,
    states=list_jobs,
    missing=lambda error: isinstance(error, errors.NotFoundError),
    sent_description=lambda request: str((request.json or {}).get("description")),
    sent_name=lambda request: str((request.json or {})["name"]),
    part_noun="step",
    parts_within=_steps,
)


def config_from(connection: Any, _extra: dict[str, Any]) -> Forge:
    return Forge(connection.host)


PLATFORM = Platform(
    key="forge",
    name="Forge",
    kinds={"job": JOB},
    config=config_from,
    client=AsyncClient,
    errors=ForgeDialect.kinds,
    page_link="_link_ViewInForge",
)
sys.modules["airflow_provider_aihub.forge.platform"] = sys.modules[__name__]


class ForgeHook(BaseHook):
    """A connection becomes a client."""

    def __init__(self, conn_id: str) -> None:
        super().__init__()
        self._conn_id = conn_id

    @cached_property
    def _client(self) -> Client:
        return Client(config_from(self.get_connection(self._conn_id), {}))

    def get_conn(self) -> Client:
        return self._client


class ViewInForge(TaskLink):
    name = "View in Forge"
    xcom_key = PLATFORM.page_link


class ForgeTask(PlatformTask):
    platform_key = "forge"
    kind = "job"
    operator_extra_links = (ViewInForge(),)
    forge_conn_id: str

    @cached_property
    def hook(self) -> ForgeHook:
        return ForgeHook(self.forge_conn_id)


class ForgeOperator(ForgeTask, RemoteJobOperator):
    """Run a command on Forge. A name is unique there, so each try has one of its own."""

    template_fields: Sequence[str] = (*RemoteJobOperator.template_fields, "name", "command")

    def __init__(self, *, name: str, command: str, forge_conn_id: str = "forge_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.command = command
        self.forge_conn_id = forge_conn_id

    def create_request(self, marker: Marker) -> Request[Any]:
        name = f"{self.name}-{hashlib.sha256(str(marker).encode()).hexdigest()[:8]}"
        return create_job(name, self.command, marker.sign("made by a task"))


class ForgeSensor(ForgeTask, RemoteJobSensor):
    """Wait for a job on Forge."""

    job_field = "forge_job"
    template_fields: Sequence[str] = (*RemoteJobSensor.template_fields, "forge_job")

    def __init__(self, *, forge_job: str, forge_conn_id: str = "forge_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.forge_job = forge_job
        self.forge_conn_id = forge_conn_id
