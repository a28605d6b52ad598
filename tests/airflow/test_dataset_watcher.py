"""The trigger that tells of new versions of a dataset: each once, whatever happens to AIHub and to the triggerer."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from airflow.providers.common.compat.sdk import AirflowOptionalProviderFeatureException
from hostile import hostile, said
from http_servers import Act
from hypothesis import given
from hypothesis import strategies as st
from waiting import HANG, eventually, until

from airflow_provider_aihub.aihub.dataset_management import DatasetSpec, DatasetVersion, DatasetVersionSpec
from airflow_provider_aihub.aihub.errors import AIHubParameterError
from airflow_provider_aihub.aihub.platform import PLATFORM
from airflow_provider_aihub.assets import recorded_key
from airflow_provider_aihub.emulators.aihub import Emulator
from airflow_provider_aihub.emulators.aihub.jobs.versions import Versions
from airflow_provider_aihub.hooks.aihub import AIHubHook
from airflow_provider_aihub.triggers.dataset_version import HAS_WATCHERS, DatasetVersionTrigger
from airflow_provider_aihub.triggers.poller import Poller
from airflow_provider_aihub.watcher import version_feed
from airflow_provider_aihub.watcher.version_feed import Mark, Reading, VersionFeed, Watched
from airflow_provider_aihub.watcher.watcher import Watcher

LIST = "/dataset-mng/api/v2/dataset-versions"
DATASETS = "/dataset-mng/api/v2/datasets"
BY_NAME = "/dataset-mng/api/v2/dataset-versions-detail"
on_airflow_3 = pytest.mark.airflow(">=3", lacks="asset watchers")
on_airflow_3_3 = pytest.mark.airflow(">=3.3", lacks="a place where a watcher keeps what it has told")

# What is told, by statuses alone


@given(st.lists(st.lists(st.sampled_from([1, 2, 3, 4, 5, 6, 99]), min_size=1, max_size=6), min_size=1, max_size=8))
def test_each_success_is_told_once(histories: list[list[int]]) -> None:
    """Versions are created one per look, and each goes through its own statuses until one is final."""
    mark, told = Mark(), []
    ends = [next((status for status in history if status in (3, 4)), 3) for history in histories]
    for look in range(len(histories) + 7):
        shown = []
        for number, history in enumerate(histories[: look + 1], 1):
            so_far = history[: look - number + 2]
            final = [status for status in so_far if status in (3, 4)][:1]
            over = ends[number - 1 : number] if look - number + 1 >= len(history) else so_far[-1:]
            shown.append(DatasetVersion(id=10 + number, version=number, status=(final or over)[0]))
        news = mark.take(reversed(shown))
        assert [one.id for one in news] == sorted(one.id for one in news)
        told += [one.id for one in news]
        assert not mark.take(shown)
    assert sorted(told) == [11 + index for index, end in enumerate(ends) if end == 3]
    assert (mark.seen, mark.number, mark.open) == (10 + len(histories), len(histories), {})


# Against an AIHub


@pytest.fixture(params=["platform", "document"])
def hub(request: pytest.FixtureRequest) -> Emulator:
    return request.getfixturevalue("aihub" if request.param == "platform" else "document")


class Dataset:
    """A dataset on an AIHub.

    :param folder: Makes a good version.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.hook, self.name, self.folder = AIHubHook(), name, folder
        self.id = self.hook.create_dataset(DatasetSpec(name=name))

    def add(self, path: Path | str | None = None) -> int:
        """Create a version, and give its id."""
        path = str(path or self.folder)
        return self.hook.create_dataset_version(
            DatasetVersionSpec.build(dataset_id=self.id, upload_path=path, upload_type="host")
        )

    async def built(self, number: int, path: Path | str | None = None) -> int:
        """Create a version, and give its id when it is done."""
        version_id = await asyncio.to_thread(self.add, path)
        name = f"{self.name}/V{number}"
        built = partial(until, f"{name} is built", lambda: self.hook.get_dataset_version_by_name(name).status)
        await asyncio.to_thread(built, lambda status: status >= 3)
        return version_id

    def facts(self, version_id: int, number: int) -> dict[str, Any]:
        return {"id": version_id, "version": number, "dataset": self.name, "size": 3, "count": 1}

    def trigger(self, **given: Any) -> DatasetVersionTrigger:
        return DatasetVersionTrigger(**{"dataset": self.name, "poll_interval": 0.2, **given})


