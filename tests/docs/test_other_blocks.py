"""Commands, settings and data in the documentation are what the programs that they are for would take."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import yaml
from airflow.cli.cli_parser import get_parser
from airflow.configuration import conf
from airflow.executors import executor_constants
from airflow.models import Connection
from airflow.providers_manager import ProvidersManager
from blocks import BLOCKS, ROOT, Block

from airflow_provider_aihub.aihub.config import config_from as aihub_config
from airflow_provider_aihub.emulators.aihub.__main__ import _parser as aihub_parser
from airflow_provider_aihub.emulators.modelarts.__main__ import _parser as modelarts_parser
from airflow_provider_aihub.modelarts.config import config_from as modelarts_config
from airflow_provider_aihub.provider_info import PROVIDER_INFO

pytestmark = pytest.mark.airflow(">=3.3", lacks="what the pages show")

SHELL = [block for block in BLOCKS if block.language == "sh"]
SETTINGS = [block for block in BLOCKS if block.language == "ini"]
TARGETS = set(re.findall(r"^([a-z-]+):", ROOT.joinpath("Makefile").read_text(), re.MULTILINE))
BUILTIN = {".", "cd", "export"}
# What is on every machine that this documentation speaks to; the rest has to be installed where the tests run.
COMMON = {"cat", "mkdir", "python", "python3", "pip", "make"}
EMULATORS = {"aihub-emulator": aihub_parser, "modelarts-emulator": modelarts_parser}

KUBERNETES = [block for block in BLOCKS if block.language == "yaml"]
OTHER = {"python", "sh", "ini", "yaml", "text"}


def commands(code: str) -> list[list[str]]:
    """Split shell code into its commands; the text of here-documents is none."""
    code = re.sub(r"<<'(\w+)'\n.*?\n\1\n", "\n", code, flags=re.DOTALL)
    lines = [line for line in code.replace("\\\n", " ").splitlines() if line.strip() and not line.startswith("#")]
    return [shlex.split(line, comments=True) for line in lines]


def check_commands(code: str) -> None:
    """:raises AssertionError: See :func:`check_command`."""
    for words in commands(code):
        check_command(words)


def check_command(words: list[str]) -> None:
    """:raises AssertionError: There is no such command, or it has no such option or setting."""
    program, *rest = words
    if program == "export":
        for assignment in rest:
            check_variable(*assignment.split("=", 1))
    elif program == "airflow":
        with understood(words):
            get_parser().parse_args(rest)
    elif program in EMULATORS:
        with understood(words):
            EMULATORS[program]().parse_args(rest)
    elif program == "make":
        targets = {word for word in rest if "=" not in word}
        assert targets <= TARGETS, f"make has no target {targets - TARGETS}"
    else:
        assert program in BUILTIN | COMMON or shutil.which(program), f"there is no command {program}"


@contextmanager
def understood(words: list[str]) -> Iterator[None]:
    """Say which command it was that a parser wants to end the program for."""
    try:
        yield
    except SystemExit as end:
        if end.code:
            raise AssertionError(f"{shlex.join(words)} is not understood") from None


def check_variable(name: str, value: str) -> None:
    """:raises AssertionError: Airflow has no such setting, or the connection cannot be used."""
    if name.startswith("AIRFLOW__"):
        _, section, key = name.split("__")
        check_setting(section.lower(), key.lower())
    elif name.startswith("AIRFLOW_CONN_"):
        connection = Connection(conn_id="shown", uri=value) if "://" in value[:20] else Connection.from_json(value)
        check_extra(connection.conn_type, connection.extra_dejson)
        config_from = {"aihub": aihub_config, "modelarts": modelarts_config}[connection.conn_type]
        config_from(connection, {**connection.extra_dejson, "ca_file": None})
    else:
        assert name == "AIRFLOW_HOME", f"nothing reads {name}"


def check_extra(conn_type: str, extra: dict[str, object]) -> None:
    (known,) = (one for one in PROVIDER_INFO["connection-types"] if one["connection-type"] == conn_type)
    unknown = set(extra) - set(known["conn-fields"])
    assert not unknown, f"a connection has no field {unknown}"


def check_setting(section: str, key: str) -> None:
    # Options without a default are none to the configuration itself.
    of_providers = [config.get(section, {}).get("options", {}) for _, config in ProvidersManager().provider_configs]
    known = any(key in options for options in of_providers) or conf.has_option(section, key)
    assert known, f"Airflow has no setting [{section}] {key}"


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_a_command_is_one(block: Block) -> None:
    subprocess.run(["bash", "-n"], input=block.code, text=True, check=True)
    check_commands(block.code)


@pytest.mark.parametrize("block", SETTINGS, ids=str)
def test_a_setting_is_one(block: Block) -> None:
    shown = configparser.ConfigParser()
    shown.read_string(block.code)
    assert shown.sections()
    for section in shown.sections():
        for key in shown[section]:
            check_setting(section, key)


@pytest.mark.parametrize("block", KUBERNETES, ids=str)
def test_what_kubernetes_is_given_is_of_use(block: Block) -> None:
    """A pod template has the container that Airflow fills in; the chart's values set what Airflow knows."""
    given = yaml.safe_load(block.code)
    if given.get("kind") == "Pod":
        names = {volume["name"] for volume in given["spec"]["volumes"]}
        (container,) = given["spec"]["containers"]
        assert container["name"] == "base"
        assert {mount["name"] for mount in container["volumeMounts"]} <= names
        return
    assert given["executor"] in vars(executor_constants).values()
    for section, settings in given["config"].items():
        for key in settings:
            check_setting(section, key)


@pytest.mark.parametrize(
    "wrong",
    [
        "export AIRFLOW__AIHUB__POLL_FLOR=5",
        "export AIHUB_SECRET=5",
        "airflow dag test wide_images",
        "airflow pools set name",
        "aihub-emulator --dta tables",
        "make tests",
        "no-such-command",
        """export AIRFLOW_CONN_AIHUB='{"conn_type": "aihub", "extra": {"enviroment": "production"}}'""",
    ],
)
def test_a_wrong_command_is_noticed(wrong: str) -> None:
    with pytest.raises(AssertionError):
        check_commands(wrong)


def test_a_connection_that_cannot_be_used_is_noticed() -> None:
    wrong = json.dumps({"conn_type": "aihub", "host": "ftp://10.0.0.1"})
    with pytest.raises(Exception, match="host"):
        check_variable("AIRFLOW_CONN_AIHUB_DEFAULT", wrong)


def test_every_block_is_of_a_kind_that_is_checked() -> None:
    # Text is what a program says, and is not run.
    assert {str(block): block.language for block in BLOCKS if block.language not in OTHER} == {}
    assert len(SHELL) > 5
    assert SETTINGS


def test_what_is_not_run_says_why() -> None:
    exempt = {(block.page.name, words[0][0]) for block in BLOCKS if block.not_run and (words := commands(block.code))}
    # Whoever adds one thinks twice.
    assert exempt == {("README.md", "pip"), ("start.md", "python3"), ("start.md", "export")}
