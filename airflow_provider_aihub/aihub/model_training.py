"""Model training: GPU jobs, their pods and the storages that they mount."""

from __future__ import annotations

from dataclasses import replace
from enum import IntEnum, StrEnum
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from airflow_provider_aihub.aihub.job_calls import JobCalls
from airflow_provider_aihub.aihub.models import (
    KeyValue,
    LogFile,
    Named,
    Page,
    Pod,
    Project,
    Spec,
    Storage,
    VirtualCluster,
    page_of,
)
from airflow_provider_aihub.aihub.services import Service
from airflow_provider_aihub.aihub.values import page_query
from airflow_provider_aihub.http.models import Answer, nothing, rows
from airflow_provider_aihub.http.request import FieldsWithout, Request
from airflow_provider_aihub.http.values import Count, Flag, Number, Pairs, Positive, Text, Whole, Words, one_of

_BASE = "/model-training-platform/api/v1"
_TRAININGS = JobCalls(Service.MODEL_TRAINING, "training", "trainings", f"{_BASE}/trainings", "training_id")


class Framework(StrEnum):
    """How a job is run. The document knows the first two, newer platforms all but the first."""

    MPI_JOB = "MpiJob"
    PYTORCH_JOB = "PyTorchJob"
    MPI_JOB_MPI_RUN = "MpiJobMpiRun"
    MPI_JOB_DEEPSPEED = "MpiJobDeepspeed"


class Category(IntEnum):
    """What a job is for."""

    TRAINING = 1
    INFERENCE = 2
    DEBUGGING = 3
    SPECIAL = 4


class PreemptPolicy(IntEnum):
    """What a VIP training does with running trainings of low priority; an answer may say 0, for none."""

    WAIT = 1
    KILL = 2


class NotifyType(IntEnum):
    """When AIHub tells the user about a job. Newer platforms only."""

    SILENT = 1
    FAILURE = 2
    COMPLETION = 3


class TrainingStatus(IntEnum):
    """Where a training stands."""

    WAITING = 1
    RUNNING = 2
    SUCCESS = 3
    FAILED = 4
    STOPPED = 5


class JobSpec(Spec):
    """The fields that trainings and quota tasks have in common.

    :param name: Name of the job.
    :param description: Free text.
    :param command: What it runs.
    :param image: Container image.
    :param virtual_cluster_id: Id of the virtual cluster to run on.
    :param project_id: Id of the project it belongs to.
    :param framework: See :class:`Framework`. Default: PyTorchJob, since every AIHub has that one.
    :param sku_cnt: Number of SKUs for each instance, 0 or more. Default: 1.
    :param instances: Number of instances, 1 or more. Default: 1.
    :param enable_ssh: Whether one can log in with SSH. Default: false.
    :param envs: Environment variables: a dict, or a list of ``{key, value}``. Numbers and booleans become text,
        ``True`` becomes ``true``.
    :param storage_ids: Ids of the storages to mount.
    :param use_ib_network: Whether to use InfiniBand. Default: false.
    :param always_pull_image: Whether to pull the image even if the node has it. Default: false.
    :param shm: Shared memory, 0 or more. The unit is GiB by AIHub's document, and MB for quota tasks of newer
        platforms; the number is sent as it is given. If none is given, newer platforms are sent none and choose; an
        AIHub with the document's API alone requires one and is sent 1. Each client finds out once which kind of AIHub
        it is, by listing one job.
    :param category_id: What it is for, by word or number, see :class:`Category`. Default: training.
    :param estimate_run_time: Estimated run time in seconds, 0 or more. Default: 3600. It is not a limit.
    :param notify_type: When AIHub tells the user, by word or number, see :class:`NotifyType`. Newer platforms only.
    :param enable_sys_admin: Whether to grant the container SYS_ADMIN. Newer platforms only.
    """

    framework: Annotated[Framework, one_of(Framework)] = Framework.PYTORCH_JOB
    name: Text
    description: Words | None = None
    command: Text = Field(repr=False)
    image: Text
    virtual_cluster_id: Positive
    sku_cnt: Count = 1
    enable_ssh: Flag = False
    envs: Pairs = Field(default_factory=dict, repr=False)
    storage_ids: list[Positive] = Field(default_factory=list)
    instances: Positive = 1
    use_ib_network: Flag = False
    always_pull_image: Flag = False
    shm: Count | None = None
    category_id: Annotated[Category, one_of(Category)] = Category.TRAINING
    project_id: Positive
    estimate_run_time: Count = 3600
    notify_type: Annotated[NotifyType, one_of(NotifyType)] | None = None
    enable_sys_admin: Flag | None = None

    def only_document(self, newer: Request[Any]) -> FieldsWithout | None:
        """Return the fields that only the document's API requires, if any; ``newer`` is a call that only newer
        platforms have."""
        if self.shm is not None:
            return None
        asks = f"show by a list what it takes to create {self.noun} {self.name!r}"
        # 1 GiB there, but perhaps 1 MB elsewhere, in which hardly any job runs.
        return FieldsWithout({"shm": 1}, replace(newer, asks=asks, read=nothing))