@pytest.fixture
def folder(data: Path) -> Path:
    folder = data / "pictures"
    folder.mkdir(exist_ok=True)
    (folder / "a.txt").write_text("123")
    return folder


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch, data: Path) -> Iterator[Callable[[], None]]:
    """Makes folders of which a version is built only when the function that comes along is called."""
    go = threading.Event()
    make = Versions._make

    def slowly(versions: Versions, row: Any, *rest: Any) -> Any:
        if row["upload_path"].endswith("slow"):
            go.wait(30)
        return make(versions, row, *rest)

    monkeypatch.setattr(Versions, "_make", slowly)
    (data / "slow").mkdir(exist_ok=True)
    (data / "slow" / "a.txt").write_text("123")
    yield go.set
    go.set()


class Triggerer:
    """Runs a trigger as Airflow 3.0 does, and lists what it fires."""

    def __init__(self, trigger: DatasetVersionTrigger) -> None:
        self.trigger = trigger
        self.events: list[Any] = []

    async def __aenter__(self) -> Triggerer:
        self.task = asyncio.create_task(self._run(self.trigger.run()))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task

    async def _run(self, events: AsyncIterator[Any]) -> None:
        async for event in events:
            self.events.append(json.loads(json.dumps(event.payload)))

    async def has(self, count: int) -> list[Any]:
        """Wait for so many events."""
        await self.until(f"{count} events have fired", lambda: self.events, lambda events: len(events) >= count)
        return self.events

    async def until(self, what: str, look: Callable[[], Any], is_so: Callable[[Any], Any] = bool) -> None:
        """Wait until something comes true while the trigger runs."""
        waiting = asyncio.create_task(eventually(what, look, is_so))
        await asyncio.wait([waiting, self.task], return_when=asyncio.FIRST_COMPLETED)
        if self.task.done():
            waiting.cancel()
            self.task.result()
            raise AssertionError("the trigger has ended")
        waiting.result()


async def begun(hub: Emulator, looks: int = 2) -> None:
    """Wait until watchers have looked."""

    def count() -> int:
        return hub.requests.count(path=LIST) + hub.requests.count(path=BY_NAME)

    # By names alone, it takes some requests to find the newest version.
    enough = count() + 2 * looks + (24 if hub.settings.api == "document" else 0)
    await eventually(f"watchers have asked {enough} times", count, lambda asked: asked >= enough)


@on_airflow_3
@pytest.mark.parametrize("by", ["name", "id"])
async def test_versions_are_told_in_order(aihub: Emulator, new_name: str, folder: Path, by: str) -> None:
    dataset = Dataset(new_name, folder)
    await dataset.built(1)
    other = Dataset(f"{new_name}-other", folder)
    async with Triggerer(dataset.trigger(dataset=getattr(dataset, by))) as triggerer:
        await begun(aihub)
        second = await dataset.built(2)
        await dataset.built(3, "/no/such/folder")
        await other.built(1)
        fourth = await dataset.built(4)
        told = [dataset.facts(second, 2), dataset.facts(fourth, 4)]
        assert await triggerer.has(2) == told
        await begun(aihub)
        assert triggerer.events == told


@on_airflow_3
async def test_the_document_s_versions_are_probed(document: Emulator, new_name: str, folder: Path) -> None:
    dataset = Dataset(new_name, folder)
    first = await dataset.built(1)
    for number in range(2, 12):
        await dataset.built(number, "/no/such/folder")
    triggers = [dataset.trigger(include_existing=True), dataset.trigger()]
    async with Triggerer(triggers[0]) as old, Triggerer(triggers[1]) as new:
        assert await old.has(1) == [dataset.facts(first, 1)]
        await begun(document, 3)
        before, began = document.requests.count(path=BY_NAME), time.monotonic()
        await asyncio.sleep(1.0)
        # A look every 0.2 s, of two requests, for both watchers.
        assert document.requests.count(path=BY_NAME) - before <= 2 * ((time.monotonic() - began) / 0.2 + 2)
        later = await dataset.built(12)
        assert await new.has(1) == [dataset.facts(later, 12)]
        assert (await old.has(2))[1:] == new.events


