"""What comes back: the document's own examples, odd values, and values that nothing works without."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_aihub.aihub import (
    data_warehouse,
    dataset_management,
    evaluation,
    model_training,
    quota_schedule,
    s3_relay,
    tag_system,
    user_system,
    workflow_center,
)
from airflow_provider_aihub.aihub.models import Page, Pod, VirtualCluster
from airflow_provider_aihub.http.request import File

LOGIN = {"id": 1, "token": "t"}
SEARCH: dict[str, Any] = {
    "id": 1,
    "type": 1,
    "name": "",
    "description": "",
    "sql": "",
    "feature_lib_id": 1,
    "feature_lib_name": "",
    "images": [{"url": "", "box": [1, 1, 1, 1]}],
    "keywords": "",
    "top_k": 1,
    "status": 1,
    "message": "",
    "result_url": "",
    "results": [{"image_url": "", "label": "", "score": 1, "box": [1, 1, 1, 1]}],
    "created_at": 1,
    "username": "",
}
VERSION: dict[str, Any] = {
    "id": 1,
    "version": 1,
    "dataset_id": 1,
    "upload_path": "",
    "upload_type": 1,
    "parent_version_id": 0,
    "description": "",
    "status": 1,
    "message": "",
    "created_at": 1,
    "user_id": 1,
    "data_size": 1,
    "data_count": 1,
    "parquet_index_path": "1",
}
RUN: dict[str, Any] = {
    "id": 1,
    "name": "",
    "description": "",
    "duration": 1,
    "pipeline_id": 1,
    "pipeline_name": "",
    "pipeline_version_id": 1,
    "pipeline_version_name": "",
    "started_at": 1,
    "finished_at": 1,
    "created_at": 1,
    "status": 1,
    "task_nodes": [
        {
            "name": "",
            "params": {"input": "null", "output": "null"},
            "message": "",
            "status": 1,
            "pod_name": "",
            "started_at": 1,
            "finished_at": 1,
            "dependencies": [],
        }
    ],
    "params": [],
}
TRAINING: dict[str, Any] = {
    "id": 1,
    "framework": "1",
    "name": "",
    "description": "",
    "command": "",
    "image": "",
    "virtual_cluster": {
        "id": 1,
        "name": "",
        "gpu_type": "",
        "label": "",
        "sku": {"cpu": 1, "gpu": 1, "memory": 1},
    },
    "sku_cnt": 1,
    "enable_ssh": False,
    "envs": None,
    "storages": None,
    "instances": 1,
    "created_at": 1,
    "username": "",
    "user_id": 1,
    "namespace": "",
    "res_name": "",
    "status": 1,
    "use_ib_network": False,
    "always_pull_image": True,
    "shm": 0,
    "category": {"id": 1, "name": ""},
    "project": {"id": 1, "name": "", "description": ""},
    "avg_gpu_util": 0,
    "finished_at": 1,
    "started_at": 1,
    "estimate_run_time": 1,
    "is_vip": False,
    "cluster_partition": "",
    "preempt_policy": 0,
    "vip_node_names": None,
    "stop_op_user": {"id": 1, "name": ""},
    "use_new_log": True,
}
STORAGE = {
    "id": 1,
    "name": "13-160-data1",
    "path": "/mnt/13-160-data1",
    "server_path": "/data1/model_training_platform",
    "server_host": "192.168.13.160",
    "server_type": "nfs",
    "permission": "rw",
    "description": "",
}
QUOTA_TASK: dict[str, Any] = {
    "id": 0,
    "priority": 1,
    "mtp_id": 0,
    "framework": "string",
    "name": "string",
    "description": "string",
    "command": "string",
    "image": "string",
    "virtual_cluster": {
        "id": 0,
        "name": "string",
        "gpu_type": "string",
        "label": "string",
        "sku": {"cpu": 0, "gpu": 0, "memory": 0},
        "node_tasks": [
            {
                "node_name": "string",
                "node_ip": "string",
                "tasks": [
                    {
                        "id": "string",
                        "name": "string",
                        "sku_cnt": 0,
                        "category_name": "string",
                        "project_name": "string",
                        "estimate_run_time": 0,
                        "actual_run_time": 0,
                        "username": "string",
                    }
                ],
            }
        ],
    },
    "sku_cnt": 0,
    "enable_ssh": True,
    "envs": [{"key": "string", "value": "string"}],
    "storages": [dict.fromkeys(STORAGE, "string") | {"id": 0}],
    "instances": 0,
    "created_at": 0,
    "username": "string",
    "user_id": 0,
    "namespace": "string",
    "res_name": "string",
    "status": 1,
    "use_ib_network": True,
    "category": {"id": 0, "name": "string"},
    "project": {"id": 0, "name": "string", "description": "string"},
    "avg_gpu_util": 0,
    "estimate_run_time": 0,
    "is_vip": True,
    "cluster_partition": "string",
    "preempt_policy": 0,
    "vip_node_names": ["string"],
    "stop_op_user": {"id": 0, "name": "string"},
}
PODS: dict[str, Any] = {
    "total": 1,
    "page_size": 9999,
    "page_num": 1,
    "data": [
        {
            "id": 395,
            "namespace": "live-training-1",
            "name": "u-1-84-kfqblmgwg2s0957dqmo4bybb-hrkpg",
            "status": "Deleted",
            "created_at": 1729063122000,
            "started_at": 1729063124000,
            "finished_at": 1729063223227,
            "host_ip": "192.168.13.108",
            "node_name": "ai-13-108",
            "ssh_port": 0,
            "ssh_info": "",
            "use_new_log": True,
        }
    ],
}
QUOTA_PODS: dict[str, Any] = {
    "total": 0,
    "page_size": 0,
    "page_num": 0,
    "data": [
        {
            "id": 0,
            "namespace": "string",
            "name": "string",
            "status": "string",
            "created_at": 0,
            "started_at": 0,
            "host_ip": "string",
            "node_name": "string",
            "ssh_port": 0,
            "ssh_info": "string",
            "duration": 0,
        }
    ],
}
CLUSTERS: dict[str, Any] = {
    "data": [
        {
            "id": 29,
            "name": "vc-a800-train",
            "uuid": "5-0-14",
            "sku": {
                "id": 2,
                "description": "",
                "cpu": 67,
                "memory": 34,
                "gpu_type": 2,
                "gpu_memory": 12,
                "network": 0,
                "created_at": 1721382073775,
            },
            "created_at": 1721396303983,
        }
    ]
}
UPLOAD = {"path": "s3://xxx", "url": "http://xxx"}

read_login = user_system.login("u", "p").read
read_search = data_warehouse.get_search(1).read
read_version = dataset_management.get_dataset_version_by_name("mnist/V1").read
read_run = workflow_center.get_workflow_run(1).read
read_training = model_training.get_training(1).read
read_quota_task = quota_schedule.get_quota_task(1).read
read_pods = model_training.list_training_pods(1).read
read_storages = model_training.list_storages().read
read_clusters = tag_system.list_virtual_clusters(1, 1).read
read_upload = s3_relay.upload_to_relay("b", "k", File("f", open=lambda: pytest.fail("opened"), size=0)).read
read_new_id = model_training.create_training(
    model_training.TrainingSpec.build(name="n", command="c", image="i", virtual_cluster_id=1, project_id=1)
).read

DOCUMENT: list[tuple[Callable[[Any], Any], Any]] = [
    (read_login, LOGIN),
    (read_search, SEARCH),
    (read_version, VERSION),
    (read_run, RUN),
    (read_training, TRAINING),
    (read_quota_task, QUOTA_TASK),
    (read_upload, UPLOAD),
]
LISTS: list[tuple[Callable[[Any], Any], Any]] = [
    (read_pods, PODS),
    (quota_schedule.list_quota_task_pods(1).read, QUOTA_PODS),
    (read_storages, {"data": [STORAGE]}),
    (read_clusters, CLUSTERS),
]


def without_nulls(value: Any) -> Any:
    return {name: inner for name, inner in value.items() if inner is not None}


def holds(read: Any, sent: Any) -> bool:
    """Whether everything that was sent, at every depth, was read."""
    if isinstance(sent, dict):
        return all(
            holds(read[name] if isinstance(read, dict) else getattr(read, name), sent[name])
            for name in without_nulls(sent)
        )
    if isinstance(sent, list):
        return len(read) == len(sent) and all(map(holds, read, sent))
    return bool(read == sent)


@pytest.mark.parametrize(("read", "example"), DOCUMENT)
def test_examples_of_the_document(read: Callable[[Any], Any], example: Any) -> None:
    answer = read(example)
    assert holds(answer, example)
    assert not answer.model_extra


@pytest.mark.parametrize(("read", "example"), LISTS)
def test_example_lists_of_the_document(read: Callable[[Any], Any], example: Any) -> None:
    answer = read(example)
    found = answer.data if isinstance(answer, Page) else answer
    assert holds(found, example["data"])
    assert not any(row.model_extra for row in found)
    if isinstance(answer, Page):
        assert answer.total == example["total"]
        assert answer.page_size == example["page_size"]


def test_nulls_read_as_empty() -> None:
    training = read_training({**dict.fromkeys(TRAINING), "id": 1, "status": 2})
    assert (training.envs, training.storages, training.vip_node_names) == ([], [], [])
    assert (training.name, training.started_at, training.is_vip, training.avg_gpu_util) == ("", 0, False, 0)
    assert (training.virtual_cluster.sku.cpu, training.stop_op_user.name) == (0, "")


@pytest.mark.parametrize(
    ("change", "field", "expected"),
    [
        ({"status": "12"}, "status", 12),
        ({"status": 9}, "status", 9),
        ({"id": 3.0}, "id", 3),
        ({"created_at": "1729063122000"}, "created_at", 1729063122000),
        ({"name": 12}, "name", "12"),
        ({"name": ["x"]}, "name", ""),
        ({"created_at": "yesterday"}, "created_at", 0),
        ({"avg_gpu_util": float("nan")}, "avg_gpu_util", 0),
        ({"avg_gpu_util": "0.5"}, "avg_gpu_util", 0.5),
        ({"virtual_cluster": []}, "virtual_cluster", VirtualCluster()),
        ({"virtual_cluster": {"sku": [], "name": "v"}}, "virtual_cluster", VirtualCluster(name="v")),
        ({"storages": {}}, "storages", []),
        ({"envs": "x"}, "envs", []),
        ({"new_field": {"a": 1}}, "new_field", {"a": 1}),
    ],
)
def test_odd_values(change: dict[str, Any], field: str, expected: Any) -> None:
    assert getattr(read_training({**TRAINING, **change}), field) == expected


@pytest.mark.parametrize(
    ("read", "data", "problem"),
    [
        (read_training, {**TRAINING, "status": True}, "status must be a whole number"),
        (read_training, {**TRAINING, "status": None}, "status is missing"),
        (read_training, {**TRAINING, "id": 1.5}, "id must be a whole number"),
        (read_training, {**TRAINING, "id": []}, "id must be a whole number"),
        (read_training, {}, "id is missing; status is missing"),
        (read_training, [TRAINING], "no object"),
        (read_training, None, "no object"),
        (read_login, {"id": 1}, "token is missing"),
        (read_login, {"id": 1, "token": ""}, "token"),
        (read_upload, {"url": "http://x"}, "path is missing"),
        (read_new_id, {"id": None}, "no id"),
        (read_new_id, {"id": 0}, "no id"),
        (read_new_id, {"id": True}, "no id"),
        (read_new_id, {"id": 1.5}, "no id"),
        (read_new_id, {}, "no id"),
        (read_new_id, [1], "no id"),
        (read_pods, {"total": 1}, "no list 'data'"),
        (read_pods, {"data": {}}, "is no list"),
        (read_pods, {"data": [3]}, "can be read"),
        (read_pods, None, "no list 'data'"),
    ],
)
def test_what_cannot_be_read(read: Callable[[Any], Any], data: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as raised:
        read(data)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("node", "placed", "read"),
    [
        (
            {"task_id": 7, "module_version": 2, "virtual_cluster": {"id": 3, "name": "vc", "sku": {"gpu": 1}}},
            {"virtual_cluster": {"id": 3, "name": "vc", "sku": {"gpu": 1}}, "nodes": ["a"]},
            (7, 2, 3, "vc", 1, 3),
        ),
        (
            {"task_id": "a-1", "module_version": "v2", "virtual_cluster": "vc"},
            {"virtual_cluster_id": 3, "nodes": ["a"]},
            ("a-1", "v2", 0, "vc", 0, 0),
        ),
    ],
)
def test_a_node_of_a_run_in_the_forms_that_are_known(node: Any, placed: Any, read: tuple[Any, ...]) -> None:
    run = read_run({"id": 1, "status": 2, "task_nodes": [{"name": "a", **node}], "node_virtual_clusters": [placed]})
    (found,), (where,) = run.task_nodes, run.node_virtual_clusters
    cluster = found.virtual_cluster
    numbers = (cluster.id, cluster.name, cluster.sku.gpu, where.virtual_cluster.id)
    assert (found.name, found.task_id, found.module_version, *numbers) == ("a", *read)
    assert where.nodes == ["a"]


def test_new_id_as_text() -> None:
    assert read_new_id({"id": "12"}) == 12


def test_a_token_is_in_no_repr_and_no_error() -> None:
    assert "hunter2" not in repr(read_login({"id": 1, "token": "hunter2"}))
    with pytest.raises(ValueError, match="token") as raised:
        read_login({"id": 1, "token": ["hunter2"]})
    assert "hunter2" not in str(raised.value)


def test_what_may_hold_secrets_is_in_no_repr() -> None:
    secret = {"command": "run --token hunter2", "envs": [{"key": "TOKEN", "value": "hunter2"}]}
    training = read_training({**TRAINING, **secret})
    assert (training.command, training.envs[0].value) == ("run --token hunter2", "hunter2")
    assert "hunter2" not in repr(training) + repr(training.envs)
    run = read_run({**RUN, "params": secret["envs"], "task_nodes": [{"params": {"input": "hunter2"}}]})
    assert "hunter2" not in repr(run)


def test_a_page_without_rows() -> None:
    assert read_pods({"total": 0, "page_size": 20, "page_num": 1, "data": None}) == Page([], 0, 20, 1)


def test_a_row_that_cannot_be_read_is_left_out() -> None:
    page = read_pods({"total": 2, "page_size": 20, "page_num": 1, "data": [None, {"id": 7}]})
    assert page == Page([Pod(id=7)], 2, 20, 1)


@pytest.mark.parametrize(
    ("data", "text"),
    [({"events": "a\nb"}, "a\nb"), ({"events": None}, ""), (None, ""), ({"events": ["ä"]}, '["ä"]')],
)
def test_text_of_a_pod(data: Any, text: str) -> None:
    assert model_training.get_training_pod_events(1, 2).read(data) == text


def test_log_files_of_a_pod() -> None:
    logs = quota_schedule.get_quota_task_pod_logs(1, 2).read({"logs": [{"name": "a", "url": "http://a"}]})
    assert [(log.name, log.url) for log in logs] == [("a", "http://a")]


def test_enumerations_hold_the_numbers_of_the_document() -> None:
    assert [s.value for s in evaluation.ModelType] == [3, 4, 5]
    assert workflow_center.RunStatus(5) is workflow_center.RunStatus.TERMINATED
    assert quota_schedule.QuotaTaskStatus(6) is quota_schedule.QuotaTaskStatus.STOPPING


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def mutated(draw: st.DrawFn, example: Any) -> Any:
    """Draw the example with some of its values, at any depth, replaced or left out."""
    choice = draw(st.integers(0, 9))
    if choice == 0:
        return draw(JSON)
    if isinstance(example, dict):
        kept = {name: value for name, value in example.items() if draw(st.integers(0, 19))}
        return {name: draw(mutated(value)) for name, value in kept.items()} | draw(
            st.dictionaries(st.text(max_size=5), JSON, max_size=1)
        )
    if isinstance(example, list):
        return [draw(mutated(value)) for value in example]
    return example


@settings(max_examples=300, deadline=None)
@given(data=st.data(), case=st.sampled_from(DOCUMENT + LISTS))
def test_a_mutated_answer_raises_nothing_but_value_errors(
    data: st.DataObject, case: tuple[Callable[[Any], Any], Any]
) -> None:
    read, example = case
    answer = data.draw(mutated(example))
    try:
        result = read(answer)
    except ValueError as error:
        assert "\n" not in str(error)  # noqa: PT017 - both outcomes are fine, a third is not
    else:
        found = result.data if isinstance(result, Page) else result if isinstance(result, list) else [result]
        assert all(json.dumps(row.model_dump(mode="json"), default=str) for row in found)
