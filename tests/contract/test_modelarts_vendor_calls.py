"""Each call of ModelArts is sent as the vendor's own SDK sends it: method, path, query, body and what is signed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from http_servers import Answered, Asked, answering
from huaweicloudsdkcore.exceptions.exceptions import SdkException
from test_modelarts_coverage import ROWS
from vendor_sdk import call, client_at

from airflow_provider_aihub.http.errors import RequestError
from airflow_provider_aihub.modelarts.client import ModelArtsClient
from airflow_provider_aihub.modelarts.config import Config
from airflow_provider_aihub.modelarts.images import NotebookImageSpec, SaveImageSpec
from airflow_provider_aihub.modelarts.notebooks import NotebookChange, NotebookSpec
from airflow_provider_aihub.modelarts.training_jobs import TrainingJobChange, TrainingJobSpec
from airflow_provider_aihub.modelarts.workflows import Inputs, SubscriptionSpec, WorkflowExecutionSpec

PROJECT = "0123456789abcdef0123456789abcdef"
ONE, TWO, THREE = "2cd88daa-31a4-40a8-a58f-d186b0e93e4f", "9f1c", "7a2b"
TOPICS = ["urn:smn:cn-north-4:0123456789abcdef0123456789abcdef:t"]

BEYOND_THE_SDK = {
    "create_app": "The SDK has no app-auth at all.",
    "list_apps": "Likewise.",
    "delete_app": "Likewise.",
    "get_training_job_log_url": "The SDK has logs/preview only; logs/url is in the vendor's documents.",
    "list_projects": "Belongs to IAM, which has another SDK.",
}
"""Calls that cannot be compared, and why."""
OTHERWISE = {
    "content-type": "The SDK adds a charset where there is a body; JSON has but one.",
    "user-agent": "Says who sends it; the SDK signs it as well, which no gateway asks for: what is signed is listed.",
}
"""Headers that differ, and why that does no harm."""
SENT_BESIDES: dict[str, dict[str, Any]] = {
    "search_training_jobs": {"sort_by": "create_time", "order": "desc"},
    "list_workflow_executions": {"sort_by": "create_time", "order": "desc"},
    "list_training_job_events": {"order": "desc"},
    "list_notebooks": {"sort_key": "create_at", "sort_dir": "desc"},
    "list_all_notebooks": {"sort_key": "create_at", "sort_dir": "desc"},
}
"""What we always send, and the SDK where it is told to: its lists are newest first."""

JOB = {
    "kind": "job",
    "metadata": {"name": "n", "description": "d", "workspace_id": "0", "annotations": {"a": "b"}},
    "algorithm": {
        "code_dir": "/b/code/",
        "boot_file": "/b/code/train.py",
        "engine": {"engine_name": "PyTorch", "engine_version": "2.1"},
        "parameters": [{"name": "epochs", "value": "3"}],
        "inputs": [{"name": "data", "access_method": "env", "remote": {"obs": {"obs_url": "/b/in/"}}}],
        "outputs": [{"name": "model", "local_dir": "/out", "remote": {"obs": {"obs_url": "/b/out/"}}}],
        "environments": {"A": "b"},
    },
    "spec": {
        "resource": {"flavor_id": "f", "node_count": 2, "pool_id": "p"},
        "log_export_path": {"obs_url": "/b/logs/", "host_path": "/logs"},
        "volumes": [{"nfs": {"nfs_server_path": "h:/x", "local_path": "/x", "read_only": True}}],
        "auto_stop": {"time_unit": "HOURS", "duration": 5},
        "notification": {"topic_urn": TOPICS[0], "events": ["JobFailed"]},
        "schedule_policy": {"priority": 2, "preemptible": True},
    },
}
JOB_SPEC = TrainingJobSpec.build(
    name="n",
    description="d",
    annotations={"a": "b"},
    code_dir="/b/code/",
    boot_file="/b/code/train.py",
    engine_name="PyTorch",
    engine_version="2.1",
    parameters={"epochs": 3},
    inputs=[{"name": "data", "access_method": "env", "remote": {"obs": {"obs_url": "/b/in/"}}}],
    outputs=[{"name": "model", "local_dir": "/out", "remote": {"obs": {"obs_url": "/b/out/"}}}],
    environments={"A": "b"},
    node_count=2,
    flavor_id="f",
    pool_id="p",
    log_path="/b/logs/",
    log_host_path="/logs",
    volumes=[{"nfs": {"nfs_server_path": "h:/x", "local_path": "/x", "read_only": True}}],
    auto_stop_hours=5,
    notification_topic=TOPICS[0],
    notification_events=["JobFailed"],
    priority=2,
    preemptible=True,
)
FILTERS = [{"key": "name", "operator": "like", "value": ["n"]}]
TASK = {"training_job_id": ONE, "task_id": "worker-0"}
IMAGE = {"name": "n", "namespace": "team", "tag": "1", "description": "d"}
PARAMETERS = [{"name": "epochs", "type": "int", "value": 3, "used_steps": ["train"]}]
DATA = [{"name": "labels", "type": "obs", "value": {"obs_url": "/b/l/"}, "delay": True}]
INPUTS = {"parameters": PARAMETERS, "data_requirements": DATA}
EXECUTION = {"workflow_id": ONE, "execution_id": TWO}
STEP = {**EXECUTION, "step_execution_id": THREE}
SUBSCRIPTION = {"topic_urns": TOPICS, "entity": "e", "events": ["*:failed"]}
QUOTAS = {"quotas": [{"resource": "trainJob.quantity", "quota": 9}]}

NOTEBOOK = {
    "name": "n",
    "image_id": "i",
    "volume": {"category": "EVS", "ownership": "MANAGED", "capacity": 50},
    "flavor": "f",
    "pool_id": "p",
    "feature": "NOTEBOOK",
    "description": "d",
    "duration": 7_200_000,
    "workspace_id": "0",
}
LISTED = {"offset": 5, "limit": 10, "name": "n", "status": "RUNNING", "workspace_id": "0"}

Call = tuple[str, tuple[Any, ...], dict[str, Any], str, dict[str, Any]]
"""Our method, what it is given, by name, too; the SDK's, and what that is given."""
CALLS: list[Call] = [
    (
        "delete_training_jobs",
        ([ONE, TWO],),
        {},
        "batch_delete_training_job",
        {"body": {"jobs": [{"kind": "job", "metadata": {"id": one}} for one in (ONE, TWO)]}},
    ),
    (
        "change_training_job",
        (ONE, TrainingJobChange.build(description="d", notification_topic="t", notification_events=["JobFailed"])),
        {},
        "change_training_job_description",
        {
            "training_job_id": ONE,
            "body": {"description": "d", "spec": {"notification": {"topic_urn": "t", "events": ["JobFailed"]}}},
        },
    ),
    ("list_training_job_stages", (ONE,), {}, "list_training_job_stages", {"training_job_id": ONE}),
    ("list_training_job_engines", (), {}, "show_training_job_engines", {}),
    ("list_training_job_flavors", ("GPU",), {}, "show_training_job_flavors", {"flavor_type": "GPU"}),
    ("get_training_quotas", (), {}, "show_training_quotas", {}),
    (
        "list_workflows",
        (5, 10, "n", "s", "l"),
        {},
        "list_workflows",
        {"offset": "5", "limit": "10", "name": "n", "status": "s", "labels": "l"},
    ),
    ("get_workflow", (ONE,), {}, "show_workflow", {"workflow_id": ONE}),
    ("create_notebook", (NotebookSpec.build(**NOTEBOOK),), {}, "create_notebook", {"body": NOTEBOOK}),
    ("list_notebooks", (5, 10, "n", "RUNNING"), {}, "list_notebooks", LISTED),
    ("list_all_notebooks", (5, 10, "n", "RUNNING"), {}, "list_all_notebooks", LISTED),
    (
        "change_notebook",
        (ONE, NotebookChange.build(name="n", description="d", flavor="f", image_id="i")),
        {},
        "update_notebook",
        {"id": ONE, "body": {"name": "n", "description": "d", "flavor": "f", "image_id": "i"}},
    ),
    ("delete_notebook", (ONE,), {}, "delete_notebook", {"id": ONE}),
    (
        "save_notebook_image",
        (ONE, NotebookImageSpec.build(**IMAGE)),
        {},
        "create_image",
        {"id": ONE, "body": IMAGE},
    ),
    ("get_image", (ONE,), {}, "show_image", {"id": ONE}),
    ("create_training_job", (JOB_SPEC,), {}, "create_training_job", {"body": JOB}),
    ("get_training_job", (ONE,), {}, "show_training_job_details", {"training_job_id": ONE}),
    (
        "search_training_jobs",
        (1, 20, FILTERS),
        {},
        "list_training_jobs",
        {"body": {"offset": 1, "limit": 20, "workspace_id": "0", "filters": FILTERS}},
    ),
    (
        "terminate_training_job",
        (ONE,),
        {},
        "stop_training_job",
        {"training_job_id": ONE, "body": {"action_type": "terminate"}},
    ),
    ("delete_training_job", (ONE,), {}, "delete_training_job", {"training_job_id": ONE}),
    (
        "list_training_job_events",
        (ONE, 5, 10, "Error"),
        {},
        "list_training_job_events",
        {"training_job_id": ONE, "offset": 5, "limit": 10, "level": "Error"},
    ),
    ("get_training_job_log", (ONE, "worker-0"), {}, "show_training_job_logs_preview", TASK),
    ("get_training_job_metrics", (ONE, "worker-0"), {}, "show_training_job_metrics", TASK),
    (
        "save_training_job_image",
        (ONE, "worker-0", SaveImageSpec.build(**IMAGE)),
        {},
        "create_save_image_job",
        {**TASK, "body": IMAGE},
    ),
    ("get_training_job_image", (ONE, "worker-0"), {}, "show_save_image_job", TASK),
    (
        "add_training_job_tags",
        (ONE, {"team": "vision"}),
        {},
        "create_train_job_tags",
        {"training_job_id": ONE, "body": {"tags": [{"key": "team", "value": "vision"}]}},
    ),
    (
        "remove_training_job_tags",
        (ONE, ["team"]),
        {},
        "delete_train_job_tags",
        {"training_job_id": ONE, "body": {"tags": [{"key": "team"}]}},
    ),
    ("list_training_job_tags", (ONE,), {}, "show_train_job_tags", {"training_job_id": ONE}),
    (
        "list_workflow_executions",
        (ONE, 5, 10, "running", "l", "s"),
        {},
        "list_workflow_executions",
        {
            "workflow_id": ONE,
            "offset": "5",
            "limit": "10",
            "status": "running",
            "labels": "l",
            "scene_id": "s",
            "workspace_id": "0",
        },
    ),
    (
        "create_workflow_execution",
        (ONE, WorkflowExecutionSpec.build(name="n", description="d", labels=["l"], use_cache=True, **INPUTS)),
        {},
        "create_workflow_execution",
        {
            "workflow_id": ONE,
            "body": {
                "name": "n",
                "description": "d",
                "labels": ["l"],
                "workspace_id": "0",
                "policies": {"use_cache": True},
                **INPUTS,
            },
        },
    ),
    ("get_workflow_execution", (ONE, TWO), {}, "show_workflow_execution", EXECUTION),
    ("delete_workflow_execution", (ONE, TWO), {}, "delete_workflow_execution", EXECUTION),
    (
        "act_on_workflow_execution",
        (ONE, TWO, "rerun"),
        {"rerun_steps": ["train"], "inputs": Inputs.build(**INPUTS)},
        "create_workflow_executions_actions",
        {**EXECUTION, "body": {"action_name": "rerun", "policies": {"rerun_steps": ["train"]}, **INPUTS}},
    ),
    (
        "stop_workflow_execution",
        (ONE, TWO),
        {},
        "create_workflow_executions_actions",
        {**EXECUTION, "body": {"action_name": "stop"}},
    ),
    (
        "act_on_workflow_step",
        (ONE, TWO, THREE, "continue", Inputs.build(**INPUTS)),
        {},
        "create_workflow_step_executions_actions",
        {**STEP, "body": {"action_name": "continue", **INPUTS}},
    ),
    (
        "create_workflow_subscription",
        (ONE, SubscriptionSpec.build(**SUBSCRIPTION)),
        {},
        "create_workflow_subscriptions",
        {"workflow_id": ONE, "body": SUBSCRIPTION},
    ),
    (
        "get_workflow_subscription",
        (ONE, TWO),
        {},
        "show_workflow_subscription",
        {"workflow_id": ONE, "subscription_id": TWO},
    ),
    (
        "update_workflow_subscription",
        (ONE, TWO, SubscriptionSpec.build(**SUBSCRIPTION)),
        {},
        "update_workflow_subscription",
        {"workflow_id": ONE, "subscription_id": TWO, "body": SUBSCRIPTION},
    ),
    (
        "delete_workflow_subscription",
        (ONE, TWO),
        {},
        "delete_workflow_subscription",
        {"workflow_id": ONE, "subscription_id": TWO},
    ),
    ("get_notebook", (ONE,), {}, "show_notebook", {"id": ONE}),
    (
        "start_notebook",
        (ONE, 7_200_000, "idle"),
        {},
        "start_notebook",
        {"id": ONE, "duration": 7_200_000, "type": "idle"},
    ),
    ("stop_notebook", (ONE,), {}, "stop_notebook", {"id": ONE}),
    ("get_notebook_lease", (ONE,), {}, "show_lease", {"id": ONE}),
    (
        "renew_notebook_lease",
        (ONE, 7_200_000, "timing"),
        {},
        "renew_lease",
        {"id": ONE, "body": {"duration": 7_200_000, "type": "timing"}},
    ),
    ("list_notebook_tags", (), {}, "show_notebook_tags", {"workspace_id": "0"}),
    (
        "list_workspaces",
        (5, 10, "n", "name", "asc", "e", True),
        {},
        "list_workspace",
        {
            "offset": 5,
            "limit": 10,
            "name": "n",
            "sort_by": "name",
            "order": "asc",
            "enterprise_project_id": "e",
            "filter_accessible": True,
        },
    ),
    ("get_workspace_quotas", ("0",), {}, "show_workspace_quotas", {"workspace_id": "0"}),
    (
        "set_workspace_quotas",
        ("0", {"trainJob.quantity": 9}),
        {},
        "update_workspace_quotas",
        {"workspace_id": "0", "body": QUOTAS},
    ),
]


