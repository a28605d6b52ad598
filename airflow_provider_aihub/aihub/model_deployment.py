"""Deployments of models, and their inference services. Newer platforms only.

AIHub does not document what the status numbers of a deployment mean, nor whether a new one starts by itself. This
provider assumes that a deployment serves when it names an inference service that is online; AIHub's own client does not
confirm that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from pydantic import Field

from airflow_provider_aihub.aihub.models import Page, Spec, new_id, page_of, text_of
from airflow_provider_aihub.aihub.services import Service
from airflow_provider_aihub.aihub.values import check_id, page_query
from airflow_provider_aihub.http.models import Answer, nothing
from airflow_provider_aihub.http.request import Request, path
from airflow_provider_aihub.http.values import Flag, Number, Positive, Text, Whole, Words

_DEPLOYMENTS = "/mldp/api/v1/deployment"
_DEPLOYMENT = _DEPLOYMENTS + "/{}"
ONLINE, OFFLINE, NO_SERVICE = "online", "offline", "none"
"""Where the inference service of a deployment stands; the last is this provider's own word."""


class DeploymentSpec(Spec):
    """A deployment to create.

    :param name: Name of the deployment.
    :param virtual_cluster_id: Where it runs.
    :param deploy_template: AIHub's own word; the allowed ones are not documented. Default: ``default``.
    :param health_check_path: Path at which the container says that it is well. Default: ``/health``.
    :param container_concurrency: How many requests it takes at a time. Default: 1.
    :param docker_image_name: Container image.
    :param image_id: Id of an image, instead of its name.
    :param model_id: Id of the model.
    :param envs: Environment variables, a dict of text.
    :param command_args: What the container runs.
    :param storage_ids: Ids of storages to mount.
    :param container_port: Port at which it answers.
    :param sku_cnt: How many SKUs it takes.
    :param share_machine: Whether it shares its machine with others.
    """

    noun: ClassVar[str] = "deployment"

    name: Text
    virtual_cluster_id: Positive
    deploy_template: Text = "default"
    health_check_path: Text = "/health"
    container_concurrency: Positive = 1
    docker_image_name: Text | None = None
    image_id: Positive | None = None
    model_id: Positive | None = None
    envs: dict[str, Words] | None = Field(default=None, repr=False)
    description: Words | None = None
    command_args: Text | None = None
    storage_ids: list[Positive] | None = None
    container_port: Positive | None = None
    sku_cnt: Positive | None = None
    share_machine: Flag | None = None


class Deployment(Answer):
    """A deployment as AIHub shows it, with the fields that were sent.

    :param status: AIHub's own number; what it means is not documented.
    :param version: AIHub's own count.
    :param api_host: Where it can be reached, in AIHub's own form.
    :param infer_service_id: Id of its inference service; 0 as long as there is none.
    :param created_at: A text in AIHub's own form; likewise ``updated_at``.
    """

    id: Whole
    status: Number = 0
    name: str = ""
    description: str = ""
    version: Number = 0
    api_host: str = ""
    infer_service_id: Number = 0
    model_id: Number = 0
    model_name: str = ""
    user_id: Number = 0
    user_name: str = ""
    virtual_cluster_id: Number = 0
    deploy_template: str = ""
    health_check_path: str = ""
    container_concurrency: Number = 0
    docker_image_name: str = ""
    image_id: Number = 0
    envs: dict[str, Any] = Field(default_factory=dict, repr=False)
    command_args: str = ""
    storage_ids: list[Any] = Field(default_factory=list)
    container_port: Number = 0
    sku_cnt: Number = 0
    share_machine: bool = False
    created_at: str = ""
    updated_at: str = ""


class DeploymentPod(Answer):
    """A pod of a deployment.

    :param status: AIHub's own number; what it means is not documented.
    :param memory: Main memory, in a unit that is not documented.
    """

    name: str = ""
    node_name: str = ""
    gpu_type: str = ""
    status: Number = 0
    gpu_num: Number = 0
    cpu_num: Number = 0
    memory: Number = 0


class InferService(Answer):
    """An inference service: a model that answers.

    :param endpoint_url: Where it answers.
    :param status: ``online`` or ``offline``.
    :param api_key: The key that it requires; a secret.
    """

    id: Whole
    model_id: Number = 0
    name: str = ""
    endpoint_url: str = ""
    status: str = ""
    api_key: str = Field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Served:
    """A deployment, with its inference service.

    :param service: ``None`` as long as there is none.
    """

    deployment: Deployment
    service: InferService | None = None

    @property
    def status(self) -> str:
        """``online``, ``offline`` or ``none``."""
        return (self.service.status.lower() or NO_SERVICE) if self.service else NO_SERVICE


def create_deployment(spec: DeploymentSpec) -> Request[int]:
    """Create a deployment and return its id. Newer platforms only."""
    return Request(
        asks=f"create deployment {spec.name!r}",
        service=Service.MODEL_DEPLOYMENT,
        method="POST",
        path=_DEPLOYMENTS,
        read=new_id,
        json=spec.body(),
        creates=True,
        optional=True,
    )


