"""The tag system: which virtual clusters and projects there are."""

from __future__ import annotations

from enum import IntEnum

from airflow_provider_aihub.aihub.models import Project, VirtualCluster
from airflow_provider_aihub.aihub.services import Service
from airflow_provider_aihub.aihub.values import check_id, check_member
from airflow_provider_aihub.http.models import rows
from airflow_provider_aihub.http.request import Request

_BASE = "/tag-resource-management/api/v1"


class ModuleType(IntEnum):
    """What a virtual cluster is for; 0 and 3 are known to newer platforms only."""

    DEPLOYMENT = 0
    TRAINING = 1
    WORKFLOW = 2
    QUOTA = 3


def list_virtual_clusters(user_id: int | str, module_type: ModuleType | int | str) -> Request[list[VirtualCluster]]:
    """List the virtual clusters that a user may use.

    :param user_id: Id of the user, as the login gave it.
    :param module_type: What for, by word or number, see :class:`ModuleType`.
    :raises AIHubParameterError: The id is not a whole number of at least 1, or the module type is unknown.
    """
    number = check_id("user_id", user_id)
    module = check_member("module_type", ModuleType, module_type)
    return Request(
        asks=f"list the virtual clusters of user {number}",
        service=Service.TAG_SYSTEM,
        method="GET",
        path=f"{_BASE}/select-clusters",
        read=rows(VirtualCluster),
        query={"user_id": number, "module_type": module.value},
    )


def list_projects() -> Request[list[Project]]:
    """List the projects. Newer platforms only."""
    return Request(
        asks="list the projects",
        service=Service.TAG_SYSTEM,
        method="GET",
        path=f"{_BASE}/select-projects",
        read=rows(Project),
        optional=True,
    )