async def test_what_was_read_for_one_watcher_may_not_do_for_another(hub: Emulator, new_name: str, folder: Path) -> None:
    dataset = Dataset(new_name, folder)
    first = await dataset.built(1)
    for number in range(2, 12):
        await dataset.built(number, "/no/such/folder")
    async with await Poller.shared(PLATFORM, "aihub_default") as poller:
        versions = VersionFeed.of(poller)
        for watched in (Watched(new_name), Watched(new_name, Mark(seen=first, number=1))):
            versions.watch(watched)
            shown = watched.own(await versions.look(watched, 60))
        assert {version.version for version in shown} >= {*range(2, 12)}
        before = len(hub.requests)
        await versions.look(watched, 60)
        assert len(hub.requests) == before
        # One that has not begun is shown how things are now.
        last = await asyncio.to_thread(dataset.add)
        assert versions.watch(beginner := Watched(new_name)) is None
        assert (await versions.look(beginner, 60)).newest == last


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What a trigger writes into its log, which is Airflow's own from 3.0 on."""
    monkeypatch.setattr(DatasetVersionTrigger, "log", logging.getLogger("watcher"))
    caplog.set_level("INFO", "watcher")
    return caplog


@on_airflow_3
async def test_an_id_is_of_no_use_where_versions_have_names_alone(
    document: Emulator, logged: pytest.LogCaptureFixture
) -> None:
    async with Triggerer(DatasetVersionTrigger(dataset=7, poll_interval=0.1)) as triggerer:
        await triggerer.until("the log says what to do", lambda: logged.text, lambda text: "give the name" in text)


@on_airflow_3
async def test_a_version_that_takes_long_is_not_lost(
    hub: Emulator, new_name: str, folder: Path, slow: Callable[[], None]
) -> None:
    dataset = Dataset(new_name, folder)
    before = await asyncio.to_thread(dataset.add, folder.with_name("slow"))
    async with Triggerer(dataset.trigger()) as triggerer:
        await begun(hub)
        between = await asyncio.to_thread(dataset.add, folder.with_name("slow"))
        # Two at most are built at a time, and both wait; others are created meanwhile that push them off the page.
        await begun(hub)
        slow()
        last = await dataset.built(3)
        told = await triggerer.has(3)
        assert sorted(told, key=lambda facts: facts["id"]) == [
            dataset.facts(before, 1),
            dataset.facts(between, 2),
            dataset.facts(last, 3),
        ]


@on_airflow_3
async def test_watchers_share_a_poll(aihub: Emulator, new_name: str, folder: Path) -> None:
    datasets = [Dataset(f"{new_name}-{number}", folder) for number in range(3)]
    running = [Triggerer(dataset.trigger(poll_interval=0.5)) for dataset in datasets * 3]
    for triggerer in running:
        await triggerer.__aenter__()
    await begun(aihub, 1)
    # None of them has seen a version, so each asks once whether there is such a dataset.
    await eventually(
        "each has asked for its dataset", lambda: aihub.requests.count("GET", DATASETS), len(running).__eq__
    )
    before, total, began = aihub.requests.count(path=LIST), len(aihub.requests), time.monotonic()
    await eventually("they have looked", lambda: aihub.requests.count(path=LIST) - before, lambda looks: looks >= 4)
    assert aihub.requests.count(path=LIST) - before <= (time.monotonic() - began) / 0.5 + 2
    assert len(aihub.requests) - total == aihub.requests.count(path=LIST) - before
    for dataset in datasets:
        await dataset.built(1)
    for triggerer in running:
        (facts,) = await triggerer.has(1)
        assert facts["dataset"] == triggerer.trigger.dataset
        await triggerer.__aexit__()


@on_airflow_3
async def test_trouble_passes(hub: Emulator, new_name: str, folder: Path, logged: pytest.LogCaptureFixture) -> None:
    dataset = Dataset(new_name, folder)
    async with Triggerer(dataset.trigger()) as triggerer:
        await begun(hub)
        for kind, given in (("status", {"status": 503}), ("garbage", {}), ("reset", {}), ("revoke", {})):
            hub.faults.add(kind, path=LIST if hub.settings.api == "platform" else BY_NAME, count=1, **given)
        version_id = await asyncio.to_thread(dataset.add)
        assert await triggerer.has(1) == [dataset.facts(version_id, 1)]
    assert "cannot be watched now" in logged.text
    assert "is watched again" in logged.text


