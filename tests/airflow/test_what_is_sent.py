"""What each operator and sensor sends, as a whole: over HTTP to a server that keeps it, and to the triggerer."""

from __future__ import annotations

import importlib
import inspect
import io
import json
import re
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, BaseOperator
from http_servers import Answered, Asked, answering
from requests_toolbelt import MultipartDecoder
from task_life import TaskLife

from airflow_provider_aihub import operators, sensors
from airflow_provider_aihub.aihub.errors import AIHubParameterError
from airflow_provider_aihub.aihub.services import Service
from airflow_provider_aihub.jobs import waiting
from airflow_provider_aihub.operators.artifact import ArtifactDownloadOperator, ArtifactUploadOperator
from airflow_provider_aihub.operators.base import JobOperator
from airflow_provider_aihub.operators.call import CallOperator
from airflow_provider_aihub.operators.dataset import (
    CreateDatasetOperator,
    DatasetDownloadOperator,
    DatasetVersionOperator,
)
from airflow_provider_aihub.operators.deployment import StartDeploymentOperator, StopDeploymentOperator
from airflow_provider_aihub.operators.eval_report import EvalReportOperator
from airflow_provider_aihub.operators.evaluation import EvalImportOperator
from airflow_provider_aihub.operators.model import ModelDownloadOperator, ModelUploadOperator
from airflow_provider_aihub.operators.model_eval import ModelEvalOperator
from airflow_provider_aihub.operators.quota_task import QuotaTaskOperator
from airflow_provider_aihub.operators.s3_relay import S3RelayUploadOperator
from airflow_provider_aihub.operators.stop import (
    StopOperator,
    StopQuotaTaskOperator,
    StopTrainingOperator,
    StopWorkflowRunOperator,
)
from airflow_provider_aihub.operators.training import TrainingOperator
from airflow_provider_aihub.operators.warehouse import WarehouseResultToObjectStorageOperator, WarehouseSearchOperator
from airflow_provider_aihub.operators.workflow import WorkflowRunOperator
from airflow_provider_aihub.operators.workflow_template import WorkflowTemplateRunOperator
from airflow_provider_aihub.sensors.base import JobSensor
from airflow_provider_aihub.sensors.dataset import DatasetVersionSensor
from airflow_provider_aihub.sensors.label_project import LabelProjectSensor
from airflow_provider_aihub.sensors.model import ModelSensor
from airflow_provider_aihub.sensors.quota import QuotaSensor
from airflow_provider_aihub.sensors.quota_task import QuotaTaskSensor
from airflow_provider_aihub.sensors.training import TrainingSensor
from airflow_provider_aihub.sensors.warehouse import WarehouseSearchSensor
from airflow_provider_aihub.sensors.workflow import WorkflowRunSensor
from airflow_provider_aihub.triggers.job import JobTrigger

TASK_MARK = "61f4f09ea03cd9ac"
"""What the marker says of the tests' task."""

LOGIN = "/user_system/api/v1/auth/login"
WAREHOUSE = "/data_warehouse/data-warehouse/api/v1"
DATASETS = "/dataset_management/dataset-mng/api/v2"
UPLOADS = "/dataset_management/dataset-mng/api/v1/uploads"
FLOWS = "/workflow_center/workflow-center/api/v1"
RUNS = f"{FLOWS}/runs"
TRAININGS = "/model_training/model-training-platform/api/v1"
QUOTA_TASKS = "/quota_schedule/quota-schedule-management/api/v1/tasks"
TAGS = "/tag_system/tag-resource-management/api/v1"
RELAY = "/s3_relay/upload"
USAGE = "/quota_schedule/quota-schedule-management/api/v1/metrics/overview"
LABELS = "/labelfree/labelfree/api/v2/projects/global_stats"
MODELS = "/model_center/model-center/api/v1/models"
EVALUATION = "/evaluation/api/v2/tasks/import_result"
REPORTS = "/eval_platform/eval-platform/api"
DEPLOYMENTS = "/model_deployment/mldp/api/v1/deployment"
SERVICES = "/model_center/model-center/api/v1/infer-services"


class Recorder:
    """A server that keeps what it is asked, and answers as AIHub would.

    :ivar sent: Each request as its method and path, and its body; the body of a form is a dict of texts and files.
    :ivar logins: Those that log in, likewise.
    :ivar statuses: What a job's status is, from one look at it to the next; the last one stays.
    :ivar lacks: A path that is not there.
    """

    def __init__(self) -> None:
        self.url = ""
        self.sent: list[tuple[str, Any]] = []
        self.logins: list[tuple[str, Any]] = []
        self.statuses = [3]
        self.lacks = ""

    def connection(self, login: str) -> str:
        """An Airflow connection with another path for each service, so that it shows which one was meant."""
        extra = {f"{service}_url": f"{self.url}/{service}" for service in Service} | {"s3_relay_token": "relay"}
        return json.dumps({"conn_type": "aihub", "login": login, "password": "secret", "extra": extra})

    def __call__(self, request: Asked) -> Answered:
        kind, path = request.headers.get("Content-Type", ""), request.path
        body = request.json if "json" in kind else request.body or None
        if "multipart" in kind:
            body = form(request.body, kind)
        (self.logins if path == LOGIN else self.sent).append((f"{request.method} {request.target}", body))
        if path == self.lacks:
            return Answered(404)
        if path.startswith("/files/"):
            return Answered(200, body=b"a,b\n1,2\n")
        data = self.data(request.method, path, request.target.partition("?")[2])
        return Answered.of(200, {"code": 0, "msg": "", "data": data})

    def data(self, method: str, path: str, query: str) -> Any:
        """What the answer to a request says."""
        clusters = {"1": ((21, "vc-a"), (22, "vc-b")), "2": ((24, "vc-b"),), "3": ((25, "vc-q"),)}
        lists = {
            f"{TAGS}/select-clusters": clusters.get(query.rpartition("module_type=")[2], ()),
            f"{TAGS}/select-projects": ((31, "speech"), (32, "vision")),
            f"{TRAININGS}/storages": ((41, "shared"), (42, "scratch")),
            f"{DATASETS}/datasets": ((61, "mnist-2"), (62, "mnist")),
            f"{FLOWS}/select-pipelines": ((53, "nightly-2"), (51, "nightly")),
            f"{FLOWS}/select-pipeline-versions": ((54, "V6"), (52, "V7")),
            f"{FLOWS}/templates": ((56, "weekly-2"), (57, "weekly")),
            f"{REPORTS}/v1/run/": (),
            DEPLOYMENTS: ((64, "serving"),),
        }
        if path == LOGIN:
            return {"id": 77, "token": "token"}
        if method == "GET" and path in lists:
            return {"total": len(lists[path]), "data": [{"id": number, "name": name} for number, name in lists[path]]}
        if method == "GET" and path.endswith("/input-params"):
            names = ["day", "again"]
            return {"data": [{"input_param": name} for name in names] if "/templates/" in path else names}
        if path in (UPLOADS, RELAY):
            return {"path": "s3://taken/there", "url": "http://taken/there"}
        url = f"{self.url}/files/99.csv"
        status = self.statuses.pop(0) if method == "GET" and len(self.statuses) > 1 else self.statuses[0]
        asked, version = re.search(r"/(\d+)(/stop)?$", path), re.search(r"%2FV(\d+)$", query)
        number = int(version[1]) if version else 4
        job = {"id": int(asked[1]) if asked else 95 + number, "status": status, "result_url": url}
        if path.startswith(DEPLOYMENTS) and method == "GET":
            number = int(path.rpartition("/")[2])
            return {"id": number, "name": dict(lists[DEPLOYMENTS]).get(number, "new"), "infer_service_id": 65}
        if path.startswith(SERVICES):
            started = any(line.endswith("/start") for line, _ in self.sent)
            return {"id": 65, "status": "online" if started else "offline", "endpoint_url": "http://x"}
        if path == f"{MODELS}/98/tasks":
            made = [body["task_name"] for line, body in self.sent if line.endswith("/eval_task")]
            return {"data": [{"id": 99, "model_id": 98, "task_name": made[-1], "workflow_run_id": 97}]}
        if path == f"{MODELS}/db":
            return {"id": 98, "status": "ready" if status == 3 else "uploading"}
        if path == USAGE:
            quota = {"group_name": "a/b", "used": 0 if status == 3 else 1, "total": 2}
            return {"data": [{"vc_id": 1, "vc_name": "vc", "high_priority": [quota]}]}
        if path == LABELS:
            return {"status": "finished" if status == 3 else "ready", "data_exported_count": 1}
        return {**job, "dataset_id": 62, "version": number}