class TrainingSpec(JobSpec):
    """A training to create: what :class:`JobSpec` has, and the three VIP fields.

    AIHub's document marks none of the three as optional, so all are always sent.

    :param is_vip: Whether it runs before others. Default: false.
    :param preempt_policy: What it does with running trainings of low priority, by word or number, see
        :class:`PreemptPolicy`. Default: wait, since that stops no other training.
    :param vip_node_names: Nodes reserved for it.
    :param is_quota_schedule: Whether the quota scheduler runs it. Newer platforms only.
    """

    noun: ClassVar[str] = "training"

    is_vip: Flag = False
    preempt_policy: Annotated[PreemptPolicy, one_of(PreemptPolicy)] = PreemptPolicy.WAIT
    vip_node_names: list[Text] = Field(default_factory=list)
    is_quota_schedule: Flag | None = None

    @model_validator(mode="after")
    def _vip_only(self) -> Self:
        if not self.is_vip and self.preempt_policy is PreemptPolicy.KILL:
            raise ValueError("preempt_policy kill has no meaning unless is_vip is true")
        if not self.is_vip and self.vip_node_names:
            raise ValueError("vip_node_names has no meaning unless is_vip is true")
        return self


class Training(Answer):
    """A training as AIHub knows it. Fields that the request has too mean the same.

    :param status: See :class:`TrainingStatus`; numbers beyond it may appear.
    :param namespace: Kubernetes namespace; ``res_name`` is the name of the job in it.
    :param avg_gpu_util: Mean use of its GPUs; the document names no unit.
    :param created_at: Unix milliseconds, 0 for not yet; likewise ``started_at`` and ``finished_at``.
    :param stop_op_user: Who stopped it.
    :param use_new_log: Whether its logs are kept in the newer way.
    """

    id: Whole
    status: Whole
    framework: str = ""
    name: str = ""
    description: str = ""
    command: str = Field(default="", repr=False)
    image: str = ""
    virtual_cluster: VirtualCluster = Field(default_factory=VirtualCluster)
    sku_cnt: Number = 0
    enable_ssh: bool = False
    envs: list[KeyValue] = Field(default_factory=list, repr=False)
    storages: list[Storage] = Field(default_factory=list)
    instances: Number = 0
    created_at: Number = 0
    username: str = ""
    user_id: Number = 0
    namespace: str = ""
    res_name: str = ""
    use_ib_network: bool = False
    always_pull_image: bool = False
    shm: Number = 0
    category: Named = Field(default_factory=Named)
    project: Project = Field(default_factory=Project)
    avg_gpu_util: float = 0
    finished_at: Number = 0
    started_at: Number = 0
    estimate_run_time: Number = 0
    is_vip: bool = False
    cluster_partition: str = ""
    preempt_policy: Number = 0
    vip_node_names: list[str] = Field(default_factory=list)
    stop_op_user: Named = Field(default_factory=Named)
    use_new_log: bool = False
    is_quota_schedule: bool = False
    notify_type: Number = 0
    enable_sys_admin: bool = False


