"""Reads the new versions of datasets, once for all watchers of a connection."""

from __future__ import annotations

import asyncio
import logging
import random
import sys
import time
from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final
from weakref import WeakKeyDictionary, proxy

from airflow_provider_aihub.aihub.dataset_management import (
    DatasetVersion,
    get_dataset,
    get_dataset_version,
    get_dataset_version_by_name,
    list_dataset_versions,
    list_datasets,
)
from airflow_provider_aihub.aihub.dataset_versions import GAP, find_version
from airflow_provider_aihub.aihub.errors import (
    AIHubBadAnswerError,
    AIHubError,
    AIHubParameterError,
    AIHubRejectedError,
    AIHubUnsupportedError,
)
from airflow_provider_aihub.aihub.kinds import DATASET_VERSION
from airflow_provider_aihub.http.values import as_int
from airflow_provider_aihub.jobs.kind import Phase
from airflow_provider_aihub.triggers.poller import Poller

log = logging.getLogger(__name__)

PAGE_SIZE: Final = 100
PAGES_AT_ONCE: Final = 20
"""After so many pages, there is a pause before each further one."""
MOST_PAGES: Final = 300
"""Maximum of pages that are read of a list, since all rows are kept in memory."""
MOST_OPEN: Final = 50
"""Maximum of versions still being built that are read one by one at a poll."""
MOST_PROBES: Final = 400
"""Maximum of versions of a dataset that are read by name at a poll."""
LISTED: Final = ""
"""Key of the reading of all datasets; the key of a reading of one dataset is its name."""


@dataclass(slots=True)
class Mark:
    """Up to which version of its dataset a watcher has come.

    Ids and numbers are given when a version is created, and not when it is built. So versions that are still being
    built are remembered.

    :param seen: Highest id that was seen.
    :param number: Highest number within the dataset that was seen.
    :param open: Versions up to there that were still being built: their numbers by their ids.
    """

    seen: int = 0
    number: int = 0
    open: dict[int, int] = field(default_factory=dict)

    def take(self, versions: Iterable[DatasetVersion]) -> list[DatasetVersion]:
        """Move the mark past these versions. Return the new ones that have succeeded, oldest first."""
        done = []
        for version in sorted(versions, key=lambda version: version.id):
            if version.id <= self.seen and version.id not in self.open:
                continue
            phase = DATASET_VERSION.phases.get(version.status, Phase.UNKNOWN)
            self.open.pop(version.id, None)
            if phase is Phase.SUCCEEDED:
                done.append(version)
            elif not phase.terminal:
                self.open[version.id] = version.version
            self.seen = max(self.seen, version.id)
            self.number = max(self.number, version.version)
        return done

    def copy(self) -> Mark:
        """Return an independent copy."""
        return Mark(self.seen, self.number, dict(self.open))


@dataclass(slots=True, eq=False)
class Watched:
    """A dataset that one watcher watches.

    :param dataset: Its name or id; digits are read as an id.
    :param mark: Up to where the watcher has come; ``None`` before it has begun.
    """

    dataset: str | int
    mark: Mark | None = None

    def own(self, reading: Reading) -> list[DatasetVersion]:
        """Return the versions of this dataset in a reading."""
        known = as_int(self.dataset)
        return [
            version
            for version in reading.versions.values()
            if (version.dataset_name == self.dataset if known is None else version.dataset_id == known)
        ]

    def begin(self, reading: Reading) -> Mark:
        """Return a mark after all existing versions, except those that are still being built."""
        mark = Mark()
        mark.take(self.own(reading))
        mark.seen, mark.number = reading.newest, max(mark.number, reading.numbers_from)
        return mark

    def advance(self, reading: Reading) -> tuple[Mark, list[DatasetVersion]]:
        """Return the next mark, and the versions to report: those up to it that have succeeded since the last mark."""
        mark = self.begin(reading) if self.mark is None else self.mark.copy()
        done = mark.take(self.own(reading)) if self.mark else []
        for version_id in reading.gone:
            mark.open.pop(version_id, None)
        mark.seen = max(mark.seen, reading.newest)
        return mark, done


