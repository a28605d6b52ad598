"""What polling costs the process that does it: many triggers on one event loop, for a while.

``python -m benchmarks.polling WHO URL JOBS SECONDS INTERVAL`` prints the measures of one way of polling as JSON.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import sys
import time
import tracemalloc
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from functools import cache, partial
from typing import Any
from urllib.parse import urlsplit

# Each of those who are measured has all of Airflow in its process, as in a triggerer.
from airflow.triggers.base import BaseTrigger, TriggerEvent

SETTLING = 3.0
"""Seconds from the start of the last trigger until the measuring begins; half of the measuring, where that is short."""
LOOKS: list[None] = []
"""One for each time that this provider reads a job, by itself or on a page."""
TICK = 0.005
"""Seconds between two looks at how late the event loop is."""


def ask(url: str) -> dict[str, int]:
    """Ask the server for something that is not measured."""
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url) as answer:
        said: dict[str, int] = json.load(answer)
        return said


def counts(url: str) -> dict[str, int]:
    """Give what the server has counted since this was last asked."""
    return ask(f"{url}/counts")


class Lateness:
    """Measures by how much the event loop is late, in seconds."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    async def watch(self) -> None:
        while True:
            due = time.perf_counter() + TICK
            await asyncio.sleep(TICK)
            self.seen.append(max(0.0, time.perf_counter() - due))

    def share(self, share: float) -> float:
        return sorted(self.seen)[min(int(share * len(self.seen)), len(self.seen) - 1)]


TRAINING = "/model-training-platform/api/v1/trainings/{}"
TRAINING_JOB = "/v2/0123456789abcdef0123456789abcdef/training-jobs/2cd88daa-31a4-40a8-a58f-{:012d}"


def bare(
    url: str, jobs: int, interval: float, path: str = TRAINING, ended: Callable[[Any], bool] | None = None
) -> list[Callable[[], Awaitable[None]]]:
    """One GET for each poll, on one session; nothing else."""
    import aiohttp

    over = ended or (lambda answer: answer["data"]["status"] == 3)

    session: list[aiohttp.ClientSession] = []
    left: list[None] = []

    async def poll(number: int) -> None:
        if not session:
            session.append(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=10)))
        await asyncio.sleep(interval * number / jobs)
        try:
            while True:
                async with session[0].get(url + path.format(number)) as answer:
                    if over(json.loads(await answer.read())):
                        return
                await asyncio.sleep(interval)
        finally:
            left.append(None)
            if len(left) == jobs:
                await session[0].close()

    return [lambda number=number: poll(number) for number in range(1, jobs + 1)]  # type: ignore[misc]


@cache
def count_looks() -> None:
    """Note each look of this provider at a job."""
    from airflow_provider_aihub.triggers.batch_poller import BatchPoller

    show, by_itself = BatchPoller._show, BatchPoller._by_itself

    def shown(*arguments: Any) -> Any:
        LOOKS.append(None)
        return show(*arguments)

    def read(*arguments: Any) -> Any:
        LOOKS.append(None)
        return by_itself(*arguments)

    BatchPoller._show, BatchPoller._by_itself = shown, read  # type: ignore[method-assign]


def bare_modelarts(url: str, jobs: int, interval: float) -> list[Callable[[], Awaitable[None]]]:
    """The same of ModelArts, without a signature."""
    return bare(url, jobs, interval, TRAINING_JOB, lambda answer: answer["status"]["phase"] == "Completed")


def aihub(url: str, jobs: int, interval: float) -> list[Callable[[], Awaitable[None]]]:
    """This provider's trigger."""
    connection = {"conn_type": "aihub", "host": url, "login": "research", "password": "not-a-secret"}
    os.environ["AIRFLOW_CONN_AIHUB_DEFAULT"] = json.dumps(connection)
    return _own("aihub", "training", range(1, jobs + 1), interval)


def modelarts(url: str, jobs: int, interval: float) -> list[Callable[[], Awaitable[None]]]:
    """Likewise, for ModelArts."""
    connection = {"conn_type": "modelarts", "host": url, "login": "AK", "password": "not-a-secret"}
    connection["extra"] = json.dumps({"project_id": TRAINING_JOB.split("/")[2]})
    os.environ["AIRFLOW_CONN_MODELARTS_DEFAULT"] = json.dumps(connection)
    ids = [TRAINING_JOB.format(number).rpartition("/")[2] for number in range(1, jobs + 1)]
    return _own("modelarts", "training_job", ids, interval)


def _own(platform: str, kind: str, ids: Iterable[int | str], interval: float) -> list[Callable[[], Awaitable[None]]]:
    from airflow_provider_aihub.triggers.job import JobTrigger

    count_looks()

    async def wait(job_id: int | str) -> None:
        # A job that is old enough to be polled that often; without an interval, one that was just submitted.
        given: dict[str, Any] = {"poll_interval": interval} if interval else {}
        given |= {f"{platform}_conn_id": f"{platform}_default", "job_id": job_id}
        trigger = JobTrigger(kind=f"{platform}.{kind}", since=time.time() - 30 * interval, **given)
        async for _ in trigger.run():
            pass

    return [partial(wait, job_id) for job_id in ids]