def form(content: bytes, content_type: str) -> dict[str, Any]:
    """Take a multipart form apart: text as it is, a file as its name and content, an archive with its files."""
    parts: dict[str, Any] = {}
    for part in MultipartDecoder(content, content_type).parts:
        said = part.headers[b"Content-Disposition"].decode()
        name, filename = re.search(r' name="(.*?)"', said), re.search(r'filename="(.*?)"', said)
        assert name is not None
        assert name[1] not in parts
        found: Any = part.content
        if filename and filename[1].endswith(".zip"):
            with zipfile.ZipFile(io.BytesIO(part.content)) as archive:
                found = {file: archive.read(file) for file in archive.namelist()}
        parts[name[1]] = (filename[1], found) if filename else part.text
    return parts


@pytest.fixture
def aihub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    recorder = Recorder()
    with answering(recorder) as recorder.url:
        for name in ("default", "other"):
            monkeypatch.setenv(f"AIRFLOW_CONN_AIHUB_{name.upper()}", recorder.connection(f"user of {name}"))
        yield recorder


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that relative paths are of."""
    (tmp_path / "pictures" / "b").mkdir(parents=True)
    (tmp_path / "pictures" / "a.txt").write_bytes(b"12345")
    (tmp_path / "pictures" / "b" / "c.txt").write_bytes(b"123")
    (tmp_path / "model.bin").write_bytes(b"the model")
    (tmp_path / "pred.jsonl").write_bytes(b'{"a": 1}\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Signed:
    """A description that ends in the marker of the tests' task."""

    def __init__(self, text: str = "") -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        pattern = re.escape(self.text) + rf"\[airflow:{TASK_MARK}\.[0-9a-f]{{8}}\.0\.0\.1\.[0-9a-f]{{8}}\]"
        return isinstance(other, str) and re.fullmatch(pattern, other) is not None

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{self.text}[airflow:{TASK_MARK}.*]"


def life(kind: type[BaseOperator], **given: Any) -> TaskLife:
    """The life of a task of an operator or a sensor."""
    make: Callable[[], Any] = partial(kind, task_id="task", **given)
    return TaskLife(make)


@dataclass(frozen=True, kw_only=True)
class Case:
    """An operator, and what it must send.

    :param given: Its parameters. Those of a full case are all that there are, each unlike its default and the others.
    :param sends: The requests up to the one that creates the job, in order, after the login.
    :param then: The requests that follow before the task defers or, where nothing is waited for, ends.
    """

    id: str
    operator: type[BaseOperator]
    given: dict[str, Any]
    sends: list[tuple[str, Any]]
    then: list[tuple[str, Any]] = field(default_factory=list)

    def __str__(self) -> str:
        return self.id

    def life(self, **more: Any) -> TaskLife:
        """The life of a task with these parameters, and more."""
        return life(self.operator, **{**self.given, **more})

    @property
    def body(self) -> Any:
        """The body of the request that creates the job."""
        return self.sends[-1][1]


# Words and numbers are chosen so that no two parameters send the same.
ON_A_CLUSTER: dict[str, Any] = {
    "name": "a job",
    "command": "python train.py",
    "image": "registry/image:7",
    "virtual_cluster": "vc-b",
    "project": "vision",
    "storages": ["scratch", "43"],
    "description": "why",
    "framework": "MpiJob",
    "category": "special",
    "sku_cnt": 8,
    "instances": "5",
    "envs": {"A": "x", "B": True},
    "shm": 6,
    "estimate_run_time": 7200,
    "enable_ssh": True,
    "use_ib_network": True,
    "always_pull_image": True,
    "notify_type": "completion",
    "enable_sys_admin": True,
    "stream_logs": True,
}
SENT_TO_A_CLUSTER: dict[str, Any] = {
    "name": "a job",
    "command": "python train.py",
    "image": "registry/image:7",
    "virtual_cluster_id": 22,
    "project_id": 32,
    "storage_ids": [42, 43],
    "description": Signed("why "),
    "framework": "MpiJob",
    "category_id": 4,
    "sku_cnt": 8,
    "instances": 5,
    "envs": [{"key": "A", "value": "x"}, {"key": "B", "value": "true"}],
    "shm": 6,
    "estimate_run_time": 7200,
    "enable_ssh": True,
    "use_ib_network": True,
    "always_pull_image": True,
    "notify_type": 3,
    "enable_sys_admin": True,
}
LEAST_ON_A_CLUSTER: dict[str, Any] = {
    "name": "a job",
    "command": "true",
    "image": "i",
    "virtual_cluster": 12,
    "project": "13",
}
LEAST_SENT_TO_A_CLUSTER: dict[str, Any] = {
    "name": "a job",
    "command": "true",
    "image": "i",
    "virtual_cluster_id": 12,
    "project_id": 13,
    "storage_ids": [],
    "description": Signed(),
    "framework": "PyTorchJob",
    "category_id": 1,
    "sku_cnt": 1,
    "instances": 1,
    "envs": [],
    "estimate_run_time": 3600,
    "enable_ssh": False,
    "use_ib_network": False,
    "always_pull_image": False,
}
PLACED = {
    "training": (f"GET {TAGS}/select-clusters?user_id=77&module_type=1", None),
    "workflow": (f"GET {TAGS}/select-clusters?user_id=77&module_type=2", None),
    "quota": (f"GET {TAGS}/select-clusters?user_id=77&module_type=3", None),
}
PROJECTS = (f"GET {TAGS}/select-projects", None)
STORAGES = (f"GET {TRAININGS}/storages", None)
SERVED: list[tuple[str, Any]] = [(f"GET {DEPLOYMENTS}/64", None), (f"GET {SERVICES}/65", None)]
TEMPLATE_BY_NAME = (f"GET {FLOWS}/templates?page_size=100&page_num=1&name=weekly", None)
STORAGES = (f"GET {TRAININGS}/storages", None)
DATASET_BY_NAME = (f"GET {DATASETS}/datasets?page_size=100&page_num=1&name=mnist", None)
CREATE_VERSION = f"POST {DATASETS}/dataset-versions-upload"
PICTURES = {"a.txt": b"12345", "b/c.txt": b"123"}
FRAME = {"url": "http://x/1.jpg", "box": [1, 2.5, 3, 4]}

