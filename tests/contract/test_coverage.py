"""The page that says what covers each call of the API tells the truth."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest
from cases import CASES

from airflow_provider_aihub import operators, sensors
from airflow_provider_aihub.aihub.client import AIHubClient, AsyncAIHubClient
from airflow_provider_aihub.aihub.endpoints import Endpoints
from airflow_provider_aihub.emulators.aihub.app import SERVICES
from airflow_provider_aihub.emulators.aihub.services import s3_relay
from airflow_provider_aihub.hooks.aihub import AIHubHook
from airflow_provider_aihub.http.endpoint import Endpoint

PAGE = Path(__file__).parents[2] / "docs" / "api-coverage.md"


class Row(NamedTuple):
    source: str
    call: str
    method: str
    used_by: tuple[str, ...]
    cases: tuple[str, ...]

    def __str__(self) -> str:
        return self.call


def read_rows() -> tuple[Row, ...]:
    rows = []
    for line in PAGE.read_text().splitlines():
        if re.match(r"\| [DP] \|", line):
            source, call, method, used_by, cases = (cell.strip() for cell in line.strip("|").split("|"))
            names = [tuple(re.findall("`([^`]+)`", cell)) for cell in (used_by, cases)]
            rows.append(Row(source, call.strip("`"), method.strip("`"), *names))
    return tuple(rows)


ROWS = read_rows()


def classes(package: ModuleType) -> dict[str, type]:
    """The operators or sensors of a package, by name, the ones that others build on included."""
    found = {}
    for info in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        module = importlib.import_module(info.name)
        for name, value in inspect.getmembers(module, inspect.isclass):
            if value.__module__ == module.__name__ and name.endswith(("Operator", "Sensor")):
                found[name] = value
    return found


USERS = classes(operators) | classes(sensors)


def test_the_page_has_every_call_once() -> None:
    # The emulator was written from the API's description, apart from the client.
    routes = [route for service in (*SERVICES.values(), s3_relay) for route in service.ROUTES]
    served = sorted((route.source, f"{route.method} {route.path}") for route in routes)
    assert sorted((row.source, row.call) for row in ROWS) == served
    assert {one.row for one in CASES} == {row.call for row in ROWS}


def test_every_method_has_a_row() -> None:
    methods = {name for name, value in vars(Endpoints).items() if isinstance(value, Endpoint)}
    assert {row.method for row in ROWS} == methods


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_row(row: Row) -> None:
    for owner in (AIHubHook, AIHubClient, AsyncAIHubClient):
        assert isinstance(getattr(owner, row.method, None), Endpoint), f"{owner.__name__} has no {row.method}"
    found = [one for one in CASES if one.row == row.call]
    assert row.cases == tuple(one.id for one in found)
    assert {one.call for one in found} == {row.method}
    assert any(one.source == row.source for one in found)
    unknown = set(row.used_by) - set(USERS)
    assert not unknown, f"there are no operators or sensors {unknown}"


def test_cases_have_names_of_their_own() -> None:
    assert len({one.id for one in CASES}) == len(CASES)


def test_every_operator_and_sensor_is_on_the_page() -> None:
    built_on = {base for user in USERS.values() for base in user.__mro__[1:]}
    used = {name for row in ROWS for name in row.used_by}
    users = {name for name, user in USERS.items() if user not in built_on and not name.startswith("ModelArts")}
    assert used == users
