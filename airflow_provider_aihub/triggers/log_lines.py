"""Writing lines into the logs of triggers, which is slow, so that the event loop stays free for all else.

From Airflow 3.0 on, the process of the triggers sends their lines to its parent process, and must wait if that does not
read. The parent does not read while it sends new triggers. If the event loop waits with a line meanwhile, both wait for
ever, and nobody follows a job any more. So a thread writes the lines, and only while there is room left for those that
Airflow itself writes on the event loop.
"""

from __future__ import annotations

import asyncio
import math
import os
import select
import stat
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from airflow_provider_aihub.jobs.progress_log import Log

WRITE_SLICE: Final = 0.02
"""Seconds for which lines are written before all else on the event loop has its turn, for as long again."""
LONGEST_WAIT: Final = 5.0
"""Seconds after which lines that have not been written are left out: there are more of them than can be written."""

_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()
"""One trigger of an event loop writes at a time: many would hold it up together."""


async def write_lines(lines: Sequence[str], log: Log) -> int:
    """Write lines into a log, and return how many of them were written."""
    turn = _turns.setdefault(asyncio.get_running_loop(), asyncio.Lock())
    told = 0
    try:
        async with asyncio.timeout(LONGEST_WAIT):
            while told < len(lines):
                async with turn:
                    began = time.monotonic()
                    while told < len(lines) and time.monotonic() - began < WRITE_SLICE:
                        log.info("%s", lines[told])
                        told += 1
                    if isinstance(log, PipedLog):
                        await log.written()
                    await asyncio.sleep(time.monotonic() - began)
    except TimeoutError:
        if isinstance(log, PipedLog):
            told -= log.drop(told)
    return told


async def flush(log: Log) -> None:
    """Wait until what a log was told is written; what is not within some seconds, is left out."""
    if isinstance(log, PipedLog):
        with suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_WAIT):
                await log.written()
        log.drop()


class PipedLog:
    """The log of a trigger whose lines go to Airflow's parent process.

    :param log: Airflow's logger, which writes at once.
    :param pipe: The descriptor of what it writes to.
    """

    __slots__ = ("_last", "_lines", "_log", "_pipe")

    def __init__(self, log: Any, pipe: int) -> None:
        self._log = log
        self._pipe = pipe
        self._lines: list[Callable[[], object]] = []
        self._last: Future[None] | None = None

    def debug(self, message: str, /, *args: Any) -> None:
        self._put(self._log.debug, message, *args)

    def info(self, message: str, /, *args: Any) -> None:
        self._put(self._log.info, message, *args)

    def warning(self, message: str, /, *args: Any) -> None:
        self._put(self._log.warning, message, *args)

    def error(self, message: str, /, *args: Any) -> None:
        self._put(self._log.error, message, *args)

    async def written(self) -> None:
        """Wait until the lines are written."""
        if self._last:
            await asyncio.wait([asyncio.wrap_future(self._last)])

    def drop(self, most: float = math.inf) -> int:
        """Do not write the last lines that still wait, so many at most, and return how many these are."""
        count = 0
        with suppress(IndexError):
            while count < most:
                self._lines.pop()
                count += 1
        return count

    def _put(self, *line: Any) -> None:
        # Whose line it is stands in the context.
        self._lines.append(partial(copy_context().run, *line))
        self._last = _writer().submit(self._write_one)

    def _write_one(self) -> None:
        """Write a line as soon as most of the pipe is empty, as it says."""
        if self._lines:
            room = select.poll()
            room.register(self._pipe, select.POLLOUT)
            room.poll()
        try:
            line = self._lines.pop(0)
        except IndexError:
            # Meanwhile it has been left out.
            return
        line()


class LogsInThread:
    """Gives a trigger a log that leaves the event loop free; stands before Airflow's class."""

    _own_log: Any = None

    @property
    def log(self) -> Any:
        """Airflow's logger, or one that writes in a thread what goes to a parent process."""
        if self._own_log is None:
            # One for all triggers of a class: whose a line is, the context says. One for each takes 1 KiB.
            log = type(self).logger()  # type: ignore[attr-defined]
            pipe = _pipe(log)
            self._own_log = log if pipe is None else PipedLog(log, pipe)
        return self._own_log


def _pipe(log: Any) -> int | None:
    """Return what lines are sent by to a parent process; ``None`` where they are written in this one."""
    bound = log.bind() if hasattr(log, "bind") else log
    file = getattr(getattr(bound, "_logger", None), "_file", None)
    try:
        pipe: int = file.fileno()  # type: ignore[union-attr]
        return pipe if stat.S_ISSOCK(os.fstat(pipe).st_mode) else None
    except (AttributeError, OSError, ValueError):
        return None


@cache
def _writer() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="log lines")
