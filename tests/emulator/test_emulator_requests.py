"""Requests that are wrong make nothing and name the field; answers have the fields of the API facts."""

from __future__ import annotations

from typing import Any

import pytest
from plain_http import DATASETS, RUNS, SEARCHES, TASKS, TRAININGS, VERSIONS, Api, quota_task, training

MISSING = object()

SQL = {"type": 1, "name": "s", "sql": "select 1"}
TEXT = {"type": 3, "name": "s", "feature_lib_id": 7, "keywords": "car", "top_k": 3}
IMAGE = {"type": 2, "name": "s", "feature_lib_id": 7, "images": [{"url": "u", "box": [1, 1, 2, 2]}], "top_k": 3}
DATASET = {"name": "d", "description": "", "tags": []}
VERSION = {"upload_type": 1, "upload_path": "s3://bucket/key", "dataset_id": 1}
RUN = {"name": "r", "pipeline_id": 1, "pipeline_version_id": 1, "params": [], "project_id": 1}
VIP = training(is_vip=True)
NEEDED = ("framework", "name", "image", "virtual_cluster_id", "sku_cnt", "instances", "category_id", "project_id")
"""What every job needs; the document demands all that it prints, newer platforms' own client leaves the rest out."""


@pytest.mark.parametrize(
    ("path", "body", "field", "value", "code"),
    [
        *((TRAININGS, training(), name, MISSING, 1) for name in NEEDED),
        *((TASKS, quota_task(), name, MISSING, 1) for name in (*NEEDED, "priority")),
        (TRAININGS, VIP, "preempt_policy", MISSING, 1),
        (TRAININGS, VIP, "vip_node_names", MISSING, 1),
        (TRAININGS, VIP, "preempt_policy", 3, 1),
        (TRAININGS, training(), "sku_cnt", "1", 1),
        (TRAININGS, training(), "sku_cnt", True, 1),
        (TRAININGS, training(), "sku_cnt", -1, 1),
        (TRAININGS, training(), "instances", 0, 1),
        (TRAININGS, training(), "enable_ssh", 1, 1),
        (TRAININGS, training(), "name", " ", 1),
        (TRAININGS, training(), "framework", "TensorFlow", 1),
        (TRAININGS, training(), "envs", {"A": "b"}, 1),
        (TRAININGS, training(), "envs", [{"key": "A"}], 1),
        (TRAININGS, training(), "envs", [{"key": "A=B", "value": "c"}], 1),
        (TRAININGS, training(), "storage_ids", ["1"], 1),
        (TRAININGS, training(), "virtual_cluster_id", 99, 2),
        (TRAININGS, training(), "storage_ids", [1, 99], 2),
        (TRAININGS, training(), "project_id", 99, 2),
        (TRAININGS, training(), "category_id", 5, 2),
        (TASKS, quota_task(), "priority", 3, 1),
        *((SEARCHES, SQL, name, MISSING, 1) for name in SQL),
        *((SEARCHES, TEXT, name, MISSING, 1) for name in TEXT),
        *((SEARCHES, IMAGE, name, MISSING, 1) for name in IMAGE),
        (SEARCHES, IMAGE, "images", [{"url": "u", "box": [1, 1, 2]}], 1),
        (SEARCHES, IMAGE, "images", [{"box": [1, 1, 2, 2]}], 1),
        (SEARCHES, TEXT, "top_k", 0, 1),
        (SEARCHES, SQL, "type", 4, 1),
        *((DATASETS, DATASET, name, MISSING, 1) for name in DATASET),
        (DATASETS, DATASET, "name", "../d", 1),
        (DATASETS, DATASET, "tags", [1.5], 1),
        (DATASETS, DATASET, "create_by", 99, 2),
        *((f"{VERSIONS}-upload", VERSION, name, MISSING, 1) for name in VERSION),
        (f"{VERSIONS}-upload", VERSION, "upload_type", 6, 1),
        (f"{VERSIONS}-upload", VERSION, "dataset_id", 99999, 2),
        *((RUNS, RUN, name, MISSING, 1) for name in RUN if name != "params"),
        (RUNS, RUN, "pipeline_id", 99, 2),
        (RUNS, RUN, "pipeline_version_id", 2, 2),
        (RUNS, RUN, "project_id", 99, 2),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_made(
    api: Api, path: str, body: dict[str, Any], field: str, value: Any, code: int
) -> None:
    lists = f"{VERSIONS}" if path.startswith(VERSIONS) else path
    before = api.get(lists)["total"]
    wrong = {name: item for name, item in body.items() if name != field}
    if value is not MISSING:
        wrong[field] = value
    found, message = api.refused(path, wrong)
    assert found == code
    words = {"create_by": "user", "pipeline_version_id": "pipeline version"}
    named = words.get(field, field.removesuffix("_ids").removesuffix("_id").replace("_", " ")) if code == 2 else field
    assert named in message
    assert api.get(lists)["total"] == before


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        *((TRAININGS, training(), name) for name in training() if name not in ("preempt_policy", "vip_node_names")),
        *((TASKS, quota_task(), name) for name in quota_task()),
        *((RUNS, RUN, name) for name in RUN if name != "project_id"),
        (RUNS, {**RUN, "params": [{"key": "x", "value": "y"}]}, "params[0].value"),
    ],
)
def test_the_document_demands_all_that_it_prints(document: Api, path: str, body: dict[str, Any], field: str) -> None:
    first = document.post(path, body)["id"]
    wrong = {name: item for name, item in body.items() if name != field}
    if field == "params[0].value":
        wrong["params"] = [{"key": "x"}]
    assert document.refused(path, wrong) == (1, f"{field} is required")
    assert document.post(path, body)["id"] == first + 1


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"null"])
def test_a_body_that_is_no_object_is_refused(api: Api, body: bytes) -> None:
    answer = api.call("POST", TRAININGS, data=body).json()
    assert answer["code"] == 1
    assert "the body" in answer["msg"]


