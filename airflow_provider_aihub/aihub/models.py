"""What AIHub's services share: strict request models, and the parts that several answers have.

Timestamps are Unix milliseconds, 0 for "not yet".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

from pydantic import Field
from pydantic_core import SchemaValidator, core_schema

from airflow_provider_aihub.aihub.errors import AIHubParameterError
from airflow_provider_aihub.http import models
from airflow_provider_aihub.http.models import Answer, rows
from airflow_provider_aihub.http.values import Number, Text, as_int

T = TypeVar("T")
A = TypeVar("A", bound=Answer)


class Spec(models.Spec):
    """Base of what is sent to AIHub; see :class:`airflow_provider_aihub.http.models.Spec`."""

    wrong = AIHubParameterError


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list.

    :param data: The rows. A row that cannot be read is left out; that does not mean that the thing itself is gone.
    :param total: Number of rows on all pages.
    :param page_size: Greatest number of rows on a page.
    :param page_num: Number of this page, from 1.
    """

    data: list[T]
    total: int
    page_size: int
    page_num: int


def page_of(model: type[A]) -> Callable[[Any], Page[A]]:
    """Make a reader of ``{total, page_size, page_num, data: [...]}``."""
    read_rows = rows(model)

    def read(data: Any) -> Page[A]:
        found = read_rows(data)
        _check_different(as_int(getattr(row, "id", None)) for row in found)
        total, size, number = (as_int(data.get(name)) for name in ("total", "page_size", "page_num"))
        return Page(found, len(found) if total is None else total, len(found) if size is None else size, number or 1)

    return read


def raw_page(data: Any) -> Page[dict[str, Any]]:
    """Read a page without looking into its rows; rows that are no objects are left out."""
    items = data.get("data") or [] if isinstance(data, dict) else None
    if not isinstance(items, list):
        raise ValueError("the answer has no list 'data'")  # noqa: TRY004 - readers raise ValueError
    total, size, number = (as_int(data.get(name)) for name in ("total", "page_size", "page_num"))
    total, size = (len(items) if value is None else value for value in (total, size))
    objects = [item for item in items if isinstance(item, dict)]
    _check_different(as_int(item.get("id")) for item in objects)
    return Page(objects, total, size, number or 1)


def _check_different(ids: Iterable[int | None]) -> None:
    """Check that no two rows of a page are of the same id.

    :raises ValueError: There are.
    """
    seen: set[int] = set()
    for number in ids:
        if number in seen:
            raise ValueError(f"the list has two rows of id {number}")
        if number:
            seen.add(number)


@cache
def rows_with(*fields: str) -> Callable[[bytes], Any]:
    """Make a decoder of pages that keeps only these fields of their rows.

    That takes half the time, and creates so few objects that Python's garbage collector rarely runs: one run through
    all that Airflow has in memory stops everything else for a tenth of a second.
    """
    anything = core_schema.any_schema()

    def with_fields(**schemas: core_schema.CoreSchema) -> core_schema.CoreSchema:
        known = {name: core_schema.typed_dict_field(schema, required=False) for name, schema in schemas.items()}
        return core_schema.typed_dict_schema(known)

    rows = core_schema.list_schema(with_fields(**dict.fromkeys(fields, anything)))
    page = with_fields(total=anything, page_size=anything, page_num=anything, data=rows)
    return SchemaValidator(with_fields(code=anything, msg=anything, data=page)).validate_json


def new_id(data: Any) -> int:
    """Read the id of what was created."""
    number = as_int(data.get("id")) if isinstance(data, dict) else None
    if number is None or number < 1:
        raise ValueError("the answer has no id")
    return number


def text_of(key: str) -> Callable[[Any], str]:
    """Make a reader of one text. Other values are read as their JSON, and a missing value as an empty text."""

    def read(data: Any) -> str:
        value = data.get(key) if isinstance(data, dict) else None
        if isinstance(value, str):
            return value
        return "" if value is None else json.dumps(value, ensure_ascii=False)

    return read


class KeyValue(Answer):
    """An environment variable of a job or a parameter of a workflow."""

    key: str = ""
    value: str = Field(default="", repr=False)


class Named(Answer):
    """Something with an id and a name: a user, a category."""

    id: Number = 0
    name: str = ""


class Project(Named):
    """A research project."""

    description: str = ""


class Storage(Named):
    """A storage that a job can mount.

    :param path: Where it is mounted in the container.
    :param server_type: ``nfs`` or ``hostpath``.
    :param permission: ``r`` or ``rw``.
    """

    path: str = ""
    server_path: str = ""
    server_host: str = ""
    server_type: str = ""
    permission: str = ""
    description: str = ""


class Sku(Answer):
    """The unit in which a virtual cluster is given out.

    :param memory: Main memory in GiB.
    :param gpu_type: 1 A800, 2 4090, 3 3090, 4 2080, 5 unknown; 0 where it was not said.
    :param gpu_memory: GPU memory in GiB.
    :param network: 0 other, 1 RoCE, 2 InfiniBand.
    """

    id: Number = 0
    description: str = ""
    cpu: Number = 0
    gpu: Number = 0
    memory: Number = 0
    gpu_type: Number = 0
    gpu_memory: Number = 0
    network: Number = 0
    created_at: Number = 0


class RunningTask(Answer):
    """A task on a node of a virtual cluster. Run times are seconds."""

    id: str = ""
    name: str = ""
    sku_cnt: Number = 0
    category_name: str = ""
    project_name: str = ""
    estimate_run_time: Number = 0
    actual_run_time: Number = 0
    username: str = ""


class NodeTasks(Answer):
    """What runs on one node."""

    node_name: str = ""
    node_ip: str = ""
    tasks: list[RunningTask] = Field(default_factory=list)


class VirtualCluster(Named):
    """A virtual cluster; which fields are filled depends on the call that read it."""

    uuid: str = ""
    gpu_type: str = ""
    label: str = ""
    sku: Sku = Field(default_factory=Sku)
    node_tasks: list[NodeTasks] = Field(default_factory=list)
    created_at: Number = 0


class Pod(Named):
    """A pod of a training or a quota task.

    :param status: Pending, Running, Succeeded, Failed or Deleted.
    :param duration: Seconds.
    """

    namespace: str = ""
    status: str = ""
    created_at: Number = 0
    started_at: Number = 0
    finished_at: Number = 0
    host_ip: str = ""
    node_name: str = ""
    ssh_port: Number = 0
    ssh_info: str = ""
    use_new_log: bool = False
    duration: Number = 0


class LogFile(Answer):
    """A log file of a pod, to be downloaded from ``url``."""

    name: str = ""
    url: str = ""


class Upload(Answer):
    """Where an uploaded file lies.

    :param path: Its path for AIHub, e.g. ``s3://...``.
    :param url: Its address over HTTP.
    """

    path: Text
    url: str = ""


class StoreAccess(Answer):
    """Short-lived credentials for AIHub's object store, an S3 store.

    :param expiration: When they expire; in what unit is not documented.
    :param endpoint: Where it is, ``host:port`` for plain HTTP.
    :param bucket: The bucket that they are for.
    """

    access_key_id: str = Field(default="", repr=False)
    secret_access_key: str = Field(default="", repr=False)
    session_token: str = Field(default="", repr=False)
    expiration: Number = 0
    endpoint: str = ""
    bucket: str = ""
