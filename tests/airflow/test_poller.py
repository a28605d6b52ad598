"""What all triggers of a connection share, and what one's trouble is to the others."""

from __future__ import annotations

import asyncio
import json
import math

import pytest

from airflow_provider_aihub.aihub.errors import AIHubAuthError, AIHubError, AIHubUnavailable
from airflow_provider_aihub.aihub.kinds import TRAINING, JobState
from airflow_provider_aihub.aihub.model_training import TrainingSpec
from airflow_provider_aihub.aihub.platform import PLATFORM
from airflow_provider_aihub.emulators.aihub import Emulator
from airflow_provider_aihub.hooks.aihub import AIHubHook
from airflow_provider_aihub.http.errors import RemoteJobError, Unavailable
from airflow_provider_aihub.jobs.errands import Ask
from airflow_provider_aihub.jobs.waiting import Look
from airflow_provider_aihub.triggers import poller
from airflow_provider_aihub.triggers.poller import Poller

LOGIN = "/api/v1/auth/login"
CONNECTION = "AIRFLOW_CONN_AIHUB_DEFAULT"


@pytest.fixture
def training_id(aihub: Emulator) -> int:
    return new_training()


def new_training() -> int:
    spec = TrainingSpec.build(name="t", command="true", image="i", virtual_cluster_id=1, project_id=1)
    return AIHubHook().create_training(spec)


async def look(shared: Poller, training_id: int) -> JobState | AIHubError:
    """Look at a training by itself, since nothing that was read for others is fresh enough."""
    batch = shared.batch(TRAINING)
    job = batch.watch(training_id, lambda _now: 2.0)
    try:
        return await batch.look(job, Look())
    finally:
        batch.leave(job)


async def looks(training_id: int, count: int) -> list[JobState | AIHubError]:
    async with await Poller.shared(PLATFORM, "aihub_default") as shared:
        return await asyncio.gather(*(look(shared, training_id) for _ in range(count)))


def test_many_looks_at_once_need_one_login_and_few_connections(aihub: Emulator, training_id: int) -> None:
    logins, connections = aihub.requests.count("POST", LOGIN), aihub.requests.connections
    seen = asyncio.run(looks(training_id, 200))
    assert all(isinstance(one, JobState) for one in seen)
    assert aihub.requests.count("POST", LOGIN) == logins + 1
    assert aihub.requests.connections - connections <= 10


def test_a_revoked_token_costs_one_more_login(aihub: Emulator, training_id: int) -> None:
    async def both() -> list[JobState | AIHubError]:
        async with await Poller.shared(PLATFORM, "aihub_default") as shared:
            await look(shared, training_id)
            aihub.faults.add("revoke", path="*/trainings/*", count=1)
            return await asyncio.gather(*(look(shared, training_id) for _ in range(200)))

    logins = aihub.requests.count("POST", LOGIN)
    try:
        seen = asyncio.run(both())
    finally:
        aihub.faults.clear()
    assert all(isinstance(one, JobState) for one in seen)
    assert aihub.requests.count("POST", LOGIN) == logins + 2


def test_a_token_outlives_the_trigger_that_got_it(aihub: Emulator, training_id: int) -> None:
    async def one_after_the_other() -> None:
        for _ in range(3):
            async with await Poller.shared(PLATFORM, "aihub_default") as shared:
                assert isinstance(await look(shared, training_id), JobState)

    logins = aihub.requests.count("POST", LOGIN)
    asyncio.run(one_after_the_other())
    assert aihub.requests.count("POST", LOGIN) == logins + 1


