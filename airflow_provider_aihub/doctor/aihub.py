"""What is looked at of an AIHub. Nothing is changed there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_aihub.aihub import kinds, token
from airflow_provider_aihub.aihub.config import URL_FIELDS
from airflow_provider_aihub.aihub.data_warehouse import SearchSpec, create_search
from airflow_provider_aihub.aihub.errors import (
    AIHubAuthError,
    AIHubError,
    AIHubRejectedError,
    AIHubUnsupportedError,
)
from airflow_provider_aihub.aihub.model_training import TrainingSpec, create_training
from airflow_provider_aihub.aihub.services import Auth, Service
from airflow_provider_aihub.aihub.tag_system import ModuleType
from airflow_provider_aihub.aihub.trial import READS
from airflow_provider_aihub.aihub.workflow_center import get_workflow_run
from airflow_provider_aihub.doctor.creating import Trial
from airflow_provider_aihub.doctor.finding import PAGE, Finding, Findings, by_name, clock, found, page_of
from airflow_provider_aihub.http.durations import span

if TYPE_CHECKING:
    from airflow_provider_aihub.aihub.client import AIHubClient
    from airflow_provider_aihub.http.request import Request

LISTED: Final = {
    "trainings": kinds.TRAINING,
    "quota tasks": kinds.QUOTA_TASK,
    "workflow runs": kinds.WORKFLOW_RUN,
    "searches": kinds.SEARCH,
    "dataset versions": kinds.DATASET_VERSION,
}


def findings(client: AIHubClient, get_in: Callable[[AIHubClient], str]) -> Findings:
    """Look at an AIHub.

    :param get_in: Gets in, and says how.
    """
    login = found("login", lambda: get_in(client))
    yield login
    if login.well:
        yield found("token", lambda: _token(client))
    for service in Service:
        yield _service(client, service, inside=login.well)
    yield found("clock", lambda: clock(client))
    if not login.well:
        return
    yield found("API", lambda: _dialect(client))
    yield found("workflow runs are read by", lambda: _run_method(client))
    for what, kind in LISTED.items():
        yield found(f"list of {what}", partial(page_of, client, kind))
    for about, rows in _named(client).items():
        yield found(about, partial(by_name, rows))


def _token(client: AIHubClient) -> str:
    config = client.config
    if config.can_log_in:
        # A login of its own: the token that the client has in use is its own affair.
        login = client.send(config.dialect.login())
        if login.expires is None or login.issued is None:
            return "it does not say how long it lasts; a new one is got when it is refused"
        return f"lasts {span(login.expires - login.issued)}, and is renewed before its end"
    said = token.issued(config.token)
    now = client.server_time or time.time()
    if said.expires is None:
        return "static, does not say when it ends; nothing can renew it"
    if said.expires <= now:
        raise AIHubError("The static token has ended; give a new one, or login and password")
    return f"static, ends in {span(said.expires - now)}; nothing can renew it"


def _service(client: AIHubClient, service: Service, *, inside: bool) -> Finding:
    """Say whether a service is there.

    :param inside: Whether there is a token; without one a service that wants it is there as well.
    """
    address = client.config.addresses.get(service)
    if address is None:
        return Finding(service, True, f"no address; fill in '{URL_FIELDS[service]}' before a task needs it")
    if service not in READS:
        # It would tell nothing but what the login has told, or change something.
        return Finding(service, True, f"{address}, {_untried(service)}")

    def look() -> str:
        request = READS[service]
        try:
            _ask(client, request if inside else replace(request, auth=Auth.NONE))
        except AIHubUnsupportedError:
            return f"{address}, not offered by this AIHub"
        except AIHubAuthError:
            if inside:
                raise
        return f"{address}, answers"

    return found(service, look)


def _untried(service: Service) -> str:
    return "see login" if service is Service.USER_SYSTEM else "not tried, since every call there changes something"


def _dialect(client: AIHubClient) -> str:
    try:
        client.list_trainings(page_size=1)
    except AIHubUnsupportedError:
        return "that of AIHub's document alone, which lists no jobs"
    return "that of newer platforms, which list jobs and stop workflow runs"


def _run_method(client: AIHubClient) -> str:
    request = get_workflow_run(1)
    try:
        _ask(client, replace(request, fallback=None))
    except AIHubUnsupportedError:
        _ask(client, request)
        return "POST, as AIHub's document prints it"
    return "GET"


def _ask(client: AIHubClient, request: Request[Any]) -> None:
    """Make sure that AIHub answers a request, be it with no: there may well be nothing with the id 1."""
    try:
        client.send(request)
    except AIHubRejectedError as error:
        if error.code is None:
            raise


def _named(client: AIHubClient) -> dict[str, Callable[[], Iterable[Any]]]:
    def clusters(module: ModuleType) -> Iterable[Any]:
        if client.user_id is None:
            raise AIHubError("The token names no user; give the ids of virtual clusters, or log in")
        return client.list_virtual_clusters(client.user_id, module)

    return {
        "projects": client.list_projects,
        "virtual clusters for trainings": partial(clusters, ModuleType.TRAINING),
        "virtual clusters for workflow runs": partial(clusters, ModuleType.WORKFLOW),
        "storages": client.list_storages,
        "pipelines": client.list_pipelines,
        "datasets": lambda: client.list_datasets(page_size=PAGE).data,
    }


def trials(client: AIHubClient, virtual_cluster: int | None, project: int | None, image: str | None) -> Iterator[Trial]:
    """Return the jobs to create: a search of one row; and a training without a GPU, where all three are given.

    :param virtual_cluster: Id of the virtual cluster that the training runs on; likewise the project.
    """
    yield Trial(
        client, kinds.SEARCH, lambda name, text: create_search(SearchSpec(name=name, description=text, sql="SELECT 1"))
    )
    if virtual_cluster is None or project is None or image is None:
        return

    def training(name: str, text: str) -> Request[int]:
        return create_training(
            TrainingSpec.build(
                name=name,
                description=text,
                command="sleep 600",
                image=image,
                virtual_cluster_id=virtual_cluster,
                project_id=project,
                sku_cnt=0,
            )
        )

    yield Trial(client, kinds.TRAINING, training)
