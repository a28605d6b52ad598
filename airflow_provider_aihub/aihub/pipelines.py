"""Pipelines, which is what AIHub's API calls workflows: their names, versions and parameters. Newer platforms only."""

from __future__ import annotations

from typing import Any

from airflow_provider_aihub.aihub.models import Named
from airflow_provider_aihub.aihub.services import Service
from airflow_provider_aihub.aihub.values import check_id
from airflow_provider_aihub.http.models import MOST_ROWS, rows
from airflow_provider_aihub.http.request import Request, path
from airflow_provider_aihub.http.values import Number

_PREFIX = "/workflow-center/api/v1"


class Pipeline(Named):
    """A pipeline as AIHub knows it.

    :param latest_version_id: Id of its newest version, 0 for none; ``latest_version_name`` is that version's name.
    :param version_cnt: How many versions it has.
    :param ran_cnt: How often it was run.
    :param created_at: Unix milliseconds.
    """

    description: str = ""
    latest_version_id: Number = 0
    latest_version_name: str = ""
    version_cnt: Number = 0
    ran_cnt: Number = 0
    created_at: Number = 0
    user_id: Number = 0
    username: str = ""


def list_pipelines(name: str | None = None) -> Request[list[Named]]:
    """List the pipelines that may be run. Newer platforms only.

    :param name: Only those of this name. Whether a part of the name also matches is not documented.
    """
    return Request(
        asks="list pipelines",
        service=Service.WORKFLOW_CENTER,
        method="GET",
        path=f"{_PREFIX}/select-pipelines",
        read=rows(Named),
        query={"name": name},
        optional=True,
    )


def get_pipeline(pipeline_id: int | str) -> Request[Pipeline]:
    """Read a pipeline. Newer platforms only.

    :raises AIHubParameterError: The id is not a whole number of at least 1.
    """
    number = check_id("pipeline_id", pipeline_id)
    return Request(
        asks=f"read pipeline {number}",
        service=Service.WORKFLOW_CENTER,
        method="GET",
        path=path(_PREFIX + "/pipelines/{}", number),
        read=Pipeline.read,
        about={"id": number},
        optional=True,
    )


def list_pipeline_versions(pipeline_id: int | str, name: str | None = None) -> Request[list[Named]]:
    """List the versions of a pipeline. Newer platforms only.

    :param name: Only those of this name. Whether a part of the name also matches is not documented.
    :raises AIHubParameterError: The id is not a whole number of at least 1.
    """
    number = check_id("pipeline_id", pipeline_id)
    return Request(
        asks=f"list the versions of pipeline {number}",
        service=Service.WORKFLOW_CENTER,
        method="GET",
        path=f"{_PREFIX}/select-pipeline-versions",
        read=rows(Named),
        query={"pipeline_id": number, "name": name},
        optional=True,
    )


def list_pipeline_params(version_id: int | str) -> Request[list[str]]:
    """List the names of the input parameters that a version of a pipeline knows. Newer platforms only.

    :raises AIHubParameterError: The id is not a whole number of at least 1.
    """
    number = check_id("version_id", version_id)
    return Request(
        asks=f"list the input parameters of pipeline version {number}",
        service=Service.WORKFLOW_CENTER,
        method="GET",
        path=path(_PREFIX + "/pipeline-versions/{}/input-params", number),
        read=_names,
        optional=True,
    )


def _names(data: Any) -> list[str]:
    items = data.get("data") if isinstance(data, dict) else ""
    if not isinstance(items, list | None):
        raise ValueError("the answer has no list 'data'")  # noqa: TRY004 - readers raise ValueError
    names = [str(item) for item in (items or [])[:MOST_ROWS] if isinstance(item, str | int)]
    if items and not names:
        raise ValueError("nothing in the list 'data' of the answer can be read")
    return names
