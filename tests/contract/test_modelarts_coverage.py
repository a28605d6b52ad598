"""The page that says what covers each call of ModelArts' API tells the truth."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from test_coverage import USERS

from airflow_provider_aihub.emulators.modelarts import Emulator
from airflow_provider_aihub.emulators.modelarts.app import SERVICES
from airflow_provider_aihub.emulators.modelarts.services import iam
from airflow_provider_aihub.hooks.modelarts import ModelArtsHook
from airflow_provider_aihub.http.endpoint import Endpoint
from airflow_provider_aihub.modelarts.apps import AppSpec
from airflow_provider_aihub.modelarts.client import AsyncModelArtsClient, ModelArtsClient
from airflow_provider_aihub.modelarts.config import Config
from airflow_provider_aihub.modelarts.endpoints import Endpoints
from airflow_provider_aihub.modelarts.errors import ModelArtsRejectedError
from airflow_provider_aihub.modelarts.images import NotebookImageSpec, SaveImageSpec
from airflow_provider_aihub.modelarts.notebooks import NotebookChange, NotebookSpec
from airflow_provider_aihub.modelarts.training_jobs import TrainingJobChange, TrainingJobSpec
from airflow_provider_aihub.modelarts.workflows import SubscriptionSpec, WorkflowExecutionSpec

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "modelarts-coverage.md"
OTHERWISE_SPELT = ("modelarts-trainJob", "step_executions")
"""What the manual's examples call something that it lists under another name; the emulator answers to both."""

ONE = "2cd88daa-31a4-40a8-a58f-d186b0e93e4f"
TOPICS = ["urn:smn:cn-north-4:0123456789abcdef0123456789abcdef:t"]
VOLUME = {"category": "EFS", "ownership": "MANAGED"}
GIVEN: dict[str, Callable[[], tuple[Any, ...]]] = {
    "list_projects": lambda: ("cn-north-4",),
    "create_training_job": lambda: (TrainingJobSpec.build(name="n", image="a/b:1", command="true", flavor_id="f"),),
    "search_training_jobs": lambda: (),
    "delete_training_jobs": lambda: ([ONE],),
    "change_training_job": lambda: (ONE, TrainingJobChange.build(description="d")),
    "list_training_job_engines": lambda: (),
    "list_training_job_flavors": lambda: (),
    "get_training_quotas": lambda: (),
    "get_training_job_log": lambda: (ONE, "worker-0"),
    "get_training_job_log_url": lambda: (ONE, "worker-0"),
    "get_training_job_metrics": lambda: (ONE, "worker-0"),
    "get_training_job_image": lambda: (ONE, "worker-0"),
    "save_training_job_image": lambda: (
        ONE,
        "worker-0",
        SaveImageSpec.build(name="n", namespace="team", tag="1"),
    ),
    "add_training_job_tags": lambda: (ONE, {"team": "vision"}),
    "remove_training_job_tags": lambda: (ONE, ["team"]),
    "list_workflows": lambda: (),
    "create_workflow_execution": lambda: (ONE, WorkflowExecutionSpec.build(name="n")),
    "get_workflow_execution": lambda: (ONE, ONE),
    "delete_workflow_execution": lambda: (ONE, ONE),
    "stop_workflow_execution": lambda: (ONE, ONE),
    "act_on_workflow_execution": lambda: (ONE, ONE, "rerun"),
    "act_on_workflow_step": lambda: (ONE, ONE, ONE, "continue"),
    "create_workflow_subscription": lambda: (ONE, SubscriptionSpec.build(topic_urns=TOPICS)),
    "get_workflow_subscription": lambda: (ONE, ONE),
    "update_workflow_subscription": lambda: (ONE, ONE, SubscriptionSpec.build(topic_urns=TOPICS)),
    "delete_workflow_subscription": lambda: (ONE, ONE),
    "create_notebook": lambda: (NotebookSpec.build(name="n", image_id=ONE, volume=VOLUME),),
    "list_notebooks": lambda: (),
    "list_all_notebooks": lambda: (),
    "change_notebook": lambda: (ONE, NotebookChange.build(description="d")),
    "save_notebook_image": lambda: (ONE, NotebookImageSpec.build(name="n", namespace="team")),
    "renew_notebook_lease": lambda: (ONE, 3_600_000),
    "list_notebook_tags": lambda: (),
    "list_workspaces": lambda: (),
    "get_workspace_quotas": lambda: ("0",),
    "set_workspace_quotas": lambda: ("0", {"trainJob.quantity": 9}),
    "create_app": lambda: (AppSpec.build(app_name="n"),),
    "list_apps": lambda: (),
}
"""What methods are called with; the others take an id."""


