"""A thousand jobs at once: what AIHub is asked for them, and that each is still seen as it is."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from waiting import eventually

from airflow_provider_aihub.aihub.errors import AIHubError, AIHubNotFoundError
from airflow_provider_aihub.aihub.kinds import KINDS, TRAINING, WORKFLOW_RUN, JobKind, JobState, Phase
from airflow_provider_aihub.aihub.platform import PLATFORM
from airflow_provider_aihub.http.errors import RemoteJobError
from airflow_provider_aihub.jobs.waiting import FRESHNESS, Look
from airflow_provider_aihub.provider_info import SETTINGS
from airflow_provider_aihub.triggers import batch_poller as module
from airflow_provider_aihub.triggers import lanes, settings
from airflow_provider_aihub.triggers.batch_poller import PAGE_SIZE, BatchPoller, PolledJob
from airflow_provider_aihub.triggers.job import JobTrigger
from airflow_provider_aihub.triggers.poller import Poller
from benchmarks.server import RUNNING, Http, Hub

FLOOR = 0.1
"""As in the other tests of triggers."""
OLD, YOUNG = 15.0, 0.8
"""How old an answer may be for a job that has run for long, and for one that has just begun."""


@asynccontextmanager
async def serving(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Serve what the hub knows, behind the connection ``aihub_default``."""
    server = await asyncio.get_running_loop().create_server(lambda: Http(hub), "127.0.0.1", 0, backlog=4096)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    connection = {"conn_type": "aihub", "host": url, "login": "research", "password": "right"}
    monkeypatch.setenv("AIRFLOW_CONN_AIHUB_DEFAULT", json.dumps(connection))
    try:
        yield
    finally:
        server.close()


Looks = Callable[[BatchPoller], Coroutine[Any, Any, None]]


@pytest.fixture
def within(monkeypatch: pytest.MonkeyPatch) -> Callable[[Hub, Looks], None]:
    """Run something with the batch of trainings while a hub serves."""

    def run(hub: Hub, looks: Looks) -> None:
        async def served() -> None:
            async with serving(hub, monkeypatch), await Poller.shared(PLATFORM, "aihub_default") as poller:
                await looks(poller.batch(TRAINING))

        asyncio.run(served())

    return run


def watch_one(batch: BatchPoller, number: int, max_age: float = OLD) -> PolledJob:
    return batch.watch(number, lambda _now: max_age / FRESHNESS)


def watch(batch: BatchPoller, count: int, max_age: float = OLD) -> list[PolledJob]:
    return [watch_one(batch, number, max_age) for number in range(1, count + 1)]


async def look(batch: BatchPoller, jobs: list[PolledJob], max_age: float = OLD) -> list[JobState | AIHubError]:
    return list(await asyncio.gather(*(batch.look(job, Look(max_age=max_age)) for job in jobs)))


async def asked(hub: Hub, what: str, count: int) -> None:
    """Wait until AIHub was asked so often."""
    await eventually(f"AIHub was asked for {count} {what}", lambda: hub.counts[what], lambda so_far: so_far >= count)


def phases(seen: list[JobState | AIHubError]) -> list[Phase | None]:
    return [one.phase if isinstance(one, JobState) else None for one in seen]


def test_a_round_of_a_thousand_takes_a_few_pages(within: Callable[[Hub, Looks], None]) -> None:
    hub = Hub(1000, lists=True)

    async def looks(batch: BatchPoller) -> None:
        jobs = watch(batch, 1000)
        for number in (1, 500, 1000):
            hub.end(number, 3)
        assert phases(await look(batch, jobs)) == [
            Phase.SUCCEEDED if number in (1, 500, 1000) else Phase.RUNNING for number in range(1, 1001)
        ]
        assert hub.counts["requests"] == hub.counts["pages"] == 1000 / PAGE_SIZE
        assert (hub.counts["logins"], hub.counts["connections"]) == (1, 1)
        hub.end(77, 4)
        assert phases(await look(batch, jobs))[76] is Phase.FAILED
        assert hub.counts["requests"] <= 10

    within(hub, looks)


