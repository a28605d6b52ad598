"""A triggerer: the real trigger, its poller and its client, on an event loop whose clock is the world's."""

from __future__ import annotations

import asyncio
import heapq
import json
import random
from asyncio import events
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from typing import Any, Final

from airflow.triggers.base import BaseTrigger

from airflow_provider_aihub.http.asynchronous import AsyncClient
from airflow_provider_aihub.http.protocol import Outcome as HttpOutcome
from airflow_provider_aihub.http.protocol import Send
from airflow_provider_aihub.jobs.platform import Platform
from airflow_provider_aihub.triggers.job import JobTrigger
from airflow_provider_aihub.triggers.poller import Environment, Poller
from airflow_provider_aihub.triggers.settings import Settings

from .airflow import BEFORE, LOG, LONG, Process, Task, World

USER_ACTION: Final = "__airflow_user_action__"
"""What Airflow cancels a trigger with when somebody has acted on its task."""
KNOWS_ON_KILL: Final = hasattr(BaseTrigger, "on_kill")
ON_KILL_TIMEOUT: Final = 30.0
"""Seconds that Airflow grants ``on_kill``."""


class Loop(asyncio.BaseEventLoop):
    """An event loop that waits for nothing: who drives it lets the world's time pass."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        # A sum of so large times is not exact.
        self._clock_resolution = 1e-6
        self._selector = self
        self.tasks: list[asyncio.Task[Any]] = []
        self.set_exception_handler(lambda *_: None)

    def create_task(self, *given: Any, **more: Any) -> asyncio.Task[Any]:
        """Begin a task, and remember it: asyncio would look for it among those of all loops that there have been."""
        task = super().create_task(*given, **more)
        self.tasks.append(task)
        return task

    @property
    def is_over(self) -> bool:
        """Whether nothing is under way any more."""
        return all(task.done() for task in self.tasks)

    def time(self) -> float:
        """Return the world's time."""
        return self.world.now

    def select(self, timeout: float | None) -> list[Any]:
        """Wait for no socket."""
        return []

    def _process_events(self, event_list: list[Any]) -> None:
        pass

    def __del__(self, _warn: Any = None) -> None:
        pass

    @property
    def has_work(self) -> bool:
        """Whether there is something to do now."""
        return bool(self._ready)

    def go_on(self) -> None:
        """Do what there is to do now."""
        events._set_running_loop(self)
        try:
            self._run_once()
        finally:
            events._set_running_loop(None)

    def pause(self, seconds: float) -> asyncio.Future[None]:
        """Return what is done after some seconds: sooner than ``asyncio.sleep``, which looks for the loop."""
        done = self.create_future()
        self.call_later(seconds, lambda: done.cancelled() or done.set_result(None))
        return done

    @property
    def idle(self) -> float | None:
        """Seconds until there is something to do; ``None`` for never."""
        while self._scheduled and self._scheduled[0]._cancelled:
            # As a loop does before it waits.
            self._timer_cancelled_count -= 1
            heapq.heappop(self._scheduled)._scheduled = False
        return self._scheduled[0].when() - self.world.now if self._scheduled else None

    def end(self) -> None:
        """End all that is under way at once, as SIGKILL does."""
        events._set_running_loop(self)
        try:
            for task in self.tasks:
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                task.get_coro().close()  # type: ignore[union-attr]
        finally:
            events._set_running_loop(None)
            # It knows of this loop, and would never be forgotten.
            Poller._of_loop.pop(self, None)


class AsyncSending(AsyncClient):
    """The real asynchronous client; what it sends goes to the platform in memory."""

    triggerer: Triggerer

    async def _send(self, step: Send, _room: Any) -> HttpOutcome:
        triggerer = self.triggerer
        await triggerer.reach()
        answering = triggerer.world.server.answer(step, triggerer)
        while True:
            try:
                seconds = next(answering)
            except StopIteration as end:
                outcome: HttpOutcome = end.value
                return outcome
            await triggerer.loop.pause(seconds)


@cache
def _client_of(client: type[AsyncClient]) -> type[AsyncSending]:
    return type(client.__name__, (AsyncSending, client), {})


