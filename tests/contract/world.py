"""A running AIHub with something of everything on it, and a client that keeps the last answer as it came."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from waiting import until

from airflow_provider_aihub.aihub.artifacts import ArtifactSpec
from airflow_provider_aihub.aihub.client import AIHubClient
from airflow_provider_aihub.aihub.config import Config
from airflow_provider_aihub.aihub.data_warehouse import SearchSpec
from airflow_provider_aihub.aihub.dataset_management import DatasetSpec, DatasetVersionSpec
from airflow_provider_aihub.aihub.eval_platform import EvalReportSpec
from airflow_provider_aihub.aihub.model_center import ModelSpec
from airflow_provider_aihub.aihub.model_deployment import DeploymentSpec
from airflow_provider_aihub.aihub.model_tasks import ModelEvalSpec
from airflow_provider_aihub.aihub.model_training import TrainingSpec
from airflow_provider_aihub.aihub.notebooks import NotebookSpec
from airflow_provider_aihub.aihub.quota_schedule import QuotaTaskSpec
from airflow_provider_aihub.aihub.workflow_center import WorkflowRunSpec
from airflow_provider_aihub.emulators.aihub import Emulator, Node, Pipeline, PipelineVersion
from airflow_provider_aihub.http.protocol import Answer, Outcome, Send

COMMANDS = {"greet": 'echo "hello ${name:-world}"', "fail": "exit 3", "sleep": "sleep 600"}
PIPELINES = tuple(
    Pipeline(
        id=number, name=name, versions=(PipelineVersion(id=number, name="V1", nodes=(Node(name=name, command=c),)),)
    )
    for number, (name, c) in enumerate(COMMANDS.items(), start=1)
)


def tables(folder: Path) -> Path:
    """Fill a folder with the tables of a data warehouse."""
    (folder / "meta.csv").write_text("object_name,width\nsmall.jpg,10\nbig.jpg,2000\n")
    (folder / "feature_lib_7.csv").write_text('image_url,label,box\nhttp://x/red/car.jpg,red car,"[1, 2, 3, 4]"\n')
    return folder


class Listening(AIHubClient):
    """A client that keeps the body of the last answer."""

    heard = b""

    def _send(self, step: Send) -> Outcome:
        outcome = super()._send(step)
        if isinstance(outcome, Answer):
            self.heard = outcome.body
        return outcome


def client_of(aihub: Emulator) -> Listening:
    """A client for an emulator: by its one address, or, where each service has a port, by single addresses alone."""
    connection = json.loads(aihub.connection_json())
    host = None if aihub.settings.port_per_service else connection["host"]
    return Listening(
        Config.from_connection(
            host=host,
            login=connection["login"],
            password=connection["password"],
            extra=connection["extra"],
            environ={},
        )
    )


class World:
    """Ids of things that exist on an emulator: ``training`` has ended well, ``running_training`` may be stopped."""

    def __init__(self, aihub: Emulator, data: Path) -> None:
        self.aihub, self.data = aihub, data
        self.document = aihub.settings.api == "document"
        self.client = client_of(aihub)
        self._numbers = itertools.count(1)
        user_id = self.client.authenticate()
        assert user_id is not None
        self.user_id = user_id
        self.dataset_name = self.new_name()
        self.image_search = self.client.create_search(
            SearchSpec.build(
                name="image search",
                images=[{"url": "http://x/red/car", "box": [1, 2, 3, 4]}],
                feature_lib_id=7,
                top_k=1,
            )
        )
        access = None if self.document else [user_id]
        self.dataset = self.client.create_dataset(
            DatasetSpec.build(name=self.dataset_name, tags=[1], access_user_ids=access)
        )
        self.version = self.client.create_dataset_version(
            DatasetVersionSpec.build(upload_type="host", upload_path=str(data), dataset_id=self.dataset)
        )
        self.run, self.failed_run, self.running_run = (
            self.client.create_workflow_run(self.run_spec(name)) for name in COMMANDS
        )
        self.training, self.running_training = (
            self.client.create_training(TrainingSpec.build(**job))
            for job in (self._job("true"), self._job("sleep 600"))
        )
        self.quota_task, self.busy_quota_task, self.running_quota_task = (
            self.client.create_quota_task(QuotaTaskSpec.build(**self._job(command)))
            for command in ("true", "sleep 600", "sleep 600")
        )
        self.model, self.model_name, self.report, self.deployment, self.infer_service = 1, "", 1, 1, 1
        self.artifact, self.notebook = 1, 1
        if not self.document:
            self.model_name = self.new_name()
            self.model = self.client.create_model(ModelSpec.build(name=self.model_name))
            spec = ModelEvalSpec.build(task_name="there", workflow_tmp_id=1)
            self.client.create_model_eval_task(self.model, spec)
            dataset = {"dataset_name": "d", "metrics": {"metrics": {"map": 0.5}}}
            report = EvalReportSpec.build(run_id="1", name="night", type="cv", model_id=self.model, datasets=[dataset])
            self.report = self.client.create_eval_report(report)
            self.deployment = self.new_deployment()
            deployment = self.client.get_deployment(self.deployment)
            self.deployment_name = deployment.name
            self.client.start_deployment(self.deployment)
            self._until(lambda: min(self.client.get_deployment(self.deployment).infer_service_id, 1), 1)
            self.infer_service = self.client.get_deployment(self.deployment).infer_service_id
            self.artifact = self.client.create_artifact(ArtifactSpec.build(entity_id=self.run, src_path="a")).id
            self.notebook = self.new_notebook()
        self._until(lambda: self.client.get_search(self.image_search).status, 3)
        self._until(lambda: self.client.get_dataset_version_by_name(f"{self.dataset_name}/V1").status, 3)
        self._until(lambda: self.client.get_workflow_run(self.run).status, 3)
        self._until(lambda: self.client.get_workflow_run(self.failed_run).status, 4)
        self._until(lambda: self.client.get_training(self.training).status, 3)
        self._until(lambda: self.client.get_quota_task(self.quota_task).status, 3)
        self._until(lambda: self.client.get_quota_task(self.busy_quota_task).status, 2)
        self.pod_name = self.client.get_workflow_run(self.run).task_nodes[0].pod_name
        self.training_pod = self.client.list_training_pods(self.training).data[0].id
        self.quota_task_pod = self.client.list_quota_task_pods(self.quota_task).data[0].id

    def new_notebook(self) -> int:
        """A notebook that is closed."""
        envs = {"x": "y"}
        spec = NotebookSpec.build(app_type=1, hardware_type=1, image_id=1, envs=envs, storage_ids=[1])
        return self.client.create_notebook(spec)

    def new_name(self) -> str:
        """A name that nothing has yet."""
        return f"contract-{next(self._numbers)}"

    def new_deployment(self) -> int:
        """A deployment that was never started."""
        given = {"virtual_cluster_id": 1, "envs": {"A": "x"}, "storage_ids": [1]}
        return self.client.create_deployment(DeploymentSpec.build(name=self.new_name(), **given))

    def run_spec(self, pipeline: str, **given: Any) -> WorkflowRunSpec:
        """A run of one of the pipelines of :data:`COMMANDS`."""
        number = list(COMMANDS).index(pipeline) + 1
        placed = [{"virtual_cluster_id": 1, "nodes": [pipeline]}]
        project = {} if self.document else {"project_id": 1, "node_virtual_clusters": placed}
        fields = {"name": "done", "pipeline_id": number, "pipeline_version_id": number, "params": {"name": "you"}}
        return WorkflowRunSpec.build(**{**fields, **project, **given})

    def _job(self, command: str) -> dict[str, Any]:
        return {
            "name": "done",
            "command": command,
            "image": "any",
            "virtual_cluster_id": 1,
            "project_id": 1,
            "envs": {"x": "y"},
            "storage_ids": [1],
        }

    @staticmethod
    def _until(status: Callable[[], int], wanted: int) -> None:
        until(f"the status is {wanted}", status, wanted.__eq__, every=0.02)