@dataclass(frozen=True)
class Sent:
    """What came over the wire. :param signed: Headers that the signature covers, with their values."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    signed: Mapping[str, str]


@pytest.fixture(scope="module")
def wire() -> Iterator[tuple[str, list[Sent]]]:
    """A server that notes what it is sent, and answers with nothing: its address, and what it has noted."""
    noted: list[Sent] = []

    def note(request: Asked) -> Answered:
        headers = {name.lower(): value for name, value in request.headers.items()}
        (names,) = re.findall("SignedHeaders=([^,]+)", headers["authorization"])
        signed = {name: headers[name] for name in names.split(";")}
        query = dict(parse_qsl(urlsplit(request.target).query, keep_blank_values=True))
        noted.append(Sent(request.method, request.path, query, request.json, signed))
        return Answered.of(200, {})

    with answering(note) as url:
        yield url, noted


@pytest.mark.parametrize("case", CALLS, ids=lambda case: case[0])
def test_a_call_is_sent_as_the_vendor_sends_it(case: Call, wire: tuple[str, list[Sent]]) -> None:
    method, given, named, of_vendor, theirs_given = case
    url, noted = wire
    noted.clear()
    # Neither can make anything of the answer; what was sent is seen all the same.
    with suppress(SdkException):
        call(client_at(url, "AK", "SK", PROJECT), of_vendor, **theirs_given)
    config = Config(addresses={"modelarts": url}, project_id=PROJECT, access_key="AK", secret_key="SK")
    with ModelArtsClient(config) as client, suppress(RequestError):
        getattr(client, method)(*given, **named)
    theirs, ours = noted
    assert (ours.method, ours.path) == (theirs.method, theirs.path)
    besides = SENT_BESIDES.get(method, {})
    if theirs.body is None:
        assert ours.body is None
        assert ours.query == {**theirs.query, **besides}
    else:
        assert ours.query == theirs.query
        assert ours.body == {**theirs.body, **besides}
    assert {**ours.signed, "x-sdk-date": ""} == {
        **{name: value for name, value in theirs.signed.items() if name not in OTHERWISE},
        "content-type": "application/json",
        "x-sdk-date": "",
    }


def test_every_call_is_compared_or_cannot_be() -> None:
    assert {case[0] for case in CALLS} | set(BEYOND_THE_SDK) == {row.method for row in ROWS if row.method}
