"""Workspaces and their quotas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator

from airflow_provider_aihub.http.models import Answer, rows
from airflow_provider_aihub.http.request import Request
from airflow_provider_aihub.http.values import Number, Text, Whole
from airflow_provider_aihub.modelarts.services import V1, to
from airflow_provider_aihub.modelarts.values import Spec

_WORKSPACES = f"{V1}/workspaces"
_QUOTAS = _WORKSPACES + "/{}/quotas"
UNLIMITED = -1


def _positive_or_unlimited(quota: int) -> int:
    if quota < 1 and quota != UNLIMITED:
        raise ValueError(f"must be 1 or more, or {UNLIMITED} for no limit")
    return quota


class QuotaSpec(Spec):
    """A quota to set: a positive number, or -1 for no limit."""

    noun: ClassVar[str] = "quota"

    resource: Text
    quota: Annotated[Whole, AfterValidator(_positive_or_unlimited)]


class Workspace(Answer):
    """A workspace.

    :param auth_type: PUBLIC, PRIVATE or INTERNAL, in any case of letters.
    :param status: NORMAL, DELETING, CREATE_FAILED or DELETE_FAILED.
    :param create_time: Unix milliseconds; likewise ``update_time``.
    """

    id: str
    name: str = ""
    description: str = ""
    owner: str = ""
    auth_type: str = ""
    enterprise_project_id: str = ""
    enterprise_project_name: str = ""
    create_time: Number = 0
    update_time: Number = 0
    status: str = ""
    status_info: str = ""


class Quota(Answer):
    """A quota of a workspace; -1 is no limit.

    :param update_time: Unix milliseconds.
    """

    resource: str
    quota: Number = 0
    min_quota: Number | None = None
    max_quota: Number | None = None
    used_quota: Number | None = None
    update_time: Number = 0
    name_cn: str = ""
    unit_cn: str = ""
    name_en: str = ""
    unit_en: str = ""


def list_workspaces(
    offset: int = 0,
    limit: int = 1000,
    name: str | None = None,
    sort_by: Literal["name", "update_time", "status"] | None = None,
    order: Literal["asc", "desc"] | None = None,
    enterprise_project_id: str | None = None,
    filter_accessible: bool | None = None,
) -> Request[list[Workspace]]:
    """List workspaces.

    :param name: Only those whose name contains this.
    :param sort_by: ModelArts' default is the name; ``order``: descending.
    :param filter_accessible: Whether to list only those that the user may use; ModelArts' default is no.
    """
    return Request(
        asks="list workspaces",
        **to("GET", _WORKSPACES),
        read=rows(Workspace, "workspaces"),
        query={
            "offset": offset,
            "limit": limit,
            "name": name,
            "sort_by": sort_by,
            "order": order,
            "enterprise_project_id": enterprise_project_id,
            "filter_accessible": None if filter_accessible is None else str(filter_accessible).lower(),
        },
    )


def get_workspace_quotas(workspace_id: str) -> Request[list[Quota]]:
    """Read the quotas of a workspace, and how much of them is used.

    :raises ModelArtsParameterError: The id is not valid.
    """
    return _quotas("read", "GET", workspace_id)


def set_workspace_quotas(workspace_id: str, quotas: Mapping[str, int | str]) -> Request[list[Quota]]:
    """Set quotas of a workspace.

    :param quotas: Numbers by resource, -1 for no limit; each within ``min_quota`` and ``max_quota`` of the resource.
    :raises ModelArtsParameterError: A value is wrong.
    """
    specs = [QuotaSpec.build(resource=resource, quota=quota) for resource, quota in quotas.items()]
    return _quotas("set", "PUT", workspace_id, {"quotas": [spec.body() for spec in specs]})


def _quotas(
    verb: str, method: Literal["GET", "PUT"], workspace_id: str, body: dict[str, Any] | None = None
) -> Request[list[Quota]]:
    return Request(
        asks=f"{verb} the quotas of workspace {workspace_id}",
        **to(method, _QUOTAS, workspace_id=workspace_id),
        read=rows(Quota, "quotas"),
        json=body,
    )