# Against an AIHub that is as bad as can be


def row(number: int, **given: Any) -> dict[str, Any]:
    return {"id": number, "version": number, "dataset_id": 1, "dataset_name": "d", "status": 3, **given}


async def look_at(answer: Act, monkeypatch: pytest.MonkeyPatch, **given: Any) -> tuple[Watcher, list[Any], Any]:
    """Let a watcher look once; gives it, what it tells, and how often AIHub was asked for what."""
    arguments = {"poll_interval": 60.0, "include_existing": True, "log": logging.getLogger("watcher"), **given}
    async with hostile(answer, monkeypatch) as asked, Watcher.of("aihub_default", "d", None, **arguments) as watcher:
        return watcher, await watcher.look(), asked


async def test_one_that_is_told_to_come_back_tomorrow_comes_back_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    async def busy(_: web.Request) -> web.StreamResponse:
        return web.Response(status=429, headers={"Retry-After": "86400"})

    watcher, told, _ = await look_at(busy, monkeypatch)
    assert told == []
    assert watcher.pause <= 1.1 * 120


async def test_a_list_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(version_feed, "PAGES_AT_ONCE", version_feed.MOST_PAGES)

    async def endless(request: web.Request) -> web.StreamResponse:
        page = int(request.query["page_num"])
        return said({"total": 10**9, "data": [row(10**9 - page * 10 - place) for place in range(10)]})

    watcher, told, asked = await look_at(endless, monkeypatch)
    assert told == []
    assert asked["GET", LIST] == version_feed.MOST_PAGES
    assert watcher.pause > 0


@pytest.mark.parametrize("total", [None, 0, -1, 10**9])
async def test_a_list_that_does_not_count_its_rows(monkeypatch: pytest.MonkeyPatch, total: int | None) -> None:
    async def listed(request: web.Request) -> web.StreamResponse:
        page = int(request.query["page_num"])
        rows = [row(number) for number in range(250, 0, -1)][100 * (page - 1) : 100 * page]
        return said({"data": rows} if total is None else {"total": total, "data": rows})

    _, told, asked = await look_at(listed, monkeypatch)
    assert [facts["id"] for facts in told] == [*range(1, 251)]
    assert asked["GET", LIST] == 4


async def test_a_list_that_gives_one_page_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    async def listed(_: web.Request) -> web.StreamResponse:
        return said({"total": 10**9, "data": [row(2), row(1)]})

    _, told, asked = await look_at(listed, monkeypatch)
    assert [facts["id"] for facts in told] == [1, 2]
    assert asked["GET", LIST] == 2


async def test_versions_that_are_never_built_are_not_all_asked_for_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = [row(number, status=2) for number in range(300, 0, -1)]

    async def building(request: web.Request) -> web.StreamResponse:
        if request.path == LIST:
            return said({"total": len(listed), "data": listed})
        return said(row(int(request.path.rpartition("/")[2]), status=2))

    def singles() -> int:
        return sum(count for (_, path), count in asked.items() if path.startswith(f"{LIST}/"))

    async with hostile(building, monkeypatch) as asked, await Poller.shared(PLATFORM, "aihub_default") as poller:
        versions, watched = VersionFeed.of(poller), Watched("d", Mark())
        versions.watch(watched)
        watched.mark, _ = watched.advance(await versions.look(watched, 0.0))
        assert len(watched.mark.open) == 300
        listed[:] = [row(301, status=3)]
        before = singles()
        watched.mark, done = watched.advance(await versions.look(watched, 0.0))
        assert [version.id for version in done] == [301]
        assert len(watched.mark.open) == 300
        assert singles() - before == version_feed.MOST_OPEN


@pytest.mark.parametrize("number", [None, 0, 12])
@pytest.mark.parametrize("begun", [True, False])
async def test_an_aihub_that_has_every_version(
    monkeypatch: pytest.MonkeyPatch, begun: bool, number: int | None
) -> None:
    """By the document's API: whatever version is asked for, it is there."""

    async def anything(request: web.Request) -> web.StreamResponse:
        if request.path != BY_NAME:
            return web.Response(status=404, text="404 page not found")
        asked_for = int(request.query["name"].rpartition("/V")[2])
        return said(row(asked_for, version=asked_for if number is None else number))

    watcher, told, asked = await look_at(anything, monkeypatch, include_existing=begun)
    assert told == []
    assert asked["GET", BY_NAME] <= version_feed.MOST_PROBES
    assert watcher.pause > 0


