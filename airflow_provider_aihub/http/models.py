"""What is sent and what comes back: strict request models, tolerant answer models."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import takewhile
from typing import Any, ClassVar, Final, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_core import ErrorDetails

from airflow_provider_aihub.http.errors import ParameterError
from airflow_provider_aihub.http.values import EXACT, shown

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
    wrong: ClassVar[type[ParameterError]] = ParameterError
    """The kind of error that a platform raises."""

    @classmethod
    def build(cls, **values: Any) -> Self:
        """Check the values and keep them.

        Whole numbers and booleans may be given as text (``"12"``, ``"true"``), as a template renders them.

        :raises ParameterError: One sentence that names every wrong parameter, what was given and what is
            allowed. What was given for a field that may hold secrets is not repeated.
        """
        try:
            return cls.model_validate({name: value for name, value in values.items() if value is not None})
        except ValidationError as error:
            problems = "; ".join(problem(cls, detail) for detail in error.errors(include_url=False))
        raise cls.wrong(f"The {cls.noun} cannot be created: {problems}")

    def body(self) -> dict[str, Any]:
        """Return the JSON body, without the optional fields that were not given."""
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


def nothing(data: Any) -> None:
    """Read an answer that says nothing beyond its success."""


def brief(data: Any, most: int = BRIEF) -> Any:
    """Return a copy of decoded JSON that is cut off (within texts, lists and objects) after about ``most`` bytes."""
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
