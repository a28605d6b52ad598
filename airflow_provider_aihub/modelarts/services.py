"""The services that are asked, and what the connection puts into a request."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

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
