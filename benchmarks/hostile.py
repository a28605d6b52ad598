"""What a hostile server costs those beside it: 200 triggers that it answers, and 20 of a good server, in one process.

``python -m benchmarks.hostile WAY GOOD_URL HOSTILE_URL TRIGGERS SECONDS INTERVAL`` prints what was measured as JSON.
The triggers first run for a while with both servers being good, so that what the hostile one costs can be told.
"""

from __future__ import annotations

import asyncio
import gc
import io
import json
import os
import re
import sys
import threading
import time
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from airflow.sdk.log import configure_logging

from airflow_provider_aihub.aihub.errors import AIHubError
from airflow_provider_aihub.hooks.aihub import AIHubHook
from airflow_provider_aihub.tasks import own_xcoms
from airflow_provider_aihub.triggers.dataset_version import DatasetVersionTrigger
from airflow_provider_aihub.triggers.job import JobTrigger
from benchmarks.hostile_server import REFUSED
from benchmarks.polling import TICK, ask, counts
from benchmarks.server import marker

GOOD = 20
"""How many triggers the good server has."""
OF_REFUSED = 40
"""How many the hostile one has at most, if it refuses some of them."""
TOLERANCE = 10.0
"""Seconds for which the looks at a job that may be read can fail until it is given up."""
LONGEST_STOP = 25.0
"""Seconds after the last deadline in which jobs are asked to stop, if at all."""
WATCHERS = ("busy", "endless_list")
STREAMS = ("many_lines", "blank_lines")
TASK = SimpleNamespace(dag_id="bench", run_id="now", task_id="train", map_index=-1)


def memory() -> tuple[float, float]:
    """Give the memory that this process has, and the most that it has had, in MiB."""
    said = Path("/proc/self/status").read_text()
    now, most = (int(re.findall(rf"{name}:\s+(\d+)", said)[0]) / 1024 for name in ("VmRSS", "VmHWM"))
    return now, most


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


class LoopTime:
    """How long the event loop is held, by the CPU time of this process: what others on the machine do does not count.

    Neither does the time in which all of Python's objects are looked at for garbage. That takes as long as there are
    objects, most of which are Airflow's, and comes now and then whoever runs.
    """

    def __init__(self) -> None:
        self._turns: list[tuple[float, float, float]] = []
        """When each turn of the loop was due, when it came, and how much CPU time had passed."""
        self.collections: list[tuple[float, float, float]] = []
        """When each began, how long it took, and how much CPU time."""
        gc.callbacks.append(self._collecting)

    async def watch(self) -> None:
        while True:
            due, cpu = time.perf_counter() + TICK, time.process_time()
            await asyncio.sleep(TICK)
            self._turns.append((due, time.perf_counter(), time.process_time() - cpu))

    def clear(self) -> None:
        self._turns.clear()

    def held(self) -> float:
        """Give the longest time, in seconds."""
        return max(self._held(*turn) for turn in list(self._turns))

    def _held(self, due: float, came: float, cpu: float) -> float:
        if came - due < TICK:
            return max(came - due, 0.0)
        return min(came - due, cpu) - sum(one for began, _, one in self.collections if due - TICK <= began <= came)

    def _collecting(self, phase: str, info: dict[str, int]) -> None:
        if info["generation"] < 2:
            return
        if phase == "start":
            self._began = time.perf_counter(), time.process_time()
        else:
            began, cpu = self._began
            self.collections.append((began, time.perf_counter() - began, time.process_time() - cpu))


