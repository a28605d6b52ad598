"""The vendor's own client against the emulator: what it sends is taken, what it reads is there.

A platform takes what its client sends, also where that leaves out what the document demands; and the client refuses an
answer that lacks a field. Each method is given no more than it must be given.
"""

from __future__ import annotations

import contextlib
import io
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aihub.client import Client
from aihub.exceptions import APIError
from aihub.models import data_warehouse as dw
from aihub.models import dataset_management as dm
from aihub.models import eval as ev
from aihub.models import model_center as mc
from aihub.models import model_deployment as md
from aihub.models import model_training_platform as mt
from aihub.models import notebook_management as nb
from aihub.models import quota_schedule_management as qs
from aihub.models import tag_resource_management as tr
from aihub.models import user_system as us
from aihub.models import workflow_center as wc
from plain_http import RUNS, TASKS, TRAININGS, VERSIONS, Api
from waiting import until

from airflow_provider_aihub.emulators.aihub import Emulator, Node, Pipeline, PipelineVersion

JOB: dict[str, Any] = {
    "framework": "PyTorchJob",
    "name": "vendor",
    "command": "echo hello",
    "image": "any",
    "virtual_cluster_id": 2,
    "sku_cnt": 1,
    "instances": 1,
    "category_id": 1,
    "project_id": 1,
}
TEXTS: dict[str, Any] = {"type": 3, "feature_lib_id": 7, "keywords": "car", "top_k": 2}
IMAGES: dict[str, Any] = {"type": 2, "feature_lib_id": 7, "images": [{"url": "http://x/red/car"}], "top_k": 2}
PLACED = [{"virtual_cluster_id": 2, "nodes": ["report"]}]
COMMANDS = {
    1: {"greet": 'echo "hello [$name]"'},
    2: {"train": "sleep 600", "report": "true"},
    3: {"fail": "exit 3"},
}


def pipeline(number: int) -> Pipeline:
    """A pipeline whose nodes run one after the other."""
    names = [None, *COMMANDS[number]]
    nodes = tuple(
        Node(name=name, command=command, dependencies=(before,) if before else ())
        for before, (name, command) in zip(names, COMMANDS[number].items(), strict=False)
    )
    return Pipeline(id=number, name=f"p{number}", versions=(PipelineVersion(id=number, name="V1", nodes=nodes),))


