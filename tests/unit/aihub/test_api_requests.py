"""Every row of AIHub's API: where it goes, what it asks, whether it creates, whether every AIHub has it."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_aihub.aihub import (
    data_warehouse,
    dataset_management,
    eval_platform,
    evaluation,
    model_center,
    model_training,
    quota_schedule,
    s3_relay,
    tag_system,
    templates,
    user_system,
    workflow_center,
)
from airflow_provider_aihub.aihub.errors import AIHubParameterError
from airflow_provider_aihub.aihub.services import Auth
from airflow_provider_aihub.http.request import File, Request

FILE = File("a.zip", open=lambda: io.BytesIO(b"abc"), size=3)
JOB: dict[str, Any] = {"name": "n", "command": "c", "image": "i", "virtual_cluster_id": 1, "project_id": 1}
DW = "/data-warehouse/api/v1"
DM = "/dataset-mng/api/v2"
WC = "/workflow-center/api/v1"
MT = "/model-training-platform/api/v1"
QS = "/quota-schedule-management/api/v1"
TS = "/tag-resource-management/api/v1"
ALL = {"page_size": 9999, "page_num": 1}
EVALUATION = evaluation.EvaluationSpec.build(
    model_name="m",
    model_type="body",
    epoch=7,
    dataset_name="d",
    id_dataset_name="i",
    gallery_dataset_name="g",
    user_id=1,
)

REQUESTS: list[tuple[Request[Any], str, str, str, dict[str, Any], str]] = [
    (user_system.login("u", "p"), "log in as 'u'", "POST", "/api/v1/auth/login", {}, ""),
    (
        data_warehouse.create_search(data_warehouse.SearchSpec.build(name="s", sql="q")),
        "create search 's'",
        "POST",
        f"{DW}/searches",
        {},
        "creates",
    ),
    (data_warehouse.get_search("12"), "read search 12", "GET", f"{DW}/searches/12", {}, ""),
    (
        data_warehouse.list_searches(2, name="s", status=3, user_id="4"),
        "list searches",
        "GET",
        f"{DW}/searches",
        {"page_size": 20, "page_num": 2, "name": "s", "status": 3, "user_id": 4},
        "optional",
    ),
    (
        dataset_management.create_dataset(dataset_management.DatasetSpec.build(name="d")),
        "create dataset 'd'",
        "POST",
        f"{DM}/datasets",
        {},
        "creates",
    ),
    (
        dataset_management.create_dataset_version(
            dataset_management.DatasetVersionSpec.build(upload_type="s3", upload_path="p", dataset_id=3)
        ),
        "create a version of dataset 3",
        "POST",
        f"{DM}/dataset-versions-upload",
        {},
        "creates",
    ),
    (
        dataset_management.get_dataset_version_by_name("mnist/V1"),
        "read dataset version 'mnist/V1'",
        "GET",
        f"{DM}/dataset-versions-detail",
        {"name": "mnist/V1"},
        "",
    ),
    (
        dataset_management.get_dataset_version(5),
        "read dataset version 5",
        "GET",
        f"{DM}/dataset-versions/5",
        {},
        "optional",
    ),
    (
        dataset_management.list_dataset_versions(dataset_id=1, dataset_version_ids=[1, "2"]),
        "list dataset versions",
        "GET",
        f"{DM}/dataset-versions",
        {"page_size": 20, "page_num": 1, "dataset_id": 1, "dataset_version_ids": "1,2"},
        "optional",
    ),
    (dataset_management.get_dataset(3), "read dataset 3", "GET", f"{DM}/datasets/3", {}, "optional"),
    (
        dataset_management.list_datasets(name="d", tags=[1], create_by=2, scope="all"),
        "list datasets",
        "GET",
        f"{DM}/datasets",
        {"page_size": 20, "page_num": 1, "name": "d", "tags": "1", "create_by": 2, "scope": "all"},
        "optional",
    ),
    (
        dataset_management.upload_file(FILE),
        "take the file 'a.zip'",
        "POST",
        "/dataset-mng/api/v1/uploads",
        {},
        "optional",
    ),
    (
        workflow_center.create_workflow_run(
            workflow_center.WorkflowRunSpec.build(name="r", pipeline_id=1, pipeline_version_id=2)
        ),
        "create workflow run 'r'",
        "POST",
        f"{WC}/runs",
        {},
        "creates",
    ),
    (workflow_center.get_workflow_run(7), "read workflow run 7", "GET", f"{WC}/runs/7", {}, "optional"),
    (
        workflow_center.list_workflow_runs(name="r", status=2, user_id=1),
        "list workflow runs",
        "GET",
        f"{WC}/runs",
        {"page_size": 20, "page_num": 1, "name": "r", "status": 2, "user_id": 1},
        "optional",
    ),
    (workflow_center.stop_workflow_run(7), "stop workflow run 7", "PUT", f"{WC}/runs/7/stop", {}, "optional"),
    (
        workflow_center.retry_workflow_run(7),
        "retry workflow run 7",
        "PUT",
        f"{WC}/runs/7/retry",
        {},
        "creates optional",
    ),
    (
        workflow_center.resubmit_workflow_run(7),
        "resubmit workflow run 7",
        "PUT",
        f"{WC}/runs/7/resubmit",
        {},
        "creates optional",
    ),
    (
        workflow_center.get_workflow_task_log(7, "run-7-node.1"),
        "read the log of pod run-7-node.1 of workflow run 7",
        "GET",
        f"{WC}/runs/7/tasks/run-7-node.1/logs",
        {},
        "optional",
    ),
    (
        model_training.create_training(model_training.TrainingSpec.build(**JOB)),
        "create training 'n'",
        "POST",
        f"{MT}/trainings",
        {},
        "creates",
    ),
    (model_training.get_training(12), "read training 12", "GET", f"{MT}/trainings/12", {}, ""),
    (
        model_training.list_training_pods(12),
        "list the pods of training 12",
        "GET",
        f"{MT}/trainings/12/pods",
        ALL,
        "",
    ),
    (model_training.list_storages(), "list the storages", "GET", f"{MT}/storages", {}, ""),
    (model_training.stop_training(12), "stop training 12", "POST", f"{MT}/trainings/12/stop", {}, ""),
    (
        model_training.list_trainings(page_size=100, category_id=1, project_id=2, is_quota_schedule=False),
        "list trainings",
        "GET",
        f"{MT}/trainings",
        {"page_size": 100, "page_num": 1, "category_id": 1, "project_id": 2, "is_quota_schedule": "false"},
        "optional",
    ),
    (
        model_training.get_training_pod_logs(12, 3),
        "name the logs of pod 3 of training 12",
        "GET",
        f"{MT}/trainings/12/pods/3/logs/new",
        {},
        "optional",
    ),
    (
        model_training.get_training_pod_events(12, 3),
        "read the events of pod 3 of training 12",
        "GET",
        f"{MT}/trainings/12/pods/3/events",
        {},
        "optional",
    ),
    (
        model_training.get_training_pod_spec(12, 3),
        "read the spec of pod 3 of training 12",
        "GET",
        f"{MT}/trainings/12/pods/3/spec",
        {},
        "optional",
    ),
    (
        quota_schedule.create_quota_task(quota_schedule.QuotaTaskSpec.build(**JOB)),
        "create quota task 'n'",
        "POST",
        f"{QS}/tasks",
        {},
        "creates",
    ),
    (quota_schedule.get_quota_task(12), "read quota task 12", "GET", f"{QS}/tasks/12", {}, ""),
    (
        quota_schedule.list_quota_task_pods(12),
        "list the pods of quota task 12",
        "GET",
        f"{QS}/tasks/12/pods",
        ALL,
        "",
    ),
    (quota_schedule.stop_quota_task(12), "stop quota task 12", "POST", f"{QS}/tasks/12/stop", {}, ""),
    (
        quota_schedule.list_quota_tasks(priority="high", virtual_cluster_id=1),
        "list quota tasks",
        "GET",
        f"{QS}/tasks",
        {"page_size": 20, "page_num": 1, "priority": 2, "virtual_cluster_id": 1},
        "optional",
    ),
    (
        quota_schedule.get_quota_task_pod_logs(12, 3),
        "name the logs of pod 3 of quota task 12",
        "GET",
        f"{QS}/tasks/12/pods/3/logs/new",
        {},
        "optional",
    ),
    (
        quota_schedule.get_quota_task_pod_events(12, 3),
        "read the events of pod 3 of quota task 12",
        "GET",
        f"{QS}/tasks/12/pods/3/events",
        {},
        "optional",
    ),
    (
        quota_schedule.get_quota_task_pod_spec(12, 3),
        "read the spec of pod 3 of quota task 12",
        "GET",
        f"{QS}/tasks/12/pods/3/spec",
        {},
        "optional",
    ),
    (
        evaluation.import_evaluation(EVALUATION, FILE, FILE),
        "import the evaluation of model 'm'",
        "POST",
        "/api/v2/tasks/import_result",
        {},
        "creates",
    ),
    (
        tag_system.list_virtual_clusters(1, "deployment"),
        "list the virtual clusters of user 1",
        "GET",
        f"{TS}/select-clusters",
        {"user_id": 1, "module_type": 0},
        "",
    ),
    (tag_system.list_projects(), "list the projects", "GET", f"{TS}/select-projects", {}, "optional"),
    (
        s3_relay.upload_to_relay("b", "k/a.zip", FILE),
        "put 'a.zip' at s3://b/k/a.zip",
        "POST",
        "/upload",
        {"bucket": "b", "key": "k/a.zip"},
        "",
    ),
]


@pytest.mark.parametrize(
    ("request_", "asks", "method", "path", "query", "marks"), REQUESTS, ids=[case[1] for case in REQUESTS]
)
def test_request(request_: Request[Any], asks: str, method: str, path: str, query: dict[str, Any], marks: str) -> None:
    assert (request_.asks, request_.method, request_.path) == (asks, method, path)
    assert {name: value for name, value in request_.query.items() if value is not None} == query
    assert request_.creates == ("creates" in marks)
    assert request_.optional == ("optional" in marks)


def test_only_login_and_relay_go_without_the_bearer_token() -> None:
    other = {case[0].path: case[0].auth for case in REQUESTS if case[0].auth != Auth.BEARER}
    assert other == {"/api/v1/auth/login": Auth.NONE, "/upload": Auth.RELAY}


def test_login_sends_the_password_and_does_not_show_it() -> None:
    request = user_system.login("u", "hunter2")
    assert request.json == {"username": "u", "password": "hunter2"}
    assert "hunter2" not in repr(request)


def test_a_run_is_read_by_post_where_get_is_unknown() -> None:
    request = workflow_center.get_workflow_run(7)
    assert request.fallback is not None
    assert (request.fallback.method, request.fallback.path) == ("POST", request.path)
    assert (request.fallback.optional, request.fallback.creates, request.fallback.fallback) == (False, False, None)
    assert request.fallback.json is None


def test_evaluation_form_is_text() -> None:
    form = evaluation.import_evaluation(EVALUATION, FILE, FILE).form
    assert form is not None
    assert form.fields == {
        "model_name": "m",
        "model_type": "4",
        "epoch": "7",
        "dataset_name": "d",
        "id_dataset_name": "i",
        "gallery_dataset_name": "g",
        "user_id": "1",
    }
    assert list(form.files) == ["model_file", "pred_file"]


@pytest.mark.parametrize(
    ("ask", "parameter"),
    [
        (data_warehouse.get_search, "search_id"),
        (dataset_management.get_dataset_version, "version_id"),
        (dataset_management.get_dataset, "dataset_id"),
        (lambda bad: dataset_management.list_dataset_versions(dataset_version_ids=[bad]), "dataset_version_ids"),
        (workflow_center.get_workflow_run, "run_id"),
        (workflow_center.stop_workflow_run, "run_id"),
        (workflow_center.resubmit_workflow_run, "run_id"),
        (lambda bad: workflow_center.get_workflow_task_log(bad, "p"), "run_id"),
        (model_training.get_training, "training_id"),
        (model_training.list_training_pods, "training_id"),
        (model_training.stop_training, "training_id"),
        (lambda bad: model_training.get_training_pod_logs(1, bad), "pod_id"),
        (lambda bad: model_training.get_training_pod_spec(bad, 1), "training_id"),
        (lambda bad: model_training.list_trainings(page=bad), "page"),
        (lambda bad: model_training.list_trainings(page_size=bad), "page_size"),
        (quota_schedule.get_quota_task, "quota_task_id"),
        (quota_schedule.stop_quota_task, "quota_task_id"),
        (quota_schedule.list_quota_task_pods, "quota_task_id"),
        (lambda bad: quota_schedule.get_quota_task_pod_events(1, bad), "pod_id"),
        (lambda bad: tag_system.list_virtual_clusters(bad, 1), "user_id"),
    ],
)
def test_what_is_no_id_is_refused(ask: Callable[[Any], Request[Any]], parameter: str) -> None:
    for bad in (0, -1, "0", "", "abc", "1.5", 1.5, True, None, "../1", "1/stop", "²"):
        with pytest.raises(AIHubParameterError, match=rf"^{parameter} must be a whole number of at least 1, not "):
            ask(bad)


@pytest.mark.parametrize(
    ("ask", "parameter"),
    [
        (lambda ids: eval_platform.share_eval_report(1, ids), "user_ids"),
        (lambda ids: templates.search_templates(ids=ids), "ids"),
        (lambda ids: user_system.search_users(user_ids=ids), "user_ids"),
    ],
)
def test_several_ids_are_a_list_and_a_text_is_one(ask: Callable[[Any], Request[Any]], parameter: str) -> None:
    for one in ("12", 12, ["12"], (12,)):
        assert (ask(one).json or {})[parameter] == [12]
    for bad in (True, 1.5, b"1", {1: 2}, object):
        with pytest.raises(AIHubParameterError, match=f"^{parameter} must be a list of ids, not "):
            ask(bad)


@pytest.mark.parametrize("bad", ["", "mnist", "mnist/V", "mnist/V0", "mnist/v1", "mnist/V1/x", "/V1", "mnist/V1\n", 1])
def test_what_is_no_dataset_version_name_is_refused(bad: Any) -> None:
    with pytest.raises(AIHubParameterError, match=r"^name must be a dataset version's name such as mnist/V1, not "):
        dataset_management.get_dataset_version_by_name(bad)


@pytest.mark.parametrize("bad", ["", ".", "..", "../x", "a/b", "a\\b", "a%2Fb", "a b", "-a", "a\n", None])
def test_what_is_no_pod_name_is_refused(bad: Any) -> None:
    with pytest.raises(AIHubParameterError, match=r"^pod_name must be the name of a pod, not "):
        workflow_center.get_workflow_task_log(1, bad)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: user_system.login("", "hunter2"), "username must be a non-empty text, not ''"),
        (lambda: s3_relay.upload_to_relay(" ", "k", FILE), "bucket must be a non-empty text, not ' '"),
        (lambda: s3_relay.upload_to_relay("b", "", FILE), "key must be a non-empty text, not ''"),
        (
            lambda: dataset_management.list_datasets(scope="mine"),
            "scope must be one of created, shared, all, not 'mine'",
        ),
        (
            lambda: tag_system.list_virtual_clusters(1, 9),
            "module_type must be one of deployment (0), training (1), workflow (2), quota (3), not 9",
        ),
        (
            lambda: quota_schedule.list_quota_tasks(priority="x"),
            "priority must be one of low (1), high (2), not 'x'",
        ),
    ],
)
def test_other_wrong_parameters(ask: Callable[[], Request[Any]], message: str) -> None:
    with pytest.raises(AIHubParameterError) as raised:
        ask()
    assert str(raised.value) == f"{message}."


@pytest.mark.parametrize("call", [dataset_management.list_datasets, model_center.list_models])
def test_a_text_is_one_tag(call: Callable[..., Request[Any]]) -> None:
    asked = [call(tags=tags).query for tags in ("12", [1, "2"])]
    assert [query and query["tags"] for query in asked] == ["12", "1,2"]
