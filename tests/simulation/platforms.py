"""The platforms whose jobs are simulated: the one in memory, and what the provider has for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from airflow_provider_aihub.aihub.client import AIHubClient
from airflow_provider_aihub.aihub.config import Config as AIHubConfig
from airflow_provider_aihub.aihub.platform import PLATFORM as AIHUB
from airflow_provider_aihub.hooks.aihub import AIHubHook
from airflow_provider_aihub.hooks.modelarts import ModelArtsHook
from airflow_provider_aihub.http.blocking import Client
from airflow_provider_aihub.jobs.platform import Platform
from airflow_provider_aihub.modelarts.client import ModelArtsClient
from airflow_provider_aihub.modelarts.config import Config as ModelArtsConfig
from airflow_provider_aihub.modelarts.platform import PLATFORM as MODELARTS
from airflow_provider_aihub.operators.dataset import DatasetVersionOperator
from airflow_provider_aihub.operators.deployment import StartDeploymentOperator
from airflow_provider_aihub.operators.model_eval import ModelEvalOperator
from airflow_provider_aihub.operators.modelarts_notebook import ModelArtsStartNotebookOperator
from airflow_provider_aihub.operators.modelarts_training_job import (
    ModelArtsSaveImageOperator,
    ModelArtsTrainingJobOperator,
)
from airflow_provider_aihub.operators.modelarts_workflow import ModelArtsWorkflowExecutionOperator
from airflow_provider_aihub.operators.quota_task import QuotaTaskOperator
from airflow_provider_aihub.operators.training import TrainingOperator
from airflow_provider_aihub.operators.warehouse import WarehouseSearchOperator
from airflow_provider_aihub.operators.workflow import WorkflowRunOperator
from airflow_provider_aihub.operators.workflow_template import WorkflowTemplateRunOperator
from airflow_provider_aihub.sensors.dataset import DatasetVersionSensor
from airflow_provider_aihub.sensors.label_project import LabelProjectSensor
from airflow_provider_aihub.sensors.model import ModelSensor
from airflow_provider_aihub.sensors.modelarts import (
    ModelArtsNotebookSensor,
    ModelArtsSavedImageSensor,
    ModelArtsTrainingJobSensor,
    ModelArtsWorkflowExecutionSensor,
    ModelArtsWorkflowStepSensor,
)
from airflow_provider_aihub.sensors.quota import QuotaSensor
from airflow_provider_aihub.sensors.quota_task import QuotaTaskSensor
from airflow_provider_aihub.sensors.training import TrainingSensor
from airflow_provider_aihub.sensors.warehouse import WarehouseSearchSensor
from airflow_provider_aihub.sensors.workflow import WorkflowRunSensor

from .aihub import MODEL, AIHub
from .modelarts import GIVEN, SAVED, STEP, WORKFLOW, ModelArts
from .server import Job, Server

NAME: Final = "job"
"""What jobs are called, or what their names begin with."""


@dataclass(frozen=True, eq=False)
class Kind:
    """What the provider has for a kind of job.

    :param operator: ``None`` where nothing creates one.
    :param given: What an operator is given; ``sensed`` what a sensor is, besides the job.
    :param sensor: ``None`` where nothing waits for one alone.
    :param named: Gives what names a job to a sensor. Default: its id.
    :param jobs: What its jobs are called on the platform. Default: as the kind is.
    :param signs: Which parameter is signed with the marker; none where whoever names a thing has it.
    """

    operator: Any
    given: Mapping[str, Any]
    sensor: Any
    sensed: Mapping[str, Any]
    named: Callable[[Job], Mapping[str, Any]] | None = None
    jobs: str = ""
    signs: str = "description"


@dataclass(frozen=True, eq=False)
class Side:
    """A platform, and what the provider has for it.

    :param configs: What a connection says, by dialect.
    """

    server: type[Server]
    platform: Platform
    client: type[Client]
    hook: type
    configs: Mapping[str, Any]
    kinds: Mapping[str, Kind]


def _kind(operator: type, sensor: type, sensed: Mapping[str, Any] | None = None, **given: Any) -> Kind:
    return Kind(operator, given, sensor, sensed or {})


def _sensed(sensor: type, named: Callable[[Job], Mapping[str, Any]], **sensed: Any) -> Kind:
    return Kind(None, {}, sensor, sensed, named)


_AT_AIHUB: Final = AIHubConfig.from_connection(
    host="http://aihub", login="user", password="secret", extra={}, environ={}
)
_USER: Final = {"iam_user": "user", "iam_password": "secret", "account": "account", "iam_url": "http://iam"}
_CLUSTER_JOB: Final = {"name": f" {NAME}", "command": "true", "image": "i", "virtual_cluster": 1, "project": 1}


def _at_modelarts(extra: Mapping[str, str], **login: str) -> ModelArtsConfig:
    known = {"project_id": "p", "web_url": "http://console"}
    return ModelArtsConfig.from_connection(host="http://modelarts", extra={**known, **extra}, **login)


SIDES: Final = {
    "AIHub": Side(
        AIHub,
        AIHUB,
        AIHubClient,
        AIHubHook,
        {"platform": _AT_AIHUB, "document": _AT_AIHUB},
        {
            "training": _kind(TrainingOperator, TrainingSensor, **_CLUSTER_JOB),
            "quota_task": _kind(QuotaTaskOperator, QuotaTaskSensor, **_CLUSTER_JOB, priority="low"),
            "search": _kind(
                WarehouseSearchOperator,
                WarehouseSearchSensor,
                name=f" {NAME}",
                keywords="x",
                feature_lib_id=1,
                top_k=1,
            ),
            "dataset_version": _kind(
                DatasetVersionOperator,
                DatasetVersionSensor,
                dataset=1,
                dataset_name="digits",
                upload_path="/x",
                upload_type="host",
            ),
            "workflow_run": _kind(
                WorkflowRunOperator, WorkflowRunSensor, name=f" {NAME}", pipeline=1, pipeline_version=1, project=1
            ),
            "template_run": Kind(
                WorkflowTemplateRunOperator,
                {"name": f" {NAME}", "template": 1, "virtual_cluster": 1},
                *(None, {}),
                jobs="workflow_run",
                signs="name",
            ),
            "model_eval": Kind(
                ModelEvalOperator,
                {"name": f" {NAME}", "model": MODEL, "infer_service_id": 1},
                *(None, {}),
                signs="name",
            ),
            "deployment": Kind(
                StartDeploymentOperator,
                {"deployment": f" {NAME}", "create": {"virtual_cluster": 1, "docker_image_name": "i"}},
                *(None, {}),
                signs="",
            ),
            "model": _sensed(ModelSensor, lambda job: {"model": job.name}),
            "label_project": _sensed(LabelProjectSensor, lambda job: {"label_project": job.id}),
            "quota": _sensed(
                QuotaSensor, lambda job: dict(zip(("gpus", "group", "virtual_cluster"), job.id.split("/"), strict=True))
            ),
        },
    ),
    "ModelArts": Side(
        ModelArts,
        MODELARTS,
        ModelArtsClient,
        ModelArtsHook,
        {"keys": _at_modelarts({}, login="AK", password="SK"), "user": _at_modelarts(_USER)},
        {
            "training_job": _kind(
                ModelArtsTrainingJobOperator,
                ModelArtsTrainingJobSensor,
                name=NAME,
                image="i",
                command="true",
                flavor_id="f",
                node_count=1,
            ),
            "workflow_execution": _kind(
                ModelArtsWorkflowExecutionOperator,
                ModelArtsWorkflowExecutionSensor,
                {"workflow_id": WORKFLOW},
                workflow_id=WORKFLOW,
                name=f" {NAME}",
            ),
            "saved_image": Kind(
                ModelArtsSaveImageOperator,
                {"training_job_id": SAVED.partition("/")[0], "name": NAME, "namespace": "n", "tag": "t"},
                ModelArtsSavedImageSensor,
                {},
                lambda job: {"training_job_id": str(job.id).partition("/")[0]},
            ),
            "started_notebook": Kind(ModelArtsStartNotebookOperator, {"notebook_id": GIVEN}, *(None, {}), signs=""),
            "workflow_step": _sensed(
                ModelArtsWorkflowStepSensor,
                lambda job: {"execution_id": str(job.id).rpartition("/")[0]},
                workflow_id=WORKFLOW,
                step=STEP,
            ),
            "notebook": _sensed(ModelArtsNotebookSensor, lambda job: {"notebook_id": job.id}),
        },
    ),
}
"""By their names."""
