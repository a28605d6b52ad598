"""What all services share: strict request models, tolerant answer models, and the parts that several answers have.

Timestamps are Unix milliseconds, 0 for "not yet".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from typing import Any, ClassVar, Final, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_core import ErrorDetails, SchemaValidator, core_schema

from airflow_provider_aihub.aihub.errors import AIHubParameterError
from airflow_provider_aihub.http.values import EXACT, Number, Text, as_int, shown

T = TypeVar("T")

MOST_ROWS = 10_000
"""Rows of a list that are read: each becomes an object with all of its defaults, however little it holds."""

BRIEF: Final = 128 * 2**10
"""Bytes, about, of each field of a job that are kept while it is waited for: hundreds of triggers may wait."""
VALUE: Final = 32
"""Bytes that are counted for each value, besides those of its text."""


def problem(model: type[BaseModel], error: ErrorDetails, *, show: bool = True) -> str:
    """Return what is wrong with one field; ``show`` what was given, unless the field may hold secrets."""
    if not error["loc"]:
        return str(error["ctx"]["error"]) if error["type"] == "value_error" else "it is no object"
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"])[1:]
    if error["type"] == "missing":
        return f"{where} is missing"
    if error["type"] == "extra_forbidden":
        return f"{where} is none of its parameters"
    own_words = error["type"] == "value_error"
    rule = str(error["ctx"]["error"]) if own_words else error["msg"].replace("Input should", "should")
    secret = not model.model_fields[str(error["loc"][0])].repr
    return f"{where} {rule}" if secret or not show else f"{where} {rule}, not {shown(error['input'])}"


class Spec(BaseModel):
    """Base of what is sent. A wrong or unknown field is refused before anything is sent.

    Use :meth:`build`; it speaks in one sentence. ``None`` is the same as not given.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        allow_inf_nan=False,
        defer_build=True,
        protected_namespaces=(),
    )

    noun: ClassVar[str]

    @classmethod
    def build(cls, **values: Any) -> Self:
        """Check the values and keep them.

        Whole numbers and booleans may be given as text (``"12"``, ``"true"``), as a template renders them.

        :raises AIHubParameterError: One sentence that names every wrong parameter, what was given and what is
            allowed. What was given for a field that may hold secrets is not repeated.
        """
        try:
            return cls.model_validate({name: value for name, value in values.items() if value is not None})
        except ValidationError as error:
            problems = "; ".join(problem(cls, detail) for detail in error.errors(include_url=False))
        raise AIHubParameterError(f"The {cls.noun} cannot be created: {problems}")

    def body(self) -> dict[str, Any]:
        """Return the JSON body as AIHub's document prints it, without the optional fields that were not given."""
        return self.model_dump(mode="json", exclude_none=True)