def test_arguments_are_checked() -> None:
    if not HAS_WATCHERS:
        with pytest.raises(AirflowOptionalProviderFeatureException, match="needs Airflow 3"):
            DatasetVersionTrigger(dataset="d")
        return
    wrong = [{"dataset": dataset} for dataset in ("", " d", "d ", None, True, 0, -1, "0", 1.5)]
    for given_ in (*wrong, *({"dataset": "d", "poll_interval": pause} for pause in (0, float("inf"), True, "5"))):
        with pytest.raises(AIHubParameterError):
            DatasetVersionTrigger(**given_)


@on_airflow_3
async def test_a_dataset_that_is_not_there_is_told_once(
    hub: Emulator, new_name: str, folder: Path, logged: pytest.LogCaptureFixture
) -> None:
    dataset = Dataset(new_name, folder)
    await dataset.built(1)
    missing: list[str | int] = [f"no-{new_name}"]
    if hub.settings.api == "platform":
        missing.append(10**6)
    async with AsyncExitStack() as triggerers:
        for name in (*missing, dataset.name):
            await triggerers.enter_async_context(Triggerer(dataset.trigger(dataset=name)))
        await begun(hub, looks=4)
    warnings = [record.getMessage() for record in logged.records if record.levelname == "WARNING"]
    assert sorted(text for text in warnings if "shows no dataset" in text) == sorted(
        f"AIHub shows no dataset {name} with a version yet; if there should be one, check the name" for name in missing
    )


@pytest.mark.parametrize("known", [True, False])
async def test_one_that_goes_on_where_it_was_left_knows_its_dataset(known: bool) -> None:
    """Of an AIHub that is read by names alone it is shown what is new, which may be nothing."""

    class Nobody:
        async def send(self, request: Any) -> Any:
            raise AssertionError(f"nothing has to be asked, but {request.asks} was")

    poller: Any = Nobody()
    versions = VersionFeed(poller)
    versions._unlisted = True
    watched = Watched("d", Mark(seen=7, number=2) if known else None)
    assert await versions.is_known(watched, Reading(at=0.0, numbers_from=2)) is known


@on_airflow_3
def test_equal_triggers_are_one_to_airflow() -> None:
    from airflow.triggers.base import BaseEventTrigger

    path, arguments = DatasetVersionTrigger(dataset="d", poll_interval=5).serialize()
    assert path == f"{DatasetVersionTrigger.__module__}.DatasetVersionTrigger"
    assert arguments == json.loads(json.dumps(arguments))
    again = DatasetVersionTrigger(**arguments).serialize()
    assert BaseEventTrigger.hash(*again) == BaseEventTrigger.hash(path, arguments)
    other = DatasetVersionTrigger(dataset="e", poll_interval=5).serialize()
    assert BaseEventTrigger.hash(*other) != BaseEventTrigger.hash(path, arguments)


def test_a_dag_file_imports_nothing_heavy_for_it() -> None:
    script = (
        "import sys, airflow.triggers.base; before = set(sys.modules);"
        "import airflow_provider_aihub.triggers.dataset_version;"
        "print(*sorted(name for name in set(sys.modules) - before if name.startswith('airflow_provider_aihub.')))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1].split() == [
        "airflow_provider_aihub.aihub",
        "airflow_provider_aihub.aihub.errors",
        "airflow_provider_aihub.http",
        "airflow_provider_aihub.http.errors",
        "airflow_provider_aihub.jobs",
        "airflow_provider_aihub.jobs.errors",
        "airflow_provider_aihub.triggers",
        "airflow_provider_aihub.triggers.dataset_version",
        "airflow_provider_aihub.triggers.log_lines",
    ]


# With what Airflow 3.3 keeps for an asset


class Kept:
    """What Airflow keeps for one asset."""

    def __init__(self, values: dict[str, str]) -> None:
        self.values = values

    async def aget(self, key: str) -> Any:
        return json.loads(self.values[key]) if key in self.values else None

    async def aset(self, key: str, value: Any) -> None:
        self.values[key] = json.dumps(value)

    async def adelete(self, key: str) -> None:
        self.values.pop(key, None)


