"""Notebooks: created, started for a time, stopped, deleted; their lease and tags."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, ClassVar, Final, Literal, TypeAlias

from pydantic import Field

from airflow_provider_aihub.http.models import Answer, nothing, rows
from airflow_provider_aihub.http.request import Request
from airflow_provider_aihub.http.values import Number, Positive, Text, Words, as_int, shown
from airflow_provider_aihub.modelarts.errors import ModelArtsParameterError
from airflow_provider_aihub.modelarts.services import V1, WORKSPACE, to
from airflow_provider_aihub.modelarts.values import Spec, at_most, check_text, spelt

_NOTEBOOKS = f"{V1}/notebooks"
_NOTEBOOK = _NOTEBOOKS + "/{}"
SHORTEST, LONGEST = 3_600_000, 259_200_000
"""Milliseconds that a notebook may be started for: 1 to 72 hours."""
STARTED: Final = frozenset({"ModelArts.6305", "ModelArts.6306"})
"""Codes that say that a notebook runs, or is just being started."""
STOPPED: Final = frozenset({"ModelArts.6307", "ModelArts.6308"})
"""Codes that say that a notebook has stopped, or is just being stopped."""


MISSING: Final = frozenset({"ModelArts.6309", "ModelArts.6404"})
"""Codes that say that there is no such notebook."""

Name: TypeAlias = Annotated[Words, spelt(r"[A-Za-z0-9_-]{1,128}", "1 to 128 letters, digits, '_' and '-'")]


class VolumeSpec(Spec):
    """Where a notebook keeps its files.

    :param category: ``EFS`` or ``EVS``, among others.
    :param ownership: ``MANAGED``, by ModelArts, or ``DEDICATED``, the user's own, at ``uri``.
    :param capacity: Size in GB of a volume that ModelArts manages.
    """

    noun: ClassVar[str] = "volume"

    category: Text
    ownership: Text
    capacity: Positive | None = None
    uri: Text | None = None
    mount_path: Text | None = None


class NotebookChange(Spec):
    """What may be changed of a notebook; what is not given stays.

    :param name: 1 to 128 letters, digits, ``_`` and ``-``.
    :param description: At most 512 characters.
    :param flavor: What kind of node it runs on.
    :param image_id: What it runs.
    """

    noun: ClassVar[str] = "change of a notebook"

    name: Name | None = None
    description: Annotated[Words, at_most(512)] | None = None
    flavor: Text | None = None
    image_id: Text | None = None


class NotebookSpec(Spec):
    """A notebook to create.

    :param name: 1 to 128 letters, digits, ``_`` and ``-``; others may have the same.
    :param image_id: What it runs.
    :param volume: See :class:`VolumeSpec`.
    :param flavor: What kind of node it runs on; ``pool_id``: on which dedicated pool.
    :param feature: ModelArts' own word for its kind.
    :param description: At most 512 characters.
    :param duration: How long it is to run at first, in milliseconds, 1 to 72 hours.
    :param workspace_id: Default: that of the connection.
    """

    noun: ClassVar[str] = "notebook"

    name: Name
    image_id: Text
    volume: VolumeSpec
    flavor: Text | None = None
    pool_id: Text | None = None
    feature: Text | None = None
    description: Annotated[Words, at_most(512)] | None = None
    duration: Annotated[Positive, Field(ge=SHORTEST, le=LONGEST)] | None = None
    workspace_id: Text = WORKSPACE


class Lease(Answer):
    """For how long a notebook runs.

    :param duration: Milliseconds.
    :param type: ``timing``, or ``idle``: the time starts again whenever it is used. Upper and lower case may both
        appear.
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


def create_notebook(spec: NotebookSpec) -> Request[Notebook]:
    """Create a notebook, which starts at once."""
    return Request(
        asks=f"create notebook {spec.name!r}",
        **to("POST", _NOTEBOOKS),
        read=Notebook.read,
        json=spec.body(),
        creates=True,
    )


def list_notebooks(
    offset: int = 0,
    limit: Literal[10, 20, 50] = 50,
    name: str | None = None,
    status: str | None = None,
    workspace_id: str = WORKSPACE,
) -> Request[list[Notebook]]:
    """List the user's own notebooks, newest first.

    :param offset: How many are skipped.
    :param name: Only those whose name contains this.
    :param status: Only those in this state.
    :param workspace_id: Default: that of the connection.
    """
    return _listed("list notebooks", _NOTEBOOKS, offset, limit, name, status, workspace_id)