EVALUATED: dict[str, Any] = {
    "model_name": "resnet",
    "model_type": "licence_plate",
    "epoch": 12,
    "dataset_name": "queries",
    "id_dataset_name": "ids",
    "gallery_dataset_name": "gallery",
    "model_file": "model.bin",
    "pred_file": "pred.jsonl",
}
SENT_TO_EVALUATE: dict[str, Any] = {
    "model_name": "resnet",
    "model_type": "5",
    "epoch": "12",
    "dataset_name": "queries",
    "id_dataset_name": "ids",
    "gallery_dataset_name": "gallery",
    "user_id": "77",
    "model_file": ("model.bin", b"the model"),
    "pred_file": ("pred.jsonl", b'{"a": 1}\n'),
}

FULL = [
    Case(
        id="training",
        operator=TrainingOperator,
        given={
            **ON_A_CLUSTER,
            "is_vip": True,
            "preempt_policy": "kill",
            "vip_node_names": ["node-1", "node-2"],
            "is_quota_schedule": True,
        },
        sends=[
            PLACED["training"],
            PROJECTS,
            STORAGES,
            (
                f"POST {TRAININGS}/trainings",
                {
                    **SENT_TO_A_CLUSTER,
                    "is_vip": True,
                    "preempt_policy": 2,
                    "vip_node_names": ["node-1", "node-2"],
                    "is_quota_schedule": True,
                },
            ),
        ],
    ),
    Case(
        id="quota task",
        operator=QuotaTaskOperator,
        given={**ON_A_CLUSTER, "virtual_cluster": "vc-q", "priority": "high", "enable_reschedule": True},
        sends=[
            PLACED["training"],
            PLACED["quota"],
            PROJECTS,
            STORAGES,
            (
                f"POST {QUOTA_TASKS}",
                {**SENT_TO_A_CLUSTER, "virtual_cluster_id": 25, "priority": 2, "enable_reschedule": True},
            ),
        ],
    ),
    Case(
        id="workflow run",
        operator=WorkflowRunOperator,
        given={
            "name": "a run",
            "pipeline": "nightly",
            "pipeline_version": "V7",
            "pipeline_params": {"day": 5, "again": False},
            "project": "vision",
            "description": "why",
            "user_id": 78,
            "use_cache": True,
            "node_virtual_clusters": [
                {"virtual_cluster": "vc-b", "nodes": ["train", "test"]},
                {"virtual_cluster": 26, "nodes": ["report"]},
            ],
            "stream_logs": True,
        },
        sends=[
            (f"GET {FLOWS}/select-pipelines?name=nightly", None),
            (f"GET {FLOWS}/select-pipeline-versions?pipeline_id=51&name=V7", None),
            (f"GET {FLOWS}/pipeline-versions/52/input-params", None),
            PROJECTS,
            PLACED["workflow"],
            (
                f"POST {RUNS}",
                {
                    "name": "a run",
                    "pipeline_id": 51,
                    "pipeline_version_id": 52,
                    "params": [{"key": "day", "value": "5"}, {"key": "again", "value": "false"}],
                    "project_id": 32,
                    "description": Signed("why "),
                    "user_id": 78,
                    "use_cache": True,
                    "node_virtual_clusters": [
                        {"virtual_cluster_id": 24, "nodes": ["train", "test"]},
                        {"virtual_cluster_id": 26, "nodes": ["report"]},
                    ],
                },
            ),
        ],
    ),
    Case(
        id="search by sql",
        operator=WarehouseSearchOperator,
        given={"name": "a search", "sql": "select 1", "description": "why", "output_path": "found.csv"},
        sends=[
            (
                f"POST {WAREHOUSE}/searches",
                {"type": 1, "name": "a search", "sql": "select 1", "description": Signed("why ")},
            )
        ],
    ),
    Case(
        id="search by images",
        operator=WarehouseSearchOperator,
        given={"name": "a search", "images": [FRAME], "feature_lib_id": 7, "top_k": 9, "description": "why"},
        sends=[
            (
                f"POST {WAREHOUSE}/searches",
                {
                    "type": 2,
                    "name": "a search",
                    "images": [{"url": "http://x/1.jpg", "box": [1, 2.5, 3, 4]}],
                    "feature_lib_id": 7,
                    "top_k": 9,
                    "description": Signed("why "),
                },
            )
        ],
    ),
    Case(
        id="search by keywords",
        operator=WarehouseSearchOperator,
        given={"name": "a search", "keywords": "red car", "feature_lib_id": "7", "top_k": "9", "description": "why"},
        sends=[
            (
                f"POST {WAREHOUSE}/searches",
                {
                    "type": 3,
                    "name": "a search",
                    "keywords": "red car",
                    "feature_lib_id": 7,
                    "top_k": 9,
                    "description": Signed("why "),
                },
            )
        ],
    ),
    Case(
        id="version of what AIHub has",
        operator=DatasetVersionOperator,
        given={
            "dataset": "62",
            "dataset_name": "mnist",
            "upload_path": "s3://bucket/folder",
            "upload_type": "s3",
            "description": "why",
            "parent_version_id": 5,
        },
        sends=[
            (
                CREATE_VERSION,
                {
                    "dataset_id": 62,
                    "upload_path": "s3://bucket/folder",
                    "upload_type": 2,
                    "description": Signed("why "),
                    "parent_version_id": 5,
                },
            )
        ],
        then=[(f"GET {DATASETS}/dataset-versions/99", None)],
    ),
    Case(
        id="version of what the relay uploads",
        operator=DatasetVersionOperator,
        given={
            "dataset": "mnist",
            "local_path": "pictures",
            "bucket": "b12",
            "key": "my/own.zip",
            "description": "why",
            "parent_version_id": 5,
        },
        sends=[
            DATASET_BY_NAME,
            (f"POST {RELAY}?bucket=b12&key=my%2Fown.zip", {"file": ("pictures.zip", PICTURES)}),
            (
                CREATE_VERSION,
                {
                    "dataset_id": 62,
                    "upload_path": "s3://taken/there",
                    "upload_type": 1,
                    "description": Signed("why "),
                    "parent_version_id": 5,
                },
            ),
        ],
        then=[(f"GET {DATASETS}/dataset-versions/99", None)],
    ),
    Case(
        id="evaluation",
        operator=EvalImportOperator,
        given={**EVALUATED, "user_id": 78},
        sends=[(f"POST {EVALUATION}", {**SENT_TO_EVALUATE, "user_id": "78"})],
    ),
    Case(
        id="dataset",
        operator=CreateDatasetOperator,
        given={
            "name": "mnist",
            "description": "why",
            "tags": [3, "4"],
            "cover_img": "s3://b/cover.png",
            "create_by": 78,
            "is_private": True,
            "access_user_ids": ["79", 80],
            "if_exists": "fail",
        },
        sends=[
            (
                f"POST {DATASETS}/datasets",
                {
                    "name": "mnist",
                    "description": "why",
                    "tags": [3, 4],
                    "cover_img": "s3://b/cover.png",
                    "create_by": 78,
                    "is_private": True,
                    "access_user_ids": [79, 80],
                },
            )
        ],
    ),
    Case(
        id="template",
        operator=WorkflowTemplateRunOperator,
        given={
            "name": "a run",
            "template": "weekly",
            "virtual_cluster": "vc-b",
            "template_params": {"day": 5, "again": False},
            "stream_logs": True,
        },
        sends=[
            TEMPLATE_BY_NAME,
            (f"GET {FLOWS}/templates/57/input-params", None),
            PLACED["workflow"],
            (
                f"POST {FLOWS}/templates/57/run",
                {
                    "name": Signed("a run "),
                    "virtual_cluster_id": 24,
                    "params": [{"key": "day", "value": "5"}, {"key": "again", "value": "false"}],
                },
            ),
        ],
    ),
    Case(
        id="evaluation of a model",
        operator=ModelEvalOperator,
        given={
            "model": "resnet",
            "name": "a test",
            "template": "weekly",
            "template_params": {"day": 5, "again": False},
            "infer_service_id": "58",
            "eval_method": "by hand",
            "eval_type": "an exam",
            "eval_config": {"shots": 5},
            "virtual_cluster": "vc-b",
            "stream_logs": True,
        },
        sends=[
            (f"GET {MODELS}/db?name=resnet", None),
            TEMPLATE_BY_NAME,
            (f"GET {FLOWS}/templates/57/input-params", None),
            PLACED["workflow"],
            (
                f"POST {MODELS}/98/eval_task",
                {
                    "task_name": Signed("a test "),
                    "eval_method": "by hand",
                    "eval_type": "an exam",
                    "infer_service_id": 58,
                    "workflow_tmp_id": 57,
                    "eval_config": {"shots": 5},
                    "params": [{"key": "day", "value": "5"}, {"key": "again", "value": "false"}],
                    "virtual_cluster_id": 24,
                },
            ),
        ],
    ),
    Case(
        id="report",
        operator=EvalReportOperator,
        given={
            "name": "how good",
            "eval_type": "reid",
            "datasets": [{"dataset_name": "d/V1", "metrics": {"metrics": {"map": 0.5}}}],
            "overall_metrics": {"overall": {"map": 0.6}},
            "model": "resnet",
            "eval_run_id": "12",
            "eval_config": {"shots": 5},
            "performance": [{"metric_name": "p99", "value": 1.5, "unit": "ms"}],
            "performance_artifact_path": "s3://b/fast",
            "reid_config": {"gallery_dataset_id": 1, "query_dataset_id": 2, "search_result_artifact_path": "s3://b/r"},
            "arctern_model_group_id": "8",
            "arctern_model_name": "a name",
            "user_id": 78,
            "public": False,
            "access_user_ids": ["79", 80],
        },
        sends=[
            (f"GET {MODELS}/db?name=resnet", None),
            (f"GET {REPORTS}/v1/run/?page_size=100&page_num=1&run_id=12", None),
            (
                f"POST {REPORTS}/v2/run/",
                {
                    "run_id": "12",
                    "name": "how good",
                    "datasets": [{"dataset_name": "d/V1", "metrics": {"metrics": {"map": 0.5}}}],
                    "type": "reid",
                    "model_id": 98,
                    "user_id": 78,
                    "is_public": False,
                    "eval_config": {"shots": 5},
                    "overall_metrics": {"overall": {"map": 0.6}},
                    "arctern_model_group_id": 8,
                    "arctern_model_name": "a name",
                    "reid_config": {
                        "gallery_dataset_id": 1,
                        "query_dataset_id": 2,
                        "search_result_artifact_path": "s3://b/r",
                        "metrics_viz_artifacts": [],
                    },
                    "performance_artifact_path": "s3://b/fast",
                    "performance": [{"metric_name": "p99", "value": 1.5, "unit": "ms"}],
                },
            ),
        ],
        then=[(f"POST {REPORTS}/v1/run/99/permissions", {"user_ids": [79, 80]})],
    ),
    Case(
        id="deployment",
        operator=StartDeploymentOperator,
        given={
            "deployment": "new",
            "create": {
                "model": "resnet",
                "virtual_cluster": "vc-b",
                "storages": ["scratch"],
                "health_check_path": "/well",
                "envs": {"A": 1},
            },
        },
        sends=[
            (f"GET {DEPLOYMENTS}?page_size=100&page_num=1&name=new&status=-1", None),
            (f"GET {MODELS}/db?name=resnet", None),
            PLACED["training"],
            STORAGES,
            (
                f"POST {DEPLOYMENTS}",
                {
                    "name": "new",
                    "virtual_cluster_id": 22,
                    "deploy_template": "default",
                    "health_check_path": "/well",
                    "container_concurrency": 1,
                    "model_id": 98,
                    "envs": {"A": "1"},
                    "storage_ids": [42],
                },
            ),
        ],
        then=[
            (f"GET {DEPLOYMENTS}/99", None),
            (f"GET {SERVICES}/65", None),
            (f"POST {DEPLOYMENTS}/99/start", None),
            (f"GET {DEPLOYMENTS}/99", None),
        ],
    ),
    Case(
        id="stop of a deployment",
        operator=StopDeploymentOperator,
        given={"deployment": "serving", "wait_for_completion": False, "poll_interval": 7.0, "poll_tolerance": 11.0},
        sends=[
            (f"GET {DEPLOYMENTS}?page_size=100&page_num=1&name=serving&status=-1", None),
            *SERVED,
            (f"POST {DEPLOYMENTS}/64/stop", None),
        ],
        then=SERVED,
    ),
    Case(
        id="upload",
        operator=S3RelayUploadOperator,
        given={"local_path": "pictures", "bucket": "b12", "key": "my/own.zip", "archive": True},
        sends=[(f"POST {RELAY}?bucket=b12&key=my%2Fown.zip", {"file": ("pictures.zip", PICTURES)})],
    ),
    Case(
        id="result of a search",
        operator=WarehouseResultToObjectStorageOperator,
        given={"search_id": "98", "output_path": "found.csv"},
        sends=[(f"GET {WAREHOUSE}/searches/98", None)],
        then=[("GET /files/99.csv", None)],
    ),
]
STOPS: list[tuple[type[BaseOperator], str, str, str]] = [
    (StopTrainingOperator, "training_id", f"{TRAININGS}/trainings/98", f"POST {TRAININGS}/trainings/98/stop"),
    (StopQuotaTaskOperator, "quota_task_id", f"{QUOTA_TASKS}/98", f"POST {QUOTA_TASKS}/98/stop"),
    (StopWorkflowRunOperator, "workflow_run_id", f"{RUNS}/98", f"PUT {RUNS}/98/stop"),
]
FULL += [
    Case(
        id=f"stop by {parameter}",
        operator=operator,
        given={parameter: "98", "wait_for_completion": False, "poll_interval": 7.0, "poll_tolerance": 11.0},
        sends=[(f"GET {path}", None), (stop, None)],
        then=[(f"GET {path}", None)],
    )
    for operator, parameter, path, stop in STOPS
]