class Airflow:
    """The database of an Airflow: events that it has recorded, and what it keeps for the assets."""

    def __init__(self, *assets: str) -> None:
        self.events: list[Any] = []
        self.kept: dict[str, dict[str, str]] = {name: {} for name in assets or ("asset",)}
        self.has_plugin = True

    @property
    def _by_name(self) -> dict[str, Kept]:
        return {name: Kept(values) for name, values in self.kept.items()}

    def record(self, payload: Any) -> None:
        self.events.append(payload)
        key = recorded_key(payload)
        assert key
        for values in self.kept.values() if self.has_plugin else ():
            values[key] = "true"

    @property
    def notes(self) -> list[Any]:
        kept = [json.loads(value) for values in self.kept.values() for value in values.values()]
        return [note for note in kept if note is not True]


@pytest.fixture
def database() -> Airflow:
    return Airflow()


class NewTriggerer(Triggerer):
    """Runs a trigger as Airflow 3.3 does.

    :param records: Whether events get into the database before this dies.
    :param confirms: Whether the trigger hears of it.
    """

    def __init__(
        self, trigger: DatasetVersionTrigger, database: Airflow, *, records: bool = True, confirms: bool = True
    ) -> None:
        from airflow.triggers import shared_stream

        super().__init__(trigger)
        self.database, self.records, self.confirms = database, records, confirms
        self.manager = shared_stream.SharedStreamManager()

    async def __aenter__(self) -> NewTriggerer:
        self.trigger.trigger_id = 5
        self.trigger.asset_state_store = self.database
        self.key = self.trigger.shared_stream_key()
        self.task = asyncio.create_task(self._run_shared())
        return self

    async def _run_shared(self) -> None:
        stream = self.manager.subscribe(trigger_id=5, trigger=self.trigger, key=self.key)
        try:
            async for event in self.trigger.filter_shared_stream(stream):
                seq = self.manager.bind_pending_event(trigger_id=5, key=self.key)
                self.events.append(event.payload)
                asyncio.get_running_loop().call_later(0.05, self._record, event.payload, seq)
        finally:
            await self.manager.unsubscribe(5, self.key)

    def _record(self, payload: Any, seq: int) -> None:
        if self.records:
            self.database.record(payload)
            if self.confirms:
                self.manager.confirm_persisted([seq])

    async def wrote(self, condition: Callable[[dict[str, Any]], bool]) -> None:
        """Wait for a note of the trigger."""
        await self.until(
            "each note is right", lambda: self.database.notes, lambda notes: notes and all(map(condition, notes))
        )


def settled(number: int) -> Callable[[dict[str, Any]], bool]:
    return lambda note: note["number"] == number and not note["firing"] and not note["open"]


@on_airflow_3_3
@pytest.mark.parametrize("crash", ["never", "not recorded", "recorded, not confirmed", "no plugin"])
@on_airflow_3
async def test_exactly_once_across_triggerers(
    hub: Emulator, new_name: str, folder: Path, database: Airflow, crash: str
) -> None:
    dataset = Dataset(new_name, folder)
    await dataset.built(1)
    database.has_plugin = crash != "no plugin"
    async with NewTriggerer(dataset.trigger(), database) as first:
        await first.wrote(settled(1))
    second = await dataset.built(2)
    dies = {"records": crash != "not recorded", "confirms": crash == "never"}
    async with NewTriggerer(dataset.trigger(), database, **dies) as triggerer:
        assert await triggerer.has(1) == [dataset.facts(second, 2)]
        await triggerer.wrote(settled(2) if crash == "never" else lambda note: [*note["firing"]] == [str(second)])
        await asyncio.sleep(0.2)
    third = await dataset.built(3)
    async with NewTriggerer(dataset.trigger(), database) as last:
        await last.wrote(settled(3))
        await begun(hub)
    expected = [dataset.facts(second, 2), dataset.facts(third, 3)]
    # Without the plugin nobody can tell; then twice is better than never.
    assert database.events == (expected[:1] + expected if crash == "no plugin" else expected)
    assert [len(values) for values in database.kept.values()] == [1]


