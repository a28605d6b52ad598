"""``modelarts-emulator``: the emulator from the command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import command
from ..settings import DAY
from .server import Emulator, Server
from .settings import (
    ALGORITHMS,
    NOTEBOOKS,
    WORKFLOWS,
    WORKSPACES,
    Algorithm,
    Notebook,
    Settings,
    Workflow,
    Workspace,
    read_defined,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the emulator until it is ended by SIGTERM or SIGINT.

    :return: Exit code: 0, or 2 where it cannot start; standard error then says why in one sentence.
    """
    options = _parser().parse_args(arguments)
    needs = {"jwt": "tokens need"}
    return command.run(options, lambda home: _settings(home, options), Server, _start_lines, Emulator.NAME, needs)


def _start_lines(known: dict[str, Any]) -> list[str]:
    return [
        f"ModelArts emulator at {known['url']} (region {known['region']}); Ctrl-C ends it and its jobs.",
        f"  project     {known['project_id']}",
        f"  access key  {known['access_key']}, secret key {known['secret_key']}",
        f"  IAM user    {known['username']} / {known['password']} of the account {known['account']}",
        f"  home        {known['home']}",
        f"  OBS         {known['obs']}",
        f"  connection  AIRFLOW_CONN_MODELARTS_DEFAULT='{known['connection']}'",
    ]


def _settings(home: Path, options: argparse.Namespace) -> Settings:
    def defined(kind: Any, path: Path | None, what: str, default: Any) -> Any:
        return read_defined(kind, path, what) if path else default

    return Settings(
        home=home,
        obs=options.obs,
        signatures=options.signatures,
        access_key=options.access_key,
        secret_key=options.secret_key,
        project_id=options.project_id,
        region=options.region,
        account=options.account,
        nodes=options.nodes,
        rate=options.rate,
        lag=options.lag,
        creating=options.creating,
        saving=options.saving,
        starting=options.starting,
        workflows=defined(Workflow, options.workflows, "workflows", WORKFLOWS),
        algorithms=defined(Algorithm, options.algorithms, "algorithms", ALGORITHMS),
        workspaces=defined(Workspace, options.workspaces, "workspaces", WORKSPACES),
        notebooks=defined(Notebook, options.notebooks, "notebooks", NOTEBOOKS),
        **command.shared_settings(options),
    )


def _parser() -> argparse.ArgumentParser:
    made = command.parser(
        Emulator.NAME, "A ModelArts on your own machine. Its jobs really run, as local processes of yours."
    )
    command.add_users(made, DAY)
    add = made.add_argument
    add("--obs", type=Path, help="folder that stands for OBS, with a folder for each bucket; default: one in the home")
    add("--signatures", choices=("strict", "lenient"), default="strict", help="check signatures and tokens, or not")
    add("--access-key", default="", metavar="AK", help="default: a random one; so with the next two")
    add("--secret-key", default="", metavar="SK", help="see --access-key")
    add("--project-id", default="", metavar="ID", help="see --access-key")
    add("--region", default="cn-north-4", help="also the project's name, default %(default)s")
    add("--account", default="emulated", help="account of the IAM users, default %(default)s")
    add("--nodes", type=int, default=64, help="how many nodes run at the same time, default %(default)s")
    add("--rate", type=int, default=0, help="requests that are answered in a second, default: any number")
    add("--lag", type=float, default=0.0, metavar="SECONDS", help="how long lists do not show what is new, default 0")
    add("--creating", type=float, default=0.0, metavar="SECONDS", help="how long a job is created, default 0")
    add("--saving", type=float, default=1.0, metavar="SECONDS", help="how long an image is saved, default 1")
    add("--starting", type=float, default=1.0, metavar="SECONDS", help="how long a notebook starts or stops, default 1")
    add(
        "--workflows",
        type=Path,
        metavar="FILE",
        help="workflows: JSON list of {id, name, steps: [{..., command}]}",
    )
    add("--algorithms", type=Path, metavar="FILE", help="algorithms: JSON list of {id, name, command, ...}")
    add("--workspaces", type=Path, metavar="FILE", help="workspaces: JSON list of {id, name, ...}")
    add("--notebooks", type=Path, metavar="FILE", help="notebooks: JSON list of {id, name, ...}")
    return made


if __name__ == "__main__":
    sys.exit(main())
