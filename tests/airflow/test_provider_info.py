"""What Airflow is told about the provider, and the form of its connection."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
from airflow.providers_manager import ProvidersManager

from airflow_provider_aihub import __version__, get_provider_info
from airflow_provider_aihub.client.config import PRESETS, URL_FIELDS, Config
from airflow_provider_aihub.hooks.aihub import AIHubHook
from airflow_provider_aihub.provider_info import CONN_FIELDS

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


def test_airflow_has_found_it() -> None:
    provider = ProvidersManager().providers["airflow-provider-aihub"]
    assert provider.version == __version__
    hook = ProvidersManager().hooks["aihub"]
    assert hook is not None
    assert hook.hook_name == "AIHub"
    assert hook.hook_class_name == f"{AIHubHook.__module__}.{AIHubHook.__name__}"


def test_every_field_of_the_form_is_one_that_the_connection_has() -> None:
    from airflow_provider_aihub.client import config

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
