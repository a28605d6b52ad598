"""What is sent: the body as AIHub's document prints it, and the one sentence that a wrong value gets."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_aihub.aihub.data_warehouse import SearchSpec
from airflow_provider_aihub.aihub.dataset_management import DatasetSpec, DatasetVersionSpec
from airflow_provider_aihub.aihub.errors import AIHubParameterError
from airflow_provider_aihub.aihub.evaluation import EvaluationSpec
from airflow_provider_aihub.aihub.model_training import TrainingSpec
from airflow_provider_aihub.aihub.models import Spec
from airflow_provider_aihub.aihub.quota_schedule import QuotaTaskSpec
from airflow_provider_aihub.aihub.workflow_center import WorkflowRunSpec

JOB: dict[str, Any] = {"name": "n", "command": "c", "image": "i", "virtual_cluster_id": 1, "project_id": 1}
JOB_BODY: dict[str, Any] = {
    **JOB,
    "framework": "PyTorchJob",
    "sku_cnt": 1,
    "enable_ssh": False,
    "envs": [],
    "storage_ids": [],
    "instances": 1,
    "use_ib_network": False,
    "always_pull_image": False,
    "category_id": 1,
    "estimate_run_time": 3600,
}
TRAINING_BODY = {**JOB_BODY, "is_vip": False, "preempt_policy": 1, "vip_node_names": []}
QUOTA_BODY = {**JOB_BODY, "priority": 1}
SEARCH: dict[str, Any] = {"name": "n"}
IMAGES = [{"url": "http://a/b.png", "box": [1, 1, 1, 1]}]
VERSION: dict[str, Any] = {"upload_type": 1, "upload_path": "/a", "dataset_id": 1}
RUN: dict[str, Any] = {"name": "n", "pipeline_id": 1, "pipeline_version_id": 1}
EVALUATION: dict[str, Any] = {
    "model_name": "m",
    "model_type": "face",
    "epoch": 7,
    "dataset_name": "d",
    "id_dataset_name": "i",
    "gallery_dataset_name": "g",
    "user_id": 1,
}


@pytest.mark.parametrize(
    ("spec", "given", "body"),
    [
        (SearchSpec, {**SEARCH, "sql": "select 1"}, {"type": 1, "name": "n", "sql": "select 1"}),
        (SearchSpec, {**SEARCH, "sql": "s", "description": None}, {"type": 1, "name": "n", "sql": "s"}),
        (
            SearchSpec,
            {**SEARCH, "images": IMAGES, "feature_lib_id": "3", "top_k": "5", "description": "d"},
            {"type": 2, "name": "n", "description": "d", "images": IMAGES, "feature_lib_id": 3, "top_k": 5},
        ),
        (
            SearchSpec,
            {**SEARCH, "images": [{"url": "u", "box": ["1", 2.5, 3.0, 4]}], "feature_lib_id": 1, "top_k": 1},
            {"type": 2, "name": "n", "images": [{"url": "u", "box": [1, 2.5, 3, 4]}], "feature_lib_id": 1, "top_k": 1},
        ),
        (
            SearchSpec,
            {**SEARCH, "keywords": "red car", "feature_lib_id": 3, "top_k": 5},
            {"type": 3, "name": "n", "keywords": "red car", "feature_lib_id": 3, "top_k": 5},
        ),
        (DatasetSpec, {"name": "n"}, {"name": "n", "description": "", "tags": []}),
        (
            DatasetSpec,
            {"name": "n", "description": "d", "tags": [1, "2", 3], "cover_img": "s3://c", "create_by": 1},
            {"name": "n", "description": "d", "tags": [1, 2, 3], "cover_img": "s3://c", "create_by": 1},
        ),
        (
            DatasetSpec,
            {"name": "n", "is_private": "True", "access_user_ids": [4]},
            {"name": "n", "description": "", "tags": [], "is_private": True, "access_user_ids": [4]},
        ),
        (DatasetVersionSpec, VERSION, VERSION),
        (DatasetVersionSpec, {**VERSION, "description": "d", "parent_version_id": 2}, None),
        (DatasetVersionSpec, {**VERSION, "upload_type": "zip"}, {**VERSION, "upload_type": 1}),
        (DatasetVersionSpec, {**VERSION, "upload_type": "local"}, {**VERSION, "upload_type": 1}),
        (DatasetVersionSpec, {**VERSION, "upload_type": "s3"}, {**VERSION, "upload_type": 2}),
        (DatasetVersionSpec, {**VERSION, "upload_type": "HOST"}, {**VERSION, "upload_type": 3}),
        (DatasetVersionSpec, {**VERSION, "upload_type": "server"}, {**VERSION, "upload_type": 3}),
        (DatasetVersionSpec, {**VERSION, "upload_type": "labelfree"}, {**VERSION, "upload_type": 4}),
        (DatasetVersionSpec, {**VERSION, "upload_type": "ingest"}, {**VERSION, "upload_type": 5}),
        (DatasetVersionSpec, {**VERSION, "upload_type": " 7 "}, {**VERSION, "upload_type": 7}),
        (WorkflowRunSpec, RUN, {**RUN, "params": []}),
        (
            WorkflowRunSpec,
            {**RUN, "description": "d", "params": {"x": "y", "n": 1.5, "b": False}},
            {
                **RUN,
                "description": "d",
                "params": [{"key": "x", "value": "y"}, {"key": "n", "value": "1.5"}, {"key": "b", "value": "false"}],
            },
        ),
        (
            WorkflowRunSpec,
            {
                **RUN,
                "project_id": 1,
                "user_id": 2,
                "use_cache": False,
                "node_virtual_clusters": [{"virtual_cluster_id": "3", "nodes": ["a"]}],
            },
            {
                **RUN,
                "params": [],
                "project_id": 1,
                "user_id": 2,
                "use_cache": False,
                "node_virtual_clusters": [{"virtual_cluster_id": 3, "nodes": ["a"]}],
            },
        ),
        (TrainingSpec, JOB, TRAINING_BODY),
        (
            TrainingSpec,
            {
                **JOB,
                "envs": [{"key": "x", "value": "y"}],
                "storage_ids": ["1", 2],
                "category_id": "debugging",
                "sku_cnt": "0",
                "enable_ssh": "true",
                "is_vip": True,
                "preempt_policy": "kill",
                "vip_node_names": ["n1"],
                "framework": "mpijob",
            },
            {
                **TRAINING_BODY,
                "envs": [{"key": "x", "value": "y"}],
                "storage_ids": [1, 2],
                "category_id": 3,
                "sku_cnt": 0,
                "enable_ssh": True,
                "is_vip": True,
                "preempt_policy": 2,
                "vip_node_names": ["n1"],
                "framework": "MpiJob",
            },
        ),
        (
            TrainingSpec,
            {**JOB, "is_quota_schedule": False, "notify_type": "completion", "enable_sys_admin": "false"},
            {**TRAINING_BODY, "is_quota_schedule": False, "notify_type": 3, "enable_sys_admin": False},
        ),
        (QuotaTaskSpec, JOB, QUOTA_BODY),
        (
            QuotaTaskSpec,
            {**JOB, "priority": "high", "enable_reschedule": True, "framework": "MpiJobMpiRun"},
            {**QUOTA_BODY, "priority": 2, "enable_reschedule": True, "framework": "MpiJobMpiRun"},
        ),
        (EvaluationSpec, EVALUATION, {**EVALUATION, "model_type": 3, "epoch": "7"}),
    ],
)
def test_body(spec: type[Spec], given: dict[str, Any], body: dict[str, Any] | None) -> None:
    sent = spec.build(**given).body()
    assert sent == (given if body is None else body)
    assert all(type(value) in (str, int, bool, list) for value in sent.values())


INT = "must be a whole number of at least"


@pytest.mark.parametrize(
    ("spec", "given", "parts"),
    [
        (SearchSpec, {}, ["The search cannot be created", "name is missing"]),
        (
            SearchSpec,
            {"name": "", "sql": True, "top_k": "x"},
            [
                "name must be a non-empty text, not ''",
                "sql must be a non-empty text, not True",
                f"top_k {INT} 1, not 'x'",
            ],
        ),
        (SearchSpec, SEARCH, ["one of sql, images and keywords must be given, not none"]),
        (SearchSpec, {**SEARCH, "sql": "s", "keywords": "k"}, ["must be given, not sql and keywords"]),
        (SearchSpec, {**SEARCH, "sql": "s", "top_k": 1}, ["top_k has no meaning for a search by sql"]),
        (SearchSpec, {**SEARCH, "sql": "s", "feature_lib_id": 1}, ["feature_lib_id has no meaning"]),
        (SearchSpec, {**SEARCH, "keywords": "k"}, ["feature_lib_id is missing", "top_k is missing"]),
        (SearchSpec, {**SEARCH, "images": []}, ["images must not be empty"]),
        (SearchSpec, {**SEARCH, "images": "u"}, ["images should be a valid list, not 'u'"]),
        (SearchSpec, {**SEARCH, "images": [{"url": "u", "box": [1, 2, 3]}]}, ["images[0].box must be four numbers"]),
        (
            SearchSpec,
            {**SEARCH, "images": [{"url": "u", "box": [1, 2, 3, float("nan")]}]},
            ["images[0].box must be four numbers"],
        ),
        (SearchSpec, {**SEARCH, "sql": "s", "type": 1}, ["type is none of its parameters"]),
        (DatasetSpec, {"name": "n", "tags": [1, "a"]}, [f"tags[1] {INT} 1, not 'a'"]),
        (DatasetSpec, {"name": "n", "is_private": 1}, ["is_private must be true or false, not 1"]),
        (
            DatasetVersionSpec,
            {**VERSION, "upload_type": "tar"},
            [
                "upload_type must be one of zip (1), s3 (2), host (3), labelfree (4), ingest (5), huggingface (7), ",
                "local (1), server (3), not 'tar'",
            ],
        ),
        (DatasetVersionSpec, {**VERSION, "upload_type": 6}, ["upload_type must be one of", "not 6"]),
        (DatasetVersionSpec, {**VERSION, "upload_type": True}, ["upload_type must be one of", "not True"]),
        (DatasetVersionSpec, {**VERSION, "dataset_id": 1.5}, [f"dataset_id {INT} 1, not 1.5"]),
        (DatasetVersionSpec, {**VERSION, "dataset_id": True}, [f"dataset_id {INT} 1, not True"]),
        (DatasetVersionSpec, {**VERSION, "dataset_id": "1.5"}, [f"dataset_id {INT} 1, not '1.5'"]),
        (DatasetVersionSpec, {**VERSION, "dataset_id": 0}, [f"dataset_id {INT} 1, not 0"]),
        (WorkflowRunSpec, {**RUN, "params": {"x": ["y"]}}, ["params must be a dict", "value of 'x' is a list"]),
        (
            WorkflowRunSpec,
            {**RUN, "node_virtual_clusters": [{"nodes": [""]}]},
            ["node_virtual_clusters[0].virtual_cluster_id is missing", "node_virtual_clusters[0].nodes[0] must be"],
        ),
        (TrainingSpec, {**JOB, "sku_cnt": -1}, [f"sku_cnt {INT} 0, not -1"]),
        (TrainingSpec, {**JOB, "instances": 0}, [f"instances {INT} 1, not 0"]),
        (TrainingSpec, {**JOB, "shm": "big"}, [f"shm {INT} 0, not 'big'"]),
        (TrainingSpec, {**JOB, "estimate_run_time": -1}, [f"estimate_run_time {INT} 0, not -1"]),
        (
            TrainingSpec,
            {**JOB, "framework": "Horovod"},
            ["framework must be one of MpiJob, PyTorchJob, MpiJobMpiRun, MpiJobDeepspeed, not 'Horovod'"],
        ),
        (
            TrainingSpec,
            {**JOB, "category_id": 5},
            ["category_id must be one of training (1), inference (2), debugging (3), special (4), not 5"],
        ),
        (TrainingSpec, {**JOB, "notify_type": "x"}, ["one of silent (1), failure (2), completion (3), not 'x'"]),
        (TrainingSpec, {**JOB, "is_vip": True, "preempt_policy": 0}, ["one of wait (1), kill (2), not 0"]),
        (TrainingSpec, {**JOB, "preempt_policy": "kill"}, ["preempt_policy kill has no meaning unless is_vip"]),
        (TrainingSpec, {**JOB, "vip_node_names": ["n"]}, ["vip_node_names has no meaning unless is_vip"]),
        (TrainingSpec, {**JOB, "storage_ids": "12"}, ["storage_ids should be a valid list, not '12'"]),
        (TrainingSpec, {**JOB, "image": "x" * 99, "name": ["x" * 99]}, ["name must be a non-empty text, not ['xxx"]),
        (QuotaTaskSpec, {**JOB, "priority": "urgent"}, ["quota task", "one of low (1), high (2), not 'urgent'"]),
        (QuotaTaskSpec, {**JOB, "is_vip": True}, ["is_vip is none of its parameters"]),
        (
            EvaluationSpec,
            {**EVALUATION, "model_type": 1, "epoch": None},
            ["evaluation", "one of face (3), body (4), licence_plate (5), not 1", "epoch is missing"],
        ),
    ],
)
def test_wrong_values_are_named_in_one_sentence(spec: type[Spec], given: dict[str, Any], parts: list[str]) -> None:
    with pytest.raises(AIHubParameterError) as raised:
        spec.build(**given)
    sentence = str(raised.value)
    assert [part for part in parts if part not in sentence] == []
    assert "\n" not in sentence
    assert len(sentence) < 300
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None


@pytest.mark.parametrize(
    "envs",
    ["TOKEN=hunter2", {"TOKEN": ["hunter2"]}, [{"key": "TOKEN", "val": "hunter2"}], {"": "hunter2"}, {1: "hunter2"}],
)
def test_a_secret_is_not_repeated(envs: Any) -> None:
    with pytest.raises(AIHubParameterError, match="envs must be a dict") as raised:
        TrainingSpec.build(**{**JOB, "envs": envs})
    assert "hunter2" not in str(raised.value)


def test_a_secret_under_an_unknown_name_is_not_repeated() -> None:
    with pytest.raises(AIHubParameterError, match="env is none of its parameters") as raised:
        TrainingSpec.build(**JOB, env={"TOKEN": "hunter2"})
    assert "hunter2" not in str(raised.value)


def test_a_secret_is_not_in_the_repr() -> None:
    spec = TrainingSpec.build(**{**JOB, "envs": {"TOKEN": "hunter2"}, "command": "run --token hunter2"})
    assert "hunter2" not in repr(spec)
