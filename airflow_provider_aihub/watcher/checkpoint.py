"""Saves what a watcher has reported, in the state that Airflow 3.3 keeps for each asset.

Airflow records an event a moment after the trigger has sent it, and the trigger may die at any time in between. So a
note is saved twice: before the events are sent, with their ids, and after Airflow has acknowledged that it recorded
them, without. A watcher that starts and finds the first note looks for those of
:mod:`airflow_provider_aihub.watcher.plugin`, which show the events that were recorded.
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
"""A note is saved only after so many versions of other datasets; after a restart, they are read again."""


class StoreTrouble(Exception):
    """Airflow could not read or write an asset's state."""


class Checkpoint:
    """The checkpoint of one watcher, which all triggerers share.

    :param store: ``asset_state_store`` of the trigger. It may be for several assets.
    :param conn_id: Connection of the watcher.
    :param dataset: Name or id of the dataset.
    """

    def __init__(self, store: Any, conn_id: str, dataset: str | int) -> None:
        # The store has no public method that lists its assets.
        self._assets: dict[str, Any] = dict(store._by_name)
        digest = hashlib.sha256(f"{conn_id}/{dataset}".encode()).hexdigest()
        self._key = f"aihub_dataset_versions_{digest[:32]}"
        self._about = {"aihub_conn_id": conn_id, "dataset": str(dataset)}
        self._note: dict[str, Any] | None = None

    async def load(self) -> tuple[Mark | None, set[int]]:
        """Return the mark of the watcher, and the ids of later versions whose events are recorded already.

        :raises StoreTrouble: Airflow does not answer.
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
        """Whether another triggerer has saved a note since this one has last loaded or saved one.

        :raises StoreTrouble: Airflow does not answer.
        """
        return await self._newest() != self._note

    def is_kept(self, mark: Mark) -> bool:
        """Whether a mark is the one that was saved last, or so close to it that it need not be saved."""
        if self._note is None or self._note["firing"]:
            return False
        new, old = _plain(mark), self._note
        same: bool = new["open"] == old["open"] and new["number"] == old["number"]
        return same and 0 <= new["seen"] - old["seen"] < NOTE_EVERY

    async def save(self, before: Mark, firing: Iterable[Mapping[str, Any]] = ()) -> None:
        """Save the mark of the watcher, and the events that it is about to send.

        :param before: The mark up to which all events are recorded.
        :param firing: Payloads of the events that are about to be sent. Default: none.
        :raises StoreTrouble: Airflow does not accept it.
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
                # If one cannot be deleted, it only takes some space.
                with suppress(Exception):
                    await asset.adelete(key)

    async def _newest(self) -> dict[str, Any] | None:
        """Return the newest note. Those of several assets differ if an asset was added later."""
        notes = [note for note in await self._get(self._key) if note]
        return max(notes, key=lambda note: (note["seen"], note["at"]), default=None)

    async def _get(self, key: str) -> list[Any]:
        """Return the value of a key for each of the assets."""
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
