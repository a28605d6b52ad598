"""What a watcher has reported, kept in the state that Airflow has for each asset (3.3).

Airflow records an event of a trigger some moments after the trigger gave it, and the trigger may die before, between
and after that and its own note. So there are two notes: which events are about to be given, and, once Airflow has
confirmed that it recorded them, how far the watcher has come. One that starts with the first note alone looks whether
:mod:`airflow_provider_aihub.watcher.plugin` has noted the events where they were recorded.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from airflow_provider_aihub.assets import recorded_key
from airflow_provider_aihub.watcher.version_feed import Mark

log = logging.getLogger(__name__)

NOTE_EVERY = 50
"""So many versions of other datasets are passed without a note; after a restart they are read again."""


class StoreTrouble(Exception):
    """Airflow could not read or write an asset's state."""


class Checkpoint:
    """How far one watcher has come, as all triggerers know it.

    :param store: The ``asset_state_store`` of the trigger: of the assets that it watches for, of which there may be
        several.
    :param conn_id: Connection of the watcher.
    :param dataset: Dataset that it watches.
    """

    def __init__(self, store: Any, conn_id: str, dataset: str | int) -> None:
        # It shows by no method of its own which assets there are.
        self._assets: dict[str, Any] = dict(store._by_name)
        digest = hashlib.sha256(f"{conn_id}/{dataset}".encode()).hexdigest()
        self._key = f"aihub_dataset_versions_{digest[:32]}"
        self._about = {"aihub_conn_id": conn_id, "dataset": str(dataset)}
        self._note: dict[str, Any] | None = None

    async def load(self) -> tuple[Mark | None, set[int]]:
        """Return how far the watcher has come, and the ids of versions behind that whose events are recorded already.

        :raises StoreTrouble: Airflow does not say.
        """
        self._note = await self._newest()
        if self._note is None:
            return None, set()
        numbers = {int(version_id): number for version_id, number in self._note["open"].items()}
        mark = Mark(self._note["seen"], self._note["number"], numbers)
        firing = self._note["firing"]
        recorded = {int(version_id) for version_id, key in firing.items() if any(await self._get(key))}
        if firing:
            log.info("Events of dataset versions %s were under way, %s are recorded", sorted(firing), sorted(recorded))
        return mark, recorded

    async def overtaken(self) -> bool:
        """Whether another triggerer has written since this one has read or written.

        :raises StoreTrouble: Airflow does not say.
        """
        return await self._newest() != self._note

    def is_kept(self, mark: Mark) -> bool:
        """Whether a mark is what was kept last, or so close to it that writing it again would be useless."""
        if self._note is None or self._note["firing"]:
            return False
        new, old = _plain(mark), self._note
        same: bool = new["open"] == old["open"] and new["number"] == old["number"]
        return same and 0 <= new["seen"] - old["seen"] < NOTE_EVERY

    async def save(self, before: Mark, firing: Iterable[Mapping[str, Any]] = ()) -> None:
        """Write down how far the watcher has come, and what it is about to give beyond that.

        :param before: Up to there all events are recorded.
        :param firing: Payloads of the events that are about to be given.
        :raises StoreTrouble: Airflow does not take it.
        """
        keys = {str(payload["id"]): recorded_key(payload) for payload in firing}
        note = {**self._about, **_plain(before), "firing": keys, "at": time.time()}
        for name, asset in self._assets.items():
            try:
                await asset.aset(self._key, note)
            except Exception as error:
                raise StoreTrouble(
                    f"Airflow did not take the state of asset {name!r} ({type(error).__name__})"
                ) from None
        done, self._note = (self._note or note)["firing"], note
        for key in set(done.values()) - set(keys.values()):
            for asset in self._assets.values():
                # What stays behind costs nothing but its place.
                with suppress(Exception):
                    await asset.adelete(key)

    async def _newest(self) -> dict[str, Any] | None:
        """Read the note that is the newest; an asset may have come to the others later."""
        notes = [note for note in await self._get(self._key) if note]
        return max(notes, key=lambda note: (note["seen"], note["at"]), default=None)

    async def _get(self, key: str) -> list[Any]:
        """Read what is kept for each of the assets."""
        found = []
        for name, asset in self._assets.items():
            try:
                found.append(await asset.aget(key))
            except Exception as error:
                raise StoreTrouble(
                    f"Airflow did not give the state of asset {name!r} ({type(error).__name__})"
                ) from None
        return found


def _plain(mark: Mark) -> dict[str, Any]:
    plain = asdict(mark)
    # Keys of JSON are texts.
    return {**plain, "open": {str(version_id): number for version_id, number in mark.open.items()}}