@dataclass(slots=True)
class Reading:
    """The result of one poll of AIHub, for several watchers.

    :param at: When it began, in seconds of ``time.monotonic``.
    :param versions: The versions that were read, by id.
    :param floor: All versions with a higher id were read.
    :param numbers_from: In a reading of one dataset: all of its versions with a higher number were read.
    :param gone: Ids of versions that no longer exist.
    :param later: Ids of versions that are left for another poll.
    :param error: The error, if AIHub could not be read.
    """

    at: float
    versions: dict[int, DatasetVersion] = field(default_factory=dict)
    floor: int = 0
    numbers_from: int = 0
    gone: set[int] = field(default_factory=set)
    later: set[int] = field(default_factory=set)
    error: AIHubError | None = None

    @property
    def newest(self) -> int:
        """The highest id of the versions; 0 if there are none."""
        return max(self.versions, default=0)

    def serves(self, mark: Mark | None) -> bool:
        """Whether it has all versions that a watcher with this mark needs."""
        if mark is None or self.error:
            return True
        return (
            self.floor <= mark.seen
            and self.numbers_from <= mark.number
            and mark.open.keys() <= self.versions.keys() | self.gone | self.later
        )


class VersionFeed:
    """Reads the versions of all datasets that are watched over one connection.

    If AIHub lists versions, one page with the newest versions of all datasets is enough for all watchers. Versions that
    are still being built are read one by one when they are on no page any more. An AIHub with only the document's API
    is asked for ``<dataset>/V<n + 1>``, once for all watchers of a dataset, and for one of the numbers after that, in
    case that ``V<n + 1>`` was deleted.

    :param poller: Sends the requests.
    """

    _of_poller: ClassVar[WeakKeyDictionary[Poller, VersionFeed]] = WeakKeyDictionary()

    def __init__(self, poller: Poller) -> None:
        # The watchers keep the poller alive.
        self._poller: Poller = proxy(poller)
        self._watched: set[Watched] = set()
        self._readings: dict[str, Reading] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._unlisted = False
        self._ahead = 0

    @classmethod
    def of(cls, poller: Poller) -> VersionFeed:
        """Return the feed of a connection."""
        found = cls._of_poller.get(poller)
        return found or cls._of_poller.setdefault(poller, cls(poller))

    def watch(self, watched: Watched) -> None:
        """Begin to watch a dataset."""
        self._watched.add(watched)

    def leave(self, watched: Watched) -> None:
        """Stop watching a dataset."""
        self._watched.discard(watched)

    async def look(self, watched: Watched, max_age: float) -> Reading:
        """Return a reading with all versions that are new to a watcher: a recent one of another watcher, or a new one.

        :param max_age: Maximum age of the reading, in seconds.
        :raises AIHubError: AIHub could not be read. The error is shared in the same way as a reading.
        """
        key = LISTED
        if self._unlisted:
            if as_int(watched.dataset) is not None:
                raise AIHubParameterError(
                    f"dataset is the id {watched.dataset}, but this AIHub reads versions by the dataset's name alone; "
                    "give the name."
                )
            key = str(watched.dataset)
        # A watcher that has not begun yet needs a new reading: what is new for it counts from now.
        oldest = time.monotonic() - (max_age if watched.mark else 0.0)
        async with self._locks.setdefault(key, asyncio.Lock()):
            reading = self._readings.get(key)
            if reading is None or reading.at <= oldest or not reading.serves(watched.mark):
                reading = self._readings[key] = await self._read(key)
        if reading.error:
            if isinstance(reading.error, AIHubUnsupportedError) and key == LISTED:
                self._unlisted = True
                return await self.look(watched, max_age)
            raise copy(reading.error)
        return reading

    async def is_known(self, watched: Watched, reading: Reading) -> bool:
        """Whether AIHub has the dataset; true if AIHub cannot answer that.

        :param reading: The reading that the watcher got.
        """
        if watched.own(reading):
            return True
        if self._unlisted:
            # A reading for a watcher that continues has only new versions.
            return watched.mark is not None and watched.mark.number > 0
        number = as_int(watched.dataset)
        try:
            if number is not None:
                return (await self._poller.send(get_dataset(number))).id == number
            listed = await self._poller.send(list_datasets(page_size=PAGE_SIZE, name=str(watched.dataset)))
        except AIHubRejectedError as refusal:
            return isinstance(refusal, AIHubUnsupportedError)
        except AIHubError:
            return True
        return listed.total > len(listed.data) or any(found.name == watched.dataset for found in listed.data)

    async def _read(self, key: str) -> Reading:
        began = time.monotonic()
        try:
            return await (self._list(began) if key == LISTED else self._probe(key, began))
        except AIHubError as error:
            return Reading(began, error=error)

    async def _list(self, began: float) -> Reading:
        marks = [watched.mark for watched in self._watched if watched.mark]
        floor = min((mark.seen for mark in marks), default=sys.maxsize)
        reading = Reading(began, floor=floor)
        rows = 0
        for page in range(1, MOST_PAGES + 1):
            if page > PAGES_AT_ONCE:
                await asyncio.sleep(self._poller.floor)
            listed = await self._poller.send(list_dataset_versions(page, PAGE_SIZE))
            ids = [version.id for version in listed.data]
            known = len(reading.versions)
            reading.versions.update(zip(ids, listed.data, strict=True))
            rows += len(ids)
            # Lists begin with the newest version on all known AIHubs, but that is not documented, so it is checked.
            passed = ids == sorted(ids, reverse=True) and ids[-1:] <= [floor]
            # A total that was left out reads as the number of rows on the page. And one page may be given for ever.
            if passed or len(ids) < listed.total <= rows or len(reading.versions) == known:
                break
        else:
            raise _bad_answer("list dataset versions", f"its list had no end within {MOST_PAGES} pages")
        reading.floor = min(floor, reading.newest)
        for version_id in _some({one for mark in marks for one in mark.open} - set(reading.versions), reading):
            try:
                version = await self._poller.send(get_dataset_version(version_id))
                if not version.dataset_name:
                    dataset = await self._poller.send(get_dataset(version.dataset_id))
                    version = version.model_copy(update={"dataset_name": dataset.name})
                reading.versions[version_id] = version
            except AIHubRejectedError as refusal:
                log.info("Dataset version %d is watched no more: %s", version_id, refusal)
                reading.gone.add(version_id)
        return reading

    async def _probe(self, dataset: str, began: float) -> Reading:
        watchers = [watched for watched in self._watched if str(watched.dataset) == dataset]
        marks = [watched.mark for watched in watchers if watched.mark]
        reading = Reading(began)
        seen: dict[int, DatasetVersion | None] = {}

        async def at(number: int) -> DatasetVersion | None:
            if number not in seen:
                if len(seen) == MOST_PROBES:
                    raise _bad_answer(f"read the versions of {dataset}", f"{MOST_PROBES} of them had no end")
                try:
                    found = await self._poller.send(get_dataset_version_by_name(f"{dataset}/V{number}"))
                except AIHubRejectedError:
                    # The document has no code for what does not exist.
                    seen[number] = None
                else:
                    if found.version not in (0, number):
                        raise _bad_answer(f"read {dataset}/V{number}", f"it answered with version {found.version}")
                    found = found.model_copy(update={"dataset_name": dataset, "version": number})
                    seen[number] = reading.versions[found.id] = found
            return seen[number]

        if not marks:
            loop = asyncio.get_running_loop()
            # A search for an id that does not exist ends at the newest version.
            read: Any = lambda number: asyncio.run_coroutine_threadsafe(at(number), loop).result()  # noqa: E731
            await asyncio.to_thread(find_version, read, sys.maxsize)
            newest = max((version.version for version in reading.versions.values()), default=0)
            reading.numbers_from = max(newest - GAP, 0)
            for number in range(reading.numbers_from + 1, newest):
                await at(number)
            return reading
        reading.numbers_from = min(mark.number for mark in marks)
        if len(marks) < len(watchers):
            # A watcher that begins needs the newest version, although the others know it already.
            reading.numbers_from = max(reading.numbers_from - GAP, 0)
        number = reading.numbers_from + 1
        while True:
            if await at(number) is None:
                self._ahead = (self._ahead + 1) % (GAP - 1)
                ahead = number + 1 + self._ahead
                if await at(ahead) is None:
                    break
                for deleted in range(number + 1, ahead):
                    await at(deleted)
                number = ahead
            number += 1
        numbers = {version_id: number for mark in marks for version_id, number in mark.open.items()}
        for version_id in _some(set(numbers) - set(reading.versions), reading):
            number = numbers[version_id]
            found = await at(number)
            if found is None or found.id != version_id:
                log.info("Dataset version %s/V%d is watched no more, since it is gone", dataset, number)
                reading.gone.add(version_id)
        return reading


def _some(version_ids: set[int], reading: Reading) -> set[int]:
    """Return at most ``MOST_OPEN`` of these ids, chosen at random; the others become ``reading.later``."""
    some = set(random.sample(sorted(version_ids), min(len(version_ids), MOST_OPEN)))
    reading.later = version_ids - some
    return some


def _bad_answer(asked: str, came: str) -> AIHubBadAnswerError:
    return AIHubBadAnswerError(f"AIHub was asked to {asked}, and {came}; it is asked again later.")