class Measured:
    """A number of triggers on one event loop.

    :param triggers: How many the hostile server has.
    :param seconds: How long it is hostile.
    :param interval: Seconds between two looks at a job.
    """

    def __init__(self, way: str, good: str, bad: str, triggers: int, seconds: float, interval: float) -> None:
        self._way, self._good, self._bad = way, good, bad
        self._seconds, self._interval = seconds, interval
        self._late = LoopTime()
        self._tasks: list[asyncio.Task[None]] = []
        self._events: dict[int, Any] = {}
        self._others = min(triggers, OF_REFUSED) if way == "refuses" else triggers
        self._deadlines: dict[int, float] = {}

    async def run(self) -> dict[str, Any]:
        watching = asyncio.create_task(self._late.watch())
        settling, alone = min(self._seconds / 4, 5.0), min(self._seconds / 2, 10.0)
        turned = time.time() + settling + alone
        for number in range(1, GOOD + 1):
            self._start(self._wait("bench_good", 1000 + number))
        for number in range(1, self._others + 1):
            self._start(self._hostile(number, turned))
        await asyncio.sleep(settling)
        before = await self._during(alone)
        forget_peak()
        idle = memory()[0]
        await asyncio.to_thread(ask, f"{self._bad}/turn")
        over = threading.Event()
        blocking = threading.Thread(target=self._block, args=(over,))
        if self._way == "moved":
            blocking.start()
        beside = await self._during(turned + self._seconds - time.time())
        over.set()
        if blocking.is_alive():
            await asyncio.to_thread(blocking.join)
        seen = await self._stopped()
        beside["held"] = self._late.held()
        watching.cancel()
        for task in self._tasks:
            task.cancel()
        ended = await asyncio.gather(*self._tasks, return_exceptions=True)
        if dead := [one for one in ended if isinstance(one, Exception)]:
            raise dead[0]
        return {
            "memory": memory()[1] - idle,
            "collections": len(self._late.collections),
            "longest collection": max((took for _, took, _ in self._late.collections), default=0.0),
            "held": beside["held"],
            "held before": before["held"],
            "looks": beside["looks"],
            "looks before": before["looks"],
            **self._of_deadlines(seen["stops"]),
            "given up": sum(event.payload["outcome"] == "unreadable" for event in self._events.values()),
            "logins": beside["logins"],
            "busiest": busiest(seen["at"]),
            "silence": max((b - a for a, b in zip([0.0, *seen["at"]], seen["at"], strict=False)), default=0.0),
            "calls": len(seen["at"]),
        }

    async def _during(self, seconds: float) -> dict[str, float]:
        """Measure for so many seconds."""
        url, jobs = self._good, GOOD
        if self._way == "refuses":
            url, jobs = self._bad, self._others
        await asyncio.to_thread(counts, url)
        self._late.clear()
        began = time.monotonic()
        await asyncio.sleep(seconds)
        held = self._late.held()
        said = await asyncio.to_thread(counts, url)
        return {
            "held": held,
            "looks": said.get("singles", 0) * 60 / (time.monotonic() - began) / jobs,
            "logins": said.get("logins", 0),
        }

    async def _stopped(self) -> dict[str, Any]:
        """Give what the hostile server has seen, when it was asked to stop all jobs, or that has taken too long."""
        until = time.monotonic() + LONGEST_STOP
        while True:
            seen: dict[str, Any] = await asyncio.to_thread(ask, f"{self._bad}/seen")
            if len(seen["stops"]) >= len(self._deadlines) or time.monotonic() > until:
                return seen
            await asyncio.sleep(0.5)

    def _start(self, waits: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(waits))

    async def _hostile(self, number: int, turned: float) -> None:
        if self._way in WATCHERS:
            watcher = DatasetVersionTrigger(
                dataset=f"dataset-{number}", aihub_conn_id="bench_hostile", poll_interval=self._interval
            )
            async for _ in watcher.run():
                pass
            return
        given: dict[str, Any] = {"stream_logs": self._way in STREAMS}
        if self._way == "refuses":
            given["poll_tolerance"] = 900.0 if number <= REFUSED else TOLERANCE
        else:
            # Half of them are in the midst of it, the others share its end.
            self._deadlines[number] = turned + self._seconds / (3 if number % 2 else 1)
            given["deadline"] = self._deadlines[number]
        await self._wait("bench_hostile", number, **given)

    async def _wait(self, connection: str, number: int, **given: Any) -> None:
        since = time.time() - 30 * self._interval
        trigger = JobTrigger(
            aihub_conn_id=connection,
            kind="training",
            job_id=number,
            since=since,
            poll_interval=self._interval,
            identity={"marker": marker(number)},
            **given,
        )
        trigger.task_instance = TASK  # type: ignore[assignment]
        async for event in trigger.run():
            self._events[number] = event

    def _block(self, over: threading.Event) -> None:
        """Ask with the blocking client, as a worker does."""
        hook = AIHubHook("bench_hostile")
        while not over.is_set():
            with suppress(AIHubError):
                hook.get_training(1)
            with suppress(AIHubError):
                hook.download(f"{self._bad}/file", io.BytesIO())

    def _of_deadlines(self, stops: dict[str, float]) -> dict[str, Any]:
        """Tell how late the jobs were asked to stop, in seconds, and how many were not."""
        late = [stops[str(one)] - deadline for one, deadline in self._deadlines.items() if str(one) in stops]
        return {"deadline": max(late, default=None), "not stopped": len(self._deadlines) - len(late)}


def busiest(moments: list[float]) -> int:
    """Give the most calls within one second."""
    return max((sum(begin <= one < begin + 1 for one in moments) for begin in moments[:2000]), default=0)


def main(way: str, good: str, bad: str, triggers: str, seconds: str, interval: str) -> dict[str, Any]:
    for name, url in (("GOOD", good), ("HOSTILE", bad)):
        connection = {"conn_type": "aihub", "host": url, "login": "research", "password": "not-a-secret"}
        os.environ[f"AIRFLOW_CONN_BENCH_{name}"] = json.dumps(connection)
    if way == "endless_list":
        # As many pages as are read at all, within the time that is measured.
        os.environ["AIRFLOW__AIHUB__POLL_FLOOR"] = "0.1"
    # What a trigger keeps of its log goes nowhere, and what it writes there costs what it costs in a triggerer.
    own_xcoms.get = own_xcoms.put = lambda *_: None
    with Path(os.devnull).open("wb") as output:
        configure_logging(json_output=True, log_level="INFO", output=output, sending_to_supervisor=True)
        return asyncio.run(Measured(way, good, bad, int(triggers), float(seconds), float(interval)).run())


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))  # noqa: T201 - it is what the caller reads