@pytest.mark.parametrize("path", [TRAININGS, TASKS, SEARCHES, DATASETS, VERSIONS, RUNS])
def test_what_does_not_exist_is_not_found(api: Api, path: str) -> None:
    answer = api.call("GET", f"{path}/999999")
    assert (answer.status_code, answer.json()["code"]) == (200, 2)
    assert "999999 not found" in answer.json()["msg"]
    assert api.call("GET", f"{path}/abc").json()["msg"] == "id must be an integer"


TRAINING = """id framework name description command image virtual_cluster sku_cnt enable_ssh envs storages instances
created_at username user_id namespace res_name status use_ib_network always_pull_image shm category project avg_gpu_util
finished_at started_at estimate_run_time is_vip cluster_partition preempt_policy vip_node_names stop_op_user
use_new_log"""
TRAINING_P = f"{TRAINING} is_quota_schedule notify_type enable_sys_admin"
POD = "id namespace name status created_at started_at finished_at host_ip node_name ssh_port ssh_info use_new_log"
SEARCH = """id type name description sql feature_lib_id feature_lib_name images keywords top_k status message result_url
results created_at username"""
RUN_D = """id name description duration pipeline_id pipeline_name pipeline_version_id pipeline_version_name started_at
finished_at created_at status params task_nodes"""
NODE = "name params message status pod_name started_at finished_at dependencies"


def keys(text: str) -> set[str]:
    return set(text.split())


def test_the_platforms_answers_hold_every_field(api: Api) -> None:
    job = api.train("true", envs=[{"key": "A", "value": "b"}])
    found = api.until(f"{TRAININGS}/{job}", 3)
    assert set(found) == keys(TRAINING_P)
    assert found["envs"] == [{"key": "A", "value": "b"}]
    assert set(found["virtual_cluster"]) == keys("id name gpu_type label sku")
    assert set(found["virtual_cluster"]["sku"]) == keys("cpu gpu memory")
    assert set(found["storages"][0]) == keys("id name path server_path server_host server_type permission description")
    assert found["storages"] == api.get("/model-training-platform/api/v1/storages")["data"]
    assert found["category"] == {"id": 1, "name": "training"}
    assert set(found["project"]) == keys("id name description")
    assert set(api.get(f"{TRAININGS}/{job}/pods")["data"][0]) == keys(POD)

    task = api.quota("true")
    shown = api.until(f"{TASKS}/{task}", 3)
    more = "priority mtp_id is_quota_schedule enable_reschedule remain_schedule_cnt source_task"
    assert set(shown) == keys(f"{TRAINING_P} {more}")
    assert shown["source_task"] == {"id": 0, "name": ""}
    assert set(shown["virtual_cluster"]) == keys("id name gpu_type label sku node_tasks")
    assert set(api.get(f"{TASKS}/{task}/pods")["data"][0]) == keys(f"{POD} duration")

    run = api.post(RUNS, RUN)["id"]
    shown = api.until(f"{RUNS}/{run}", 3)
    more = "username project node_virtual_clusters avg_gpu_util total_gpu_time"
    assert keys(f"{RUN_D} {more}") <= set(shown)
    more = "namespace task_id module_id module_version use_cache virtual_cluster avg_gpu_util"
    assert set(shown["task_nodes"][0]) == keys(f"{NODE} {more}")