@on_airflow_3_3
@on_airflow_3
async def test_a_failed_look_and_a_failed_note_cost_nothing(
    aihub: Emulator, new_name: str, folder: Path, database: Airflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = Dataset(new_name, folder)
    fails = {"aset": 0, "aget": 1}

    def failing(name: str) -> Callable[..., Any]:
        real = getattr(Kept, name)

        async def sometimes(kept: Kept, *given_: Any) -> Any:
            fails[name] -= 1
            if fails[name] >= 0:
                raise RuntimeError("Airflow's API server is away")
            return await real(kept, *given_)

        return sometimes

    for name in fails:
        monkeypatch.setattr(Kept, name, failing(name))
    async with NewTriggerer(dataset.trigger(), database) as triggerer:
        await triggerer.wrote(settled(0))
        fails.update(aset=1, aget=1)
        first = await dataset.built(1)
        await triggerer.wrote(settled(1))
        fails.update(aset=2, aget=2)
        second = await dataset.built(2)
        await triggerer.wrote(settled(2))
    assert database.events == [dataset.facts(first, 1), dataset.facts(second, 2)]


@on_airflow_3_3
@on_airflow_3
async def test_two_triggerers_with_the_same_trigger(
    aihub: Emulator, new_name: str, folder: Path, database: Airflow
) -> None:
    """One was thought dead and lives on."""
    dataset = Dataset(new_name, folder)
    async with NewTriggerer(dataset.trigger(poll_interval=1.0), database) as one:
        await one.wrote(settled(0))
        async with NewTriggerer(dataset.trigger(poll_interval=0.1), database) as other:
            await other.wrote(settled(0))
            first = await dataset.built(1)
            await other.has(1)
            await other.wrote(settled(1))
        await begun(aihub)
        second = await dataset.built(2)
        await one.wrote(settled(2))
    assert database.events == [dataset.facts(first, 1), dataset.facts(second, 2)]


@on_airflow_3_3
@on_airflow_3
async def test_a_watcher_of_two_assets(aihub: Emulator, new_name: str, folder: Path, database: Airflow) -> None:
    dataset = Dataset(new_name, folder)
    async with NewTriggerer(dataset.trigger(), database) as before:
        await before.wrote(settled(0))
    database.kept["another"] = {}
    first = await dataset.built(1)
    async with NewTriggerer(dataset.trigger(), database) as triggerer:
        assert await triggerer.has(1) == [dataset.facts(first, 1)]
        await triggerer.wrote(settled(1))
    assert len(database.notes) == 2


PROGRAM = """
import json, sys
from unittest import mock

from airflow.assets.manager import AssetManager
from airflow.models.asset import AssetEvent, AssetModel
from airflow.models.asset_state_store import AssetStateStoreModel
from airflow.models.trigger import Trigger
from airflow.triggers.base import TriggerEvent
from airflow.utils.db import initdb
from airflow.utils.session import create_session
from sqlalchemy import select

from airflow_provider_aihub.assets import recorded_key

def facts(version_id):
    return {"id": version_id, "version": 1, "dataset": "d", "size": 1, "count": 1}

initdb()
with create_session() as session:
    asset, trigger = AssetModel(name="n", uri="aihub://h/datasets/d"), Trigger(classpath="a.B", kwargs={})
    session.add_all([asset, trigger])
    session.flush()
    asset.add_trigger(trigger, "w")
    trigger_id = trigger.id
Trigger.submit_event(trigger_id, TriggerEvent(facts(1)))
Trigger.submit_event(trigger_id, TriggerEvent({"another": "provider's"}))
try:
    with mock.patch.object(AssetManager, "_queue_dagruns", side_effect=ConnectionError):
        Trigger.submit_event(trigger_id, TriggerEvent(facts(2)))
except ConnectionError:
    pass
with create_session() as session:
    payloads = [extra["payload"] for extra in session.scalars(select(AssetEvent.extra))]
    keys = list(session.scalars(select(AssetStateStoreModel.key)))
assert payloads == [facts(1), {"another": "provider's"}], payloads
assert keys == [recorded_key(facts(1))], keys
"""


@on_airflow_3_3
def test_an_event_and_its_note_are_one(tmp_path: Path) -> None:
    """Airflow's own code records the event of a watcher, and rolls one back."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW_")}
    env |= {"AIRFLOW_HOME": str(tmp_path), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    program = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(program, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=HANG, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