STOPPED_SLOWLY = (2, 2, 5)
"""Statuses of a job that is not over yet when it is looked at right after it was asked to stop."""

LEAST = [
    Case(
        id="training",
        operator=TrainingOperator,
        given=LEAST_ON_A_CLUSTER,
        sends=[
            # Whether shared memory must be named is asked before anything is created.
            (f"GET {TRAININGS}/trainings?page_size=1&page_num=1", None),
            (
                f"POST {TRAININGS}/trainings",
                {**LEAST_SENT_TO_A_CLUSTER, "is_vip": False, "preempt_policy": 1, "vip_node_names": []},
            ),
        ],
    ),
    Case(
        id="quota task",
        operator=QuotaTaskOperator,
        given=LEAST_ON_A_CLUSTER,
        sends=[
            (f"GET {QUOTA_TASKS}?page_size=1&page_num=1", None),
            (f"POST {QUOTA_TASKS}", {**LEAST_SENT_TO_A_CLUSTER, "priority": 1}),
        ],
    ),
    Case(
        id="workflow run",
        operator=WorkflowRunOperator,
        given={"name": "a run", "pipeline": 14, "pipeline_version": "15"},
        sends=[
            (
                f"POST {RUNS}",
                {"name": "a run", "pipeline_id": 14, "pipeline_version_id": 15, "params": [], "description": Signed()},
            )
        ],
    ),
    Case(
        id="search by sql",
        operator=WarehouseSearchOperator,
        given={"name": "a search", "sql": "select 1"},
        sends=[
            (f"POST {WAREHOUSE}/searches", {"type": 1, "name": "a search", "sql": "select 1", "description": Signed()})
        ],
    ),
    Case(
        id="version of what AIHub has",
        operator=DatasetVersionOperator,
        given={"dataset": "mnist", "upload_path": "/data/mnist.zip", "upload_type": "zip"},
        sends=[
            DATASET_BY_NAME,
            (
                CREATE_VERSION,
                {"dataset_id": 62, "upload_path": "/data/mnist.zip", "upload_type": 1, "description": Signed()},
            ),
        ],
    ),
    Case(
        id="version of what AIHub's own endpoint uploads",
        operator=DatasetVersionOperator,
        given={"dataset": "mnist", "local_path": "pictures"},
        sends=[
            DATASET_BY_NAME,
            # This AIHub gives no credentials for its object store.
            (f"GET {DATASETS}/dataset-versions/get-sts", None),
            (f"POST {UPLOADS}", {"file": ("pictures.zip", PICTURES)}),
            (
                CREATE_VERSION,
                {"dataset_id": 62, "upload_path": "s3://taken/there", "upload_type": 1, "description": Signed()},
            ),
        ],
    ),
    Case(
        id="version of what the relay uploads",
        operator=DatasetVersionOperator,
        given={"dataset": "mnist", "local_path": "pictures/a.txt", "bucket": "b12"},
        sends=[
            DATASET_BY_NAME,
            (
                f"POST {RELAY}?bucket=b12&key=airflow%2Fadhoc_airflow%2Ftask%2F{TASK_MARK}%2Fa.txt",
                {"file": ("a.txt", b"12345")},
            ),
            (
                CREATE_VERSION,
                {"dataset_id": 62, "upload_path": "s3://taken/there", "upload_type": 1, "description": Signed()},
            ),
        ],
    ),
    Case(
        id="evaluation", operator=EvalImportOperator, given=EVALUATED, sends=[(f"POST {EVALUATION}", SENT_TO_EVALUATE)]
    ),
    Case(
        id="dataset",
        operator=CreateDatasetOperator,
        given={"name": "mnist"},
        sends=[(f"POST {DATASETS}/datasets", {"name": "mnist", "description": "", "tags": []})],
    ),
    Case(
        id="template",
        operator=WorkflowTemplateRunOperator,
        given={"name": "a run", "template": 57, "virtual_cluster": 24},
        sends=[
            (f"GET {FLOWS}/templates/57/input-params", None),
            (
                f"POST {FLOWS}/templates/57/run",
                {"name": Signed("a run "), "virtual_cluster_id": 24, "params": []},
            ),
        ],
    ),
    Case(
        id="evaluation of a model",
        operator=ModelEvalOperator,
        given={"model": 98, "name": "a test"},
        sends=[
            (f"GET {MODELS}/db?id=98", None),
            (f"POST {MODELS}/98/eval_task", {"task_name": Signed("a test "), "eval_method": "service"}),
        ],
    ),
    Case(
        id="report",
        operator=EvalReportOperator,
        given={"name": "how good", "eval_run_id": 12},
        sends=[
            (f"GET {REPORTS}/v1/run/?page_size=100&page_num=1&run_id=12", None),
            (f"POST {REPORTS}/v2/run/", {"run_id": "12", "name": "how good", "datasets": [], "is_public": True}),
        ],
    ),
    Case(
        id="deployment",
        operator=StartDeploymentOperator,
        given={"deployment": "64"},
        sends=[*SERVED, (f"POST {DEPLOYMENTS}/64/start", None)],
    ),
    Case(
        id="stop of a deployment",
        operator=StopDeploymentOperator,
        given={"deployment": 64},
        sends=[*SERVED, (f"POST {DEPLOYMENTS}/64/stop", None)],
    ),
    Case(
        id="upload",
        operator=S3RelayUploadOperator,
        given={"local_path": "pictures", "bucket": "b12", "key": "mine/"},
        sends=[
            (f"POST {RELAY}?bucket=b12&key=mine%2Fa.txt", {"file": ("a.txt", b"12345")}),
            (f"POST {RELAY}?bucket=b12&key=mine%2Fb%2Fc.txt", {"file": ("c.txt", b"123")}),
        ],
    ),
    Case(
        id="upload of a file",
        operator=S3RelayUploadOperator,
        given={"local_path": "pictures/a.txt", "bucket": "b12", "key": "mine/"},
        sends=[(f"POST {RELAY}?bucket=b12&key=mine%2Fa.txt", {"file": ("a.txt", b"12345")})],
    ),
    Case(
        id="upload of a file under a name of its own",
        operator=S3RelayUploadOperator,
        given={"local_path": "pictures/a.txt", "bucket": "b12", "key": "mine"},
        sends=[(f"POST {RELAY}?bucket=b12&key=mine", {"file": ("a.txt", b"12345")})],
    ),
]
LEAST += [
    Case(
        id=f"stop by {parameter}", operator=operator, given={parameter: 98}, sends=[(f"GET {path}", None), (stop, None)]
    )
    for operator, parameter, path, stop in STOPS
]

