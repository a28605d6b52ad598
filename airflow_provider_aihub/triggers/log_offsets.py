"""Saves how far the logs of a job have been copied, in an XCom of the task, so that another triggerer can continue."""

from __future__ import annotations

import json
from typing import Any

from asgiref.sync import sync_to_async

from airflow_provider_aihub.jobs.best_effort import best_effort
from airflow_provider_aihub.jobs.kind import JobId
from airflow_provider_aihub.jobs.log_stream import Offsets
from airflow_provider_aihub.jobs.waiting import Log
from airflow_provider_aihub.tasks import own_xcoms
from airflow_provider_aihub.triggers.cancellation import shielded


def _key(platform: str) -> str:
    """Return the key of the XCom. Airflow clears it before the next try, which has a new log."""
    return f"{platform}_log_offsets"


def begin(task_instance: Any, platform: str, job_id: JobId, log: Log) -> None:
    """Save empty offsets in the worker, because Airflow logs an error when a trigger reads a missing XCom."""
    with best_effort(log, "keeping how far the logs were read"):
        own_xcoms.put(task_instance, _key(platform), _written(job_id, {}))


class OffsetStore:
    """Loads and saves the offsets of one job.

    :param task_instance: ``task_instance`` of the trigger; ``None`` to save nothing.
    :param platform: Key of the platform.
    """

    def __init__(self, task_instance: Any, platform: str, job_id: JobId, log: Log) -> None:
        self._ti = task_instance
        self._key = _key(platform)
        self._job_id = job_id
        self._log = log
        self._kept = True

    async def load(self) -> Offsets | None:
        """Return the offsets that an earlier triggerer saved; ``None`` if there are none."""
        if self._ti is None:
            # As in ``airflow dags test``, where no triggerer can start again.
            return None
        text = await self._call(own_xcoms.get)
        value = json.loads(text or "null")
        if not isinstance(value, dict) or value.get("job_id") != self._job_id:
            return None
        offsets = value.get("offsets")
        return offsets if isinstance(offsets, dict) else None

    async def save(self, offsets: Offsets) -> None:
        """Save the offsets."""
        if self._kept and self._ti is not None:
            await self._call(own_xcoms.put, _written(self._job_id, offsets))

    async def _call(self, method: Any, *arguments: Any) -> Any:
        try:
            # Airflow has asynchronous calls for this in its latest versions only.
            return await shielded(sync_to_async(method)(self._ti, self._key, *arguments))
        except Exception as error:
            if self._kept:
                self._kept = False
                self._log.info(
                    "Airflow does not keep how far the logs were read (%s): after a restart of the triggerer, lines "
                    "may be repeated",
                    type(error).__name__,
                )
            return None


def _written(job_id: JobId, offsets: Offsets) -> str:
    return json.dumps({"job_id": job_id, "offsets": dict(offsets)})