class Vendor:
    """The vendor's client, logged in, and things to ask it for."""

    def __init__(self, aihub: Emulator, folder: Path) -> None:
        self.aihub, self.folder = aihub, folder
        self.api = Api(aihub)
        token = str(self.api.http.headers["Authorization"]).removeprefix("Bearer ")
        client = self.client = Client(base_url=aihub.url, token=token, log_level="CRITICAL")
        self.warehouse, self.data = client.data_warehouse, client.dataset_management
        self.trainings, self.quota = client.model_training_platform, client.quota_schedule_management
        self.runs, self.tags, self.users = client.workflow_center, client.tag_resource_management, client.user_system
        self.searched = self.search(**IMAGES)
        self.trained, self.scheduled = self.train(), self.schedule()
        self.ran, self.failed = self.run(1), self.run(3)
        self.notebooks = client.notebook_management
        self.models, self.labels, self.artifacts = client.model_center, client.labelfree, client.artifact
        self.model = self.create_model("there")
        self.evals, self.deployments = client.eval, client.model_deployment
        self.dataset = self.create_dataset("mnist")
        self.version = self.upload_version()
        self.api.until(f"{TRAININGS}/{self.trained}", 3)
        self.api.until(f"{TASKS}/{self.scheduled}", 3)
        self.api.until(f"{RUNS}/{self.ran}", 3)
        self.api.until(f"{RUNS}/{self.failed}", 4)
        self.api.until(f"{VERSIONS}/{self.version}", 3)
        self.training_pod, self.quota_pod = (
            self.api.get(f"{path}/pods")["data"][0]["id"]
            for path in (f"{TRAININGS}/{self.trained}", f"{TASKS}/{self.scheduled}")
        )
        self.run_pod = self.api.get(f"{RUNS}/{self.ran}")["task_nodes"][0]["pod_name"]

    def search(self, **given: Any) -> int:
        return self.warehouse.create_search(dw.CreateSearchRequest(name="vendor", **given))

    def train(self, **given: Any) -> int:
        return self.trainings.create_training(mt.CreateTrainingRequest(**{**JOB, **given}))

    def schedule(self, **given: Any) -> int:
        return self.quota.create_task(qs.CreateTaskRequest(**{**JOB, "priority": 2, **given}))

    def run(self, pipeline_id: int, **given: Any) -> int:
        body = {"name": "vendor", "pipeline_id": pipeline_id, "pipeline_version_id": pipeline_id, "project_id": 1}
        return self.runs.create_run(wc.CreateRunRequest(**body, **given))

    def create_dataset(self, name: str) -> int:
        return self.data.create_dataset(dm.CreateDatasetRequest(name=name, description="", tags=[]))

    def upload(self) -> Any:
        path = self.folder / "files.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a b.txt", "12345")
            archive.writestr("deep/ü%41.txt", "123")
        return self.data.upload_file(str(path))

    def upload_version(self) -> int:
        request = dm.UploadDatasetVersionRequest(upload_path=self.upload().path, upload_type=1, dataset_id=self.dataset)
        return self.data.upload_dataset_version(request)

    def create_model(self, name: str) -> int:
        return self.models.create_model(mc.CreateModelRequest(name=name, is_public=True))

    def upload_model(self) -> str:
        source = self.folder / "model"
        (source / "deep").mkdir(parents=True)
        (source / "a b.txt").write_text("12345")
        (source / "deep" / "ü%41.txt").write_text("123")
        self.models.upload(model_name="there", local_dir=str(source))
        return self.models.get_model_db(name="there").status

    def evaluate(self) -> int:
        request = mc.CreateModelEvalTaskRequest(task_name="t", workflow_tmp_id=1, params=[mc.Param(key="name")])
        return self.models.create_eval_task(self.model, request)

    def tasks_of(self, name: str) -> Any:
        model = self.create_model(name)
        before = self.models.get_model_tasks(model).total
        self.models.create_eval_task(model, mc.CreateModelEvalTaskRequest(task_name="t", workflow_tmp_id=1))
        return before, self.models.get_model_tasks(model)

    def run_template(self) -> int:
        request = wc.CreateTemplateRunRequest(name="r", params=[wc.TempParam(key="name")], virtual_cluster_id=2)
        return self.runs.create_template_run(1, request)

    def report(self, **given: Any) -> int:
        dataset = ev.EvalRunDatasetReportV2(dataset_name="d", metrics={"metrics": {"map": 0.5}})
        return self.evals.create_run_v2(**{"run_id": "12", "name": "night", "datasets": [dataset], **given})

    def deploy(self, name: str) -> int:
        given = {"virtual_cluster_id": 1, "deploy_template": "default", "health_check_path": "/"}
        return self.deployments.create_deployment(md.DeploymentCreateRequest(name=name, **given))

    def started(self, name: str) -> Any:
        number = self.deploy(name)
        self.deployments.start_deployment(number)
        return until(
            "it is there", lambda: self.deployments.get_deployment(number), lambda one: one.infer_service_id > 0
        )

    def service(self, name: str) -> Any:
        return self.models.get_infer_service_by_id(self.started(name).infer_service_id)

    def stopped_deployment(self, name: str) -> Any:
        found = self.started(name)
        assert self.deployments.stop_deployment(found.id) is None
        return self.models.get_infer_service_by_id(found.infer_service_id)

    def download_model(self) -> dict[str, str]:
        target = self.folder / "model-downloaded"
        self.models.download(model_id=self.model, local_dir=str(target))
        return {path.relative_to(target).as_posix(): path.read_text() for path in target.rglob("*.txt")}

    def create_notebook(self) -> int:
        return self.notebooks.create_notebook(nb.CreateNotebookReq(hardware_type=1, app_type=1, image_id=1)).id

    def started_notebook(self) -> Any:
        number = self.create_notebook()
        self.notebooks.start_notebook(nb.StartNotebookReq(id=number))
        return self.notebooks.get_notebook(nb.GetNotebookReq(id=number))

    def containers(self) -> Any:
        number = self.train(command="sleep 600")
        self.api.until(f"{TRAININGS}/{number}", 2)
        every = self.trainings.list_training_containers(mt.ListTrainingContainersRequest())
        return next(one for one in every.data if one.training_id == number)

    def keep(self, folder: bool) -> None:
        source = self.folder / "artifact" / str(folder)
        (source / "deep").mkdir(parents=True)
        (source / "deep" / "ü%41.txt").write_text("123")
        (source / "a b.txt").write_text("12345")
        if folder:
            self.artifacts.create_artifacts(str(source), "out/all", str(self.ran))
        else:
            self.artifacts.create_artifact(str(source / "a b.txt"), "out/one.txt", str(self.ran))

    def fetch(self, path: str) -> dict[str, str]:
        target = self.folder / "fetched" / path
        target.mkdir(parents=True)
        self.artifacts.download_artifacts(str(self.ran), path, str(target))
        return {found.relative_to(target).as_posix(): found.read_text() for found in target.rglob("*.txt")}

    def download(self) -> dict[str, str]:
        target = self.folder / "downloaded"
        # It draws a progress bar.
        with contextlib.redirect_stderr(io.StringIO()):
            self.data.run_download("mnist/V1", str(target), worker=1)
        return {path.relative_to(target).as_posix(): path.read_text() for path in target.rglob("*.txt")}

    def create_from_server(self) -> str:
        source = self.aihub.home / "storage" / "shared" / "files"
        source.mkdir(exist_ok=True)
        (source / "a.txt").write_text("1")
        return self.data.create_dataset_and_version(
            dataset_name="from-server", is_local_upload=False, server_file_path=str(source)
        )[2]

    def stopped(self) -> Any:
        return self.runs.stop_run(self.run(2, node_virtual_clusters=PLACED))