def list_deployments(
    page: int = 1,
    page_size: int = 20,
    name: str | None = None,
    project_id: int | str | None = None,
    model_type: int | str | None = None,
    status: int = -1,
) -> Request[Page[Deployment]]:
    """List deployments. Newer platforms only.

    :param name: Only those of this name. Whether a part of the name also matches is not documented.
    :param project_id: Only those of this project.
    :param model_type: Only those of models of this type, in AIHub's own numbers.
    :param status: Only those in this status, in AIHub's own numbers. Default: -1, all.
    :raises AIHubParameterError: A number is not a whole number of at least 1.
    """
    numbers = {"project_id": project_id, "model_type": model_type}
    return Request(
        asks="list deployments",
        service=Service.MODEL_DEPLOYMENT,
        method="GET",
        path=_DEPLOYMENTS,
        read=page_of(Deployment),
        query={**page_query(page, page_size, numbers, name=name), "status": status},
        optional=True,
    )


def get_deployment(deployment_id: int | str) -> Request[Deployment]:
    """Read a deployment. Newer platforms only.

    :raises AIHubParameterError: The id is not a whole number of at least 1.
    """
    number = check_id("deployment", deployment_id)
    return Request(
        asks=f"read deployment {number}",
        service=Service.MODEL_DEPLOYMENT,
        method="GET",
        path=path(_DEPLOYMENT, number),
        read=Deployment.read,
        about={"id": number},
        optional=True,
    )


def start_deployment(deployment_id: int | str) -> Request[None]:
    """Start a deployment. Newer platforms only.

    :raises AIHubParameterError: The id is not a whole number of at least 1.
    """
    return _act("start", deployment_id)


def stop_deployment(deployment_id: int | str) -> Request[None]:
    """Stop a deployment. Newer platforms only.

    :raises AIHubParameterError: The id is not a whole number of at least 1.
    """
    return _act("stop", deployment_id)


def delete_deployment(deployment_id: int | str) -> Request[None]:
    """Delete a deployment. Newer platforms only.

    :raises AIHubParameterError: The id is not a whole number of at least 1.
    """
    number = check_id("deployment", deployment_id)
    return Request(
        asks=f"delete deployment {number}",
        service=Service.MODEL_DEPLOYMENT,
        method="DELETE",
        path=path(_DEPLOYMENT, number),
        read=nothing,
        optional=True,
    )


def list_deployment_pods(deployment_id: int | str) -> Request[Page[DeploymentPod]]:
    """List the pods of a deployment. Newer platforms only.

    :raises AIHubParameterError: The id is not a whole number of at least 1.
    """
    number = check_id("deployment", deployment_id)
    return Request(
        asks=f"list the pods of deployment {number}",
        service=Service.MODEL_DEPLOYMENT,
        method="GET",
        path=path(_DEPLOYMENT + "/pods", number),
        read=page_of(DeploymentPod),
        optional=True,
    )


def get_deployment_logs(
    deployment_id: int | str, pod_name: str | None = None, page_size: int | str = 20
) -> Request[str]:
    """Read the end of the log of a deployment. Newer platforms only.

    :param pod_name: Only of this pod.
    :param page_size: How much of it; AIHub does not document the unit.
    :raises AIHubParameterError: A number is not a whole number of at least 1.
    """
    number = check_id("deployment", deployment_id)
    return Request(
        asks=f"read the log of deployment {number}",
        service=Service.MODEL_DEPLOYMENT,
        method="GET",
        path=path(_DEPLOYMENT + "/logs", number),
        read=text_of("data"),
        query={"pod_name": pod_name, "page_size": check_id("page_size", page_size)},
        optional=True,
    )


def get_infer_service(service_id: int | str) -> Request[InferService]:
    """Read an inference service. Newer platforms only.

    :raises AIHubParameterError: The id is not a whole number of at least 1.
    """
    number = check_id("service_id", service_id)
    return Request(
        asks=f"read inference service {number}",
        service=Service.MODEL_CENTER,
        method="GET",
        path=path("/model-center/api/v1/infer-services/{}", number),
        read=InferService.read,
        about={"id": number},
        optional=True,
    )


def read_served(deployment_id: int | str) -> Request[Served]:
    """Read a deployment and, once there is one, its inference service.

    :raises AIHubParameterError: The id is not a whole number of at least 1.
    """
    request = get_deployment(deployment_id)

    def then(data: Any) -> Request[Served] | None:
        deployment = Deployment.read(data)
        if deployment.infer_service_id < 1:
            return None
        service = get_infer_service(deployment.infer_service_id)
        read = service.read
        return replace(service, read=lambda data: Served(deployment, read(data)))  # type: ignore[return-value, arg-type]

    return replace(request, read=lambda data: Served(Deployment.read(data)), then=then)  # type: ignore[return-value, arg-type]


def _act(verb: str, deployment_id: int | str) -> Request[None]:
    number = check_id("deployment", deployment_id)
    return Request(
        asks=f"{verb} deployment {number}",
        service=Service.MODEL_DEPLOYMENT,
        method="POST",
        path=path(_DEPLOYMENT + "/{}", number, verb),
        read=nothing,
        optional=True,
    )