class QuietTrigger(JobTrigger):
    """The real trigger, whose log nobody reads."""

    log = LOG


class Triggerer(Process):
    """Runs one trigger as Airflow does, and is what the trigger finds around it.

    :param given: The trigger's arguments, as Airflow keeps them.
    :param lists: Whether jobs are read in pages however few there are.
    """

    def __init__(
        self, world: World, dice: random.Random, task: Task, given: str, skew: float = 0.0, *, lists: bool = False
    ) -> None:
        super().__init__(world, dice, skew)
        self.task = task
        self.settings = Settings(poll_floor=1.7, page_threshold=1 if lists else 8, pool_size=10)
        self.loop = Loop(world)
        self.event: dict[str, Any] | None = None
        self.cancelled = False
        self.trigger = QuietTrigger(**json.loads(given))
        self.trigger.environment = Environment(
            self.clock, dice.random, self._read, self._client, self, lambda _: self.settings
        )
        self.trigger.task_instance = task.ti
        self.trigger.trigger_id = self.trigger_id = task.trigger_id
        self.running = self.loop.create_task(self._run())
        self.reached: deque[asyncio.Future[None]] = deque()

    async def _run(self) -> None:
        """Run the trigger as Airflow's ``TriggerRunner.run_trigger`` does."""
        try:
            async for event in self.trigger.run():
                self.event = json.loads(json.dumps(event.payload))
        except asyncio.CancelledError as cancelled:
            if KNOWS_ON_KILL and cancelled.args[:1] == (USER_ACTION,):
                with suppress(Exception, asyncio.CancelledError):
                    await asyncio.wait_for(self.trigger.on_kill(), ON_KILL_TIMEOUT)
            raise

    def run(self) -> Iterator[bool]:
        """Drive it until the trigger has fired, or ended with all that it was about to do.

        Each point is one at which something may happen to it.
        """
        world, loop = self.world, self.loop
        while not self.running.done() or (self.cancelled and not loop.is_over):
            if self.reached:
                go_on = self.reached.popleft()
                yield BEFORE
                if not go_on.done():
                    go_on.set_result(None)
            elif loop.has_work:
                loop.go_on()
            else:
                seconds = loop.idle
                if seconds is None:
                    raise AssertionError("the trigger waits for nothing")
                if seconds >= LONG:
                    yield BEFORE
                    seconds = loop.idle or 0.0
                world.pass_time(max(seconds, 0.0))
                loop.go_on()
        if not self.running.cancelled() and (error := self.running.exception()):
            raise error

    def cancel(self) -> None:
        """Cancel the trigger because somebody has acted on its task, or because it is handed to another triggerer.

        Airflow 3.3.0 to 3.3.2 do not tell these from one another, and cancel about once a second. A trigger that waits
        hears of it at the end of that second.
        """
        self.cancelled = True
        if not self.running.done():
            self.running.cancel(*((USER_ACTION,) if KNOWS_ON_KILL else ()))
            self.loop.call_later(1.0, self.cancel)

    async def reach(self) -> None:
        """Come to a point before something is sent."""
        go_on = self.loop.create_future()
        self.reached.append(go_on)
        await go_on

    # What the trigger finds around it

    async def _read(self, platform: Platform, conn_id: str) -> Any:
        return self.world.config

    def _client(self, config: Any, *, limit: int) -> AsyncSending:
        client = _client_of(self.world.side.platform.client)(config, limit=limit, clock=self.clock)
        client.triggerer = self
        client._state.random = self.dice.random
        return client

    async def still_deferred(self, ti: Any) -> bool:
        """Whether Airflow holds the task to be deferred."""
        await asyncio.sleep(0.05)
        return self.task.state == "deferred"

    async def has_newer_try(self, ti: Any, trigger_id: int | None, about: dict[str, Any]) -> bool:
        """Whether the task waits for another job by now: Airflow 3 shows XComs, older ones show the trigger."""
        await asyncio.sleep(0.05)
        if self.task.store is None:
            return self.task.trigger_id != trigger_id
        return any(ti.xcoms.get(key, own) != own for key, own in about.items())