class Answer(BaseModel):
    """Base of what comes back. Only a field without a default must be there and make sense.

    ``null``, and a value that makes no sense, reads as the field's default; an object in a list that makes no sense is
    left out; unknown fields are kept.
    """

    model_config = ConfigDict(
        extra="allow",
        frozen=True,
        hide_input_in_errors=True,
        coerce_numbers_to_str=True,
        allow_inf_nan=False,
        defer_build=True,
        protected_namespaces=(),
    )

    @classmethod
    def read(cls, data: Any) -> Self:
        """Read an answer.

        :raises ValueError: Where it lacks what must be there; one phrase that names it.
        """
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            problems = "; ".join(problem(cls, detail, show=False) for detail in error.errors(include_url=False))
        raise ValueError(f"the answer cannot be read: {problems}")

    @model_validator(mode="wrap")
    @classmethod
    def _forgive(cls, data: Any, read: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(data, dict):
            return read(data)
        # A float that great may stand for another number than the one that was written, and for another id.
        given = {
            name: value
            for name, value in data.items()
            if value is not None and not (type(value) is float and abs(value) >= EXACT)
        }
        try:
            return read(given)
        except ValidationError as error:
            details = error.errors(include_input=False)
            if any(not detail["loc"] or cls._must_have(detail["loc"][0]) for detail in details):
                raise
        odd_rows = {detail["loc"][:2] for detail in details if _is_row(detail)}
        odd = {detail["loc"][0] for detail in details if not _is_row(detail)}
        kept = {name: value for name, value in given.items() if name not in odd}
        for name in {row[0] for row in odd_rows} - odd:
            kept[name] = [row for index, row in enumerate(kept[name]) if (name, index) not in odd_rows]
        return read(kept)

    @classmethod
    def _must_have(cls, name: int | str) -> bool:
        return name not in cls.model_fields or cls.model_fields[str(name)].is_required()


def _is_row(problem: ErrorDetails) -> bool:
    """Whether a problem lies in one object of a list; the others then are as good as ever."""
    at = problem["loc"]
    return len(at) > 1 and isinstance(at[1], int) and (len(at) > 2 or problem["type"] == "model_type")


A = TypeVar("A", bound=Answer)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list.

    :param data: The rows. A row that cannot be read is left out: it is no statement about what it stands for.
    :param total: Number of rows on all pages.
    :param page_size: Greatest number of rows on a page.
    :param page_num: Number of this page, from 1.
    """

    data: list[T]
    total: int
    page_size: int
    page_num: int


def rows(model: type[A], key: str = "data") -> Callable[[Any], list[A]]:
    """Make a reader of ``{key: [...]}``; ``null`` reads as empty, rows that cannot be read are left out."""

    def read(data: Any) -> list[A]:
        if not isinstance(data, dict) or key not in data:
            raise ValueError(f"the answer has no list {key!r}")
        items = data[key]
        if items is None:
            return []
        if not isinstance(items, list):
            raise ValueError(f"{key!r} of the answer is no list")  # noqa: TRY004 - readers raise ValueError
        if len(items) > MOST_ROWS:
            raise ValueError(f"the list {key!r} of the answer has more than {MOST_ROWS} rows")
        readable = []
        for item in items:
            with suppress(ValidationError):
                readable.append(model.model_validate(item))
        if items and not readable:
            raise ValueError(f"nothing in the list {key!r} of the answer can be read")
        return readable

    return read


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
    """Make a decoder of pages that leaves all fields of their rows out but these.

    That takes half the time. And it makes so few objects that Python's garbage collector, which stops all else for a
    tenth of a second when it looks through all that Airflow has in memory, has little reason to.
    """
    anything = core_schema.any_schema()

    def with_fields(**schemas: core_schema.CoreSchema) -> core_schema.CoreSchema:
        known = {name: core_schema.typed_dict_field(schema, required=False) for name, schema in schemas.items()}
        return core_schema.typed_dict_schema(known)

    rows = core_schema.list_schema(with_fields(**dict.fromkeys(fields, anything)))
    page = with_fields(total=anything, page_size=anything, page_num=anything, data=rows)
    return SchemaValidator(with_fields(code=anything, msg=anything, data=page)).validate_json


def brief(data: Any, most: int = BRIEF) -> Any:
    """Copy the beginning of data: texts, lists and objects end where there would be more of it than is good."""
    left = most

    def begin(value: Any) -> Any:
        nonlocal left
        left -= VALUE
        if isinstance(value, str):
            text = value[: max(left, 0)]
            left -= len(text)
            return text
        if isinstance(value, dict):
            return {key: begin(of_key) for key, of_key in takewhile(more, value.items())}
        if isinstance(value, list):
            return [begin(item) for item in takewhile(more, value)]
        return value

    def more(_: Any) -> bool:
        return left > 0

    return begin(data)


def new_id(data: Any) -> int:
    """Read the id of what was created."""
    number = as_int(data.get("id")) if isinstance(data, dict) else None
    if number is None or number < 1:
        raise ValueError("the answer has no id")
    return number


def nothing(data: Any) -> None:
    """Read an answer that says nothing beyond its success."""


def text_of(key: str) -> Callable[[Any], str]:
    """Make a reader of one text; what is no text is shown as JSON, nothing as an empty text."""

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
