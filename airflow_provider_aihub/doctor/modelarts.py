"""What is looked at of a ModelArts. Nothing is changed there."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_aihub.doctor.finding import Findings, by_name, clock, found, page_of
from airflow_provider_aihub.http.durations import span
from airflow_provider_aihub.modelarts import kinds
from airflow_provider_aihub.modelarts.config import DEFAULT_WORKSPACE
from airflow_provider_aihub.modelarts.errors import ModelArtsError
from airflow_provider_aihub.modelarts.services import Service
from airflow_provider_aihub.modelarts.training_jobs import LARGEST_LIST

if TYPE_CHECKING:
    from airflow_provider_aihub.modelarts.client import ModelArtsClient


def findings(client: ModelArtsClient, get_in: Callable[[Any], str]) -> Findings:
    """Look at a ModelArts.

    :param get_in: Gets in, and says how.
    """
    for service in Service:
        yield found(f"address of {service}", partial(client.config.address, service))
    login = found("login", lambda: get_in(client))
    yield login
    yield found("clock", lambda: clock(client))
    if not login.well:
        return
    yield found("token", lambda: _token(client))
    yield found("project", lambda: _project(client))
    yield found("workspace", lambda: _workspace(client))
    yield found("list of training jobs", lambda: page_of(client, kinds.TRAINING_JOB, LARGEST_LIST))
    yield found("workflows", partial(by_name, client.list_workflows, "workflow_id"))
    yield found("notebooks", partial(by_name, client.list_notebooks))
    yield found("flavors of training jobs", lambda: ", ".join(_flavors(client)) or "none may be used")


def _token(client: ModelArtsClient) -> str:
    if client.config.signs:
        return "none: each request is signed, by the time that ModelArts tells"
    login = client.send(client.config.dialect.login())
    if login.expires is None or login.issued is None:
        return "it does not say how long it lasts; a new one is got when it is refused"
    return f"lasts {span(login.expires - login.issued)}, and is renewed before its end"


def _project(client: ModelArtsClient) -> str:
    config = client.config
    if config.project_id:
        return f"{config.project_id}, as the connection says"
    return f"{config.learnt.project_id}, which IAM names {config.region}"


def _workspace(client: ModelArtsClient) -> str:
    wanted = client.config.workspace_id
    rows = {row.id: row for row in client.list_workspaces()}
    if wanted in rows:
        return f"{wanted} ({rows[wanted].name}, {rows[wanted].status})"
    if wanted == DEFAULT_WORKSPACE:
        return "the default one"
    known = ", ".join(f"{row.id} ({row.name})" for row in rows.values())
    raise ModelArtsError(f"There is no workspace {wanted}; fill in 'workspace_id' with one of {known or 'none'}")


def _flavors(client: ModelArtsClient) -> list[str]:
    return [flavor.flavor_id for flavor in client.list_training_job_flavors()]