WAITING: dict[str, Any] = {
    "deferrable": True,
    "poll_interval": 7.0,
    "poll_tolerance": 11.0,
    "job_timeout": 13.0,
    "cancel_on_kill": False,
}
"""What all jobs have, and the triggerer must be told."""
UNWATCHED: dict[str, Any] = {"wait_for_completion": True, "durable": False, "on_ambiguous_submit": "resubmit"}
KINDS = {
    TrainingOperator: "aihub.training",
    QuotaTaskOperator: "aihub.quota_task",
    WorkflowRunOperator: "aihub.workflow_run",
    WarehouseSearchOperator: "aihub.search",
    DatasetVersionOperator: "aihub.dataset_version",
    WorkflowTemplateRunOperator: "aihub.template_run",
    ModelEvalOperator: "aihub.model_eval",
    StartDeploymentOperator: "aihub.deployment",
}
SIGNS: dict[type[BaseOperator], str] = {WorkflowTemplateRunOperator: "name", ModelEvalOperator: "task_name"}
"""What is signed where AIHub takes no description."""
NOT_SENT = {"wait_for_completion", "durable", "on_ambiguous_submit"}
"""What all jobs have, and only the worker knows."""


@pytest.mark.parametrize("case", FULL, ids=str)
def test_every_parameter_is_sent(case: Case, aihub: Recorder) -> None:
    if issubclass(case.operator, StopOperator):
        aihub.statuses = [*STOPPED_SLOWLY]
    waits = issubclass(case.operator, JobOperator)
    came = case.life(aihub_conn_id="aihub_other", **(WAITING if waits else {})).start()
    assert aihub.sent == case.sends + case.then
    # The relay takes a token of its own.
    logged_in = [(f"POST {LOGIN}", {"username": "user of other", "password": "secret"})]
    assert aihub.logins == (logged_in if case.operator is not S3RelayUploadOperator else [])
    assert isinstance(came, JobTrigger) == (waits and case.operator is not EvalImportOperator)
    if isinstance(came, JobTrigger):
        _, told = came.serialize()
        since, identity = told["since"], told.pop("identity")
        assert abs(time.time() - since) < 30
        assert identity.pop("marker") == Signed()
        assert identity.pop("submitted_at") <= time.time()
        signs = SIGNS.get(case.operator, "description")
        assert identity.pop("opening", None) == (case.body[signs] if signs in {*case.given, *SIGNS.values()} else None)
        name = case.body[signs] if case.operator in SIGNS else case.given.get("name", case.given.get("deployment"))
        assert identity == {"user_id": 77, **({"name": name} if name else {})}
        assert told == {
            "aihub_conn_id": "aihub_other",
            "kind": KINDS[case.operator],
            "job_id": "98/99" if case.operator is ModelEvalOperator else 99,
            "since": since,
            "poll_interval": 7.0,
            "poll_tolerance": 11.0,
            "deadline": since + 13.0,
            "cancel_on_kill": False,
            **({"stream_logs": True} if "stream_logs" in case.given else {}),
        }


