"""The trigger that reports new versions of a dataset, for DAGs that run when there is one."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Hashable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowOptionalProviderFeatureException
from airflow.triggers.base import TriggerEvent

from airflow_provider_aihub.aihub.errors import AIHubParameterError
from airflow_provider_aihub.triggers.log_lines import LogsInThread

try:
    from airflow.triggers.base import BaseEventTrigger
except ImportError:
    from airflow.triggers.base import BaseTrigger as BaseEventTrigger  # type: ignore[assignment]

    HAS_WATCHERS = False
else:
    HAS_WATCHERS = True

if TYPE_CHECKING:
    from airflow_provider_aihub.watcher.acknowledgements import Tick, Ticks
    from airflow_provider_aihub.watcher.checkpoint import Checkpoint
    from airflow_provider_aihub.watcher.watcher import Watcher


class DatasetVersionTrigger(LogsInThread, BaseEventTrigger):
    """Fires once for each version of a dataset that was built successfully; for ``AssetWatcher`` (Airflow 3).

    The event's payload is ``{"id", "version", "dataset", "size", "count"}``, as
    :func:`~airflow_provider_aihub.assets.version_facts` says; a DAG that is scheduled on the asset finds it in the
    event's extra under ``payload``.

    Each version is reported when it is done, in the order of the ids; one that takes long is reported after later ones
    that are done before it. A version that failed is never reported. All watchers of a connection in a triggerer share
    one client and one poll.

    What is new when the watcher begins for the first time: versions that are not built yet, and all later ones.

    **Exactly once**, from Airflow 3.3 on. Airflow keeps for the asset how far the watcher has come. So a triggerer that
    takes over continues there, and versions that were built meanwhile are reported. A trigger hands its events to the
    triggerer, which records them up to some seconds later; a note of the trigger cannot be in the same transaction. A
    note before the recording would lose events if the triggerer is killed, a note after it would repeat them. So the
    trigger notes which events it is about to send and, when Airflow has confirmed it, that they were recorded. If it
    finds only the first note after a restart, it looks for a third one, which this provider's plugin writes within the
    transaction that records the event. (A trigger may not read Airflow's database, and has no other way to ask for the
    events of an asset.) If Airflow does not load that plugin, such an event is sent again. If a triggerer was frozen
    for longer than ``[triggerer] triggerer_health_check_threshold``, two triggerers may run the same trigger at once;
    then both may report a version that they see at the same moment.

    On Airflow 3.0 to 3.2, which keep nothing for a watcher, each start of the triggerer counts as the first time: a
    version is reported at most once, and not at all if it was built while no triggerer ran; with ``include_existing``
    all are reported again.

    If AIHub cannot be read, the trigger does not fail: it tries again, with growing pauses of up to ten minutes.

    :param dataset: Name or id of the dataset; digits are read as an id. An AIHub with the document's API alone knows a
        dataset only by its name.
    :param aihub_conn_id: Connection of type ``aihub``. Default: ``aihub_default``.
    :param poll_interval: Seconds between two polls. Default: 60.
    :param include_existing: Whether the versions that are there when the watcher begins for the first time are reported
        as well. Default: false.
    :raises AirflowOptionalProviderFeatureException: This is Airflow 2, which has no watchers.
    """

    def __init__(
        self,
        *,
        dataset: str | int,
        aihub_conn_id: str = "aihub_default",
        poll_interval: float = 60.0,
        include_existing: bool = False,
    ) -> None:
        if not HAS_WATCHERS:
            raise AirflowOptionalProviderFeatureException(
                "DatasetVersionTrigger is for an AssetWatcher, which needs Airflow 3; on Airflow 2 a "
                "DatasetVersionSensor can wait for a version."
            )
        number = isinstance(poll_interval, int | float) and not isinstance(poll_interval, bool)
        if not number or not 0 < poll_interval < math.inf:
            raise AIHubParameterError(f"poll_interval is {poll_interval!r}; allowed is a number of seconds above 0.")
        # As in api.values, which a DAG file is not to import.
        text = str(dataset)
        known = isinstance(dataset, int | str) and not isinstance(dataset, bool) and text.strip() == text != ""
        if not known or (text.removeprefix("-").isdecimal() and int(text) < 1):
            raise AIHubParameterError(f"dataset is {dataset!r}; allowed is a name or an id.")
        super().__init__()
        self.dataset = dataset
        self.aihub_conn_id = aihub_conn_id
        self.poll_interval = poll_interval
        self.include_existing = include_existing

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what is needed to make this trigger again; equal triggers give the same."""
        return f"{__name__}.{DatasetVersionTrigger.__name__}", {
            "dataset": self.dataset,
            "aihub_conn_id": self.aihub_conn_id,
            "poll_interval": self.poll_interval,
            "include_existing": self.include_existing,
        }

    # Airflow runs a trigger in one of two ways: by itself, or on a stream whose items it acknowledges.

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Report versions, without a confirmation by Airflow that the events were recorded."""
        self.log.info("This Airflow keeps nothing for a watcher: what is built while no triggerer runs is not told")
        async with self._watcher(None) as watcher:
            while True:
                for payload in await watcher.look():
                    yield TriggerEvent(payload)
                await asyncio.sleep(watcher.pause)

    def shared_stream_key(self) -> Hashable | None:
        """Ask Airflow for acknowledgements, if it keeps a state for the asset."""
        return (__name__, self.trigger_id) if getattr(self, "asset_state_store", None) is not None else None

    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> Ticks:  # noqa: ARG003 - Airflow's signature
        """Return the stream that is acknowledged."""
        from airflow_provider_aihub.watcher.acknowledgements import Ticks

        return Ticks()

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Tick]) -> AsyncIterator[TriggerEvent]:
        """Report versions, and note it when Airflow has recorded the events."""
        from airflow_provider_aihub.watcher.checkpoint import Checkpoint

        checkpoint = Checkpoint(self.asset_state_store, self.aihub_conn_id, self.dataset)
        async with self._watcher(checkpoint) as watcher:
            async for tick in shared_stream:
                told = await watcher.look()
                tick.pause, tick.recorded = watcher.pause, watcher.recorded
                for payload in told:
                    yield TriggerEvent(payload)

    def _watcher(self, checkpoint: Checkpoint | None) -> AbstractAsyncContextManager[Watcher]:
        from airflow_provider_aihub.watcher.watcher import Watcher

        return Watcher.of(
            self.aihub_conn_id,
            self.dataset,
            checkpoint,
            poll_interval=self.poll_interval,
            include_existing=self.include_existing,
            log=self.log,
        )
