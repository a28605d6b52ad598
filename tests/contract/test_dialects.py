"""What an AIHub lacks is learnt once for each client, and what the document has instead is used."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import requests
from cases import CASES, Case, case
from world import World, client_of

from airflow_provider_aihub.aihub.client import AIHubClient, AsyncAIHubClient
from airflow_provider_aihub.aihub.config import Config
from airflow_provider_aihub.aihub.endpoints import Endpoints
from airflow_provider_aihub.aihub.errors import AIHubError, AIHubUnsupportedError
from airflow_provider_aihub.aihub.model_training import TrainingSpec
from airflow_provider_aihub.aihub.quota_schedule import QuotaTaskSpec
from airflow_provider_aihub.aihub.services import Service
from airflow_provider_aihub.http.endpoint import Endpoint
from airflow_provider_aihub.http.retry import RetryPolicy

PLATFORM_ONLY = [
    one for one in CASES if one.source == "P" and one.request().optional and one.request().fallback is None
]
RUN = "/workflow-center/api/v1/runs/{id}"

Calls = Callable[[Config, str, tuple[Any, ...], int], list[Any]]


def blocking(config: Config, name: str, args: tuple[Any, ...], times: int) -> list[Any]:
    """Call a method so many times through one client; errors are results too."""
    with AIHubClient(config) as client:
        return [_outcome(lambda: getattr(client, name)(*args)) for _ in range(times)]


def asynchronous(config: Config, name: str, args: tuple[Any, ...], times: int) -> list[Any]:
    """As :func:`blocking`, for the other client."""

    async def run() -> list[Any]:
        async with AsyncAIHubClient(config) as client:
            return [await _async_outcome(getattr(client, name)(*args)) for _ in range(times)]

    return asyncio.run(run())


def _outcome(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except AIHubUnsupportedError as error:
        return error


async def _async_outcome(coming: Awaitable[Any]) -> Any:
    try:
        return await coming
    except AIHubUnsupportedError as error:
        return error


@pytest.fixture(params=[blocking, asynchronous])
def calls(request: pytest.FixtureRequest) -> Calls:
    made: Calls = request.param
    return made


def asked(world: World, *endpoints: str) -> list[int]:
    return [world.aihub.requests.counts[endpoint] for endpoint in endpoints]


def test_a_run_is_read_by_post_after_one_refused_get(document: World, calls: Calls) -> None:
    for _ in range(2):
        get, post = asked(document, f"GET {RUN}", f"POST {RUN}")
        refused = document.aihub.requests.count("GET", "*/runs/*", 405)
        runs = calls(document.client.config, "get_workflow_run", (document.run,), 3)
        assert [(run.id, run.status) for run in runs] == [(document.run, 3)] * 3
        assert asked(document, f"POST {RUN}") == [post + 3]
        assert document.aihub.requests.count("GET", "*/runs/*", 405) == refused + 1
        assert asked(document, f"GET {RUN}") == [get]


def test_a_run_is_read_by_get_where_that_works(platform: World, calls: Calls) -> None:
    get, post = asked(platform, f"GET {RUN}", f"POST {RUN}")
    runs = calls(platform.client.config, "get_workflow_run", (platform.run,), 3)
    assert [(run.id, run.project.id) for run in runs] == [(platform.run, 1)] * 3
    assert asked(platform, f"GET {RUN}", f"POST {RUN}") == [get + 3, post]


@pytest.mark.parametrize("one", PLATFORM_ONLY, ids=str)
def test_what_the_document_lacks_is_asked_for_once_a_client(document: World, calls: Calls, one: Case) -> None:
    requests_before = len(document.aihub.requests)
    (first, *later) = calls(document.client.config, one.call, one.args, 3)
    (login, refused) = list(document.aihub.requests)[requests_before:]
    assert (login.path, refused.method, refused.path) == ("/api/v1/auth/login", one.method, one.path)
    assert refused.status in (404, 405)
    assert isinstance(first, AIHubUnsupportedError)
    assert all(isinstance(error, AIHubUnsupportedError) for error in later)
    assert "this AIHub does not offer it" in str(first)
    # Another client finds out for itself.
    calls(document.client.config, one.call, one.args, 1)
    assert len(document.aihub.requests) == requests_before + 4


JOB = {"name": "j", "command": "true", "image": "i", "virtual_cluster_id": 1, "project_id": 1}


@pytest.mark.parametrize(
    ("create", "spec", "jobs"),
    [
        ("create_training", TrainingSpec, "/model-training-platform/api/v1/trainings"),
        ("create_quota_task", QuotaTaskSpec, "/quota-schedule-management/api/v1/tasks"),
    ],
)
def test_shared_memory_is_sent_where_it_is_given_or_demanded(
    platform: World, document: World, calls: Calls, create: str, spec: Any, jobs: str
) -> None:
    for world, chosen, status in ((platform, 0, 200), (document, 1, 405)):
        before = len(world.aihub.requests)
        made = calls(world.client.config, create, (spec.build(**JOB),), 2)
        made += calls(world.client.config, create, (spec.build(**JOB, shm=5),), 1)
        asked = [(entry.method, entry.status) for entry in list(world.aihub.requests)[before:] if entry.path == jobs]
        # It is asked once for each client which kind of AIHub this is, and not at all where nothing depends on it.
        assert asked == [("GET", status), ("POST", 200), ("POST", 200), ("POST", 200)]
        found = [getattr(world.client, create.replace("create", "get"))(number).shm for number in made]
        assert found == [chosen, chosen, 5]


@pytest.mark.parametrize(
    ("fault", "made"),
    [
        # What refuses a list has one.
        ({"status": 403}, True),
        ({"status": 400}, True),
        ({"status": 200, "code": 1}, True),
        ({"status": 200, "code": 0}, True),
        ({"status": 503}, False),
        ({"status": 401}, False),
    ],
)
def test_nothing_is_made_while_it_is_unknown_what_is_demanded(
    platform: World, fault: dict[str, Any], made: bool
) -> None:
    jobs = "/model-training-platform/api/v1/trainings"
    before = platform.aihub.requests.count("POST", jobs)
    client = AIHubClient(platform.client.config, policy=RetryPolicy(attempts=1))
    struck = platform.aihub.faults.add("status", method="GET", path=jobs, **fault)
    try:
        if made:
            assert client.get_training(client.create_training(TrainingSpec.build(**JOB))).shm == 0
        else:
            with pytest.raises(AIHubError, match="show by a list what it takes to create training 'j'"):
                client.create_training(TrainingSpec.build(**JOB))
    finally:
        platform.aihub.faults.remove(struck.id)
    assert struck.struck >= 1
    assert platform.aihub.requests.count("POST", jobs) == before + made


def test_the_platform_lacks_nothing(platform: World) -> None:
    assert {one.call for one in PLATFORM_ONLY} == {
        name
        for name, endpoint in vars(Endpoints).items()
        if isinstance(endpoint, Endpoint) and name not in {one.call for one in CASES if one.source == "D"}
    }
    assert platform.aihub.requests.count(status=405) == 0


def test_each_service_has_a_port_and_takes_only_its_own(document: World) -> None:
    addresses = client_of(document.aihub).config.addresses
    assert set(addresses) == set(Service)
    assert len(set(addresses.values())) == len(Service)
    path = f"{addresses[Service.QUOTA_SCHEDULE]}{case('get_training').path}"
    assert requests.get(path, timeout=5).status_code == 404
    assert requests.get(f"{addresses[Service.MODEL_TRAINING]}{case('get_training').path}", timeout=5).status_code == 401
