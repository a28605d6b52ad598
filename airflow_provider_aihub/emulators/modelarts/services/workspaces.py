"""Workspaces and how much each may use."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from ...store import Row
from ..call import Call, Given, Route, window
from ..settings import Quota, Workspace


class Asked(Given):
    offset: int = Field(0, ge=0)
    limit: int = Field(1000, ge=1, le=1000)
    sort_by: Literal["name", "update_time", "status"] = "name"
    order: Literal["asc", "desc"] = "desc"
    enterprise_project_id: str | None = None
    name: str | None = None
    filter_accessible: bool = False


class NewQuota(Given):
    resource: str = Field(min_length=1)
    quota: int


class NewQuotas(Given):
    quotas: list[NewQuota] = Field(min_length=1)


async def find(call: Call) -> Any:
    asked = call.query(Asked)
    found = [
        _show(call, workspace)
        for workspace in call.arts.workspaces.values()
        if (asked.name or "") in workspace.name
        and asked.enterprise_project_id in (None, workspace.enterprise_project_id)
    ]
    found.sort(key=lambda shown: shown[asked.sort_by], reverse=asked.order == "desc")
    shown = window(found, asked.offset, asked.limit)
    return {"total_count": len(found), "count": len(shown), "workspaces": shown}


async def get_quotas(call: Call) -> Any:
    workspace = call.arts.workspace(call.path("workspace"))
    return {
        "quotas": [{**_show_quota(call, workspace, quota), **_used(call, workspace, quota)} for quota in _all(call)]
    }


async def set_quotas(call: Call) -> Any:
    workspace = call.arts.workspace(call.path("workspace"), writing=True)
    known = {quota.resource: quota for quota in _all(call)}
    given = call.body(NewQuotas).quotas
    for item in given:
        quota = known.get(item.resource)
        if quota is None:
            raise call.refused(f"There is no quota for {item.resource}.")
        if item.quota != -1 and not max(1, quota.minimum) <= item.quota <= quota.maximum:
            raise call.refused(
                f"The quota for {item.resource} must be -1 or from {max(1, quota.minimum)} to {quota.maximum}."
            )
    kept = call.arts.store.quotas
    row = kept.rows.get(workspace.id) or kept.add({"id": workspace.id, "quotas": {}})
    values = {item.resource: [item.quota, call.arts.clock.ms()] for item in given}
    kept.save(row, quotas={**row["quotas"], **values})
    return {"quotas": [_show_quota(call, workspace, known[resource]) for resource in values]}


def _show(call: Call, workspace: Workspace) -> Row:
    first = call.arts.credentials.first.name
    moment = call.arts.started
    shown = workspace.model_dump()
    return {**shown, "owner": first, "create_time": moment, "update_time": moment}


def _show_quota(call: Call, workspace: Workspace, quota: Quota) -> Row:
    value, updated = call.arts.quota(workspace.id, quota.resource)
    return {
        "resource": quota.resource,
        "quota": value,
        "min_quota": quota.minimum,
        "max_quota": quota.maximum,
        "update_time": updated,
        "name_cn": quota.name_cn or quota.name_en,
        "unit_cn": quota.unit_cn or quota.unit_en,
        "name_en": quota.name_en,
        "unit_en": quota.unit_en,
    }


def _used(call: Call, workspace: Workspace, quota: Quota) -> Row:
    store = call.arts.store
    jobs = sum(row["metadata"]["workspace_id"] == workspace.id for row in store.jobs)
    notebooks = sum(row["workspace_id"] == workspace.id for row in call.arts.notebooks.all())
    return {"used_quota": {"trainJob.quantity": jobs, "notebook.quantity": notebooks}.get(quota.resource, 0)}


def _all(call: Call) -> tuple[Quota, ...]:
    return call.arts.settings.quotas


QUOTAS = "/v1/{project}/workspaces/{workspace}/quotas"
ROUTES = [
    Route("S", "GET", "/v1/{project}/workspaces", find),
    Route("V", "GET", QUOTAS, get_quotas),
    Route("S", "PUT", QUOTAS, set_quotas),
]
