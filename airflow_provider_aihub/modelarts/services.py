"""The services that are asked, and what the connection puts into a request."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal, TypeAlias, TypedDict

from airflow_provider_aihub.http.request import path
from airflow_provider_aihub.modelarts.values import check_id

Method: TypeAlias = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

PROJECT: Final = "{project_id}"
"""Stands in a path for the id of the connection's project."""
V1: Final = "/v1/{{project_id}}"
"""Begins the templates of paths, see ``airflow_provider_aihub.http.request.path``."""
V2: Final = "/v2/{{project_id}}"
"""Likewise."""
WORKSPACE: Final = "{workspace_id}"
"""Stands in a query or a body for the connection's workspace."""


class Service(StrEnum):
    """The services that are asked; the value is the name used in messages."""

    MODELARTS = "modelarts"
    IAM = "iam"


class Target(TypedDict):
    """Fields of a :class:`~airflow_provider_aihub.http.request.Request`."""

    service: str
    method: Method
    path: str


def to(method: Method, template: str, **ids: str) -> Target:
    """Say where a request to ModelArts goes.

    :param template: Of its path, with ``{}`` for each of the ids.
    :param ids: Ids, under the names that they have as parameters.
    :raises ModelArtsParameterError: An id is not valid.
    """
    checked = [check_id(name, value) for name, value in ids.items()]
    return Target(service=Service.MODELARTS, method=method, path=path(template, *checked))
