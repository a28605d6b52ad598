"""Start programs and end them again: by their own process ids, with all that they started, and nothing else."""

from __future__ import annotations

import subprocess
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil


def start(command: Sequence[str], env: Mapping[str, str], output: Path) -> subprocess.Popen[bytes]:
    """Start a program whose output is added to a file."""
    with output.open("ab") as out:
        # A session of its own: Ctrl-C in the terminal reaches only the caller, who then ends everything in order.
        return subprocess.Popen(  # noqa: S603
            command, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )


def end(processes: Collection[subprocess.Popen[bytes]], timeout: float = 15) -> None:
    """Ask programs to end, and kill what is left of them and of their children.

    :param timeout: Seconds that they get to end by themselves.
    """
    family = [member for process in processes for member in _family(process)]
    for process in processes:
        process.terminate()
    _, alive = psutil.wait_procs(family, timeout=timeout)
    for member in alive:
        with suppress(psutil.NoSuchProcess):
            member.kill()
    for process in processes:
        process.wait()


def last_output(output: Path, characters: int = 3000) -> str:
    """Return the end of what a program wrote."""
    return output.read_text(errors="replace")[-characters:] if output.exists() else ""


def _family(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Return a process and all that descend from it, also those in process groups of their own."""
    try:
        parent = psutil.Process(process.pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
