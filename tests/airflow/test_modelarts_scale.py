"""A thousand training jobs of ModelArts at once: what it is asked for them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from waiting import eventually

from airflow_provider_aihub.jobs.kind import JobState, Phase
from airflow_provider_aihub.jobs.waiting import FRESHNESS, Look
from airflow_provider_aihub.modelarts.kinds import TRAINING_JOB
from airflow_provider_aihub.modelarts.platform import PLATFORM
from airflow_provider_aihub.modelarts.training_jobs import LARGEST_LIST
from airflow_provider_aihub.triggers.batch_poller import BatchPoller
from airflow_provider_aihub.triggers.job import JobTrigger
from airflow_provider_aihub.triggers.poller import Poller
from benchmarks.server import SUCCEEDED, Arts, Http, training_job

OLD = 15.0
"""Seconds that an answer may be old for a job that has run for long."""


def job_id(number: int) -> str:
    found: str = training_job(number)["metadata"]["id"]
    return found


@asynccontextmanager
async def polled(arts: Arts, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[BatchPoller]:
    """Serve what there is behind the connection ``modelarts_default``, and give the poller of its training jobs."""
    server = await asyncio.get_running_loop().create_server(lambda: Http(arts), "127.0.0.1", 0, backlog=4096)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    connection = {"conn_type": "modelarts", "host": url, "login": "AK", "password": "right"}
    connection["extra"] = json.dumps({"project_id": "0123456789abcdef0123456789abcdef"})
    monkeypatch.setenv("AIRFLOW_CONN_MODELARTS_DEFAULT", json.dumps(connection))
    try:
        async with await Poller.shared(PLATFORM, "modelarts_default") as poller:
            yield poller.batch(TRAINING_JOB)
    finally:
        server.close()


def test_a_round_of_a_thousand_takes_twenty_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    arts, count = Arts(1000, lists=True), 1000

    async def looks() -> None:
        async with polled(arts, monkeypatch) as batch:
            jobs = [batch.watch(job_id(number), lambda _: OLD / FRESHNESS) for number in range(1, count + 1)]
            for ended in (1, 500, 1000):
                arts.end(ended, SUCCEEDED)
                seen = await asyncio.gather(*(batch.look(job, Look(max_age=OLD)) for job in jobs))
                done = [one.job_id for one in seen if isinstance(one, JobState) and one.phase is Phase.SUCCEEDED]
                assert len(seen) == count
                assert job_id(ended) in done
            assert len(done) == 3

    asyncio.run(looks())
    assert arts.counts["pages"] == arts.counts["requests"] == 3 * count / LARGEST_LIST
    assert arts.counts["connections"] <= 10


def test_every_trigger_tells_the_end_of_its_own_job(monkeypatch: pytest.MonkeyPatch) -> None:
    arts, count = Arts(200, lists=True), 200

    async def fired(number: int) -> tuple[str, str]:
        given = {"modelarts_conn_id": "modelarts_default", "training_job_id": job_id(number)}
        trigger = JobTrigger(kind="modelarts.training_job", poll_interval=0.3, **given)
        async for event in trigger.run():
            return event.payload["job_id"], event.payload["outcome"]
        raise AssertionError("a trigger fired nothing")

    async def all_of_them() -> list[tuple[str, str]]:
        async with polled(arts, monkeypatch):
            running = [asyncio.create_task(fired(number)) for number in range(1, count + 1)]
            await eventually("searches", lambda: arts.counts["pages"], lambda pages: pages >= 3 * count / LARGEST_LIST)
            assert not any(task.done() for task in running)
            arts.end_all()
            return list(await asyncio.gather(*running))

    assert asyncio.run(all_of_them()) == [(job_id(number), "ended") for number in range(1, count + 1)]
    # Each is read once for its tasks; and the last few are read by themselves.
    assert arts.counts["singles"] < 1.2 * count
