"""Looking at a platform from the command line.

``airflow aihub check``, where Airflow lets providers add commands; ``python -m airflow_provider_aihub check`` anywhere.
"""

from __future__ import annotations

import argparse
import logging
import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_aihub import __version__

if TYPE_CHECKING:
    from airflow_provider_aihub.doctor.finding import Findings

HELP: Final = "Tell what the platform behind a connection is like, and what to do"
OPTIONS: Final[Mapping[str, dict[str, Any]]] = {
    "--conn-id": {"default": "aihub_default", "help": "id of a connection of AIHub or ModelArts; aihub_default"},
    "--report": {"metavar": "FILE", "help": "write it there, too, to be attached to a bug report; it holds no secrets"},
    "--create": {
        "action": "store_true",
        "help": "on AIHub, after asking, see what becomes of a search of one row, which costs nothing; where the next "
        "three options are given, of a training without a GPU, too",
    },
    "--virtual-cluster": {"metavar": "ID", "type": int, "help": "where that training runs"},
    "--project": {"metavar": "ID", "type": int, "help": "what it belongs to"},
    "--image": {"help": "its container image, which has sleep"},
    "--yes": {"action": "store_true", "help": "create without asking"},
}
WELL: Final = 0
TO_DO: Final = 1
NOT_BEGUN: Final = 2


def airflow_commands() -> list[Any]:
    """Return the commands that Airflow 3 adds to its own; ``cli`` of the provider's metadata."""
    from airflow.cli.cli_config import ActionCommand, Arg, GroupCommand

    # Airflow's command line is not typed.
    argument: Any = Arg
    arguments = [argument(flags=(flag,), **options) for flag, options in OPTIONS.items()]
    checking = ActionCommand(name="check", help=HELP, func=_of_airflow, args=arguments)
    return [GroupCommand(name="aihub", help="Look at AIHub and ModelArts", subcommands=[checking])]


def _of_airflow(options: argparse.Namespace) -> None:
    sys.exit(check(options))


def parser() -> argparse.ArgumentParser:
    """Return the parser of ``python -m airflow_provider_aihub``."""
    made = argparse.ArgumentParser(prog="python -m airflow_provider_aihub")
    checking = made.add_subparsers(required=True).add_parser("check", help=HELP, description=HELP)
    for flag, options in OPTIONS.items():
        checking.add_argument(flag, **options)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    :return: Exit code: 0 where all is well, 1 where there is something to do, 2 where nothing could be looked at.
    """
    return check(parser().parse_args(arguments))


def check(options: argparse.Namespace) -> int:
    """Look at the platform, and write what is found, as it is found.

    :return: The exit code, as that of :func:`main`.
    """
    # As Airflow's own commands do, so that connections in its database are found.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    from airflow.providers.common.compat.sdk import AirflowException, AirflowNotFoundException, BaseHook

    lines, well = [], True
    try:
        connection = BaseHook.get_connection(options.conn_id)
        kind = connection.conn_type
        if kind not in ("aihub", "modelarts"):
            return _cannot_begin(f"The connection {options.conn_id!r} is of type {kind!r}, not aihub or modelarts.")
        with _quiet():
            for finding in _findings(connection, options):
                well = well and finding.well
                lines.append(str(finding))
                _say(lines[-1])
    except AirflowNotFoundException:
        return _cannot_begin(
            f"There is no connection {options.conn_id!r}; create it, or name another one with --conn-id."
        )
    except AirflowException as error:
        return _cannot_begin(str(error))
    if options.report:
        try:
            Path(options.report).write_text("\n".join([*_head(kind), *lines, ""]))
        except OSError as error:
            return _cannot_begin(f"The report {options.report!r} cannot be written: {error.strerror}.")
    return WELL if well else TO_DO


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep out of the log what is said here."""
    log = logging.getLogger("airflow_provider_aihub")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


def _findings(connection: Any, options: argparse.Namespace) -> Findings:
    from airflow_provider_aihub.doctor import aihub, modelarts
    from airflow_provider_aihub.doctor.finding import Finding
    from airflow_provider_aihub.hooks.aihub import AIHubHook
    from airflow_provider_aihub.hooks.modelarts import ModelArtsHook
    from airflow_provider_aihub.http.errors import RemoteJobError

    is_aihub = connection.conn_type == "aihub"
    hook: Any = (AIHubHook if is_aihub else ModelArtsHook)(options.conn_id)
    strange = hook.unknown_fields(connection)
    try:
        client = hook.trial(connection)
    except RemoteJobError as error:
        yield Finding("connection", False, f"{error} {strange}".rstrip())
        return
    yield Finding("connection", not strange, strange or "all that it has is known")
    with client:
        looked = (aihub if is_aihub else modelarts).findings(client, hook.get_in)
        if options.create:
            looked = _creating(looked, client, options, is_aihub)
        for finding in looked:
            yield Finding(finding.about, finding.well, client.config.redact(finding.said))


def _creating(looked: Findings, client: Any, options: argparse.Namespace, is_aihub: bool) -> Findings:
    from airflow_provider_aihub.doctor import aihub
    from airflow_provider_aihub.doctor.finding import Finding

    inside = True
    for finding in looked:
        inside = inside and (finding.well or finding.about != "login")
        yield finding
    if not is_aihub:
        yield Finding("create", True, "nothing was created, since every job on ModelArts costs money")
    elif inside and (options.yes or _agreed()):
        for trial in aihub.trials(client, options.virtual_cluster, options.project, options.image):
            yield from trial.findings()


def _agreed() -> bool:
    sys.stderr.write("A search, and a training if you have said where, will be created on AIHub. Go on? [y/n] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _head(kind: str) -> list[str]:
    parts = {"airflow-provider-aihub": __version__, "apache-airflow": version("apache-airflow")}
    versions = ", ".join(f"{name} {number}" for name, number in parts.items())
    return [f"{versions}, Python {platform.python_version()} on {platform.system()}; a connection of type {kind}", ""]


def _say(line: str) -> None:
    try:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads, as head does, has read enough. A report is still to be written, and a job to be stopped.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _cannot_begin(why: str) -> int:
    sys.stderr.write(f"{why}\n")
    return NOT_BEGUN