def test_the_documents_answers_hold_what_it_prints(document: Api) -> None:
    job = document.train("true")
    assert set(document.until(f"{TRAININGS}/{job}", 3)) == keys(TRAINING)
    task = document.quota("true")
    assert set(document.until(f"{TASKS}/{task}", 3)) == keys(f"{TRAINING} priority mtp_id")
    search = document.post(SEARCHES, SQL)["id"]
    assert set(document.until(f"{SEARCHES}/{search}", 3)) == keys(SEARCH)
    run = document.post(RUNS, {name: value for name, value in RUN.items() if name != "project_id"})["id"]
    shown = document.post(f"{RUNS}/{run}")
    assert set(shown) == keys(RUN_D)
    assert set(shown["task_nodes"][0]) == keys(NODE)


def test_pages_and_filters(api: Api) -> None:
    ids = [api.train("sleep 0", name=f"page-{number}", project_id=2) for number in range(5)]
    first = api.get(TRAININGS, page_size=2, page_num=1, name="page-", project_id=2)
    assert (first["total"], first["page_size"], first["page_num"]) == (5, 2, 1)
    assert [row["id"] for row in first["data"]] == [ids[4], ids[3]]
    last = api.get(TRAININGS, page_size=2, page_num=3, name="page-")
    assert [row["id"] for row in last["data"]] == [ids[0]]
    assert api.get(TRAININGS, page_size=2, page_num=4, name="page-")["data"] == []
    assert api.get(TRAININGS, name="page-", project_id=1)["total"] == 0
    assert api.get(TRAININGS, name="page-", is_quota_schedule="true")["total"] == 0
    assert api.get(TRAININGS)["page_size"] == 20
    assert api.call("GET", TRAININGS, params={"page_num": 0}).json()["code"] == 1
    assert api.call("GET", TRAININGS, params={"page_size": "x"}).json()["msg"] == "page_size must be an integer"


def test_envelopes_leave_out_what_the_document_leaves_out(api: Api) -> None:
    job = api.train("true")
    assert set(api.call("POST", f"{TRAININGS}/{job}/stop").json()) == {"code", "msg"}
    assert set(api.call("GET", f"{TRAININGS}/{job}/pods").json()) == {"code", "data"}


def test_clusters_and_projects(api: Api, document: Api) -> None:
    path = "/tag-resource-management/api/v1"
    clusters = api.get(f"{path}/select-clusters", user_id=1, module_type=1)["data"]
    assert [cluster["name"] for cluster in clusters] == ["vc-cpu", "vc-4090", "vc-a800"]
    assert set(clusters[1]) == keys("id name uuid sku created_at")
    assert set(clusters[1]["sku"]) == keys("id description cpu memory gpu_type gpu_memory network created_at")
    assert clusters[1]["sku"]["gpu_type"] == 2
    assert api.get(f"{path}/select-projects")["data"] == [{"id": 1, "name": "default"}, {"id": 2, "name": "research"}]
    for query, code in (
        ({"module_type": 1}, 1),
        ({"user_id": 1, "module_type": 9}, 1),
        ({"user_id": 9, "module_type": 1}, 2),
    ):
        assert api.call("GET", f"{path}/select-clusters", params=query).json()["code"] == code
    assert api.get(f"{path}/select-clusters", user_id=1)["data"] == clusters
    answer = document.call("GET", f"{path}/select-clusters", params={"user_id": 1}).json()
    assert (answer["code"], answer["msg"]) == (1, "module_type is required")
