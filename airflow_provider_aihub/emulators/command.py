"""An emulator from the command line."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .clock import Clock
from .faults import KINDS, Faults
from .journal import Journal
from .server import Server
from .settings import DAY, Settings, SettingsError, read_json
from .tokens import write_private


def parser(name: str, description: str) -> argparse.ArgumentParser:
    """A parser of the options that all emulators have.

    :param name: Of the command.
    """
    made = argparse.ArgumentParser(prog=name, description=description)
    add = made.add_argument
    add("--host", default="127.0.0.1", help="address to listen on, default %(default)s")
    add("--port", type=int, default=0, help="port for HTTP, default: a free one")
    add("--allow-remote", action="store_true", help="listen where other machines can reach it: they can run commands")
    add("--host-name", action="append", default=[], metavar="NAME", help="one more name of its host; repeatable")
    add("--home", type=Path, help="folder for everything it keeps, default: a temporary one, removed at the end")
    add("--faults", type=Path, metavar="FILE", help=f"misbehaviour: JSON list of {{kind: {' | '.join(KINDS)}, ...}}")
    add("--speed", type=float, default=1.0, help="how much faster than ours its time runs, default 1")
    add("--ready-file", type=Path, metavar="FILE", help="write addresses and credentials there (JSON) once it is up")
    return made


def shared_settings(options: argparse.Namespace) -> dict[str, Any]:
    """The settings in what :func:`parser` has read, for a kind of :class:`Settings`."""
    return {
        "host": options.host,
        "port": options.port,
        "allow_remote": options.allow_remote,
        "host_names": tuple(options.host_name),
        "users": named(options.user, ":", "--user NAME:PASSWORD"),
        "token_lifetime": options.token_lifetime,
        "speed": options.speed,
    }


def add_users(made: argparse.ArgumentParser, lifetime: float = 7 * DAY) -> None:
    """Add the options about users.

    :param lifetime: Default seconds until a token expires.
    """
    add = made.add_argument
    add("--user", action="append", default=[], metavar="NAME:PASSWORD", help="repeatable; default: admin, random")
    help_text = f"default: {lifetime / DAY:g} days"
    add("--token-lifetime", type=float, default=lifetime, metavar="SECONDS", help=help_text)


def run(
    options: argparse.Namespace,
    settings: Callable[[Path], Settings],
    server: Callable[[Any, Clock, Faults, Journal], Server],
    lines: Callable[[dict[str, Any]], Sequence[str]],
    name: str,
    needs: dict[str, str],
) -> int:
    """Run an emulator until it is ended by SIGTERM or SIGINT.

    :param settings: Makes the settings, given the home.
    :param server: Makes the server.
    :param lines: What is told at the start of an emulator that describes itself so.
    :param name: Of the command.
    :param needs: Modules of the extra that may be missing, and what needs them.
    :return: Exit code: 0, or 2 where it cannot start; standard error then says why in one sentence.
    """
    home: Path | None = None
    try:
        _check_extra(needs)
        home = _home(options.home, name)
        told = settings(home)
        faults = Faults()
        if options.faults:
            try:
                faults.add_all(read_json(options.faults))
            except SettingsError:
                raise
            except ValueError as error:
                raise SettingsError(f"{options.faults} does not hold faults: {error}") from None
        asyncio.run(_serve(lambda: server(told, Clock(told.speed), faults, Journal()), lines, options.ready_file))
    except SettingsError as error:
        sys.stderr.write(f"{name}: {error}\n")
        return 2
    finally:
        if options.home is None and home is not None:
            shutil.rmtree(home, ignore_errors=True)
    return 0


def _check_extra(needs: dict[str, str]) -> None:
    for module, what in needs.items():
        if find_spec(module) is None:
            missing = f"{what} {module}, which is missing: pip install 'airflow-provider-aihub[emulator]'"
            raise SettingsError(missing)


async def _serve(
    make: Callable[[], Server], lines: Callable[[dict[str, Any]], Sequence[str]], ready_file: Path | None
) -> None:
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)
    server = make()
    try:
        await server.start()
        known = {**server.describe(), "pid": os.getpid()}
        sys.stdout.write("\n".join(lines(known)) + "\n")
        sys.stdout.flush()
        if ready_file:
            _write_ready(ready_file, known)
        await end.wait()
    finally:
        await server.close()


def _write_ready(path: Path, known: dict[str, Any]) -> None:
    # It holds the password, and who waits for it must never read half of it.
    try:
        write_private(path, json.dumps(known, indent=2))
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror}.") from None


def _home(given: Path | None, name: str) -> Path:
    home = Path(given or tempfile.mkdtemp(prefix=f"{name}-"))
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"The home {str(home)!r} cannot be made: {error.strerror}.") from None
    return home


def named(values: Sequence[str], mark: str, usage: str) -> dict[str, str]:
    """Values by name, out of options that hold both."""
    found = {}
    for value in values:
        name, _, rest = value.partition(mark)
        if not name or not rest:
            # Not the value itself: it may hold a password.
            raise SettingsError(f"An option is not of the form {usage}.")
        found[name] = rest
    return found