@pytest.fixture
def _no_answer_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine each takes long, and what takes long lets others go on with connections of their own."""
    monkeypatch.setattr(lanes, "SLOW", 600.0)


@pytest.mark.usefixtures("_no_answer_is_slow")
def test_without_lists_each_is_read_by_itself(within: Callable[[Hub, Looks], None]) -> None:
    hub = Hub(200, lists=False)

    async def looks(batch: BatchPoller) -> None:
        jobs = watch(batch, 200)
        for _ in range(3):
            assert phases(await look(batch, jobs)) == [Phase.RUNNING] * 200
        assert (hub.counts["singles"], hub.counts["requests"]) == (600, 601)
        assert hub.counts["logins"] == 1
        assert hub.counts["connections"] <= 10

    within(hub, looks)


def test_a_job_that_is_on_no_page_is_read_by_itself(within: Callable[[Hub, Looks], None]) -> None:
    hub = Hub(300, lists=True)
    for number in (7, 120):
        hub.hide(number)

    async def looks(batch: BatchPoller) -> None:
        jobs = [*watch(batch, 300), watch_one(batch, 301)]
        for turn in range(5):
            seen = await look(batch, jobs)
            assert phases(seen) == [Phase.RUNNING] * 300 + [None]
            assert isinstance(seen[-1], AIHubError)
            assert not isinstance(seen[-1], AIHubNotFoundError)
            assert hub.counts["singles"] == 2 * (turn + 1)
        # Nobody turns all pages over and over again for them.
        assert hub.counts["pages"] <= 5 * 2

    within(hub, looks)


def test_few_are_read_by_themselves(within: Callable[[Hub, Looks], None]) -> None:
    hub = Hub(20, lists=True)

    async def looks(batch: BatchPoller) -> None:
        assert phases(await look(batch, watch(batch, 7))) == [Phase.RUNNING] * 7
        assert (hub.counts["singles"], hub.counts["pages"]) == (7, 0)
        assert phases(await look(batch, watch(batch, 1)))
        assert (hub.counts["singles"], hub.counts["pages"]) == (7, 1)

    within(hub, looks)


def test_a_young_job_among_old_ones_does_not_make_all_be_read(within: Callable[[Hub, Looks], None]) -> None:
    hub = Hub(1000, lists=True)

    async def looks(batch: BatchPoller) -> None:
        watch(batch, 999)
        young = watch_one(batch, 1000, YOUNG)
        for _ in range(5):
            assert phases(await look(batch, [young], YOUNG)) == [Phase.RUNNING]
        assert (hub.counts["singles"], hub.counts["pages"]) == (5, 0)

    within(hub, looks)


def test_for_a_handful_of_young_jobs_old_ones_are_not_searched(within: Callable[[Hub, Looks], None]) -> None:
    hub = Hub(1000, lists=True)

    async def looks(batch: BatchPoller) -> None:
        watch(batch, 990)
        young = [watch_one(batch, number, YOUNG) for number in range(991, 1001)]
        assert phases(await look(batch, young, YOUNG)) == [Phase.RUNNING] * 10
        assert (hub.counts["singles"], hub.counts["pages"]) == (0, 1)

    within(hub, looks)


def test_a_look_takes_what_was_read_for_another(within: Callable[[Hub, Looks], None]) -> None:
    hub = Hub(20, lists=True)

    async def looks(batch: BatchPoller) -> None:
        first, *others = watch(batch, 20)
        await look(batch, [first])
        read_at = [one.read_at for one in await look(batch, others) if isinstance(one, JobState)]
        assert hub.counts["requests"] == 1
        assert len(read_at) == 19
        assert all(at is not None and 0 <= time.time() - at < 5 for at in read_at)
        # Each look shows something newer than the one before.
        await look(batch, others)
        assert hub.counts["requests"] == 2

    within(hub, looks)


def test_pages_are_not_read_faster_than_the_floor(
    within: Callable[[Hub, Looks], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, read = Hub(20, lists=True), []
    page = hub.page
    monkeypatch.setattr(hub, "page", lambda query: (read.append(time.monotonic()), page(query))[1])

    async def looks(batch: BatchPoller) -> None:
        jobs = watch(batch, 20, YOUNG)
        for _ in range(6):
            await look(batch, jobs, YOUNG)

    within(hub, looks)
    assert len(read) == 6
    # Requests may take their time on the way to the server.
    assert read[-1] - read[0] >= 4 * FLOOR


def test_lists_that_fail_do_no_harm(within: Callable[[Hub, Looks], None], monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Hub(50, lists=True)
    hub.broken_lists = True

    async def looks(batch: BatchPoller) -> None:
        jobs = watch(batch, 50)
        for _ in range(4):
            assert phases(await look(batch, jobs)) == [Phase.RUNNING] * 50
        assert (hub.counts["singles"], hub.counts["requests"]) == (200, 202)
        hub.broken_lists = False
        monkeypatch.setattr(module, "PAUSE_LISTS", 0.0)
        assert phases(await look(batch, jobs)) == [Phase.RUNNING] * 50
        assert (hub.counts["singles"], hub.counts["pages"]) == (200, 1)

    within(hub, looks)


def test_lists_of_other_jobs_are_not_read_for_nothing(within: Callable[[Hub, Looks], None]) -> None:
    hub = Hub(2000, lists=True)

    async def looks(batch: BatchPoller) -> None:
        jobs = watch(batch, 10)
        for _ in range(20):
            assert phases(await look(batch, jobs)) == [Phase.RUNNING] * 10
        # Before and after it is known who one is, and once of everybody's jobs; each time a few pages.
        assert hub.counts["pages"] == 3 * 3
        assert hub.counts["singles"] == 200

    within(hub, looks)


def test_a_platform_may_have_smaller_pages(within: Callable[[Hub, Looks], None]) -> None:
    hub = Hub(300, lists=True)
    hub.largest_page = 50

    async def looks(batch: BatchPoller) -> None:
        assert phases(await look(batch, watch(batch, 300))) == [Phase.RUNNING] * 300
        assert (hub.counts["singles"], hub.counts["pages"]) == (0, 6)

    within(hub, looks)


def test_jobs_of_other_triggerers_may_stand_between(within: Callable[[Hub, Looks], None]) -> None:
    hub = Hub(2000, lists=True)

    async def looks(batch: BatchPoller) -> None:
        jobs = [watch_one(batch, number) for number in range(1, 2001, 5)]
        assert phases(await look(batch, jobs)) == [Phase.RUNNING] * 400
        assert (hub.counts["singles"], hub.counts["pages"]) == (0, 2000 / PAGE_SIZE)

    within(hub, looks)


def test_one_who_leaves_takes_nothing_along(within: Callable[[Hub, Looks], None]) -> None:
    hub = Hub(20, lists=True)

    async def looks(batch: BatchPoller) -> None:
        jobs = watch(batch, 20)
        looking = [asyncio.create_task(batch.look(job, Look(max_age=OLD))) for job in jobs]
        await asyncio.sleep(0)
        looking[0].cancel()
        batch.leave(jobs[0])
        assert phases(list(await asyncio.gather(*looking[1:]))) == [Phase.RUNNING] * 19
        assert looking[0].cancelled()

    within(hub, looks)


def rest(batch: BatchPoller, jobs: list[PolledJob]) -> list[asyncio.Task[JobState | RemoteJobError]]:
    return [asyncio.create_task(batch.look(job, CALM)) for job in jobs]


CALM = Look(seconds=2 * FLOOR, max_age=OLD, status=RUNNING, calm_until=math.inf)
BRISK = FRESHNESS * 2 * FLOOR


def test_nobody_hears_of_jobs_that_stay_as_they_are(within: Callable[[Hub, Looks], None]) -> None:
    hub = Hub(1000, lists=True)

    async def looks(batch: BatchPoller) -> None:
        resting = rest(batch, watch(batch, 1000, BRISK))
        await asked(hub, "pages", 20)
        assert not any(task.done() for task in resting)
        assert hub.counts["singles"] == 0
        hub.end(77, 4)
        await resting[76]
        assert [task.done() for task in resting].count(True) == 1
        for task in resting:
            task.cancel()
        await asyncio.gather(*resting, return_exceptions=True)

    within(hub, looks)


def test_what_a_list_shows_as_new_is_told_without_asking_again(within: Callable[[Hub, Looks], None]) -> None:
    hub = Hub(20, lists=True)

    async def looks(batch: BatchPoller) -> None:
        resting = rest(batch, watch(batch, 20, BRISK))
        hub.end(7, 4)
        assert phases([await resting[6]]) == [Phase.FAILED]
        assert hub.counts["requests"] == hub.counts["pages"]

    within(hub, looks)


def test_a_rest_ends_at_its_deadline_and_when_there_is_a_line_to_write(within: Callable[[Hub, Looks], None]) -> None:
    hub = Hub(20, lists=True)

    async def looks(batch: BatchPoller) -> None:
        first, second, *others = watch(batch, 20, BRISK)
        rest(batch, others)
        began = time.time()
        assert isinstance(await batch.look(second, replace(CALM, calm_until=began + 0.5)), JobState)
        assert time.time() - began >= 0.5
        assert hub.counts["singles"] == 0
        began = time.time()
        assert isinstance(await batch.look(first, replace(CALM, deadline=began + 0.5)), JobState)
        assert time.time() - began >= 0.5
        assert hub.counts["singles"] == 1

    within(hub, looks)


def test_a_job_that_leaves_the_pages_does_not_rest_on(within: Callable[[Hub, Looks], None]) -> None:
    hub = Hub(20, lists=True)

    async def looks(batch: BatchPoller) -> None:
        resting = rest(batch, watch(batch, 20, BRISK))
        await asked(hub, "pages", 2)
        hub.hide(7)
        await resting[6]
        assert [task.done() for task in resting].count(True) == 1

    within(hub, looks)


@pytest.mark.parametrize("trouble", ["broken lists", "few are left"])
def test_without_pages_nobody_rests_on(trouble: str, within: Callable[[Hub, Looks], None]) -> None:
    hub = Hub(20, lists=True)

    async def looks(batch: BatchPoller) -> None:
        jobs = watch(batch, 20, BRISK)
        resting = rest(batch, jobs)
        await asked(hub, "pages", 2)
        assert not any(task.done() for task in resting)
        if trouble == "broken lists":
            hub.broken_lists = True
        else:
            for job, task in list(zip(jobs, resting, strict=True))[7:]:
                task.cancel()
                batch.leave(job)
            resting = resting[:7]
        await eventually("all are told", lambda: [task.done() for task in resting], all)
        await asyncio.gather(*resting)

    within(hub, looks)


def test_a_row_that_shows_less_than_the_job_itself_is_not_enough(aihub: object) -> None:
    assert not WORKFLOW_RUN.listed_whole({"id": 1, "status": 2})
    assert WORKFLOW_RUN.listed_whole({"id": 1, "status": 2, "task_nodes": [{"name": "a"}]})


@pytest.mark.parametrize("kind", [kind for kind in KINDS.values() if kind.states], ids=lambda kind: kind.name)
def test_a_page_is_decoded_as_far_as_it_is_told_of(kind: JobKind) -> None:
    assert kind.states is not None
    request = kind.states(size=250)
    row = {"id": 7, "status": 2, "description": "x", "command": "train"}
    page = {"total": 1, "page_size": 250, "page_num": 1, "data": [row]}
    assert request.decode is not None
    decoded = request.decode(json.dumps({"code": 0, "msg": "success", "data": page}).encode())
    batch = request.read(decoded["data"])
    assert batch.rows == [{"id": 7, "status": 2, "description": "x"}]
    assert (batch.following, batch.total) == (2, 1)
    assert request.fallback is None or request.fallback.decode is request.decode
    with pytest.raises(ValueError, match="data"):
        request.decode(b'{"code": 0, "msg": "success", "data": {"data": null}}')


def test_one_list_that_fails_is_no_reason_to_read_each_by_itself(within: Callable[[Hub, Looks], None]) -> None:
    hub = Hub(20, lists=True)

    async def looks(batch: BatchPoller) -> None:
        resting = rest(batch, watch(batch, 20, BRISK))
        await asked(hub, "pages", 2)
        hub.broken_lists = True
        before = hub.counts["requests"]
        await asked(hub, "requests", before + 1)
        hub.broken_lists = False
        seen = hub.counts["pages"]
        await asked(hub, "pages", seen + 3)
        assert not any(task.done() for task in resting)

    within(hub, looks)


def test_a_clock_that_is_set_back_delays_nothing(
    within: Callable[[Hub, Looks], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LONGEST_WAIT", 0.5)
    hub, ahead = Hub(20, lists=True), 3600.0

    async def looks(batch: BatchPoller) -> None:
        nonlocal ahead
        batch._clock = lambda: time.time() + ahead
        resting = rest(batch, watch(batch, 20, BRISK))
        await asked(hub, "pages", 2)
        ahead = 0.0
        hub.end(7, 4)
        await eventually("it is told", resting[6].done)

    within(hub, looks)


def test_lists_that_show_nothing_do_not_make_all_be_read_at_once(within: Callable[[Hub, Looks], None]) -> None:
    hub = Hub(200, lists=True)

    async def looks(batch: BatchPoller) -> None:
        jobs = watch(batch, 200, OLD)
        ended: list[float] = []

        async def one(job: PolledJob) -> None:
            await batch.look(job, CALM)
            ended.append(time.monotonic())

        resting = [asyncio.create_task(one(job)) for job in jobs]
        for number in range(1, 201):
            hub.hide(number)
        await eventually("20 are told", lambda: len(ended), lambda count: count >= 20)
        await asyncio.sleep(0.5)
        # The others are read within one of their pauses.
        assert len(ended) < 100
        for task in resting:
            task.cancel()

    within(hub, looks)


def test_a_job_that_the_lists_show_again_is_read_from_them(within: Callable[[Hub, Looks], None]) -> None:
    hub = Hub(20, lists=True)
    hub.hide(7)

    async def looks(batch: BatchPoller) -> None:
        jobs = watch(batch, 20)
        for _ in range(module.MOST_MISSES + 1):
            await look(batch, jobs)
        assert hub.counts["singles"] == module.MOST_MISSES + 1
        hub.end(7, RUNNING)
        for _ in range(4):
            await look(batch, jobs)
        assert hub.counts["singles"] <= module.MOST_MISSES + 2

    within(hub, looks)


def test_rows_that_do_not_suffice_are_not_read_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Hub(20, lists=True)
    kind = replace(TRAINING, listed_whole=lambda _row: False)

    async def looks() -> None:
        async with serving(hub, monkeypatch), await Poller.shared(PLATFORM, "aihub_default") as poller:
            batch = poller.batch(kind)
            jobs = watch(batch, 20)
            for _ in range(6):
                assert phases(await look(batch, jobs)) == [Phase.RUNNING] * 20

    asyncio.run(looks())
    assert hub.counts["pages"] <= module.MOST_MISSES
    assert hub.counts["singles"] == 120


async def fired(trigger: JobTrigger) -> dict[str, Any]:
    async for event in trigger.run():
        return dict(event.payload)
    raise AssertionError("a trigger fired nothing")


@pytest.mark.usefixtures("_no_answer_is_slow")
@pytest.mark.parametrize("lists", [True, False], ids=["in pages", "one by one"])
def test_every_trigger_tells_the_end_of_its_own_job(lists: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    hub, count = Hub(300, lists=lists), 300

    async def all_of_them() -> list[dict[str, Any]]:
        async with serving(hub, monkeypatch):
            triggers = [
                JobTrigger(aihub_conn_id="aihub_default", kind="training", job_id=number, poll_interval=0.3)
                for number in range(1, count + 1)
            ]
            running = [asyncio.create_task(fired(trigger)) for trigger in triggers]
            await asked(hub, "asides", count)
            assert not any(task.done() for task in running)
            for number in range(1, count + 1):
                hub.end(number, 3 + number % 3)
            return list(await asyncio.gather(*running))

    events = asyncio.run(all_of_them())
    assert [(event["job_id"], event["outcome"], event["status"]) for event in events] == [
        (number, "ended", 3 + number % 3) for number in range(1, count + 1)
    ]
    assert hub.counts["logins"] == 1
    assert hub.counts["connections"] <= 10
    if lists:
        # The last few are read by themselves.
        assert hub.counts["singles"] < 30


@pytest.mark.parametrize(
    ("name", "given", "meant"),
    [
        ("poll_floor", "5", 5.0),
        ("poll_floor", "-1", settings.SHORTEST_FLOOR),
        ("page_threshold", "0", 0),
        ("page_threshold", "50", 50),
        ("pool_size", "3", 3),
        ("pool_size", "0", 1),
    ],
)
def test_an_administrator_may_set_how_aihub_is_asked(
    name: str, given: str, meant: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(f"AIRFLOW__AIHUB__{name.upper()}", raising=False)
    assert getattr(settings.Settings.of("aihub"), name) == float(SETTINGS[name]["default"])
    monkeypatch.setenv(f"AIRFLOW__AIHUB__{name.upper()}", given)
    assert getattr(settings.Settings.of("aihub"), name) == meant


def test_the_settings_are_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__AIHUB__PAGE_THRESHOLD", "0")
    monkeypatch.setenv("AIRFLOW__AIHUB__POOL_SIZE", "2")
    hub = Hub(50, lists=True)

    async def looks() -> None:
        async with serving(hub, monkeypatch), await Poller.shared(PLATFORM, "aihub_default") as poller:
            batch = poller.batch(TRAINING)
            await look(batch, watch(batch, 50))

    asyncio.run(looks())
    assert (hub.counts["singles"], hub.counts["pages"], hub.counts["connections"]) == (50, 0, 2)


def test_the_arguments_of_a_trigger_are_few_bytes() -> None:
    try:
        from airflow.sdk import serde
    except ImportError:
        from airflow.serialization import serde

    trigger = JobTrigger(
        aihub_conn_id="aihub_default",
        kind="training",
        job_id=123456,
        since=1780000000.123456,
        poll_interval=20.0,
        poll_tolerance=600.0,
        deadline=1780086400.123456,
        stream_logs=True,
    )
    classpath, arguments = trigger.serialize()
    assert len(classpath) + len(json.dumps(serde.serialize(arguments))) < 300