class Container(Answer):
    """A container of a training."""

    namespace: str = ""
    pod_name: str = ""
    container_name: str = ""


class TrainingContainers(Answer):
    """The containers of a training."""

    training_id: Whole
    training_name: str = ""
    containers: list[Container] = Field(default_factory=list)


def create_training(spec: TrainingSpec) -> Request[int]:
    """Start a training and return its id."""
    without = spec.only_document(list_trainings(page_size=1))
    return _TRAININGS.create(spec, spec.name, fields_without=without)


def get_training(training_id: int | str) -> Request[Training]:
    """Read a training.

    :raises AIHubParameterError: The id is not a whole number of at least 1.
    """
    return _TRAININGS.read(Training, training_id)


def list_training_pods(training_id: int | str, page: int = 1, page_size: int = 9999) -> Request[Page[Pod]]:
    """List the pods of a training.

    :raises AIHubParameterError: A number is not a whole number of at least 1.
    """
    return _TRAININGS.pods(training_id, page, page_size)


def list_storages() -> Request[list[Storage]]:
    """List the storages that the user may mount."""
    return Request(
        asks="list the storages",
        service=Service.MODEL_TRAINING,
        method="GET",
        path=f"{_BASE}/storages",
        read=rows(Storage),
    )


def stop_training(training_id: int | str) -> Request[None]:
    """Stop a training.

    :raises AIHubParameterError: The id is not a whole number of at least 1.
    """
    return _TRAININGS.stop(training_id)


def list_trainings(
    page: int = 1,
    page_size: int = 20,
    name: str | None = None,
    status: int | None = None,
    user_id: int | str | None = None,
    virtual_cluster_id: int | str | None = None,
    category_id: int | None = None,
    project_id: int | str | None = None,
    is_quota_schedule: bool | None = None,
) -> Request[Page[Training]]:
    """List trainings. Newer platforms only. Each parameter but the first two keeps only the trainings that have it.

    :param name: Whether a part of the name also matches is not documented.
    :param status: See :class:`TrainingStatus`.
    :param category_id: See :class:`Category`.
    :raises AIHubParameterError: A number is not a whole number of at least 1.
    """
    numbers = {
        "status": status,
        "user_id": user_id,
        "virtual_cluster_id": virtual_cluster_id,
        "category_id": category_id,
        "project_id": project_id,
    }
    return _TRAININGS.listing(Training, page, page_size, numbers, name=name, is_quota_schedule=is_quota_schedule)


def get_training_pod_logs(training_id: int | str, pod_id: int | str) -> Request[list[LogFile]]:
    """Name the log files of a pod. Newer platforms only.

    :param pod_id: ``id`` of the pod, not its name.
    :raises AIHubParameterError: An id is not a whole number of at least 1.
    """
    return _TRAININGS.pod_logs(training_id, pod_id)


def get_training_pod_events(training_id: int | str, pod_id: int | str) -> Request[str]:
    """Read the events of a pod as text. Newer platforms only.

    :param pod_id: ``id`` of the pod, not its name.
    :raises AIHubParameterError: An id is not a whole number of at least 1.
    """
    return _TRAININGS.pod_text("events", training_id, pod_id)


def get_training_pod_spec(training_id: int | str, pod_id: int | str) -> Request[str]:
    """Read the specification of a pod as text. Newer platforms only.

    :param pod_id: ``id`` of the pod, not its name.
    :raises AIHubParameterError: An id is not a whole number of at least 1.
    """
    return _TRAININGS.pod_text("spec", training_id, pod_id)


def list_training_containers(page: int = 1, page_size: int = 20) -> Request[Page[TrainingContainers]]:
    """List the containers of trainings. Newer platforms only. It is not documented of which trainings.

    :raises AIHubParameterError: A number is not a whole number of at least 1.
    """
    return Request(
        asks="list the containers of trainings",
        service=Service.MODEL_TRAINING,
        method="GET",
        path=f"{_BASE}/training-containers",
        read=page_of(TrainingContainers),
        query=page_query(page, page_size),
        optional=True,
    )
