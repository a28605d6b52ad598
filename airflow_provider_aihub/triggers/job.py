"""The trigger that waits for a job, of whatever platform and kind."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable
from typing import Any, TypedDict

from airflow.providers.common.compat.sdk import conf
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_aihub.http.errors import OwnKinds, RemoteJobError, make_own
from airflow_provider_aihub.http.protocol import Sleep
from airflow_provider_aihub.jobs.errors import OtherJob
from airflow_provider_aihub.jobs.identity import Identity
from airflow_provider_aihub.jobs.kind import JobId, JobKind, JobState, Status
from airflow_provider_aihub.jobs.platform import Platform, platform_of
from airflow_provider_aihub.jobs.stopping import Stopping, stop
from airflow_provider_aihub.jobs.time_limit import too_late
from airflow_provider_aihub.jobs.waiting import (
    Ask,
    Fetch,
    LoadOffsets,
    Look,
    Outcome,
    Redact,
    SaveOffsets,
    Waited,
    Watch,
    WriteLines,
    wait_async,
)
from airflow_provider_aihub.tasks.links import link_in_triggerer
from airflow_provider_aihub.triggers.batch_poller import BatchPoller
from airflow_provider_aihub.triggers.cancellation import to_the_end
from airflow_provider_aihub.triggers.log_lines import LogsInThread, flush, write_lines
from airflow_provider_aihub.triggers.log_offsets import OffsetStore
from airflow_provider_aihub.triggers.polled_job import PolledJob
from airflow_provider_aihub.triggers.poller import TRIGGERER, Environment, Poller

STOP_TIMEOUT = 20.0
"""Time limit for stopping a job, in seconds."""
LONGEST_UNKNOWN = 15.0
"""Part of that time in which the platform may not know the job yet, in seconds."""
KILL_CHECK_TIMEOUT = 10.0
"""Seconds that reading the job may take before a killed trigger stops it, to check that it is still the task's own."""
DEADLINE_CHECK_TIMEOUT = 0.3
"""The same at a deadline. It is short, so that the stop is not late, and every poll before has checked the job."""
KILL_TIMEOUT = 25.0 if hasattr(BaseTrigger, "on_kill") else 120.0
"""Time limit for all that a killed trigger does, in seconds. Airflow 3.3 gives ``on_kill`` 30 s. Older versions may
take long to answer whether a task is still deferred, if many triggers ask at once."""
_HEARTBEAT_INTERVAL = conf.getfloat("workers", "min_heartbeat_interval", fallback=0.0)
EARLIEST_EVENT = _HEARTBEAT_INTERVAL + 3.0 if _HEARTBEAT_INTERVAL else 0.0
"""Seconds after its start before which a trigger sends no event.

A worker of Airflow 3 may report only after ``[workers] min_heartbeat_interval`` that its task has deferred. If the task
is queued or running again when the report comes, the scheduler takes it for the end of the new process, and fails the
task (apache/airflow#72716). A busy scheduler may read the report some seconds later still.

A trigger cannot wait for the report instead: it goes to the executor in memory only, the database does not show it, and
of tasks Airflow shows a trigger nothing but their states and numbers.
"""
LOG_DRAIN = 0.5 if _HEARTBEAT_INTERVAL else 0.0
"""Seconds between the last line of a trigger's log and its event. Airflow 3 closes the log when the trigger fires, and
lines that arrive later are lost (apache/airflow#66158)."""
_USER_ACTION = "__airflow_user_action__"
CONN_FIELD = "_conn_id"
"""Suffix of the name of the argument for the connection."""


class JobEvent(TypedDict):
    """The event of a :class:`JobTrigger`.

    ``outcome``, one of :class:`~airflow_provider_aihub.jobs.waiting.Outcome`, says why the waiting ended. ``phase``
    and ``status`` are the last known ones of the job. ``error`` and ``error_type`` say why it could not be read or
    stopped. ``since``, ``deadline``, ``rounds`` and ``identity`` are the arguments of the trigger, for a task that
    defers again. ``try_number`` is that of the task when it deferred; ``None`` if unknown.
    """

    outcome: str
    job_id: JobId
    phase: str | None
    status: Status | None
    error: str | None
    error_type: str | None
    since: float | None
    deadline: float | None
    rounds: int
    identity: dict[str, Any] | None
    try_number: int | None