def rendered(kind: type[BaseOperator], given: dict[str, Any], *, native: bool) -> dict[str, Any]:
    """Give the parameters as Airflow renders them where each is a template of a ``Param``."""
    named = {name: f"{{{{ params.{name} }}}}" for name in given}
    with DAG("dag", render_template_as_native_obj=native):
        operator: Any = kind(task_id="task", **named)
    operator.render_template_fields({"params": given})
    return {name: getattr(operator, name) for name in given}


@pytest.mark.parametrize("native", [False, True], ids=["as text", "natively"])
@pytest.mark.parametrize("case", FULL, ids=str)
def test_every_parameter_may_be_a_template(case: Case, native: bool, aihub: Recorder) -> None:
    if issubclass(case.operator, StopOperator):
        aihub.statuses = [*STOPPED_SLOWLY]
    waits = issubclass(case.operator, JobOperator)
    given = {**case.given, **(WAITING | UNWATCHED if waits else {})}
    # What is no text, number or boolean is one only natively.
    simple = {name: value for name, value in given.items() if native or isinstance(value, str | int | float)}
    assert set(given) <= set(case.operator.template_fields)
    shown = rendered(case.operator, simple, native=native)
    assert native or {type(value) for value in shown.values()} == {str}
    came = life(case.operator, **{**given, **shown}).start()
    assert aihub.sent == case.sends + case.then
    assert isinstance(came, JobTrigger) == (waits and case.operator is not EvalImportOperator)
    if isinstance(came, JobTrigger):
        told = came.serialize()[1]
        assert {name: told[name] for name in ("poll_interval", "poll_tolerance", "cancel_on_kill")} == {
            "poll_interval": 7.0,
            "poll_tolerance": 11.0,
            "cancel_on_kill": False,
        }
        assert told["deadline"] == told["since"] + 13.0


@pytest.mark.parametrize("native", [False, True], ids=["as text", "natively"])
@pytest.mark.parametrize(
    ("kind", "given", "name", "path"),
    [
        (TrainingOperator, LEAST_ON_A_CLUSTER, "name", f"POST {TRAININGS}/trainings"),
        (TrainingOperator, LEAST_ON_A_CLUSTER, "command", f"POST {TRAININGS}/trainings"),
        (WarehouseSearchOperator, {"sql": "select 1"}, "name", f"POST {WAREHOUSE}/searches"),
        (CreateDatasetOperator, {}, "name", f"POST {DATASETS}/datasets"),
        (CreateDatasetOperator, {"name": "mnist"}, "description", f"POST {DATASETS}/datasets"),
    ],
)
def test_a_text_may_look_like_a_number(
    kind: type[BaseOperator], given: dict[str, Any], name: str, path: str, native: bool, aihub: Recorder
) -> None:
    shown = rendered(kind, {**given, name: "20261101"}, native=native)
    assert isinstance(shown[name], int if native else str)
    life(kind, **{**given, name: shown[name]}).try_once()
    assert [body[name].partition(" ")[0] for line, body in aihub.sent if line == path] == ["20261101"]


WRONG_SWITCHES: dict[str, Any] = {
    "wait_for_completion": "perhaps",
    "deferrable": "no",
    "poll_interval": timedelta(0),
    "poll_tolerance": "nan",
    "job_timeout": 1e300,
    "execution_timeout": timedelta(seconds=-1),
    "cancel_on_kill": 1,
    "durable": "None",
    "on_ambiguous_submit": "retry",
    "archive": "zip",
    "if_exists": "ignore",
    "is_private": "None",
    "poke_interval": "-7",
    "timeout": 1e300,
    "exponential_backoff": "often",
    "max_wait": "inf",
    "soft_fail": "perhaps",
    "stream_logs": "yes",
    "enable_ssh": "on",
    "output_path": "/",
}
"""Values that have no meaning."""


def takers(name: str) -> list[tuple[type[BaseOperator], dict[str, Any]]]:
    """The operators and sensors that have a parameter, with the least that they need."""
    operators: dict[type[BaseOperator], dict[str, Any]] = {}
    for case in (*LEAST, *FULL):
        operators.setdefault(case.operator, case.given)
    found = [*operators.items(), *((sensor, {field: job}) for sensor, field, job, *_ in SENSORS[:5])]
    return [(kind, given) for kind, given in found if name in parameters(kind) or name == "execution_timeout"]


@pytest.mark.parametrize("name", WRONG_SWITCHES)
def test_nothing_is_sent_where_a_parameter_has_no_meaning(name: str, aihub: Recorder) -> None:
    tried = takers(name)
    if name == "execution_timeout":
        tried = [(kind, given) for kind, given in tried if issubclass(kind, JobOperator | JobSensor)]
    assert tried
    for kind, given in tried:
        with pytest.raises(AIHubParameterError, match=name) as refused:
            life(kind, **{**given, name: WRONG_SWITCHES[name]}).try_once()
        assert isinstance(refused.value, AirflowFailException)
    assert (aihub.sent, aihub.logins) == ([], [])


def test_times_reach_the_triggerer_as_seconds(aihub: Recorder) -> None:
    times = {"poll_interval": timedelta(minutes=1), "poll_tolerance": "90", "job_timeout": timedelta(hours=1)}
    trigger = life(TrainingOperator, **LEAST_ON_A_CLUSTER, deferrable="True", **times).start()
    told = trigger.serialize()[1]
    assert (told["poll_interval"], told["poll_tolerance"]) == (60.0, 90.0)
    assert told["deadline"] == told["since"] + 3600
    json.dumps(told)


@pytest.mark.parametrize("case", LEAST, ids=str)
def test_what_is_not_given_is_sent_as_its_default(case: Case, aihub: Recorder) -> None:
    if issubclass(case.operator, StopOperator):
        aihub.statuses = [*STOPPED_SLOWLY]
    task = case.life()
    task.try_once()
    assert task.deferrals == 0
    assert aihub.sent[: len(case.sends)] == case.sends
    assert {line.partition(" ")[0] for line, _ in aihub.sent[len(case.sends) :]} <= {"GET"}
    for login in aihub.logins:
        assert login == (f"POST {LOGIN}", {"username": "user of default", "password": "secret"})
    assert aihub.statuses in ([3], [5]), "waited until the job was over"


