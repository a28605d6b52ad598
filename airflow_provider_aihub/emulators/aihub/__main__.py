"""``aihub-emulator``: the emulator from the command line."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .clock import Clock
from .faults import KINDS, Faults
from .journal import Journal
from .server import Server
from .settings import CLUSTERS, DAY, PIPELINES, Settings, SettingsError, read_clusters, read_json, read_pipelines


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the emulator until it is ended by SIGTERM or SIGINT.

    :return: Exit code: 0, or 2 where it cannot start; standard error then says why in one sentence.
    """
    options = _parser().parse_args(arguments)
    settings: Settings | None = None
    try:
        _check_extra()
        settings = _settings(options)
        faults = Faults()
        if options.faults:
            try:
                faults.add_all(read_json(options.faults))
            except ValueError as error:
                raise SettingsError(f"{options.faults} does not hold faults: {error}") from None
        asyncio.run(_serve(settings, faults, options.ready_file))
    except SettingsError as error:
        sys.stderr.write(f"aihub-emulator: {error}\n")
        return 2
    finally:
        if options.home is None and settings is not None:
            shutil.rmtree(settings.home, ignore_errors=True)
    return 0


async def _serve(settings: Settings, faults: Faults, ready_file: Path | None) -> None:
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)
    server = Server(settings, Clock(settings.speed), faults, Journal())
    try:
        await server.start()
        known = {**server.describe(), "pid": os.getpid()}
        sys.stdout.write(_start_lines(known, settings))
        sys.stdout.flush()
        if ready_file:
            _write_ready(ready_file, known)
        await end.wait()
    finally:
        await server.close()


def _start_lines(known: dict[str, Any], settings: Settings) -> str:
    lines = [
        f"AIHub emulator at {known['url']} ({settings.api} API); Ctrl-C ends it and its jobs.",
        f"  login       {known['username']} / {known['password']}",
        f"  S3 relay    {known['relay_url']}, Token {known['relay_token']}",
        f"  CA file     {known['ca_file']}",
        f"  home        {known['home']}",
        f"  tables      {settings.data or 'none; --data DIR names a folder of CSV and Parquet files'}",
    ]
    if settings.port_per_service:
        lines += [f"  {name:<20}{url}" for name, url in known["services"].items()]
    lines.append(f"  connection  AIRFLOW_CONN_AIHUB_DEFAULT='{known['connection']}'")
    return "\n".join(lines) + "\n"


def _write_ready(path: Path, known: dict[str, Any]) -> None:
    # It holds the password, and who waits for it must never read half of it.
    new = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(known, file, indent=2)
        new.replace(path)
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror}.") from None


def _check_extra() -> None:
    # The others of the extra are Airflow's as well.
    if find_spec("duckdb") is None:
        raise SettingsError("searches need duckdb, which is missing: pip install 'airflow-provider-aihub[emulator]'")


def _settings(options: argparse.Namespace) -> Settings:
    home = Path(options.home or tempfile.mkdtemp(prefix="aihub-emulator-"))
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"The home {str(home)!r} cannot be made: {error.strerror}.") from None
    return Settings(
        home=home,
        data=options.data,
        api=options.api,
        users=_named(options.user, ":", "--user NAME:PASSWORD"),
        host=options.host,
        port=options.port,
        relay_port=options.relay_port,
        port_per_service=options.port_per_service,
        allow_remote=options.allow_remote,
        host_names=tuple(options.host_name),
        token_lifetime=options.token_lifetime,
        storages={name: Path(path) for name, path in _named(options.storage, "=", "--storage NAME=DIR").items()},
        clusters=read_clusters(options.clusters) if options.clusters else CLUSTERS,
        pipelines=read_pipelines(options.pipelines) if options.pipelines else PIPELINES,
        speed=options.speed,
    )


def _named(values: Sequence[str], mark: str, usage: str) -> dict[str, str]:
    named = {}
    for value in values:
        name, _, rest = value.partition(mark)
        if not name or not rest:
            # Not the value itself: it may hold a password.
            raise SettingsError(f"An option is not of the form {usage}.")
        named[name] = rest
    return named


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="aihub-emulator",
        description="An AIHub on your own machine. Its jobs really run, as local processes of yours.",
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on, default %(default)s")
    add("--port", type=int, default=0, help="port for HTTP, default: a free one")
    add("--relay-port", type=int, default=0, help="port for the S3 relay (HTTPS), default: a free one")
    add("--port-per-service", action="store_true", help="give each service a port of its own too")
    add("--allow-remote", action="store_true", help="listen where other machines can reach it: they can run commands")
    add("--host-name", action="append", default=[], metavar="NAME", help="one more name of its host; repeatable")
    add("--home", type=Path, help="folder for everything it keeps, default: a temporary one, removed at the end")
    add("--data", type=Path, help="folder with the warehouse's tables: CSV and Parquet files")
    add("--api", choices=("platform", "document"), default="platform", help="all endpoints, or the document's alone")
    add("--user", action="append", default=[], metavar="NAME:PASSWORD", help="repeatable; default: admin, random")
    add("--token-lifetime", type=float, default=7 * DAY, metavar="SECONDS", help="default: 7 days")
    add("--storage", action="append", default=[], metavar="NAME=DIR", help="one more storage; repeatable")
    add("--clusters", type=Path, metavar="FILE", help="virtual clusters: JSON list of {id, name, capacity, ...}")
    add("--pipelines", type=Path, metavar="FILE", help="pipelines: JSON list of {id, name, versions: [{..., nodes}]}")
    add("--faults", type=Path, metavar="FILE", help=f"misbehaviour: JSON list of {{kind: {' | '.join(KINDS)}, ...}}")
    add("--speed", type=float, default=1.0, help="how much faster than ours its time runs, default 1")
    add("--ready-file", type=Path, metavar="FILE", help="write addresses and credentials there (JSON) once it is up")
    return parser


if __name__ == "__main__":
    sys.exit(main())