MOST_ROUNDS = 5
"""How often a task may defer again because its worker cannot read from the platform how the job has ended."""


def is_of_earlier_try(event: JobEvent, ti: Any) -> bool:
    """Whether an event is of an earlier try of the task.

    If a task is cleared in the worker in which it resumes, Airflow 3.3 resumes its next try with the same event.

    :param ti: What has the number of the try that is resumed: its task instance, or its
        :class:`~airflow_provider_aihub.tasks.job_state.Tries`.
    """
    # An earlier version of this package did not say which try it was.
    deferred: int | None = event.get("try_number")
    return deferred is not None and deferred < ti.try_number


def error_of(event: JobEvent, own: OwnKinds) -> RemoteJobError | None:
    """Return the error that an event names, as its type.

    :param own: The platform's kinds of error.
    """
    if event["error"] is None:
        return None
    kinds = {kind.__name__: kind for kind in own.values()}
    kind = kinds.get(event["error_type"] or "", RemoteJobError)
    return kind(event["error"])


class JobTrigger(LogsInThread, BaseTrigger):
    """Waits for a job to end and fires once.

    The arguments are plain JSON values and hold no secret: the connection is read in the triggerer.

    :param kind: Key of the kind of job, such as ``aihub.training``. Earlier versions gave its name alone.
    :param since: When the job was submitted, in Unix seconds. Default: now.
    :param poll_interval: See :class:`~airflow_provider_aihub.jobs.waiting.Watch`; likewise ``backoff``,
        ``longest_interval``, ``poll_tolerance``, ``may_be_missing`` and ``stream_logs``.
    :param deadline: When the waiting ends, in Unix seconds. Default: never.
    :param owner: Whether the job belongs to the task: it is stopped at the deadline, and when somebody marks or
        clears the task. Default: true.
    :param cancel_on_kill: Whether marking or clearing the task stops a job that belongs to it. Default: true.
    :param rounds: How often the task has resumed and deferred again. Default: 0.
    :param identity: What the task knows of its job besides the id, as
        :meth:`~airflow_provider_aihub.jobs.identity.Identity.plain` gives it. Another job under the id is neither
        waited for nor stopped. Default: nothing; then any job under the id is accepted.
    :param fields: Two more arguments, under the names that a sensor has for them, since Airflow renders a trigger's
        templates by those names: the connection, such as ``aihub_conn_id="aihub_default"``, where what stands before
        ``_conn_id`` is the key of the platform; and the job's id (or its name, where it is read by name), such as
        ``training_id=12``.
    """

    environment: Environment = TRIGGERER

    def __init__(
        self,
        *,
        kind: str,
        since: float | None = None,
        poll_interval: float = 30.0,
        backoff: float | None = None,
        longest_interval: float | None = None,
        poll_tolerance: float = 900.0,
        deadline: float | None = None,
        may_be_missing: bool = False,
        owner: bool = True,
        cancel_on_kill: bool = True,
        stream_logs: bool = False,
        rounds: int = 0,
        identity: dict[str, Any] | None = None,
        **fields: JobId,
    ) -> None:
        super().__init__()
        (self.conn_field,) = (name for name in fields if name.endswith(CONN_FIELD))
        (self.job_field,) = (name for name in fields if name != self.conn_field)
        for name, value in fields.items():
            setattr(self, name, value)
        self.kind = kind
        self.since = since
        self.poll_interval = poll_interval
        self.backoff = backoff
        self.longest_interval = longest_interval
        self.poll_tolerance = poll_tolerance
        self.deadline = deadline
        self.may_be_missing = may_be_missing
        self.owner = owner
        self.cancel_on_kill = cancel_on_kill
        self.stream_logs = stream_logs
        self.rounds = rounds
        self.identity = identity
        self._poller: Poller | None = None
        self._batch: BatchPoller
        self._job: PolledJob
        self._offset_store: OffsetStore
        self._fired = False
        self._linked = False

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what is needed to make this trigger again, on another machine if need be; defaults are left out."""
        parameters = inspect.signature(JobTrigger).parameters
        names = [name for name, parameter in parameters.items() if parameter.kind is parameter.KEYWORD_ONLY]
        given = {name: getattr(self, name) for name in names if getattr(self, name) != parameters[name].default}
        fields = {name: getattr(self, name) for name in (self.conn_field, self.job_field)}
        return f"{__name__}.{JobTrigger.__name__}", {**fields, **given}

    @property
    def _conn_id(self) -> str:
        return str(getattr(self, self.conn_field))

    @property
    def _platform(self) -> Platform:
        return platform_of(self.conn_field.removesuffix(CONN_FIELD))

    @property
    def _kind(self) -> JobKind:
        return self._platform.kinds[self.kind.rpartition(".")[2]]

    @property
    def _job_id(self) -> JobId:
        job_id: JobId = getattr(self, self.job_field)
        return job_id

    @property
    def _identity(self) -> Identity | None:
        return Identity.from_plain(self.identity) if self.identity else None

    @property
    def _called(self) -> str:
        return self._kind.called(self._job_id)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Follow the job to its end or its deadline."""
        began = asyncio.get_running_loop().time()
        try:
            event = await self._wait()
            await flush(self.log)
            if self.trigger_id is not None:
                # Else it is no triggerer's, but that of a DAG that is run for a test in one process.
                await asyncio.sleep(max(LOG_DRAIN, began + EARLIEST_EVENT - asyncio.get_running_loop().time()))
        except asyncio.CancelledError as cancelled:
            # Airflow before 3.3 has no on_kill and does not say why it cancels.
            if not hasattr(BaseTrigger, "on_kill") and cancelled.args[:1] != (_USER_ACTION,):
                await self.on_kill()
            raise
        self._fired = True
        yield TriggerEvent(event)

    def watch(self, floor: float | None = None) -> Watch:
        """Return the :class:`Watch` for the arguments of this trigger.

        :param floor: Shortest pause between two polls, in seconds. Default: that of :class:`Watch`.
        """
        return Watch(
            kind=self._kind,
            job_id=self._job_id,
            since=self.environment.clock() if self.since is None else self.since,
            poll_interval=self.poll_interval,
            backoff=self.backoff,
            longest_interval=self.longest_interval,
            deadline=self.deadline,
            poll_tolerance=self.poll_tolerance,
            may_be_missing=self.may_be_missing,
            stream_logs=self.stream_logs,
            floor=floor,
            identity=self._identity,
            # The task had resumed before, and found that the job had not ended, or could not read it.
            doubts_lists=self.rounds > 0,
        )

    async def _wait(self) -> JobEvent:
        async with await Poller.shared(self._platform, self._conn_id, self.environment) as poller:
            self._poller = poller
            watch = self.watch(poller.floor)
            self._batch = poller.batch(watch.kind)
            self._job = self._batch.watch(watch.job_id, watch.pace)
            clock, jitter, perform = self.environment.clock, self.environment.jitter, self._perform
            try:
                await asyncio.sleep(watch.head_start(clock(), jitter))
                waited = await wait_async(self._look, watch, self.log, perform=perform, clock=clock, jitter=jitter)
            finally:
                self._batch.leave(self._job)
            error: RemoteJobError | None = waited.error
            if waited.outcome is Outcome.DEADLINE and self.owner:
                came = await self._stop(poller, DEADLINE_CHECK_TIMEOUT)
                if isinstance(came, JobState) and came.phase.ended_by_itself:
                    # The job had ended already.
                    waited = Waited(Outcome.ENDED, came)
                elif isinstance(came, RemoteJobError):
                    error = came
            if error is not None:
                make_own(error, self._platform.errors)
        return {
            "outcome": waited.outcome.value,
            "job_id": self._job_id,
            "phase": waited.state.phase.value if waited.state else None,
            "status": waited.state.status if waited.state else None,
            "error": str(error) if error else None,
            "error_type": type(error).__name__ if error else None,
            "since": self.since,
            "deadline": self.deadline,
            "rounds": self.rounds,
            "identity": self.identity,
            "try_number": getattr(self.task_instance, "try_number", None),
        }

    def _look(self, step: Look) -> Awaitable[JobState | RemoteJobError]:
        looking = self._batch.look(self._job, step)
        return looking if self.since is not None or self._linked else self._look_and_link(looking)

    async def _look_and_link(self, looking: Awaitable[JobState | RemoteJobError]) -> JobState | RemoteJobError:
        """Poll. When the job was read, set the task's link: the scheduler began this task, so no worker has set it."""
        seen = await looking
        if isinstance(seen, JobState):
            self._linked = True
            await link_in_triggerer(self.task_instance, self._platform.page_link, self._page, self.log)
        return seen

    def _page(self) -> str | None:
        config = self._poller.config if self._poller else None
        page: str | None = config.page(self._kind.page_kind, self._job_id) if config else None
        return page

    async def _perform(self, step: Ask | Fetch | Redact | LoadOffsets | SaveOffsets | WriteLines) -> Any:
        if isinstance(step, WriteLines):
            return await write_lines(step.lines, self.log)
        if isinstance(step, LoadOffsets):
            self._offset_store = OffsetStore(self.task_instance, self._platform.key, self._job_id, self.log)
            return await self._offset_store.load()
        if isinstance(step, SaveOffsets):
            return await self._offset_store.save(step.offsets)
        assert self._poller is not None, "it is there before anything is wanted"  # noqa: S101
        return await self._poller.perform(step)

    async def _stop(self, poller: Poller, check_timeout: float) -> JobState | RemoteJobError | None:
        """Stop the job. Return the error if that failed; the state of a job that is over already; else ``None``.

        :param check_timeout: See :func:`~airflow_provider_aihub.jobs.stopping.stop`.
        """
        kind, identity = self._kind, self._identity
        if kind.stop is None:
            return None

        # The job's age is unknown here, since the clock of the worker that has noted the time may differ.
        clock = asyncio.get_running_loop().time
        steps = stop(
            kind,
            self._job_id,
            self.log,
            judge=None if identity is None else lambda state: identity.judge(state.raw_facts),
            check_timeout=check_timeout,
            login=lambda: poller.login,
            is_logged_in=lambda: poller.is_logged_in,
            hidden=LONGEST_UNKNOWN,
            clock=clock,
        )
        try:
            async with asyncio.timeout(STOP_TIMEOUT):
                return await self._take(steps, poller)
        except RemoteJobError as error:
            return error
        except TimeoutError:
            return RemoteJobError(f"{kind.platform} did not take the request to stop {self._called} in time.")

    @staticmethod
    async def _take(steps: Stopping, poller: Poller) -> JobState | None:
        """Run the generator that stops a job."""
        reply: Any = None
        while True:
            try:
                step = steps.send(reply)
            except StopIteration as end:
                ended: JobState | None = end.value
                return ended
            reply = None
            if isinstance(step, Sleep):
                await asyncio.sleep(step.seconds)
                continue
            try:
                async with asyncio.timeout(step.timeout):
                    reply = await poller.send_first(step.request)
            except RemoteJobError as error:
                reply = error
            except TimeoutError:
                reply = too_late()

    async def on_kill(self) -> None:
        """Stop the job if a user has acted on the task; do nothing if another triggerer takes over the trigger."""
        if not (self.owner and self.cancel_on_kill) or self._fired or self.task_instance is None:
            return
        await to_the_end(self._stop_unless_handed_over())

    async def _stop_unless_handed_over(self) -> None:
        try:
            async with asyncio.timeout(KILL_TIMEOUT):
                deferred = await self.environment.guard.still_deferred(self.task_instance)
                if deferred and not await self._has_newer_try():
                    return
                poller = self._poller or await Poller.shared(self._platform, self._conn_id, self.environment)
                async with poller:
                    problem: object = await self._stop(poller, KILL_CHECK_TIMEOUT)
        except Exception as error:
            problem = error
        if isinstance(problem, OtherJob):
            self.log.warning("%s", problem)
        elif isinstance(problem, Exception):
            why = str(problem) or type(problem).__name__
            self.log.error("%s may still be running on %s: %s", self._called, self._platform.name, why)
        await flush(self.log)

    async def _has_newer_try(self) -> bool:
        """Whether the task was cleared or retried, and has deferred again for another job."""
        listed = self._kind.listed_as(self._job_id)
        about: dict[str, Any] = {}
        if listed is not None:
            about["job_id"] = listed
            config = self._poller.config if self._poller else None
            if config and (page := config.page(self._kind.name, listed)):
                about[self._platform.page_link] = page
        try:
            return bool(await self.environment.guard.has_newer_try(self.task_instance, self.trigger_id, about))
        except Exception as error:
            self.log.info("Airflow does not say whether the task has a newer try (%s)", type(error).__name__)
            return False
