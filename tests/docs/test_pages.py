"""The pages name all that there is."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from pathlib import Path
from types import ModuleType

import pytest
from blocks import PAGES, ROOT

from airflow_provider_aihub import operators, sensors
from airflow_provider_aihub.aihub import errors
from airflow_provider_aihub.aihub.web import PAGES as WEB_PAGES
from airflow_provider_aihub.emulators.faults import KINDS
from airflow_provider_aihub.http import errors as http_errors
from airflow_provider_aihub.jobs import errors as job_errors
from airflow_provider_aihub.modelarts import errors as modelarts_errors
from airflow_provider_aihub.provider_info import (
    CONN_FIELDS,
    MODELARTS_FIELDS,
    MODELARTS_FORM,
    PROVIDER_INFO,
    SETTINGS,
    UI_FIELD_BEHAVIOUR,
)
from airflow_provider_aihub.tasks.failures import section

DOCS = ROOT / "docs"
BUILT_ON_AND_USED = {"ModelArtsWorkflowExecutionSensor"}
"""Others are built on it, and a DAG uses it as well."""
SECTIONS = ["Example", "Parameters and result", "Errors", "See also"]


def classes(package: ModuleType) -> dict[str, type]:
    """The operators or sensors that a DAG uses, by name."""
    found = {}
    for info in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        module = importlib.import_module(info.name)
        for name, value in inspect.getmembers(module, inspect.isclass):
            if value.__module__ == module.__name__ and name.endswith(("Operator", "Sensor")):
                found[name] = value
    built_on = {base for one in found.values() for base in one.__mro__[1:]}
    return {name: one for name, one in found.items() if one not in built_on or name in BUILT_ON_AND_USED}


USED = [
    *((DOCS / "operators", one) for one in classes(operators).values()),
    *((DOCS / "sensors", one) for one in classes(sensors).values()),
]


def page_of(folder: Path, title: str) -> str:
    """The text of the page of that title."""
    (text,) = (text for page in folder.glob("*.md") if (text := page.read_text()).startswith(f"# {title}\n"))
    return text


@pytest.mark.parametrize(("folder", "kind"), USED, ids=[kind.__name__ for _, kind in USED])
def test_an_operator_or_sensor_has_a_page(folder: Path, kind: type) -> None:
    text = page_of(folder, kind.__name__)
    assert re.findall("^## (.+)$", text, re.MULTILINE) == SECTIONS
    assert f".. autoclass:: {kind.__module__}.{kind.__name__}\n" in text
    (example,) = re.findall(r"{literalinclude} (\S+)", text)
    assert f"{kind.__name__}(" in (folder / example).read_text()
    platform, known = ("ModelArts", modelarts_errors) if kind.__name__.startswith("ModelArts") else ("AIHub", errors)
    raised = set(re.findall(rf"`({platform}\w+)`", text.partition("## Errors")[2].partition("## See also")[0]))
    assert raised
    assert {name for name in raised if not hasattr(known, name)} == set()
    assert f"`{kind.__name__}`](" in (folder / "index.md").read_text()


@pytest.mark.parametrize("decorator", [entry["name"] for entry in PROVIDER_INFO["task-decorators"]])
def test_a_decorator_has_a_page(decorator: str) -> None:
    text = page_of(DOCS / "operators", f"@task.{decorator}")
    assert re.findall("^## (.+)$", text, re.MULTILINE) == SECTIONS
    (example,) = re.findall(r"{literalinclude} (\S+)", text)
    assert f"@task.{decorator}(" in (DOCS / "operators" / example).read_text()


def test_there_are_operators_and_sensors() -> None:
    assert {folder.name for folder, _ in USED} == {"operators", "sensors"}
    assert len(USED) > 16


def of_the_connection(platform: str) -> str:
    """The part of the page about connections that is about a platform's."""
    of_aihub, _, of_modelarts = (DOCS / "connection.md").read_text().partition("\n## ModelArts\n")
    return of_aihub if platform == "aihub" else of_modelarts


@pytest.mark.parametrize(
    ("platform", "field", "label"),
    [
        (platform, field, known["label"])
        for platform, fields in (("aihub", CONN_FIELDS), ("modelarts", MODELARTS_FIELDS))
        for field, known in fields.items()
    ],
)
def test_a_field_of_the_connection_is_explained(platform: str, field: str, label: str) -> None:
    assert re.search(rf"^\| {re.escape(label)} \| `{field}` \| \S", of_the_connection(platform), re.MULTILINE)


@pytest.mark.parametrize(
    ("platform", "label"),
    [
        (platform, label)
        for platform, form in (("aihub", UI_FIELD_BEHAVIOUR), ("modelarts", MODELARTS_FORM))
        for label in form["relabeling"].values()
    ],
)
def test_a_field_with_a_name_of_its_own_is_explained(platform: str, label: str) -> None:
    assert f"| {label} |" in of_the_connection(platform)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_is_explained_with_its_default(name: str) -> None:
    row = rf"^\| `{name}` \| {re.escape(SETTINGS[name]['default'])} \| \S"
    assert re.search(row, (DOCS / "scale.md").read_text(), re.MULTILINE)


@pytest.mark.parametrize(
    "module", [errors, modelarts_errors, http_errors, job_errors], ids=lambda module: module.__name__
)
def test_every_error_has_a_section_that_its_message_names(module: ModuleType) -> None:
    text = (DOCS / "errors.md").read_text()
    sections = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##)", text, re.MULTILINE | re.DOTALL))
    rows = dict(re.findall(r"^\| \[(\w+)\]\(#\w+\) \|(.+)$", text, re.MULTILINE))
    kinds = [kind for kind in vars(module).values() if inspect.isclass(kind) and issubclass(kind, Exception)]
    assert len(kinds) > 4
    for kind in kinds:
        page, _, anchor = section(kind).partition("#")
        assert page == "docs/errors.md"
        (title,) = (title for title in sections if title.lower() == anchor)
        assert "**What to do.** " in sections[title]
        assert f".{kind.__name__}`" in rows[title] or kind.__name__ == title
    general = {
        kind.__name__ for kind in (*vars(http_errors).values(), *vars(job_errors).values()) if inspect.isclass(kind)
    }
    assert set(sections) == set(rows) <= general


def test_the_architecture_names_the_modules_that_there_are() -> None:
    package = ROOT / "airflow_provider_aihub"
    named = set(re.findall(r"`(?:\w+/)*(\w+\.py)`", (DOCS / "architecture.md").read_text()))
    # Elsewhere a row may speak of modules that are all alike.
    there = {
        module.name
        for folder in (".", "http", "jobs", "tasks", "triggers", "watcher")
        for module in package.glob(f"{folder}/[!_]*.py")
    }
    assert there - named == set()
    assert named - {module.name for folder in (package, ROOT / "tests") for module in folder.rglob("*.py")} == set()


def test_every_kind_of_fault_is_explained() -> None:
    rows = re.findall(r"^\| `(\w+)` \| \S", (DOCS / "testing.md").read_text(), re.MULTILINE)
    assert set(rows) == set(KINDS)


def test_every_template_of_a_link_is_shown() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(\S+)` \|$", (DOCS / "airflow-ui.md").read_text(), re.MULTILINE)
    assert dict(rows) == WEB_PAGES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_a_page_links_to_are_there(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        assert link.startswith("https://") or (page.parent / link).exists(), f"{page.name}: {link}"
