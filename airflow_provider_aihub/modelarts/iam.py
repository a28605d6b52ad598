"""Huawei Cloud's IAM: tokens, and the projects of an account."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from airflow_provider_aihub.http.models import Answer, rows
from airflow_provider_aihub.http.request import NO_AUTH, Request
from airflow_provider_aihub.http.token import Login
from airflow_provider_aihub.modelarts.services import Service

TOKEN_HEADER: Final = "X-Subject-Token"  # noqa: S105
"""Header of the answer that holds the token; the dialect puts it into the payload under this name."""


class Project(Answer):
    """A project: a part of an account in one region."""

    id: str = ""
    name: str = ""


def create_token(user: str, password: str, account: str, project: Mapping[str, str]) -> Request[Login]:
    """Log an IAM user in.

    :param account: Name of the account that the user belongs to.
    :param project: ``{"id": ...}`` or ``{"name": ...}`` of the project that the token is for.
    """
    person = {"name": user, "password": password, "domain": {"name": account}}
    identity = {"methods": ["password"], "password": {"user": person}}
    return Request(
        asks="log in",
        service=Service.IAM,
        method="POST",
        path="/v3/auth/tokens",
        read=_login,
        query={"nocatalog": "true"},
        json={"auth": {"identity": identity, "scope": {"project": dict(project)}}},
        auth=NO_AUTH,
        headers={"Content-Type": "application/json"},
        is_login=True,
    )


def list_projects(name: str) -> Request[list[Project]]:
    """List the projects of a name: the one of a region has the region's name."""
    return Request(
        asks=f"find the project {name}",
        service=Service.IAM,
        method="GET",
        path="/v3/projects",
        read=rows(Project, "projects"),
        query={"name": name},
    )


def _login(data: Any) -> Login:
    token = data.get(TOKEN_HEADER) if isinstance(data, dict) else None
    if not token:
        raise ValueError(f"the answer has no header {TOKEN_HEADER}")
    said = data.get("token")
    times = said if isinstance(said, dict) else {}
    return Login(token, issued=unix(times.get("issued_at")), expires=unix(times.get("expires_at")))


def unix(moment: Any) -> float | None:
    """Read a time such as ``2019-02-13T06:52:13.855000Z`` as Unix seconds; ``None`` if it has another form."""
    try:
        found = datetime.fromisoformat(moment)
        return found.timestamp() if found.tzinfo else None
    except (TypeError, ValueError, OverflowError):
        return None
