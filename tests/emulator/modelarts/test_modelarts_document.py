"""What the manual lists of each answer is there, and what it shows in two ways is taken in both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from arts_http import Arts, job
from test_modelarts_workflows import WAITING, Runs

EXECUTION = """created_at name execution_id description status workspace_id workflow_id workflow_name steps_execution
    duration events data_requirements parameters policies labels"""
STEP = """created_at uuid step_name step_title status duration instance_id inputs outputs properties events policy"""
SUBSCRIPTION = "created_at subscription_id topic_urns entity events"
IMAGE = "name namespace tag description status message create_time"
NOTEBOOK = """id name status description feature flavor image lease token url volume workspace_id fail_reason
    action_progress"""
WORKSPACE = """id name description owner auth_type enterprise_project_id enterprise_project_name create_time update_time
    status status_info"""
QUOTA = "resource quota min_quota max_quota update_time name_cn unit_cn name_en unit_en"
APP = """app_id app_name app_key app_secret app_codes app_type app_remark bounded_api_count created_at updated_at
    project_id user_id"""


def an_execution(arts: Arts) -> Any:
    runs = Runs(arts, WAITING)
    number = runs.start()
    runs.until_step(number, 1, "wait_inputs")
    return arts.get(runs.path)["items"][0]


def a_step(arts: Arts) -> Any:
    execution = an_execution(arts)
    runs = Runs(arts, WAITING)
    return runs.act_on(execution["execution_id"], 1, "stop", "step_executions").json()


def a_subscription(arts: Arts) -> Any:
    return arts.ask("POST", f"workflows/{WAITING.id}/subscriptions", 201, json={"topic_urns": ["urn"]})


def an_image(arts: Arts) -> Any:
    # The manual demands none of the fields, and lists some that are the server's.
    path = f"training-jobs/{arts.train('sleep 1000')}/tasks/worker-0/save-image-job"
    return arts.ask("POST", path, 201, json={"status": "ACTIVE", "message": "m", "create_time": 1})


def a_notebook(arts: Arts) -> Any:
    return arts.ask("POST", f"notebooks/{arts.emulator.settings.notebooks[0].id}/start", version="v1")


def a_workspace(arts: Arts) -> Any:
    return arts.get("workspaces", "v1")["workspaces"][0]


def a_quota(arts: Arts) -> Any:
    body = {"quotas": [{"resource": "notebook.duration", "quota": 60}]}
    return arts.ask("PUT", "workspaces/0/quotas", version="v1", json=body)["quotas"][0]


def an_app(arts: Arts) -> Any:
    return arts.ask("POST", "app-auth/apps", version="v1", json={"app_name": "a"})["app"]


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (an_execution, EXECUTION),
        (a_step, STEP),
        (a_subscription, SUBSCRIPTION),
        (an_image, IMAGE),
        (a_notebook, NOTEBOOK),
        (a_workspace, WORKSPACE),
        (a_quota, QUOTA),
        (an_app, APP),
    ],
)
def test_an_answer_has_the_fields_of_the_manual(arts: Arts, make: Callable[[Arts], Any], names: str) -> None:
    assert set(names.split()) <= set(make(arts))


def test_the_fields_of_a_job(arts: Arts) -> None:
    body = job("sleep 0")
    body["algorithm"] |= {"policies": {"auto_search": None}, "inputs": [], "outputs": []}
    body["spec"] |= {
        "log_export_path": {"obs_url": "", "host_path": ""},
        "volumes": [{"nfs": {"nfs_server_path": "1.2.3.4:/", "local_path": "/x", "read_only": True}}],
        "notification": {"topic_urn": "urn", "events": ["JobFailed"]},
    }
    created = arts.ask("POST", "training-jobs", 201, json=body)
    found = arts.phase(created["metadata"]["id"], "Completed")
    for part in ("algorithm", "spec", "metadata"):
        for name, value in body[part].items():
            if name != "resource":
                assert found[part][name] == value
    assert {"id", "create_time", "user_name"} <= set(found["metadata"])
    names = "phase secondary_phase duration start_time node_count_metrics tasks running_records"
    assert set(names.split()) <= set(found["status"])
    (record,) = found["status"]["running_records"]
    assert set(record) == {"start_at", "end_at", "start_type"}
    assert created["status"]["node_count_metrics"] is None
    assert {"policy", "flavor_name", "flavor_detail", "node_count", "flavor_id"} <= set(found["spec"]["resource"])


def test_the_save_of_an_image_is_the_servers_word(arts: Arts) -> None:
    image = an_image(arts)
    assert (image["status"], image["message"]) == ("INIT", "")
    assert image["create_time"] > 1