def list_all_notebooks(
    offset: int = 0,
    limit: Literal[10, 20, 50] = 50,
    name: str | None = None,
    status: str | None = None,
    workspace_id: str = WORKSPACE,
) -> Request[list[Notebook]]:
    """List the notebooks of all users, as :func:`list_notebooks` lists the user's own."""
    return _listed("list all notebooks", _NOTEBOOKS + "/all", offset, limit, name, status, workspace_id)


def get_notebook(notebook_id: str) -> Request[Notebook]:
    """Read a notebook.

    :raises ModelArtsParameterError: The id is not valid.
    """
    return Request(
        asks=f"read notebook {notebook_id}",
        **to("GET", _NOTEBOOK, notebook_id=notebook_id),
        read=Notebook.read,
        about={"id": notebook_id},
    )


def start_notebook(
    notebook_id: str, duration: int | str | timedelta | None = None, lease_type: str | None = None
) -> Request[None]:
    """Start a notebook. One that runs, or is just being started, is left as it is.

    :param duration: How long it is to run, in milliseconds or as ``timedelta``, 1 to 72 hours.
    :param lease_type: ``timing``, ModelArts' default, or ``idle``.
    :raises ModelArtsParameterError: A value is wrong.
    """
    return Request(
        asks=f"start notebook {notebook_id}",
        **to("POST", _NOTEBOOK + "/start", notebook_id=notebook_id),
        read=nothing,
        query={"duration": _duration(duration), "type": _type(lease_type)},
        already=STARTED,
    )


def stop_notebook(notebook_id: str) -> Request[None]:
    """Stop a notebook. One that has stopped, or is just being stopped, is left as it is.

    :raises ModelArtsParameterError: The id is not valid.
    """
    return Request(
        asks=f"stop notebook {notebook_id}",
        **to("POST", _NOTEBOOK + "/stop", notebook_id=notebook_id),
        read=nothing,
        already=STOPPED,
    )


def change_notebook(notebook_id: str, change: NotebookChange) -> Request[None]:
    """Change a notebook.

    :raises ModelArtsParameterError: The id is not valid.
    """
    return Request(
        asks=f"change notebook {notebook_id}",
        **to("PUT", _NOTEBOOK, notebook_id=notebook_id),
        read=nothing,
        json=change.body(),
    )


def delete_notebook(notebook_id: str) -> Request[None]:
    """Delete a notebook. It is no error if it does not exist.

    :raises ModelArtsParameterError: The id is not valid.
    """
    return Request(
        asks=f"delete notebook {notebook_id}",
        **to("DELETE", _NOTEBOOK, notebook_id=notebook_id),
        read=nothing,
        already=MISSING,
    )


def get_notebook_lease(notebook_id: str) -> Request[Lease]:
    """Read how long a notebook runs.

    :raises ModelArtsParameterError: The id is not valid.
    """
    return _lease("read", "GET", notebook_id, {})


def renew_notebook_lease(
    notebook_id: str, duration: int | str | timedelta, lease_type: str | None = None
) -> Request[Lease]:
    """Let a notebook run longer.

    :param duration: In milliseconds or as ``timedelta``, 1 to 72 hours.
    :param lease_type: ``timing`` or ``idle``.
    :raises ModelArtsParameterError: A value is wrong.
    """
    return _lease("renew", "PATCH", notebook_id, {"duration": _duration(duration), "type": _type(lease_type)})


def list_notebook_tags(workspace_id: str = WORKSPACE) -> Request[list[NotebookTag]]:
    """List the tags that notebooks have.

    :param workspace_id: Default: that of the connection.
    """
    return Request(
        asks="list the tags of notebooks",
        **to("GET", _NOTEBOOKS + "/tags"),
        read=rows(NotebookTag, "tags"),
        query={"workspace_id": workspace_id},
    )


def _listed(
    asks: str, template: str, offset: int, limit: int, name: str | None, status: str | None, workspace_id: str
) -> Request[list[Notebook]]:
    return Request(
        asks=asks,
        **to("GET", template),
        read=rows(Notebook, "data"),
        query={
            "offset": offset,
            "limit": limit,
            "name": name,
            "status": status,
            "workspace_id": workspace_id,
            "sort_key": "create_at",
            "sort_dir": "desc",
        },
    )


def _lease(verb: str, method: Literal["GET", "PATCH"], notebook_id: str, given: dict[str, Any]) -> Request[Lease]:
    body = {name: value for name, value in given.items() if value is not None}
    return Request(
        asks=f"{verb} the lease of notebook {notebook_id}",
        **to(method, _NOTEBOOK + "/lease", notebook_id=notebook_id),
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
