"""Notebooks: containers that a person works in. A user has one of each kind. Newer platforms only."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from airflow_provider_aihub.aihub.models import KeyValue, Named, Spec, Storage, new_id
from airflow_provider_aihub.aihub.services import Service
from airflow_provider_aihub.aihub.values import check_id, check_member
from airflow_provider_aihub.http.models import Answer, nothing, rows
from airflow_provider_aihub.http.request import Request, path
from airflow_provider_aihub.http.values import Count, Number, Pairs, Positive, Text, Whole, one_of

_PREFIX = "/notebook-management/api/v1"
_NOTEBOOKS = f"{_PREFIX}/notebooks"


class AppType(IntEnum):
    """What a notebook is opened with."""

    NOTEBOOK = 1
    VNC_SSH = 2


class HardwareType(IntEnum):
    """What a notebook runs on."""

    CPU = 1
    GPU = 2


class NotebookStatus(IntEnum):
    """The state of a notebook. There is none for a failure; it is not documented whether a notebook that fails to start
    is closed again."""

    CLOSED = 1
    STARTING = 2
    STARTED = 3


class NotebookChanges(Spec):
    """The settings of a notebook.

    :param image_id: See :func:`list_notebook_images`.
    :param sku_cnt: Number of SKUs.
    :param envs: Environment variables, a dict.
    :param storage_ids: Storages to mount.
    :param shm: Shared memory; in what unit is not documented.
    :param resolution: Of the screen, for VNC; in what form is not documented.
    """

    noun: ClassVar[str] = "notebook"

    image_id: Positive
    sku_cnt: Positive | None = None
    envs: Pairs | None = Field(default=None, repr=False)
    storage_ids: list[Positive] | None = None
    shm: Count | None = None
    resolution: Text | None = None


class NotebookSpec(NotebookChanges):
    """A notebook to create: what :class:`NotebookChanges` has, and of which kind it is.

    :param app_type: By word or number, see :class:`AppType`.
    :param hardware_type: By word or number, see :class:`HardwareType`.
    """

    app_type: Annotated[AppType, one_of(AppType)]
    hardware_type: Annotated[HardwareType, one_of(HardwareType)]


class NotebookImage(Named):
    """An image that notebooks may run.

    :param app_type: See :class:`AppType`.
    :param hardware_type: See :class:`HardwareType`.
    """

    uri: str = ""
    app_type: Number = 0
    hardware_type: Number = 0


class Notebook(Answer):
    """A notebook as AIHub shows it. It has no name, and AIHub does not show its virtual cluster.

    :param status: See :class:`NotebookStatus`; others may appear.
    :param app_type: See :class:`AppType`.
    :param hardware_type: See :class:`HardwareType`.
    :param pod: Name of its pod, in ``namespace``.
    :param created_at: Unix milliseconds.
    :param notebook_url: Where it is opened; likewise ``vscode_url``, ``vnc_web_url``, ``vnc_svr_addr``, ``ssh_info``.
    """

    id: Whole
    status: Whole
    image: NotebookImage = Field(default_factory=NotebookImage)
    sku_cnt: Number = 0
    envs: list[KeyValue] = Field(default_factory=list)
    storages: list[Storage] = Field(default_factory=list)
    shm: Number = 0
    app_type: Number = 0
    hardware_type: Number = 0
    namespace: str = ""
    pod: str = ""
    creator: Named = Field(default_factory=Named)
    created_at: Number = 0
    notebook_url: str = Field(default="", repr=False)
    vscode_url: str = Field(default="", repr=False)
    vnc_web_url: str = Field(default="", repr=False)
    vnc_svr_addr: str = Field(default="", repr=False)
    vnc_resolution: str = ""
    ssh_info: str = Field(default="", repr=False)


class NotebookParams(Answer):
    """What a new notebook of a kind has unless something else is asked for."""

    image: NotebookImage = Field(default_factory=NotebookImage)
    sku_cnt: Number = 0
    storages: list[Storage] = Field(default_factory=list)


class NotebookDefaults(Answer):
    """What new notebooks have unless something else is asked for, by kind."""

    cpu_notebook_default_params: NotebookParams = Field(default_factory=NotebookParams)
    gpu_notebook_default_params: NotebookParams = Field(default_factory=NotebookParams)
    vnc_svr_default_params: NotebookParams = Field(default_factory=NotebookParams)


def list_notebook_images(
    app_type: AppType | int | str, hardware_type: HardwareType | int | str
) -> Request[list[NotebookImage]]:
    """List the images for a kind of notebook. Newer platforms only.

    :param app_type: By word or number, see :class:`AppType`.
    :param hardware_type: By word or number, see :class:`HardwareType`.
    :raises AIHubParameterError: One of them is unknown.
    """
    return Request(
        asks="list the images of notebooks",
        service=Service.NOTEBOOK_MANAGEMENT,
        method="GET",
        path=f"{_PREFIX}/images",
        read=rows(NotebookImage),
        query=_kind(app_type, hardware_type),
        optional=True,
    )


def get_notebook_defaults() -> Request[NotebookDefaults]:
    """Read what new notebooks have unless something else is asked for. Newer platforms only."""
    return Request(
        asks="tell the defaults of notebooks",
        service=Service.NOTEBOOK_MANAGEMENT,
        method="GET",
        path=f"{_PREFIX}/configs",
        read=NotebookDefaults.read,
        optional=True,
    )


def list_notebooks(
    app_type: AppType | int | str | None = None, hardware_type: HardwareType | int | str | None = None
) -> Request[list[Notebook]]:
    """List notebooks. Newer platforms only. It is not documented whose notebooks these are.

    :param app_type: Only those of this kind, by word or number, see :class:`AppType`.
    :param hardware_type: Likewise, see :class:`HardwareType`.
    :raises AIHubParameterError: One of them is unknown.
    """
    return Request(
        asks="list notebooks",
        service=Service.NOTEBOOK_MANAGEMENT,
        method="GET",
        path=_NOTEBOOKS,
        read=rows(Notebook),
        query=_kind(app_type, hardware_type),
        optional=True,
    )


def create_notebook(spec: NotebookSpec) -> Request[int]:
    """Create a notebook and return its id. Newer platforms only. It is not documented whether it then starts."""
    return Request(
        asks="create a notebook",
        service=Service.NOTEBOOK_MANAGEMENT,
        method="POST",
        path=_NOTEBOOKS,
        read=new_id,
        json=spec.body(),
        creates=True,
        optional=True,
    )


def get_notebook(notebook_id: int | str) -> Request[Notebook]:
    """Read a notebook. Newer platforms only.

    :raises AIHubParameterError: The id is not a whole number of at least 1.
    """
    return _one("read", "GET", notebook_id, Notebook.read)


def edit_notebook(notebook_id: int | str, changes: NotebookChanges) -> Request[None]:
    """Change the settings of a notebook. Newer platforms only. It is not documented whether a running notebook accepts
    them.

    :raises AIHubParameterError: The id is not a whole number of at least 1.
    """
    return _one("change", "PUT", notebook_id, nothing, changes.body())


def delete_notebook(notebook_id: int | str) -> Request[None]:
    """Delete a notebook. Newer platforms only.

    :raises AIHubParameterError: The id is not a whole number of at least 1.
    """
    return _one("delete", "DELETE", notebook_id, nothing)


def start_notebook(notebook_id: int | str) -> Request[None]:
    """Start a notebook; :func:`get_notebook` says when it runs. Newer platforms only.

    :raises AIHubParameterError: The id is not a whole number of at least 1.
    """
    return _one("start", "POST", notebook_id, nothing, {}, below="/start")


def stop_notebook(notebook_id: int | str) -> Request[None]:
    """Stop a notebook. Newer platforms only.

    :raises AIHubParameterError: The id is not a whole number of at least 1.
    """
    return _one("stop", "POST", notebook_id, nothing, {}, below="/stop")


def _kind(app_type: Any, hardware_type: Any) -> dict[str, str | int | None]:
    return {
        "app_type": None if app_type is None else check_member("app_type", AppType, app_type).value,
        "hardware_type": None
        if hardware_type is None
        else check_member("hardware_type", HardwareType, hardware_type).value,
    }


def _one(
    verb: str,
    method: Literal["GET", "POST", "PUT", "DELETE"],
    notebook_id: int | str,
    read: Any,
    body: dict[str, Any] | None = None,
    below: str = "",
) -> Request[Any]:
    """Make a request about one notebook: its id is in the path, and in the body or the query, too."""
    number = check_id("notebook_id", notebook_id)
    return Request(
        asks=f"{verb} notebook {number}",
        service=Service.NOTEBOOK_MANAGEMENT,
        method=method,
        path=path(_NOTEBOOKS + "/{}" + below, number),
        read=read,
        about={"id": number} if method == "GET" else {},
        query={"id": number} if body is None else {},
        json=None if body is None else {"id": number, **body},
        optional=True,
    )
