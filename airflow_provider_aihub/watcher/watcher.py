"""A watcher: it polls a dataset, reports new versions, and saves its checkpoint."""

from __future__ import annotations

import math
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from logging import Logger
from typing import Any, Final

from airflow_provider_aihub.aihub.errors import AIHubError
from airflow_provider_aihub.assets import version_facts
from airflow_provider_aihub.jobs.platform import platform_of
from airflow_provider_aihub.jobs.tolerance import Tolerance
from airflow_provider_aihub.triggers.poller import Poller
from airflow_provider_aihub.watcher.checkpoint import Checkpoint, StoreTrouble
from airflow_provider_aihub.watcher.version_feed import Mark, VersionFeed, Watched

JITTER: Final = 0.1
FRESHNESS: Final = 0.5
"""A reading for another watcher is used if it is not older than this fraction of the interval."""
LONGEST_PAUSE: Final = 600.0
"""Longest pause while AIHub or Airflow do not answer, in seconds, unless the interval is longer."""


class Watcher:
    """The work of a :class:`~airflow_provider_aihub.triggers.dataset_version.DatasetVersionTrigger`.

    :param versions: The feed of the connection.
    :param dataset: Name or id of the dataset.
    :param checkpoint: Saves how far the watcher has come; ``None`` if this Airflow cannot save it (before 3.3).
    :param poll_interval: Seconds between two polls.
    :param include_existing: Whether to begin with the oldest version.
    :param floor: Shortest pause between two polls, in seconds.
    """

    def __init__(
        self,
        versions: VersionFeed,
        dataset: str | int,
        checkpoint: Checkpoint | None,
        *,
        poll_interval: float,
        include_existing: bool,
        floor: float,
        log: Logger,
    ) -> None:
        self._versions = versions
        self._watched = Watched(dataset)
        self._checkpoint = checkpoint
        self._floor = floor
        self._interval = max(poll_interval, floor)
        self._include_existing = include_existing
        self._log = log
        self._begun = False
        self._checked = False
        self._told: set[int] = set()
        longest = max(LONGEST_PAUSE, self._interval)
        self._failing = Tolerance(math.inf, first_pause=self._interval, longest_pause=longest)
        self.pause = 0.0
        """Seconds until the next poll."""

    @classmethod
    @asynccontextmanager
    async def of(
        cls, conn_id: str, dataset: str | int, checkpoint: Checkpoint | None, **given: Any
    ) -> AsyncIterator[Watcher]:
        """Watch a dataset over a connection, as long as the ``async with`` block runs."""
        async with await Poller.shared(platform_of("aihub"), conn_id) as poller:
            watcher = cls(VersionFeed.of(poller), dataset, checkpoint, floor=poller.floor, **given)
            watcher._versions.watch(watcher._watched)
            try:
                yield watcher
            finally:
                watcher._versions.leave(watcher._watched)

    async def look(self) -> list[dict[str, str | int]]:
        """Poll. Return the payloads of the events to send now; none after an error, which is logged."""
        try:
            told = await self._look()
        except (AIHubError, StoreTrouble) as trouble:
            self._wait_longer(trouble)
            return []
        if failures := self._failing.answered():
            self._log.info("Dataset %s is watched again, after %d failures", self._watched.dataset, failures)
        return told

    async def recorded(self) -> None:
        """Save that Airflow has recorded all events that were sent so far."""
        mark = self._watched.mark
        if self._checkpoint is None or mark is None or self._checkpoint.is_kept(mark):
            return
        try:
            await self._checkpoint.save(mark)
        except StoreTrouble as trouble:
            self._log.warning("Trying again at the next look: %s", trouble)

    async def _look(self) -> list[dict[str, str | int]]:
        watched, checkpoint = self._watched, self._checkpoint
        if not self._begun:
            await self._begin()
        reading = await self._versions.look(watched, FRESHNESS * self._interval)
        if not self._checked:
            self._checked = True
            if not await self._versions.is_known(watched, reading):
                self._log.warning(
                    "AIHub shows no dataset %s with a version yet; if there should be one, check the name",
                    watched.dataset,
                )
        mark, done = watched.advance(reading)
        self.pause = max(self._interval * (1 + JITTER * random.random()) - (time.monotonic() - reading.at), self._floor)  # noqa: S311
        told = [version_facts(version, version.dataset_name or str(watched.dataset)) for version in done]
        if told and checkpoint:
            if await checkpoint.overtaken():
                self._log.info("Another triggerer watches dataset %s as well; going on from there", watched.dataset)
                self._begun, self.pause = False, self._floor
                return []
            await checkpoint.save(watched.mark or Mark(), told)
        watched.mark = mark
        return [facts for facts in told if facts["id"] not in self._told]

    async def _begin(self) -> None:
        """Load the checkpoint, which this or another triggerer may have saved."""
        mark, self._told = await self._checkpoint.load() if self._checkpoint else (None, set())
        if mark is None and self._include_existing:
            mark = Mark()
        if mark is None:
            self._log.info("Watching dataset %s for versions that are built from now on", self._watched.dataset)
        else:
            self._log.info("Watching dataset %s for versions after id %d", self._watched.dataset, mark.seen)
        self._watched.mark, self._begun = mark, True

    def _wait_longer(self, trouble: AIHubError | StoreTrouble) -> None:
        pause = self._failing.failed(trouble, time.monotonic()) or self._interval
        self.pause = pause * (1 + JITTER * random.random())  # noqa: S311
        if self._failing.failures == 1:
            self._log.warning("Dataset %s cannot be watched now; trying again: %s", self._watched.dataset, trouble)