def parameters(kind: type[BaseOperator]) -> dict[str, inspect.Parameter]:
    """What the provider's own classes take, besides what Airflow makes of the result."""
    own = [base for base in kind.__mro__ if base.__module__.startswith("airflow_provider_aihub.")]
    return {
        name: parameter
        for base in own
        if "__init__" in vars(base)
        # Airflow wraps it.
        for name, parameter in inspect.signature(inspect.unwrap(vars(base)["__init__"])).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY and name != "multiple_outputs"
    }


SENT_AS = {
    "category": "category_id",
    "storages": "storage_ids",
    "pipeline_params": "params",
    "template_params": "params",
    "project": "project_id",
    "eval_type": "type",
    "public": "is_public",
}
"""Parameters that have another name in the request."""
ALONE = [
    pytest.param(least, name, full.given[name], field, full.body[field], id=f"{least.id}: {name}")
    for least in LEAST
    for full in FULL
    if full.id == least.id
    for name, parameter in parameters(full.operator).items()
    if parameter.default is not parameter.empty and name in full.given
    if isinstance(full.body, dict) and (field := SENT_AS.get(name, name)) in full.body
    # These two mean nothing without is_vip.
    if name not in ("preempt_policy", "vip_node_names")
]


@pytest.mark.parametrize(("case", "name", "value", "field", "sent"), ALONE)
def test_a_parameter_alone_is_sent_as_itself_and_changes_no_other(
    case: Case, name: str, value: Any, field: str, sent: Any, aihub: Recorder
) -> None:
    """Flags are all true where every parameter is given, so there one could stand for another."""
    unwatched = {"wait_for_completion": False} if issubclass(case.operator, JobOperator) else {}
    case.life(**{name: value}, **unwatched).start()
    line, least = case.sends[-1]
    assert [body for asked, body in aihub.sent if asked == line] == [{**least, field: sent}]


def concrete(package: Any, *bases: type) -> set[type]:
    """All classes of a package that a DAG can use."""
    modules = [importlib.import_module(f"{package.__name__}.{found.name}") for found in iter_modules(package.__path__)]
    kinds = {kind for module in modules for kind in vars(module).values() if inspect.isclass(kind)}
    return {kind for kind in kinds if issubclass(kind, bases) and not inspect.isabstract(kind) and kind not in bases}


IN_A_STORE = {
    *(ModelUploadOperator, ModelDownloadOperator, DatasetDownloadOperator),
    *(ArtifactUploadOperator, ArtifactDownloadOperator),
}
"""What these send or fetch is in an object store; ``test_operators_model.py`` and ``test_dataset_files.py`` see it."""


def test_every_parameter_of_every_operator_has_a_case() -> None:
    cases = {kind: [case for case in FULL if case.operator is kind] for kind in (case.operator for case in FULL)}
    assert set(cases) == concrete(operators, JobOperator, CallOperator) - IN_A_STORE
    for kind, full in cases.items():
        given = {name for case in full for name in case.given} | {"aihub_conn_id"}
        given |= {*WAITING, *NOT_SENT} if issubclass(kind, JobOperator) else set()
        assert given == set(parameters(kind)), kind.__name__
    assert {case.operator for case in LEAST} >= set(cases) - {WarehouseResultToObjectStorageOperator}


@pytest.mark.parametrize("case", FULL, ids=str)
def test_no_parameter_of_a_full_case_could_stand_for_another(case: Case) -> None:
    taken = parameters(case.operator)
    for name, value in case.given.items():
        assert value != taken[name].default, name
    told_apart = [str(value) for value in case.given.values() if not isinstance(value, bool)]
    assert len(set(told_apart)) == len(told_apart)


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (WarehouseSearchOperator, {"name": "a search", "sql": "select 1"}),
        (WarehouseResultToObjectStorageOperator, {"search_id": 98}),
    ],
)
def test_the_result_of_a_search_is_fetched_and_saved(
    kind: type[BaseOperator], given: dict[str, Any], aihub: Recorder, files: Path
) -> None:
    path, result = "found.csv", {"id": 99, "output_path": "found.csv", "result_count": 1}
    found = life(kind, **given, output_path=path).try_once()
    assert aihub.sent[-1] == ("GET /files/99.csv", None)
    result["id"] = given.get("search_id", 99)
    assert {name: found[name] for name in result} == result
    assert (files / path).read_bytes() == b"a,b\n1,2\n"


def test_a_version_is_read_by_the_name_of_its_dataset(aihub: Recorder) -> None:
    aihub.lacks = f"{DATASETS}/dataset-versions/99"
    data = {"upload_path": "/data", "upload_type": "host"}
    trigger = life(DatasetVersionOperator, dataset=62, dataset_name="mnist", deferrable=True, **data).start()
    assert aihub.sent[-1] == (f"GET {DATASETS}/dataset-versions-detail?name=mnist%2FV4", None)
    assert trigger.serialize()[1]["job_id"] == "mnist/V4"