class Row(NamedTuple):
    source: str
    call: str
    method: str
    used_by: tuple[str, ...]
    test: str

    def __str__(self) -> str:
        return self.method or self.call


def read_rows() -> tuple[Row, ...]:
    rows = []
    for line in PAGE.read_text().splitlines():
        if re.match(r"\| [SVD] \|", line):
            source, call, method, used_by, test = (cell.strip() for cell in line.strip("|").split("|"))
            rows.append(
                Row(
                    source, call.strip("`"), method.strip("`"), tuple(re.findall("`([^`]+)`", used_by)), test.strip("`")
                )
            )
    return tuple(rows)


ROWS = read_rows()
OFFERED = [row for row in ROWS if row.method]


@pytest.fixture(scope="module")
def modelarts() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


def test_the_page_has_every_call() -> None:
    # The emulator was written from the API's description, apart from the client.
    routes = [route for service in (*SERVICES, iam) for route in service.ROUTES]
    served = {
        (route.source, f"{route.method} {route.path}")
        for route in routes
        if not any(word in route.path for word in OTHERWISE_SPELT)
    }
    assert {(row.source, row.call) for row in ROWS} == served


def test_every_method_has_one_row() -> None:
    methods = [name for name, value in vars(Endpoints).items() if isinstance(value, Endpoint)]
    assert sorted(row.method for row in OFFERED) == sorted(methods)


@pytest.mark.parametrize("row", OFFERED, ids=str)
def test_a_call_is_sent_where_its_row_says(row: Row, modelarts: Emulator) -> None:
    for owner in (ModelArtsHook, ModelArtsClient, AsyncModelArtsClient):
        assert isinstance(getattr(owner, row.method, None), Endpoint), f"{owner.__name__} has no {row.method}"
    before = len(list(modelarts.requests))
    # Mostly there is no such thing; where the call goes is seen all the same.
    with ModelArtsClient(config_of(modelarts)) as client, suppress(ModelArtsRejectedError):
        getattr(client, row.method)(*GIVEN.get(row.method, lambda: (ONE,))())
    sent = [f"{one.method} {one.path}" for one in list(modelarts.requests)[before:]]
    pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(row.call))
    assert any(re.fullmatch(pattern, one) for one in sent), sent


def config_of(modelarts: Emulator) -> Config:
    known = json.loads(modelarts.connection_json())
    return Config.from_connection(
        host=known["host"], login=known["login"], password=known["password"], extra=known["extra"]
    )


@pytest.mark.parametrize("row", [row for row in ROWS if row.test], ids=str)
def test_a_test_that_is_named_exists(row: Row) -> None:
    file, _, name = row.test.partition("::")
    module = ast.parse((ROOT / file).read_text())
    assert name in {node.name for node in module.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_method_has_a_test() -> None:
    assert [row.method for row in OFFERED if not row.test] == []


def test_every_operator_and_sensor_is_on_the_page() -> None:
    bases = ("JobOperator", "CallOperator", "JobSensor")
    users = {name for name in USERS if name.startswith("ModelArts")}
    assert {name for row in ROWS for name in row.used_by} == users - {f"ModelArts{base}" for base in bases}