@pytest.fixture(scope="module")
def vendor(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Iterator[Vendor]:
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as running:
        # It prefers a token from there.
        patch.delenv("AI_HUB_TOKEN", raising=False)
        patch.setenv("NO_PROXY", "127.0.0.1")
        # It looks at a new version at once, and then every ten seconds.
        patch.setattr("aihub.services.dataset_management.time.sleep", lambda _seconds: os.sched_yield())
        patch.setattr("aihub.services.model_center.time.sleep", lambda _seconds: os.sched_yield())
        pipelines = tuple(map(pipeline, COMMANDS))
        home = tmp_path_factory.mktemp("vendor")
        aihub = running.enter_context(Emulator(home, data=data, pipelines=pipelines))
        yield Vendor(aihub, tmp_path_factory.mktemp("files"))


def is_id(found: Any) -> bool:
    return isinstance(found, int) and found > 0


CALLS: dict[str, list[tuple[Callable[[Vendor], Any], Callable[[Any], bool]]]] = {
    "user_system.login": [
        (
            lambda v: v.users.login(us.LoginRequest(username=v.aihub.username, password=v.aihub.password)),
            lambda found: found.id == 1 and found.token.count(".") == 2,
        )
    ],
    "user_system.list_users": [
        (lambda v: v.users.list_users(us.ListUsersRequest(search_key="adm")), lambda found: found.data[0].id == 1)
    ],
    "user_system.get_user": [(lambda v: v.users.get_user(1), lambda found: found.username == "admin")],
    "user_system.search_users": [
        (
            lambda v: v.users.search_users(us.SearchUsersRequest(username="admin", user_ids=[1], status=1)),
            lambda found: [one.id for one in found] == [1],
        )
    ],
    "user_system.search_one": [(lambda v: v.users.search_one("admin"), lambda found: found == 1)],
    "data_warehouse.create_search": [
        (lambda v: v.search(type=1, sql="select object_name from meta where width > 1000"), is_id),
        (lambda v: v.search(**TEXTS), is_id),
        (lambda v: v.search(**IMAGES), is_id),
    ],
    "data_warehouse.get_search": [
        (lambda v: v.warehouse.get_search(v.searched), lambda found: found.name == "vendor" and found.type == 2)
    ],
    "data_warehouse.list_searches": [
        (lambda v: v.warehouse.list_searches(dw.ListSearchRequest(name="vend")), lambda found: found.total >= 1)
    ],
    "dataset_management.create_dataset": [(lambda v: v.create_dataset("other"), is_id)],
    "dataset_management.get_dataset": [
        (
            lambda v: v.data.get_dataset(v.dataset),
            lambda found: (found.name, found.versions[0].version, found.versions[0].data_count) == ("mnist", 1, 2),
        )
    ],
    "dataset_management.list_datasets": [
        (lambda v: v.data.list_datasets(name="mnist"), lambda found: found.data[0].username == "admin")
    ],
    "dataset_management.upload_file": [
        (lambda v: v.upload(), lambda found: found.path.startswith("s3://") and found.url.startswith("http://"))
    ],
    "dataset_management.upload_dataset_version": [(lambda v: v.upload_version(), is_id)],
    "dataset_management.get_dataset_version": [
        (lambda v: v.data.get_dataset_version(v.version), lambda found: (found.status, found.data_size) == (3, 8))
    ],
    "dataset_management.get_dataset_version_by_name": [
        (lambda v: v.data.get_dataset_version_by_name("mnist/V1"), lambda found: found.data_count == 2)
    ],
    "dataset_management.list_dataset_versions": [
        (
            lambda v: v.data.list_dataset_versions(dataset_id=v.dataset),
            lambda found: found.data[-1].dataset_name == "mnist",
        )
    ],
    "dataset_management.create_dataset_and_version": [
        (lambda v: v.create_from_server(), lambda found: found == "from-server/V1")
    ],
    "dataset_management.upload_by_data_ingest": [
        (
            lambda v: v.data.upload_by_data_ingest(
                dm.CreateDatasetVersionByDataIngestReqV2(
                    dataset_id=v.dataset, s3_object_sheet="s3://aihub/x.csv", s3_target_path="s3://aihub/x/"
                )
            ),
            lambda found: is_id(found.id),
        )
    ],
    "dataset_management.run_download": [
        (lambda v: v.download(), lambda found: found == {"a b.txt": "12345", "deep/ü%41.txt": "123"})
    ],
    "workflow_center.create_run": [
        (lambda v: v.run(1), is_id),
        (lambda v: v.run(1, params=[{"key": "name"}]), is_id),
        (lambda v: v.run(2, node_virtual_clusters=PLACED, use_cache=True, user_id=1), is_id),
    ],
    "workflow_center.get_run": [
        (
            lambda v: v.runs.get_run(v.ran),
            lambda found: (found.status, found.task_nodes[0].virtual_cluster.name) == (3, "vc-cpu"),
        ),
        (lambda v: v.runs.get_run(v.failed), lambda found: found.task_nodes[0].message == "exited with code 3"),
    ],
    "workflow_center.list_runs": [
        (lambda v: v.runs.list_runs(wc.ListRunsRequest(status=3)), lambda found: found.total >= 1)
    ],
    "workflow_center.stop_run": [
        (
            lambda v: v.stopped(),
            lambda found: (
                found.status == 5
                and found.node_virtual_clusters[0].virtual_cluster.sku.gpu == 1
                and [node.virtual_cluster.name for node in found.task_nodes] == ["vc-cpu", "vc-4090"]
                and len({node.task_id for node in found.task_nodes}) == 2
                and found.task_nodes[0].dependencies == []
                and len(found.task_nodes[1].dependencies) == 1
            ),
        )
    ],
    "workflow_center.retry_run": [(lambda v: v.runs.retry_run(v.failed), lambda found: found.pipeline_name == "p3")],
    "workflow_center.resubmit_run": [(lambda v: v.runs.resubmit_run(v.ran), lambda found: found.pipeline_name == "p1")],
    "workflow_center.get_run_task_logs": [
        (
            lambda v: v.runs.get_run_task_logs(v.ran, v.run_pod),
            lambda found: found.log == "hello []\n" and found.log_s3_url.startswith("http://"),
        )
    ],
    "workflow_center.get_run_task_events": [
        (lambda v: v.runs.get_run_task_events(v.ran, v.run_pod), lambda found: "exited with code 0" in found.events)
    ],
    "workflow_center.select_pipelines": [
        (
            lambda v: v.runs.select_pipelines(name="p2"),
            lambda found: [(one.id, one.name) for one in found] == [(2, "p2")],
        )
    ],
    "workflow_center.get_pipeline": [
        (lambda v: v.runs.get_pipeline(1), lambda found: (found.latest_version_id, found.version_cnt) == (1, 1))
    ],
    "workflow_center.select_pipeline_versions": [
        (
            lambda v: v.runs.select_pipeline_versions(wc.SelectPipelineVersionsRequest(pipeline_id=2)),
            lambda found: [(one.id, one.name) for one in found] == [(2, "V1")],
        )
    ],
    "workflow_center.get_pipeline_version_input_params": [
        (lambda v: v.runs.get_pipeline_version_input_params(1), lambda found: found == ["name"])
    ],
    "model_center.create_model": [
        (lambda v: v.create_model("other"), is_id),
        (
            lambda v: v.models.create_model(
                mc.CreateModelRequest(name="tagged", is_public=False, tags="1,2", description="d", readme_content="r")
            ),
            is_id,
        ),
    ],
    "model_center.upload": [(lambda v: v.upload_model(), lambda found: found == "ready")],
    "model_center.list_models": [
        (
            lambda v: v.models.list_models(mc.ListModelsRequest(name="ther")),
            lambda found: any(model.name == "there" for model in found.data),
        )
    ],
    "model_center.get_model": [
        (lambda v: v.models.get_model(v.model), lambda found: (found.name, found.status) == ("there", "ready"))
    ],
    "model_center.get_model_db": [
        (lambda v: v.models.get_model_db(id=v.model), lambda found: (found.object_cnt, found.data_size) == (2, 8))
    ],
    "model_center.download": [
        (lambda v: v.download_model(), lambda found: found == {"a b.txt": "12345", "deep/ü%41.txt": "123"})
    ],
    "model_center.create_eval_task": [(lambda v: v.evaluate(), is_id)],
    "model_center.get_model_tasks": [
        (
            lambda v: v.tasks_of("asked for"),
            lambda found: found[0] == 0 and (found[1].total, found[1].data[0].workflow_tmp_name) == (1, "p1"),
        )
    ],
    "model_deployment.create_deployment": [(lambda v: v.deploy("made"), is_id)],
    "model_deployment.start_deployment": [
        (lambda v: v.started("started"), lambda found: (found.name, found.is_vip) == ("started", False))
    ],
    "model_deployment.get_deployment": [
        (lambda v: v.deployments.get_deployment(v.deploy("asked for")), lambda found: found.infer_service_id == 0)
    ],
    "model_deployment.list_deployments": [
        (
            lambda v: (
                v.deploy("listed"),
                v.deployments.list_deployments(md.DeploymentListRequest(name="listed")),
            ),
            lambda found: [row.id for row in found[1].data] == [found[0]],
        )
    ],
    "model_deployment.stop_deployment": [
        (lambda v: v.stopped_deployment("stopped"), lambda found: found.status == "offline")
    ],
    "model_deployment.delete_deployment": [
        (lambda v: v.deployments.delete_deployment(v.deploy("deleted")), lambda found: found is None)
    ],
    "model_deployment.get_deployment_pods": [
        (
            lambda v: v.deployments.get_deployment_pods(v.started("with a pod").id),
            lambda found: (found.total, found.data[0].node_name) == (1, "vc-cpu-node-1"),
        )
    ],
    "model_deployment.get_deployment_logs": [
        (lambda v: v.deployments.get_deployment_logs(v.deploy("that is silent")), lambda found: found.data == "")
    ],
    "model_center.get_infer_service_by_id": [
        (lambda v: v.service("asked"), lambda found: (found.status, found.name) == ("online", "asked"))
    ],
    "eval.create_run_v2": [
        (lambda v: v.report(), is_id),
        (
            lambda v: v.report(
                eval_type="reid",
                model_id=v.model,
                user_id=1,
                is_public=False,
                access_user_ids=[1],
                reid_config=ev.ReidConfigV2(
                    gallery_dataset_id=1,
                    query_dataset_id=2,
                    metrics_viz_artifacts=[ev.MetricsArtifact(MetricVizConfigID=1, MetricArtifactPath="s3://b/v")],
                    search_result_artifact_path="s3://b/r",
                ),
            ),
            is_id,
        ),
        (
            lambda v: v.report(
                eval_type="performance",
                performance=[ev.PerformanceMetric(metric_name="p99", value=1.5, unit="ms")],
                overall_metrics=ev.OverallMetrics(overall={"map": 0.5}),
            ),
            is_id,
        ),
    ],
    "eval.create": [
        (
            lambda v: v.evals.create("mnist/V1", "s3://b/p", "s3://b/e", {"map": 1}, "12", is_public=False),
            is_id,
        )
    ],
    "eval.create_cv_run": [(lambda v: v.evals.create_cv_run("12", "s3://b/p", "s3://b/m", "s3://b/g"), is_id)],
    "eval.create_reid_run": [
        (
            lambda v: v.evals.create_reid_run(
                *("12", v.model, "s3://b/p", 1, 2, 3, 4, 5, 6),
                [ev.MetricsArtifact(MetricVizConfigID=1, MetricArtifactPath="s3://b/v")],
                *("s3://b/r", "s3://b/m"),
            ),
            is_id,
        )
    ],
    "eval.create_performance_run": [
        (lambda v: v.evals.create_performance_run("n", "s3://b/f", "there", 1, [{"p99": 1}], {}), is_id)
    ],
    "eval.list": [
        (
            lambda v: (v.report(run_id="13"), v.evals.list(run_id="13", model_id=None)),
            lambda found: [row.id for row in found[1].data] == [found[0]] and found[1].data[0].status == "completed",
        )
    ],
    "eval.grant_permission": [
        (lambda v: v.evals.grant_permission([1], v.report(is_public=False)), lambda found: found is not None)
    ],
    "workflow_center.list_templates": [
        (
            lambda v: v.runs.list_templates(wc.ListTemplatesRequest(name="p", filter=1)),
            lambda found: (
                [(one.id, one.pipeline_version_name) for one in found.data] == [(1, "V1"), (2, "V1"), (3, "V1")]
            ),
        )
    ],
    "workflow_center.get_template": [
        (lambda v: v.runs.get_template(2), lambda found: (found.name, found.pipeline_id) == ("p2", 2))
    ],
    "workflow_center.search_templates": [
        (
            lambda v: v.runs.search_templates(wc.SearchTemplatesRequest(ids=[2, 3], name="p2")),
            lambda found: [one.id for one in found.data] == [2],
        )
    ],
    "workflow_center.get_template_input_params": [
        (lambda v: v.runs.get_template_input_params(1), lambda found: [one.input_param for one in found] == ["name"])
    ],
    "workflow_center.create_template_run": [
        (
            lambda v: v.runs.get_run(v.run_template()),
            lambda found: (
                (found.name, found.pipeline_name, found.task_nodes[0].virtual_cluster.name) == ("r", "p1", "vc-4090")
            ),
        )
    ],
    "artifact.create_artifact": [(lambda v: v.keep(folder=False), lambda found: found is None)],
    "artifact.create_artifacts": [(lambda v: v.keep(folder=True), lambda found: found is None)],
    "artifact.get_by_run_id": [
        (
            lambda v: v.artifacts.get_by_run_id(str(v.ran)),
            lambda found: [(one.src_path, one.is_dir) for one in found] == [("out/one.txt", False), ("out/all", True)],
        )
    ],
    "artifact.download_artifacts": [
        (lambda v: v.fetch("out/one.txt"), lambda found: found == {"out/one.txt": "12345"}),
        (lambda v: v.fetch("out/all"), lambda found: found == {"a b.txt": "12345", "deep/ü%41.txt": "123"}),
    ],
    "notebook_management.list_images": [
        (
            lambda v: v.notebooks.list_images(nb.ListImagesReq(app_type=1, hardware_type=2)),
            lambda found: [one.name for one in found.data] == ["jupyter-gpu"],
        )
    ],
    "notebook_management.get_configs": [
        (
            lambda v: v.notebooks.get_configs(nb.GetConfigsReq()),
            lambda found: found.vnc_svr_default_params.image.app_type == 2,
        )
    ],
    "notebook_management.create_notebook": [(lambda v: v.create_notebook(), is_id)],
    "notebook_management.list_notebooks": [
        (
            lambda v: v.notebooks.list_notebooks(nb.ListNotebooksReq(app_type=1)),
            lambda found: all(one.creator.name == "admin" for one in found.data) and found.data,
        )
    ],
    "notebook_management.get_notebook": [
        (
            lambda v: v.notebooks.get_notebook(nb.GetNotebookReq(id=v.create_notebook())),
            lambda found: (found.status, found.image.id) == (1, 1),
        )
    ],
    "notebook_management.edit_notebook": [
        (
            lambda v: v.notebooks.edit_notebook(nb.EditNotebookReq(id=v.create_notebook(), image_id=1, sku_cnt=3)),
            lambda found: found is not None,
        )
    ],
    "notebook_management.start_notebook": [(lambda v: v.started_notebook(), lambda found: found.status in (2, 3))],
    "notebook_management.stop_notebook": [
        (
            lambda v: v.notebooks.stop_notebook(nb.StopNotebookReq(id=v.started_notebook().id)),
            lambda found: found is not None,
        )
    ],
    "notebook_management.delete_notebook": [
        (
            lambda v: v.notebooks.delete_notebook(nb.DeleteNotebookReq(id=v.create_notebook())),
            lambda found: found is not None,
        )
    ],
    "labelfree.get_project_global_stats": [
        (
            lambda v: v.labels.get_project_global_stats("example"),
            lambda found: (
                (found.status, found.data_exported_count, found.global_stats.total_labels) == ("finished", 1, 12)
            ),
        )
    ],
    "model_training_platform.create_training": [
        (lambda v: v.train(), is_id),
        (lambda v: v.train(command=None, enable_ssh=None, envs=None, storage_ids=None), is_id),
        (lambda v: v.train(use_ib_network=None, always_pull_image=None, enable_sys_admin=None), is_id),
        (lambda v: v.train(shm=1, estimate_run_time=60, notify_type=3, description="d"), is_id),
    ],
    "model_training_platform.get_training": [
        (
            lambda v: v.trainings.get_training(v.trained),
            lambda found: (found.status, found.shm, found.estimate_run_time, found.preempt_policy) == (3, 0, 0, 0),
        )
    ],
    "model_training_platform.list_trainings": [
        (lambda v: v.trainings.list_trainings(mt.ListTrainingsRequest()), lambda found: found.total >= 1)
    ],
    "model_training_platform.stop_training": [
        (lambda v: v.trainings.stop_training(v.train(command="sleep 600")), lambda found: found is None)
    ],
    "model_training_platform.list_training_containers": [
        (lambda v: v.containers(), lambda found: found.containers[0].pod_name.endswith("master-0"))
    ],
    "model_training_platform.list_storages": [
        (lambda v: v.trainings.list_storages(), lambda found: [one.id for one in found.data] == [1, 2])
    ],
    "model_training_platform.list_training_pods": [
        (
            lambda v: v.trainings.list_training_pods(v.trained, mt.ListTrainingPodsRequest()),
            lambda found: found.data[0].status == "Succeeded",
        )
    ],
    "model_training_platform.get_pod_logs_new": [
        (lambda v: v.trainings.get_pod_logs_new(v.trained, v.training_pod), lambda found: len(found.logs) == 1)
    ],
    "model_training_platform.get_pod_spec": [
        (lambda v: v.trainings.get_pod_spec(v.trained, v.training_pod), lambda found: "echo hello" in found.spec)
    ],
    "model_training_platform.get_pod_events": [
        (lambda v: v.trainings.get_pod_events(v.trained, v.training_pod), lambda found: "exited" in found.events)
    ],
    "quota_schedule_management.create_task": [
        (lambda v: v.schedule(), is_id),
        (lambda v: v.schedule(command=None, enable_ssh=None, envs=None, storage_ids=None), is_id),
        (lambda v: v.schedule(use_ib_network=None, always_pull_image=None, enable_reschedule=None), is_id),
    ],
    "quota_schedule_management.get_task": [
        (
            lambda v: v.quota.get_task(v.scheduled),
            lambda found: (found.status, found.shm, found.estimate_run_time, found.priority) == (3, 0, 0, 2),
        )
    ],
    "quota_schedule_management.list_tasks": [
        (lambda v: v.quota.list_tasks(qs.ListTasksRequest(priority=2)), lambda found: found.total >= 1)
    ],
    "quota_schedule_management.stop_task": [
        (lambda v: v.quota.stop_task(v.schedule(command="sleep 600")), lambda found: found is None)
    ],
    "quota_schedule_management.get_metrics_overview": [
        (
            lambda v: v.quota.get_metrics_overview(qs.GetMetricsOverviewRequest()),
            lambda found: (
                [(one.vc_name, one.high_priority[0].total) for one in found.data][1:]
                == [("vc-4090", 32), ("vc-a800", 64)]
            ),
        )
    ],
    "quota_schedule_management.list_task_pods": [
        (
            lambda v: v.quota.list_task_pods(v.scheduled, qs.ListTaskPodsRequest()),
            lambda found: found.data[0].status == "Succeeded",
        )
    ],
    "quota_schedule_management.get_pod_logs_new": [
        (lambda v: v.quota.get_pod_logs_new(v.scheduled, v.quota_pod), lambda found: len(found) == 1)
    ],
    "quota_schedule_management.get_pod_spec": [
        (lambda v: v.quota.get_pod_spec(v.scheduled, v.quota_pod), lambda found: "echo hello" in found)
    ],
    "quota_schedule_management.get_pod_events": [
        (lambda v: v.quota.get_pod_events(v.scheduled, v.quota_pod), lambda found: "exited" in found)
    ],
    "tag_resource_management.select_projects": [
        (lambda v: v.tags.select_projects(), lambda found: [one.name for one in found] == ["default", "research"])
    ],
    "tag_resource_management.select_virtual_clusters": [
        (
            lambda v: v.tags.select_virtual_clusters(tr.SelectVirtualClustersRequest(user_id=1)),
            lambda found: [one.name for one in found] == ["vc-cpu", "vc-4090", "vc-a800"],
        ),
        (
            lambda v: v.tags.select_virtual_clusters(tr.SelectVirtualClustersRequest(user_id=1, module_type=3)),
            lambda found: found[1].sku.gpu_memory == 24,
        ),
    ],
}

NO_COUNTERPART = {
    "data_warehouse": "",
    "labelfree": "",
    "notebook_management": "",
    "artifact": "",
    "dataset_management": "create_dataset_version upload_data",
    "eval": "",
    "model_center": "create edit_model delete_model",
    "model_deployment": "",
    "model_training_platform": "get_training_pod list_training_users",
    "quota_schedule_management": "get_task_pod list_task_users",
    "tag_resource_management": "select_model_tags",
    "workflow_center": """list_pipelines create_pipeline delete_pipeline select_pipeline_users list_pipeline_versions
        get_pipeline_version create_pipeline_version delete_pipeline_version migrate_pipeline_versions get_run_task_pod
        select_run_users list_modules create_module select_module_users get_module_version create_module_version
        edit_module_version delete_module_version release_module_version rebuild_module_version create_template
        release_template""",
    "user_system": """signup list_menus get_menu create_menu update_menu delete_menu get_menu_roles set_menu_roles
        list_roles get_role create_role update_role delete_role get_role_menus set_role_menus search_roles
        create_user update_user delete_user set_user_roles get_user_menus""",
}
"""The methods for which the emulator has nothing, by service."""


@pytest.mark.parametrize("name", CALLS)
def test_each_of_its_methods_is_answered(vendor: Vendor, name: str) -> None:
    for call, expected in CALLS[name]:
        found = call(vendor)
        assert expected(found), found


def test_every_method_of_the_services_is_accounted_for(vendor: Vendor) -> None:
    for service, without in NO_COUNTERPART.items():
        kind = type(getattr(vendor.client, service))
        methods = {name for name, what in vars(kind).items() if name[0] != "_" and callable(what)}
        called = {name.partition(".")[2] for name in CALLS if name.startswith(f"{service}.")}
        assert called | set(without.split()) == methods
        assert not called & set(without.split())


def test_it_is_told_why_it_is_refused(vendor: Vendor) -> None:
    with pytest.raises(APIError, match="backend code 2: virtual cluster 99 not found"):
        vendor.train(virtual_cluster_id=99)
    with pytest.raises(APIError, match="backend code 8: dataset mnist exists already"):
        vendor.create_dataset("mnist")
    with pytest.raises(APIError, match="backend code 1: sql is required"):
        vendor.search(type=1)
    nobody = Client(base_url=vendor.aihub.url, token="nonsense", log_level="CRITICAL")
    with pytest.raises(APIError) as error:
        nobody.workflow_center.get_run(1)
    assert error.value.status == 401
