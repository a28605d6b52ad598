"""What Airflow is told about the provider, and the form of its connection."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from airflow.providers.common.compat.sdk import BaseHook, BaseOperator
from airflow.providers_manager import ProvidersManager
from airflow.triggers.base import BaseTrigger

import airflow_provider_aihub
from airflow_provider_aihub import __version__, get_provider_info
from airflow_provider_aihub.aihub.config import PRESETS, URL_FIELDS, Config
from airflow_provider_aihub.aihub.web import PAGES
from airflow_provider_aihub.hooks.aihub import AIHubHook
from airflow_provider_aihub.modelarts.web import PAGES as MODELARTS_PAGES
from airflow_provider_aihub.provider_info import CONN_FIELDS, MODELARTS_FIELDS, SETTINGS

FORM = """
import json
try:
    from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService
except ImportError:
    from airflow.providers_manager import ProvidersManager
    known = ProvidersManager()
    of_aihub = [name for name in known.connection_form_widgets if name.startswith("extra__aihub__")]
    form = [name.removeprefix("extra__aihub__") for name in of_aihub], known.field_behaviours["aihub"]
else:
    (meta,) = [meta for meta in HookMetaService.hook_meta_data() if meta.connection_type == "aihub"]
    form = list(meta.extra_fields), str(meta.standard_fields)
print(json.dumps(form))
"""
"""Prints the fields of a connection's form and how the standard ones look."""


def test_it_is_valid_by_airflows_own_schema() -> None:
    schema = json.loads(files("airflow").joinpath("provider_info.schema.json").read_text())
    jsonschema.validate(get_provider_info(), schema)


def test_it_is_valid_by_the_schema_of_airflows_own_providers() -> None:
    schema = json.loads(files("airflow").joinpath("provider.yaml.schema.json").read_text())
    # What Airflow's own providers say about their releases.
    schema["required"] = ["name", "package-name", "description"]
    info = get_provider_info()
    unknown = set(info) - set(schema["properties"])
    assert unknown <= _LATER, f"Airflow 3 knows no {unknown}"
    jsonschema.validate({key: value for key, value in info.items() if key not in unknown}, schema)


_LATER = {"cli", "asset-uris"}
"""Keys that came with Airflow 3."""

BASES = {
    "operators": BaseOperator,
    "sensors": BaseOperator,
    "hooks": BaseHook,
    "triggers": BaseTrigger,
}


@pytest.mark.parametrize("folder", BASES)
def test_every_module_is_listed(folder: str) -> None:
    package = importlib.import_module(f"airflow_provider_aihub.{folder}")
    kind = rf"^class \w+{folder.rstrip('s').capitalize()}\("
    with_one = [
        file for file in Path(package.__path__[0]).glob("*.py") if re.search(kind, file.read_text(), re.MULTILINE)
    ]
    modules = [importlib.import_module(f"{package.__name__}.{file.stem}") for file in with_one]
    made = {
        module.__name__
        for module in modules
        for value in vars(module).values()
        if inspect.isclass(value)
        and issubclass(value, BASES[folder])
        and value.__module__ == module.__name__
        and not inspect.isabstract(value)
    }
    listed = get_provider_info()[folder]
    integrations = [one["integration-name"] for one in get_provider_info()["integrations"]]
    assert all(one["integration-name"] in integrations for one in listed)
    bases = {f"airflow_provider_aihub.sensors.{name}" for name in ("base", "modelarts_base")}
    assert {module for one in listed for module in one["python-modules"]} == made - bases


def test_guides_and_logos_of_integrations_are_there() -> None:
    root = Path(airflow_provider_aihub.__file__).parents[1]
    for integration in get_provider_info()["integrations"]:
        for path in (*integration["how-to-guide"], integration["logo"]):
            assert root.joinpath(path.removeprefix("/")).is_file()


def test_all_that_is_named_is_there() -> None:
    info = get_provider_info()
    named = [*info["extra-links"], *(decorator["class-name"] for decorator in info["task-decorators"])]
    for uris in (*info["asset-uris"], *info["dataset-uris"]):
        named += [name for key, name in uris.items() if key != "schemes"]
    for path in named:
        module, _, name = path.rpartition(".")
        assert callable(getattr(importlib.import_module(module), name)), path


SETTINGS_SHOWN = "config list --section aihub --include-descriptions"
PROVIDERS_SHOWN = {
    "get airflow-provider-aihub --full": ["operators.training", "sensors.training", "hooks.aihub", "triggers.job"],
    "links": get_provider_info()["extra-links"],
    "hooks": ["airflow_provider_aihub.hooks.aihub.AIHubHook"],
    "configs": ["page_threshold"],
}
"""Commands of ``airflow providers``, and words that they show."""
COMMANDS = """
import contextlib, io, json, sys
from airflow.__main__ import main
shown = {}
for command in json.loads(sys.argv[1]):
    sys.argv = ["airflow", *command.split()]
    with contextlib.redirect_stdout(io.StringIO()) as output:
        main()
    shown[command] = output.getvalue()
print(json.dumps(shown))
"""


