"""Writes lines into the logs of triggers without blocking the event loop.

From Airflow 3.0 on, the process of the triggers sends their log lines through a socket to its parent process, and
blocks if that does not read. The parent does not read while it sends new triggers. If the event loop blocks on a line
at that time, both processes wait for ever. So a thread writes the lines, and only while the socket has enough room for
the lines that Airflow itself writes on the event loop.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import select
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from airflow_provider_aihub.jobs.progress_log import Log

WRITE_SLICE: Final = 0.02
"""After writing lines for so many seconds, the event loop does other things for the same time."""
LONGEST_WAIT: Final = 5.0
"""Seconds after which lines that could not be written are dropped."""

_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()
"""Only one trigger of an event loop writes at a time, since many together would block it."""


async def write_lines(lines: Sequence[str], log: Log) -> int:
    """Write lines into a log. Return how many were written within ``LONGEST_WAIT``; the others are dropped."""
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
    """Wait until the lines of a log are written; those that are not within ``LONGEST_WAIT`` are dropped."""
    if isinstance(log, PipedLog):
        with suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_WAIT):
                await log.written()
        log.drop()


class PipedLog:
    """The log of a trigger whose lines go to Airflow's parent process.

    :param log: Airflow's logger, which blocks.
    :param pipe: File descriptor of the socket to which it writes.
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
        """Drop the last waiting lines, at most ``most`` of them. Return how many were dropped."""
        count = 0
        with suppress(IndexError):
            while count < most:
                self._lines.pop()
                count += 1
        return count

    def _put(self, *line: Any) -> None:
        # Airflow finds in the context variables to which trigger a line belongs.
        self._lines.append(partial(copy_context().run, *line))
        self._last = _writer().submit(self._write_one)

    def _write_one(self) -> None:
        """Write one line, when ``poll`` reports that the socket has room."""
        if self._lines:
            room = select.poll()
            room.register(self._pipe, select.POLLOUT)
            room.poll()
        try:
            line = self._lines.pop(0)
        except IndexError:
            # It was dropped while this waited.
            return
        line()


class LogsInThread:
    """Mixin that gives a trigger a log which does not block the event loop. To be named before Airflow's base class."""

    _own_log: Any = None

    @property
    def log(self) -> Any:
        """Airflow's logger, or one that writes in a thread what goes to a parent process."""
        if self._own_log is None:
            # The logger is shared by all triggers of a class, since one for each would take 1 KiB of memory.
            log = type(self).logger()  # type: ignore[attr-defined]
            pipe = _pipe(log)
            self._own_log = log if pipe is None else PipedLog(log, pipe)
        return self._own_log


def _pipe(log: Any) -> int | None:
    """Return the file descriptor of the socket to the parent process; ``None`` if lines are written in this process."""
    for file in _files(log):
        with suppress(AttributeError, OSError, ValueError):
            pipe: int = file.fileno()
            if stat.S_ISSOCK(os.fstat(pipe).st_mode):
                return pipe
    return None


def _files(log: Any) -> Iterator[Any]:
    """Yield the files to which a logger writes."""
    if not isinstance(log, logging.Logger):
        bound = log.bind() if hasattr(log, "bind") else log
        yield getattr(getattr(bound, "_logger", None), "_file", None)
        return
    # Airflow 3.0 has the standard library's loggers.
    logger: logging.Logger | None = log
    while logger:
        yield from (getattr(handler, "stream", None) for handler in logger.handlers)
        logger = logger.parent if logger.propagate else None


@cache
def _writer() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="log lines")
