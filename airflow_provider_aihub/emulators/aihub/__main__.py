"""``aihub-emulator``: the emulator from the command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import command
from .server import Emulator, Server
from .settings import CLUSTERS, PIPELINES, Settings, read_clusters, read_pipelines


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the emulator until it is ended by SIGTERM or SIGINT.

    :return: Exit code: 0, or 2 where it cannot start; standard error then says why in one sentence.
    """
    options = _parser().parse_args(arguments)
    # The others of the extra are Airflow's as well.
    needs = {"duckdb": "searches need"}

    def lines(known: dict[str, Any]) -> list[str]:
        return _start_lines(known, options)

    return command.run(options, lambda home: _settings(home, options), Server, lines, Emulator.NAME, needs)


def _start_lines(known: dict[str, Any], options: argparse.Namespace) -> list[str]:
    lines = [
        f"AIHub emulator at {known['url']} ({options.api} API); Ctrl-C ends it and its jobs.",
        f"  login       {known['username']} / {known['password']}",
        f"  S3 relay    {known['relay_url']}, Token {known['relay_token']}",
        f"  CA file     {known['ca_file']}",
        f"  home        {known['home']}",
        f"  tables      {options.data or 'none; --data DIR names a folder of CSV and Parquet files'}",
    ]
    if options.port_per_service:
        lines += [f"  {name:<20}{url}" for name, url in known["services"].items()]
    lines.append(f"  connection  AIRFLOW_CONN_AIHUB_DEFAULT='{known['connection']}'")
    return lines


def _settings(home: Path, options: argparse.Namespace) -> Settings:
    storages = command.named(options.storage, "=", "--storage NAME=DIR")
    return Settings(
        home=home,
        data=options.data,
        api=options.api,
        relay_port=options.relay_port,
        port_per_service=options.port_per_service,
        storages={name: Path(path) for name, path in storages.items()},
        clusters=read_clusters(options.clusters) if options.clusters else CLUSTERS,
        pipelines=read_pipelines(options.pipelines) if options.pipelines else PIPELINES,
        **command.shared_settings(options),
    )


def _parser() -> argparse.ArgumentParser:
    made = command.parser(
        Emulator.NAME, "An AIHub on your own machine. Its jobs really run, as local processes of yours."
    )
    command.add_users(made)
    add = made.add_argument
    add("--relay-port", type=int, default=0, help="port for the S3 relay (HTTPS), default: a free one")
    add("--port-per-service", action="store_true", help="give each service a port of its own too")
    add("--data", type=Path, help="folder with the warehouse's tables: CSV and Parquet files")
    add("--api", choices=("platform", "document"), default="platform", help="all endpoints, or the document's alone")
    add("--storage", action="append", default=[], metavar="NAME=DIR", help="one more storage; repeatable")
    add("--clusters", type=Path, metavar="FILE", help="virtual clusters: JSON list of {id, name, capacity, ...}")
    add("--pipelines", type=Path, metavar="FILE", help="pipelines: JSON list of {id, name, versions: [{..., nodes}]}")
    return made


if __name__ == "__main__":
    sys.exit(main())