def databricks(url: str, jobs: int, interval: float) -> list[Callable[[], Awaitable[None]]]:
    """The trigger of the Databricks provider."""
    from airflow.providers.databricks.triggers.databricks import DatabricksExecutionTrigger

    parts = urlsplit(url)
    connection = {"conn_type": "databricks", "schema": parts.scheme, "host": parts.hostname, "port": parts.port}
    connection["password"] = "not-a-secret"  # noqa: S105 - it is none
    os.environ["AIRFLOW_CONN_DATABRICKS_DEFAULT"] = json.dumps(connection)

    async def wait(number: int) -> None:
        given = {"polling_period_seconds": interval} if interval else {}
        trigger = DatabricksExecutionTrigger(run_id=number, databricks_conn_id="databricks_default", **given)
        async for _ in trigger.run():
            pass

    return [lambda number=number: wait(number) for number in range(1, jobs + 1)]  # type: ignore[misc]


def asleep(_url: str, jobs: int, _interval: float) -> list[Callable[[], Awaitable[None]]]:
    """A trigger that only sleeps: what any trigger of Airflow takes."""

    class Asleep(BaseTrigger):
        def serialize(self) -> tuple[str, dict[str, Any]]:
            return "", {}

        async def run(self) -> AsyncIterator[TriggerEvent]:
            self.log.info("Waiting")
            await asyncio.sleep(3600)
            yield TriggerEvent(None)

    async def wait() -> None:
        async for _ in Asleep().run():
            pass

    return [wait] * jobs


WAYS = {
    "asleep": asleep,
    "bare": bare,
    "bare_modelarts": bare_modelarts,
    "aihub": aihub,
    "modelarts": modelarts,
    "databricks": databricks,
}


async def measure(way: str, url: str, jobs: int, seconds: float, interval: float) -> dict[str, Any]:
    """Start the triggers, let them settle, and measure for a while."""
    waits = WAYS[way](url, jobs, interval)
    counts(url)
    late = Lateness()
    watching = asyncio.create_task(late.watch())
    alone, began = time.process_time(), time.perf_counter()
    await asyncio.sleep(min(SETTLING, seconds / 2))
    # What the watching takes is none of theirs.
    alone = (time.process_time() - alone) / (time.perf_counter() - began)
    running = await _begun(waits)
    await asyncio.sleep(max(min(SETTLING, seconds / 2), min(2.5 * interval, interval + 10)))
    started = await asyncio.to_thread(counts, url)
    starting, late.seen = late.share(1.0), []
    LOOKS.clear()
    cpu, clock = time.process_time(), time.perf_counter()
    ended = Counter[str]()
    while not ended["requests"]:
        # Once, but for a moment that was too short for any.
        await asyncio.sleep(seconds)
        ended += Counter(await asyncio.to_thread(counts, url))
    cpu, clock = time.process_time() - cpu, time.perf_counter() - clock
    watching.cancel()
    for task in running:
        task.cancel()
    dead = [one for one in await asyncio.gather(*running, return_exceptions=True) if isinstance(one, Exception)]
    if dead:
        raise dead[0]
    return {
        "jobs": jobs,
        "seconds": clock,
        "cpu": max(cpu - alone * clock, 0.0),
        "requests": ended["requests"],
        "polls": len(LOOKS) or ended["requests"],
        "asides": ended["asides"],
        "connections": started.get("connections", 0) + ended["connections"],
        "logins": started.get("logins", 0) + ended["logins"],
        "worst delay at the start": starting,
        "worst delay": late.share(1.0),
        "99 % delay": late.share(0.99),
    }


async def _begun(waits: list[Callable[[], Awaitable[None]]]) -> list[asyncio.Future[None]]:
    """Start them as Airflow's triggerer does, which has a turn of the event loop before each."""
    running = []
    for wait in waits:
        await asyncio.sleep(0)
        running.append(asyncio.ensure_future(wait()))
    return running


async def memory(way: str, url: str, jobs: int, seconds: float, interval: float) -> dict[str, Any]:
    """Measure what one trigger more takes, when all have been polled; in bytes."""
    waits = WAYS[way](url, jobs, interval)
    first = asyncio.ensure_future(waits[0]())
    # It polls within ten seconds, and what it imports then is no other trigger's.
    await asyncio.sleep(min(4 * SETTLING, seconds))
    gc.collect()
    tracemalloc.start()
    running = await _begun(waits[1:])
    del waits
    await asyncio.sleep(seconds)
    gc.collect()
    now, peak = tracemalloc.get_traced_memory()
    for task in (first, *running):
        task.cancel()
    await asyncio.gather(first, *running, return_exceptions=True)
    tracemalloc.stop()
    return {"jobs": jobs, "memory": now / len(running), "peak": peak / len(running)}


async def notice(way: str, url: str, jobs: int, seconds: float, interval: float) -> dict[str, Any]:
    """Measure how long after their ends jobs of so many seconds are seen to have ended.

    :param interval: 0 for what is the default of each.
    """
    waits = WAYS[way](url, jobs, interval)
    began = time.monotonic()
    seen: list[float] = []

    async def wait(one: Callable[[], Awaitable[None]]) -> None:
        await one()
        seen.append(time.monotonic() - ended)

    running = [asyncio.create_task(wait(one)) for one in waits]
    await asyncio.sleep(began + seconds - time.monotonic())
    await asyncio.to_thread(ask, f"{url}/end")
    ended = time.monotonic()
    await asyncio.gather(*running)
    return {"jobs": jobs, "worst": max(seen), "median": sorted(seen)[len(seen) // 2]}


def main(way: str, url: str, jobs: str, seconds: str, interval: str, what: str = "measure") -> dict[str, Any]:
    logging.disable(logging.INFO)
    measures = {"measure": measure, "memory": memory, "notice": notice}
    return asyncio.run(measures[what](way, url, int(jobs), float(seconds), float(interval)))


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))  # noqa: T201 - it is what the caller reads
