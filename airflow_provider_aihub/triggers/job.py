"""The trigger that waits for a job on AIHub, of whatever kind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any, TypedDict

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_aihub.api import errors
from airflow_provider_aihub.api.errors import AIHubError
from airflow_provider_aihub.api.jobs import KINDS, JobId
from airflow_provider_aihub.client.retry import RetryPolicy
from airflow_provider_aihub.client.waiting import Outcome, Watch, wait_async
from airflow_provider_aihub.triggers.guard import still_deferred
from airflow_provider_aihub.triggers.poller import Poller

STOP_TIMEOUT = 20.0
"""Seconds that a trigger spends on stopping a job; Airflow grants ``on_kill`` 30."""
_USER_ACTION = "__airflow_user_action__"


class JobEvent(TypedDict):
    """What the trigger tells the task.

    ``outcome``, one of :class:`~airflow_provider_aihub.client.waiting.Outcome`, says why the waiting ended; ``phase``
    and ``status`` where the job was last seen to be; ``error`` and ``error_type`` why it could not be read or stopped.
    """

    outcome: str
    job_id: JobId
    phase: str | None
    status: int | None
    error: str | None
    error_type: str | None


def error_of(event: JobEvent) -> AIHubError | None:
    """Give the error that an event tells of, as its type."""
    if event["error"] is None:
        return None
    kind = getattr(errors, event["error_type"] or "", AIHubError)
    error: AIHubError = kind(event["error"])
    return error


class JobTrigger(BaseTrigger):
    """Waits for a job on AIHub to end and fires once.

    The arguments are plain JSON values and hold no secret: the connection is read in the triggerer.

    :param aihub_conn_id: Connection of type ``aihub``.
    :param kind: Kind of job, a key of :data:`~airflow_provider_aihub.api.jobs.KINDS`.
    :param job_id: The job's id, or its name where AIHub reads it by name.
    :param since: When the job was submitted, in Unix seconds.
    :param poll_interval: Longest pause between two polls, in seconds. Default: 30.
    :param poll_tolerance: Seconds for which polls may fail before the waiting ends. Default: 900.
    :param deadline: When the job is stopped, in Unix seconds. Default: never.
    :param cancel_on_kill: Whether the job is stopped when somebody marks or clears the task. Default: true.
    """

    def __init__(
        self,
        *,
        aihub_conn_id: str,
        kind: str,
        job_id: JobId,
        since: float,
        poll_interval: float = 30.0,
        poll_tolerance: float = 900.0,
        deadline: float | None = None,
        cancel_on_kill: bool = True,
    ) -> None:
        super().__init__()
        self.aihub_conn_id = aihub_conn_id
        self.kind = kind
        self.job_id = job_id
        self.since = since
        self.poll_interval = poll_interval
        self.poll_tolerance = poll_tolerance
        self.deadline = deadline
        self.cancel_on_kill = cancel_on_kill
        self._fired = False

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give what is needed to make this trigger again, on another machine if need be."""
        return (
            "airflow_provider_aihub.triggers.job.JobTrigger",
            {
                "aihub_conn_id": self.aihub_conn_id,
                "kind": self.kind,
                "job_id": self.job_id,
                "since": self.since,
                "poll_interval": self.poll_interval,
                "poll_tolerance": self.poll_tolerance,
                "deadline": self.deadline,
                "cancel_on_kill": self.cancel_on_kill,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Follow the job to its end or its deadline."""
        try:
            event = await self._wait()
        except asyncio.CancelledError as cancelled:
            # Airflow before 3.3 has no on_kill and does not say why it cancels.
            if not hasattr(BaseTrigger, "on_kill") and cancelled.args[:1] != (_USER_ACTION,):
                await self.on_kill()
            raise
        self._fired = True
        yield TriggerEvent(event)

    async def _wait(self) -> JobEvent:
        kind = KINDS[self.kind]
        watch = Watch(
            kind=kind,
            job_id=self.job_id,
            since=self.since,
            poll_interval=self.poll_interval,
            deadline=self.deadline,
            poll_tolerance=self.poll_tolerance,
        )
        async with Poller.shared(self.aihub_conn_id) as poller:
            waited = await wait_async(partial(poller.look, kind, self.job_id), watch, self.log)
            error: AIHubError | None = waited.error
            if waited.outcome is Outcome.DEADLINE:
                error = await self._stop(poller)
        return {
            "outcome": waited.outcome.value,
            "job_id": self.job_id,
            "phase": waited.state.phase.value if waited.state else None,
            "status": waited.state.status if waited.state else None,
            "error": str(error) if error else None,
            "error_type": type(error).__name__ if error else None,
        }

    async def _stop(self, poller: Poller) -> AIHubError | None:
        """Stop the job, and give the error where that could not be done."""
        kind = KINDS[self.kind]
        if kind.stop is None:
            return None
        try:
            await asyncio.wait_for(poller.send(kind.stop(self.job_id), RetryPolicy()), STOP_TIMEOUT)
        except AIHubError as error:
            return error
        except TimeoutError:
            return AIHubError(f"AIHub did not take the request to stop {kind.called(self.job_id)} in time.")
        self.log.info("Asked AIHub to stop %s", kind.called(self.job_id))
        return None

    async def on_kill(self) -> None:
        """Stop the job because somebody acted on the task; never because the trigger is handed to another triggerer."""
        if not self.cancel_on_kill or self._fired or self.task_instance is None:
            return
        if await still_deferred(self.task_instance):
            return
        async with Poller.shared(self.aihub_conn_id) as poller:
            error = await self._stop(poller)
        if error:
            self.log.error("%s may still be running on AIHub: %s", KINDS[self.kind].called(self.job_id), error)
