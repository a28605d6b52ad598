"""Commands: local processes, or plain sleeps on the emulator's clock."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from .clock import Clock

_log = logging.getLogger(__name__)

COULD_NOT_START = 127
"""Exit code of a command for which no process could be made."""

GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL."""

_SLEEP = re.compile(r"sleep (\d+(?:\.\d+)?)(?:\s*&&\s*true)?(?:\s*;\s*exit (\d{1,3}))?")


class Launched(Protocol):
    """A command under way."""

    pid: int
    """0 where no process stands behind it."""

    def stop(self) -> None:
        """End it: SIGTERM to all its processes, SIGKILL to those that are left after :data:`GRACE` seconds."""

    def kill(self) -> None:
        """End it now and wait until it is gone; nobody is told of its exit."""


def simulated(command: str) -> tuple[float, int] | None:
    """Seconds and exit code of a command that is a plain sleep, ``None`` for any other.

    ``sleep N``, perhaps followed by ``&& true`` and by ``; exit K``, takes no process but runs on the emulator's clock,
    so that tens of thousands of jobs fit and time can be sped up.
    """
    match = _SLEEP.fullmatch(command.strip())
    return (float(match[1]), int(match[2] or 0) & 0xFF) if match else None


def launch(
    command: str,
    *,
    env: Callable[[], Mapping[str, str]],
    folder: Path,
    log: Path,
    clock: Clock,
    on_exit: Callable[[int], None],
    since: float | None = None,
) -> Launched:
    """Start a command with ``/bin/sh -c``, in a session of its own.

    :param env: Makes its environment, where it needs one.
    :param folder: Its working folder, made when it is missing.
    :param log: Where its output goes, both streams, appended.
    :param on_exit: Called on the event loop with the exit code, or minus the signal that ended it.
    :param since: For a plain sleep: when it began, on the emulator's clock; now where not given.
    """
    sleep = simulated(command)
    if sleep:
        return _Sleep(*sleep, clock, on_exit, clock.now() if since is None else min(since, clock.now()))
    return _Process(command, env(), folder, log, on_exit)


def clean_environment(folder: Path) -> dict[str, str]:
    """What every command finds in its environment, besides what its job says.

    ``PATH`` begins with the folder of the Python that runs the emulator, so that ``python`` is that one. Nothing else
    of the emulator's own environment is passed on.
    """
    path = os.environ.get("PATH", os.defpath)
    return {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{path}",
        "HOME": str(folder),
        "LANG": os.environ.get("LANG", "C.UTF-8"),
    }


def birth(pid: int) -> str:
    """When a process began, to tell it from a later one with the same id; empty where it is gone or unknown."""
    if not pid:
        return ""
    try:
        # The 22nd field; the second, the name, may itself hold spaces and brackets.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def kill_left_behind(pid: int, born: str) -> None:
    """End the processes of a command that an earlier emulator started and could not end."""
    if pid and born and birth(pid) == born:
        _signal_group(pid, signal.SIGKILL)


class _Sleep:
    pid = 0

    def __init__(self, seconds: float, code: int, clock: Clock, on_exit: Callable[[int], None], since: float) -> None:
        self._on_exit = on_exit
        self._timer = clock.call_at(since + seconds, lambda: on_exit(code))

    def stop(self) -> None:
        if self._timer.callback:
            self._timer.cancel()
            self._on_exit(-signal.SIGTERM)

    def kill(self) -> None:
        self._timer.cancel()


class _Process:
    def __init__(
        self, command: str, env: Mapping[str, str], folder: Path, log: Path, on_exit: Callable[[int], None]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_exit: Callable[[int], None] | None = on_exit
        self._lock = threading.Lock()
        self._gone = False
        self.pid = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("ab") as output:
                self._popen = subprocess.Popen(  # noqa: S603 - running the command is what the user asks for
                    ["/bin/sh", "-c", command],
                    cwd=folder,
                    env=dict(env),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except (OSError, ValueError):
            _log.exception("A command could not be started")
            self._gone = True
            self._loop.call_soon(self._exited, COULD_NOT_START)
            return
        self.pid = self._popen.pid
        self._waiter = threading.Thread(target=self._wait, name=f"pod-{self.pid}", daemon=True)
        self._waiter.start()

    def stop(self) -> None:
        self._signal(signal.SIGTERM)
        self._loop.call_later(GRACE, self._signal, signal.SIGKILL)

    def kill(self) -> None:
        self._on_exit = None
        self._signal(signal.SIGKILL)
        if self.pid:
            self._waiter.join(GRACE)

    def _wait(self) -> None:
        # The first process is left a zombie until the rest of its group is ended too: so long, its id is nobody else's.
        # (Where there is no waitid, as on older macOS, the group is ended a moment after.)
        if hasattr(os, "waitid"):
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        else:
            self._popen.wait()
        with self._lock:
            _signal_group(self.pid, signal.SIGKILL)
            self._gone = True
            code = self._popen.wait()
        try:
            self._loop.call_soon_threadsafe(self._exited, code)
        except RuntimeError:
            # The emulator has ended meanwhile; its next start settles the job.
            return

    def _exited(self, code: int) -> None:
        if self._on_exit:
            self._on_exit(code)

    def _signal(self, number: int) -> None:
        with self._lock:
            if not self._gone:
                _signal_group(self.pid, number)


def _signal_group(pid: int, number: int) -> None:
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        # Nobody is left; macOS says "not permitted" for a group of nothing but zombies.
        return