def test_a_refused_login_is_not_repeated_for_every_poll(
    aihub: Emulator, training_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = json.loads(aihub.connection_json()) | {"password": "not-the-password"}
    monkeypatch.setenv(CONNECTION, json.dumps(wrong))

    async def many() -> list[JobState | AIHubError]:
        return [*await looks(training_id, 50), *await looks(training_id, 50)]

    logins = aihub.requests.count("POST", LOGIN)
    seen = asyncio.run(many())
    assert all(isinstance(one, AIHubAuthError) for one in seen)
    assert aihub.requests.count("POST", LOGIN) == logins + 1


def test_a_password_that_was_changed_is_used(
    aihub: Emulator, training_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poller, "RELOAD_PAUSE", 0.0)
    monkeypatch.setattr(poller, "REFUSAL_PAUSE", 0.0)
    right = aihub.connection_json()
    monkeypatch.setenv(CONNECTION, json.dumps(json.loads(right) | {"password": "not-the-password"}))

    async def before_and_after() -> tuple[JobState | AIHubError, JobState | AIHubError]:
        async with await Poller.shared(PLATFORM, "aihub_default") as shared:
            before = await look(shared, training_id)
            monkeypatch.setenv(CONNECTION, right)
            return before, await look(shared, training_id)

    before, after = asyncio.run(before_and_after())
    assert isinstance(before, AIHubAuthError)
    assert isinstance(after, JobState)


def test_a_changed_connection_does_not_break_off_what_is_under_way(
    aihub: Emulator, training_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poller, "RELOAD_PAUSE", 0.0)

    async def all_looks() -> list[JobState | AIHubError]:
        async with await Poller.shared(PLATFORM, "aihub_default") as shared:
            assert isinstance(await look(shared, training_id), JobState)
            aihub.faults.add("delay", path="*/trainings/*", count=25, seconds=0.3)
            slow = [asyncio.create_task(look(shared, training_id)) for _ in range(25)]
            await asyncio.sleep(0.1)
            changed = json.loads(aihub.connection_json())
            changed["extra"]["timeout"] = 29
            monkeypatch.setenv(CONNECTION, json.dumps(changed))
            await shared._load(shared._client)
            return await asyncio.gather(*slow)

    try:
        seen = asyncio.run(all_looks())
    finally:
        aihub.faults.clear()
    assert len(seen) == 25
    assert all(isinstance(one, JobState) for one in seen)


def test_a_connection_that_airflow_does_not_give_is_a_failed_poll(training_id: int) -> None:
    async def one() -> JobState | RemoteJobError:
        async with await Poller.shared(PLATFORM, "no_such_connection") as shared:
            return await look(shared, training_id)

    error = asyncio.run(one())
    assert isinstance(error, Unavailable)
    assert "no_such_connection" in str(error)


def test_while_airflow_fails_too_the_connection_is_not_read_for_every_poll(
    aihub: Emulator, training_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = 0

    async def fail(_: str) -> None:
        nonlocal reads
        reads += 1
        raise RuntimeError("Airflow's API server is away")

    async def many() -> list[JobState | AIHubError]:
        async with await Poller.shared(PLATFORM, "aihub_default") as shared:
            assert isinstance(await look(shared, training_id), JobState)
            shared._loaded_at = -math.inf
            monkeypatch.setattr(poller, "get_async_connection", fail)
            aihub.faults.add("status", path="*/trainings/*", status=503)
            return await asyncio.gather(*(look(shared, training_id) for _ in range(20)))

    try:
        seen = asyncio.run(many())
    finally:
        aihub.faults.clear()
    assert reads == 1
    assert all(isinstance(one, AIHubUnavailable) and "503" in str(one) for one in seen)


async def test_a_job_that_may_not_be_read_is_no_trouble_to_the_others(
    aihub: Emulator, training_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = [await asyncio.to_thread(new_training) for _ in range(40)]
    refused, healthy = mine[:3], mine[3:]
    for number in refused:
        aihub.faults.add("expired_token", path=f"*/trainings/{number}")
    seen: dict[int, list[JobState | AIHubError]] = {number: [] for number in mine}
    try:
        async with await Poller.shared(PLATFORM, "aihub_default") as shared:
            for _ in range(5):
                for number, one in zip(mine, await asyncio.gather(*(look(shared, n) for n in mine)), strict=True):
                    seen[number].append(one)
    finally:
        aihub.faults.clear()
    assert all(isinstance(one, AIHubAuthError) for number in refused for one in seen[number])
    assert all(isinstance(one, JobState) for number in healthy for one in seen[number])


async def test_a_login_that_is_refused_is_not_repeated_for_errands_either(
    aihub: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = json.loads(aihub.connection_json()) | {"password": "not-the-password"}
    monkeypatch.setenv(CONNECTION, json.dumps(wrong))
    logins = aihub.requests.count("POST", LOGIN)
    async with await Poller.shared(PLATFORM, "aihub_default") as shared:
        for _ in range(20):
            with pytest.raises(AIHubAuthError):
                await shared.perform(Ask(TRAINING.read(1)))
    assert aihub.requests.count("POST", LOGIN) == logins + 1