def providers(command: str) -> str:
    return f"providers {command} --output json"


@pytest.fixture(scope="module")
def shown() -> dict[str, str]:
    """What commands of Airflow print. It takes long to start, so one process runs them all."""
    commands = json.dumps([SETTINGS_SHOWN, *map(providers, PROVIDERS_SHOWN)])
    env = {**os.environ, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS, commands], capture_output=True, text=True, check=True, env=env
    )
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_airflow_config_list_shows_the_settings(shown: dict[str, str]) -> None:
    # Airflow breaks long lines of a description, as comments.
    text = re.sub("[#\\s]+", " ", shown[SETTINGS_SHOWN])
    assert len(SETTINGS) >= 3
    for name, setting in SETTINGS.items():
        assert f"{setting['description'].strip()} {name} =" in text


@pytest.mark.parametrize("command", PROVIDERS_SHOWN)
def test_airflow_providers_shows(shown: dict[str, str], command: str) -> None:
    for word in PROVIDERS_SHOWN[command]:
        assert word in shown[providers(command)]


def test_the_help_text_names_the_kinds_of_links() -> None:
    described = CONN_FIELDS["link_templates"]["description"]
    assert f"Kinds: {', '.join(PAGES)}." in described


def hooks_manager() -> Any:
    """Return what knows the hooks: newer Airflows have another for tasks."""
    try:
        from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime
    except ImportError:
        return ProvidersManager
    return ProvidersManagerTaskRuntime


def test_airflow_has_found_it() -> None:
    provider = ProvidersManager().providers["airflow-provider-aihub"]
    assert provider.version == __version__
    hook = hooks_manager()().hooks["aihub"]
    assert hook is not None
    assert hook.hook_name == "AIHub"
    assert hook.hook_class_name == f"{AIHubHook.__module__}.{AIHubHook.__name__}"


def test_every_field_of_the_form_is_one_that_the_connection_has() -> None:
    from airflow_provider_aihub.aihub import config

    known = {
        config.ENVIRONMENT,
        config.TOKEN,
        config.S3_RELAY_TOKEN,
        config.CA_FILE,
        config.VERIFY_TLS,
        config.TIMEOUT,
        config.WEB_URL,
        config.LINK_TEMPLATES,
        *URL_FIELDS.values(),
    }
    assert set(CONN_FIELDS) == known
    assert CONN_FIELDS["environment"]["schema"]["enum"] == list(PRESETS)


def test_an_empty_form_is_an_empty_connection() -> None:
    """The form sends null for what was left empty."""
    extra: dict[str, Any] = {name: field["schema"].get("default") for name, field in CONN_FIELDS.items()}
    assert Config.from_connection(extra=extra, environ={}) == Config.from_connection(extra={}, environ={})


def test_the_form_of_modelarts_is_what_its_connection_has() -> None:
    from airflow_provider_aihub.modelarts.config import FIELDS
    from airflow_provider_aihub.modelarts.config import Config as ModelArtsConfig

    assert set(MODELARTS_FIELDS) == set(FIELDS)
    extra: dict[str, Any] = {name: field["schema"].get("default") for name, field in MODELARTS_FIELDS.items()}
    assert ModelArtsConfig.from_connection(extra=extra) == ModelArtsConfig.from_connection(extra={})
    masked = {name for name, field in MODELARTS_FIELDS.items() if field["schema"].get("format") == "password"}
    assert masked == {"security_token", "iam_password"}
    assert all("null" in field["schema"]["type"] for field in MODELARTS_FIELDS.values())
    assert f"Kinds: {', '.join(MODELARTS_PAGES)}." in MODELARTS_FIELDS["link_templates"]["description"]


def test_tokens_are_masked() -> None:
    for name, field in CONN_FIELDS.items():
        assert ("token" in name) == (field["schema"].get("format") == "password")


def test_nothing_in_the_form_is_required() -> None:
    """Airflow's form refuses to save without a field whose type does not allow null, unless it has a default."""
    for field in CONN_FIELDS.values():
        assert "null" in field["schema"]["type"] or "default" in field["schema"]


@pytest.mark.airflow("!=3.0.*", lacks="forms of connections where Flask-AppBuilder is not installed")
def test_airflow_builds_the_form() -> None:
    """In a process of its own, since Airflow builds it from what it has not loaded yet."""
    done = subprocess.run([sys.executable, "-c", FORM], capture_output=True, text=True, check=True)
    fields, behaviour = json.loads(done.stdout.splitlines()[-1])
    assert sorted(fields) == sorted(CONN_FIELDS)
    assert "Base URL or host" in str(behaviour)
