"""Notebooks: started for a time, stopped, their lease and tags."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final, Literal

from pydantic import Field

from airflow_provider_aihub.http.models import Answer, rows
from airflow_provider_aihub.http.request import Request, path
from airflow_provider_aihub.http.values import Number, as_int, shown
from airflow_provider_aihub.modelarts.errors import ModelArtsParameterError
from airflow_provider_aihub.modelarts.services import V1, WORKSPACE, Service
from airflow_provider_aihub.modelarts.values import check_id, check_text

_NOTEBOOKS = f"{V1}/notebooks"
_NOTEBOOK = _NOTEBOOKS + "/{}"
SHORTEST, LONGEST = 3_600_000, 259_200_000
"""Milliseconds that a notebook may be started for: 1 to 72 hours."""
STARTED: Final = frozenset({"ModelArts.6305", "ModelArts.6306"})
"""Say that a notebook runs, or is just being started."""
STOPPED: Final = frozenset({"ModelArts.6307", "ModelArts.6308"})
"""Say that a notebook has stopped, or is just being stopped."""


class Lease(Answer):
    """For how long a notebook runs.

    :param duration: Milliseconds.
    :param type: ``timing``, or ``idle``: the time begins anew whenever it is used. In any case of letters.
    :param create_at: Unix milliseconds; likewise ``update_at``.
    """

    create_at: Number = 0
    update_at: Number = 0
    duration: Number = 0
    enable: bool = False
    type: str = ""


class Notebook(Answer):
    """A notebook. Its ``url`` and ``token`` open it, and are shown nowhere.

    :param status: INIT, CREATING, STARTING, RUNNING, STOPPING, STOPPED, SNAPSHOTTING, DELETING, DELETED, CREATE_FAILED,
        START_FAILED, DELETE_FAILED, ERROR or FROZEN; others may appear.
    """

    id: str
    status: str
    name: str = ""
    description: str = ""
    feature: str = ""
    flavor: str = ""
    fail_reason: str = ""
    lease: Lease = Field(default_factory=Lease)
    token: str = Field(default="", repr=False)
    url: str = Field(default="", repr=False)
    workspace_id: str = ""


class NotebookTag(Answer):
    """A tag that notebooks have, and its values."""

    key: str
    values: list[str] = Field(default_factory=list)


def get_notebook(notebook_id: str) -> Request[Notebook]:
    """Read a notebook.

    :raises ModelArtsParameterError: Where the id is none.
    """
    notebook = check_id("notebook_id", notebook_id)
    return Request(
        asks=f"read notebook {notebook}",
        service=Service.MODELARTS,
        method="GET",
        path=path(_NOTEBOOK, notebook),
        read=Notebook.read,
        about={"id": notebook},
    )


def start_notebook(
    notebook_id: str, duration: int | str | timedelta | None = None, lease_type: str | None = None
) -> Request[None]:
    """Start a notebook. One that runs, or is just being started, is left as it is.

    :param duration: How long it is to run, in milliseconds or as ``timedelta``, 1 to 72 hours.
    :param lease_type: ``timing``, ModelArts' default, or ``idle``.
    :raises ModelArtsParameterError: Where a value is wrong.
    """
    notebook = check_id("notebook_id", notebook_id)
    return Request(
        asks=f"start notebook {notebook}",
        service=Service.MODELARTS,
        method="POST",
        path=path(_NOTEBOOK + "/start", notebook),
        read=lambda _: None,
        query={"duration": _duration(duration), "type": _type(lease_type)},
        already=STARTED,
    )


def stop_notebook(notebook_id: str) -> Request[None]:
    """Stop a notebook. One that has stopped, or is just being stopped, is left as it is.

    :raises ModelArtsParameterError: Where the id is none.
    """
    notebook = check_id("notebook_id", notebook_id)
    return Request(
        asks=f"stop notebook {notebook}",
        service=Service.MODELARTS,
        method="POST",
        path=path(_NOTEBOOK + "/stop", notebook),
        read=lambda _: None,
        already=STOPPED,
    )


def get_notebook_lease(notebook_id: str) -> Request[Lease]:
    """Read for how long a notebook runs.

    :raises ModelArtsParameterError: Where the id is none.
    """
    return _lease("read", "GET", notebook_id, {})


def renew_notebook_lease(
    notebook_id: str, duration: int | str | timedelta, lease_type: str | None = None
) -> Request[Lease]:
    """Let a notebook run for longer.

    :param duration: In milliseconds or as ``timedelta``, 1 to 72 hours.
    :param lease_type: ``timing`` or ``idle``.
    :raises ModelArtsParameterError: Where a value is wrong.
    """
    return _lease("renew", "PATCH", notebook_id, {"duration": _duration(duration), "type": _type(lease_type)})


def list_notebook_tags(workspace_id: str = WORKSPACE) -> Request[list[NotebookTag]]:
    """List the tags that notebooks have.

    :param workspace_id: Default: that of the connection.
    """
    return Request(
        asks="list the tags of notebooks",
        service=Service.MODELARTS,
        method="GET",
        path=path(_NOTEBOOKS + "/tags"),
        read=rows(NotebookTag, "tags"),
        query={"workspace_id": workspace_id},
    )


def _lease(verb: str, method: Literal["GET", "PATCH"], notebook_id: str, given: dict[str, Any]) -> Request[Lease]:
    notebook = check_id("notebook_id", notebook_id)
    body = {name: value for name, value in given.items() if value is not None}
    return Request(
        asks=f"{verb} the lease of notebook {notebook}",
        service=Service.MODELARTS,
        method=method,
        path=path(_NOTEBOOK + "/lease", notebook),
        read=Lease.read,
        json=body or None,
    )


def _duration(given: int | str | timedelta | None) -> int | None:
    if given is None:
        return None
    number = round(given.total_seconds() * 1000) if isinstance(given, timedelta) else as_int(given)
    if number is None or not SHORTEST <= number <= LONGEST:
        raise ModelArtsParameterError(
            f"duration must be a timedelta of 1 to 72 hours, or {SHORTEST} to {LONGEST} milliseconds, not "
            f"{shown(given)}."
        )
    return number


def _type(given: str | None) -> str | None:
    return None if given is None else check_text("lease_type", given, "timing|idle", "timing or idle")