@pytest.mark.parametrize(("operator", "parameter"), [(operator, parameter) for operator, parameter, *_ in STOPS])
def test_a_stop_waits_at_its_own_pace(
    operator: type[BaseOperator], parameter: str, aihub: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    watches: list[waiting.Watch] = []
    wait = waiting.wait

    def seen(look: Any, watch: waiting.Watch, log: Any) -> Any:
        watches.append(watch)
        return wait(look, watch, log)

    monkeypatch.setattr(waiting, "wait", seen)
    aihub.statuses = [*STOPPED_SLOWLY]
    given = {parameter: "98", "poll_interval": 7.0, "poll_tolerance": 11.0}
    assert life(operator, **given).try_once() == {"id": 98, "status": "stopped"}
    (watch,) = watches
    assert (watch.kind.name, watch.job_id) == (parameter.removesuffix("_id"), 98)
    assert (watch.poll_interval, watch.poll_tolerance) == (7.0, 11.0)
    assert abs(time.time() - watch.since) < 30


@pytest.mark.parametrize(
    ("kind", "given", "wrong"),
    [
        *(
            (kind, LEAST_ON_A_CLUSTER, name)
            for kind in (TrainingOperator, QuotaTaskOperator)
            for name in ("virtual_cluster", "project", "storages")
        ),
        *(
            (WorkflowRunOperator, {"name": "a run", "pipeline": "nightly", "pipeline_version": "V7"}, name)
            for name in ("pipeline", "pipeline_version", "project")
        ),
        (DatasetVersionOperator, {"upload_path": "/data", "upload_type": "host"}, "dataset"),
    ],
)
@pytest.mark.parametrize("value", ["", "-3"])
def test_what_is_neither_name_nor_id_is_not_sent(
    kind: type[BaseOperator], given: dict[str, Any], wrong: str, value: str, aihub: Recorder
) -> None:
    names = {"virtual_cluster": "vc-b", "project": "vision"} if "virtual_cluster" in given else {}
    with pytest.raises(AIHubParameterError, match=wrong):
        life(kind, **{**given, **names, wrong: [value] if wrong == "storages" else value}).try_once()
    assert aihub.sent == []


@pytest.mark.parametrize(
    ("given", "sent"), [("scratch", [42]), (43, [43]), ("43", [43]), ((), []), (["43", 44], [43, 44])]
)
def test_storages_may_be_one_or_many(given: Any, sent: list[int], aihub: Recorder) -> None:
    life(TrainingOperator, **LEAST_ON_A_CLUSTER, storages=given, wait_for_completion=False).try_once()
    assert aihub.sent[-1][1]["storage_ids"] == sent


def test_storages_are_no_dict(aihub: Recorder) -> None:
    with pytest.raises(AIHubParameterError, match=r"storages.*'scratch'"):
        life(TrainingOperator, **LEAST_ON_A_CLUSTER, storages={"scratch": "/data"}).try_once()
    assert aihub.sent == []


@pytest.mark.parametrize("kind", [TrainingOperator, QuotaTaskOperator])
@pytest.mark.parametrize("name", ["train.sh", "train.bash"])
def test_a_command_that_is_called_like_a_file_is_sent_as_it_is(
    kind: type[BaseOperator], name: str, aihub: Recorder, files: Path
) -> None:
    (files / name).write_text("echo what a file of that name says")
    with DAG("dag", template_searchpath=str(files)):
        operator: Any = kind(task_id="task", **{**LEAST_ON_A_CLUSTER, "command": name})
    operator.resolve_template_files()
    task = TaskLife(lambda: operator)
    operator.render_template_fields(task.context)
    task.try_once()
    assert aihub.sent[1][1]["command"] == name


SEARCHED: dict[str, Any] = {
    "name": "wide.sql",
    "sql": "wide.sql",
    "keywords": "wide.sql",
    "description": "wide.sql",
    "images": [{"url": "wide.sql", "box": [1, 2, 3, 4]}],
    "output_path": "wide.sql",
}
"""Fields that are each called like a file."""


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("name", SEARCHED)
def test_only_the_query_of_a_search_may_be_a_file(name: str, mapped: bool, files: Path) -> None:
    (files / "wide.sql").write_text("select '{{ params.word }}'")
    context: Any = {"params": {"word": "wide"}}
    with DAG("dag", template_searchpath=str(files)) as dag:
        given = {"name": "a search", name: SEARCHED[name]}
        if mapped:
            fixed = {key: value for key, value in given.items() if key != name}
            WarehouseSearchOperator.partial(task_id="task", **fixed).expand(**{name: [SEARCHED[name]]})
        else:
            WarehouseSearchOperator(task_id="task", **given)
    dag.resolve_template_files()
    operator: Any = dag.get_task("task")
    if mapped:
        operator = operator.unmap({name: SEARCHED[name]})
        # As Airflow does for a mapped task, with the fields of that.
        how = {"context": context, "jinja_env": dag.get_template_env(), "seen_oids": set()}
        operator._do_render_template_fields(parent=operator, template_fields=operator.template_fields, **how)
    else:
        operator.render_template_fields(context)
    assert getattr(operator, name) == ("select 'wide'" if name == "sql" else SEARCHED[name])
    assert (operator.template_fields, operator.template_ext) == (WarehouseSearchOperator.template_fields, (".sql",))


def test_no_other_operator_takes_a_text_for_a_file() -> None:
    kinds = concrete(operators, JobOperator, CallOperator) | concrete(sensors, JobSensor)
    assert {kind for kind in kinds if kind.template_ext} == {WarehouseSearchOperator}  # type: ignore[attr-defined]


SENSORS: list[tuple[type[JobSensor], str, Any, str, str]] = [
    (TrainingSensor, "training_id", "98", "training", f"GET {TRAININGS}/trainings/98"),
    (QuotaTaskSensor, "quota_task_id", "98", "quota_task", f"GET {QUOTA_TASKS}/98"),
    (WarehouseSearchSensor, "search_id", "98", "search", f"GET {WAREHOUSE}/searches/98"),
    (WorkflowRunSensor, "workflow_run_id", "98", "workflow_run", f"GET {RUNS}/98"),
    (DatasetVersionSensor, "dataset_version", "98", "dataset_version", f"GET {DATASETS}/dataset-versions/98"),
    (QuotaSensor, "quota", "2/a%2Fb/vc", "quota", f"GET {USAGE}?page_size=1000&page_num=1"),
    (ModelSensor, "model", "98", "model", f"GET {MODELS}/db?id=98"),
    (LabelProjectSensor, "label_project", "a/b?", "label_project", f"GET {LABELS}?project_name=a%2Fb%3F"),
    (ModelSensor, "model", "a/b?", "model", f"GET {MODELS}/db?name=a%2Fb%3F"),
    (
        DatasetVersionSensor,
        "dataset_version",
        "mnist/V3",
        "dataset_version",
        f"GET {DATASETS}/dataset-versions-detail?name=mnist%2FV3",
    ),
]
each_sensor = pytest.mark.parametrize(
    ("sensor", "parameter", "job", "kind", "asks"),
    SENSORS,
    ids=[f"{parameter} {job}" for _, parameter, job, *_ in SENSORS],
)
HOW: dict[str, Any] = {
    "aihub_conn_id": "aihub_other",
    "deferrable": True,
    "start_from_trigger": True,
    "poll_tolerance": 11.0,
    "poke_interval": 7,
    "timeout": 13,
    "exponential_backoff": True,
    "max_wait": timedelta(seconds=17),
    "soft_fail": True,
}
"""What all sensors have."""


def named(sensor: type[JobSensor], parameter: str, job: str) -> dict[str, Any]:
    """The parameters that say which job."""
    if sensor is QuotaSensor:
        return {"virtual_cluster": "vc", "group": "a/b", "gpus": "2"}
    return {parameter: job}


@each_sensor
def test_a_sensor_asks_for_its_job(
    sensor: type[JobSensor], parameter: str, job: str, kind: str, asks: str, aihub: Recorder
) -> None:
    life(sensor, **named(sensor, parameter, job)).try_once()
    assert aihub.sent == [(asks, None)]
    assert aihub.logins == [(f"POST {LOGIN}", {"username": "user of default", "password": "secret"})]


@each_sensor
@pytest.mark.parametrize("everything", [True, False], ids=["everything", "the least"])
def test_a_sensor_tells_the_triggerer_its_parameters(
    sensor: type[JobSensor], parameter: str, job: str, kind: str, asks: str, everything: bool, aihub: Recorder
) -> None:
    aihub.statuses = [2]
    own = {"exported": True} if everything and sensor is LabelProjectSensor else {}
    given = {**named(sensor, parameter, job), **(HOW if everything else {"deferrable": True}), **own}
    if everything:
        assert set(given) == set(parameters(sensor))
    task = life(sensor, **given)
    _, told = task.start().serialize()
    assert aihub.sent == [(asks, None)]
    user = "other" if everything else "default"
    assert aihub.logins == [(f"POST {LOGIN}", {"username": f"user of {user}", "password": "secret"})]
    since = told.pop("since")
    assert abs(time.time() - since) < 30
    assert told.pop("deadline") == since + (13 if everything else 7 * 24 * 3600)
    missing = {"may_be_missing": True} if sensor.may_be_missing else {}
    fast = {"poll_interval": 7, "backoff": 2.0, "longest_interval": 17.0, "poll_tolerance": 11.0}
    assert told == {
        "aihub_conn_id": f"aihub_{user}",
        "kind": f"aihub.exported_{kind}" if own else f"aihub.{kind}",
        parameter: job,
        **(fast if everything else {"poll_interval": 60.0, "backoff": 1.0}),
        **missing,
        "owner": False,
    }
    from_the_beginning = task.make().start_trigger_args
    if everything and from_the_beginning is not None:
        assert from_the_beginning.trigger_kwargs == {**told, "poll_tolerance": 11.0}
    assert everything or from_the_beginning is None


def test_every_sensor_has_a_case() -> None:
    assert {sensor for sensor, *_ in SENSORS} == concrete(sensors, JobSensor)
