"""How single values are checked: numbers, booleans, words, pairs. Templates render to text, so text will do."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from enum import Enum
from functools import partial
from numbers import Integral, Real
from typing import Annotated, Any, Final, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer

from airflow_provider_aihub.http.errors import ParameterError

EXACT: Final = 2**53
"""Below this, a float stands for exactly one whole number."""
_SHOWN = 60
_WHOLE = re.compile(r"\s*[+-]?[0-9]{1,18}\s*")


def shown(value: object) -> str:
    """Show a value in a message, shortened to about 60 characters."""
    try:
        text = repr(value)
    except ValueError:
        # Python writes out no whole number of more than 4300 digits.
        text = f"a very large {type(value).__name__}"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def as_int(value: object) -> int | None:
    """Read ``12``, ``12.0`` or ``"12"`` as a whole number; ``None`` for all else, booleans included.

    ``None`` as well for what no integer of 64 bits can hold, and for a float from 2^53 on: it may stand for another
    number than the one that was written.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return int(value) if -(2**63) <= value < 2**63 else None
    if isinstance(value, float):
        return int(value) if abs(value) < EXACT and value.is_integer() else None
    return int(value) if isinstance(value, str) and _WHOLE.fullmatch(value) else None


def _least(least: int | None) -> BeforeValidator:
    def read(value: Any) -> int:
        number = as_int(value)
        if number is None or (least is not None and number < least):
            raise ValueError("must be a whole number" + ("" if least is None else f" of at least {least}"))
        return number

    return BeforeValidator(read)


def is_nothing(value: object) -> bool:
    """Whether a value is empty: ``None``, "", blanks, or ``"None"``, to which a template renders that finds nothing."""
    return value is None or (isinstance(value, str) and value.strip() in ("", "None"))


def flag(value: Any) -> bool:
    """Return a boolean, or what its word says.

    :raises ValueError: It is neither.
    """
    given = value.strip().lower() if isinstance(value, str) else value
    if given is True or given == "true":
        return True
    if given is False or given == "false":
        return False
    raise ValueError("must be true or false")


def _plain(value: Any) -> str | None:
    """Turn a text, number or boolean into text, a boolean into the words of JSON; ``None`` for all else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None


def _words(value: Any) -> str:
    text = None if isinstance(value, bool) else _plain(value)
    if text is None:
        raise ValueError("must be a text")
    return text


def _text(value: Any) -> str:
    text = None if isinstance(value, bool) else _plain(value)
    if text is None or not text.strip():
        raise ValueError("must be a non-empty text")
    return text


def _is_pair(item: Any) -> bool:
    return isinstance(item, Mapping) and set(item) == {"key", "value"}


def _pairs(value: Any) -> dict[str, str]:
    rule = "must be a dict of text, numbers and booleans, or a list of {key, value}"
    if isinstance(value, Mapping):
        items = list(value.items())
    elif isinstance(value, list | tuple) and all(map(_is_pair, value)):
        items = [(item["key"], item["value"]) for item in value]
    else:
        raise ValueError(rule)
    pairs: dict[str, str] = {}
    for key, given in items:
        text = _plain(given)
        if not isinstance(key, str) or not key or text is None:
            raise ValueError(f"{rule}; the value of {shown(key)} is a {type(given).__name__}")
        if key in pairs:
            raise ValueError(f"must hold {shown(key)} only once")
        pairs[key] = text
    return pairs


def _json(value: Any) -> Any:
    """Return what JSON can hold in Python's own types, to which numbers of ``numpy`` do not belong."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real) and math.isfinite(value):
        return float(value)
    if isinstance(value, Mapping) and all(isinstance(key, str | int) for key in value):
        return {str(key): _json(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set):
        return [_json(one) for one in value]
    raise ValueError(f"must hold nothing that JSON cannot hold, here {shown(value)}")


def _json_object(value: Any) -> Any:
    return _json(value) if isinstance(value, Mapping) else value


def _box(value: Any) -> list[int | float]:
    numbers: list[int | float] = []
    for given in value if isinstance(value, list | tuple) else ():
        whole = as_int(given)
        if whole is not None:
            numbers.append(whole)
        elif isinstance(given, float) and math.isfinite(given):
            numbers.append(given)
    if len(numbers) != 4 or len(value) != 4:
        raise ValueError("must be four numbers [x1, y1, x2, y2]")
    return numbers


def _not_empty(value: list[Any]) -> list[Any]:
    if not value:
        raise ValueError("must not be empty")
    return value


E = TypeVar("E", bound=Enum)


def _member(kind: type[E], value: object) -> E:
    words: dict[str, E] = {}
    for word, member in kind.__members__.items():
        words[word.lower()] = words[str(member.value).lower()] = member
    known = isinstance(value, str | int) and not isinstance(value, bool)
    found = words.get(str(value).strip().lower()) if known else None
    if found is not None:
        return found
    allowed = ", ".join(
        f"{word.lower()} ({member.value})" if isinstance(member.value, int) else str(member.value)
        for word, member in kind.__members__.items()
    )
    raise ValueError(f"must be one of {allowed}")


def one_of(kind: type[Enum]) -> BeforeValidator:
    """Take a member of an enumeration by its word, in any case, or by its number."""
    return BeforeValidator(partial(_member, kind))


Number = Annotated[int, Field(ge=-(2**63), lt=2**63)]
"""A number in an answer: one that 64 bits can hold, so that it can be reckoned with."""
Whole = Annotated[int, _least(None)]
"""A whole number, of whatever sign: a status."""
Count = Annotated[int, _least(0)]
"""A whole number, 0 or more."""
Positive = Annotated[int, _least(1)]
"""A whole number, 1 or more: an id."""
Flag = Annotated[bool, BeforeValidator(flag)]
"""A boolean, or its word."""
Words = Annotated[str, BeforeValidator(_words)]
"""A text, which may be empty, or a number, which becomes one."""
Text = Annotated[str, BeforeValidator(_text)]
"""A text that is not empty, or a number, which becomes one: what a template renders to may be either."""
Pairs = Annotated[
    dict[str, str],
    BeforeValidator(_pairs),
    PlainSerializer(lambda pairs: [{"key": key, "value": value} for key, value in pairs.items()]),
]
"""A dict, or a list of ``{key, value}``, as which it is sent. Numbers and booleans become text."""
JsonObject = Annotated[dict[str, Any], BeforeValidator(_json_object)]
"""A dict of whatever JSON can hold; numbers may be those of ``numpy``."""
Box = Annotated[list[int | float], BeforeValidator(_box)]
"""A frame in an image: ``[x1, y1, x2, y2]``."""
NotEmpty = AfterValidator(_not_empty)
"""Refuses an empty list."""


def _wrong(value: object) -> str:
    return shown(value) + (", as a template renders when it finds nothing" if value == "None" else "")


def check_id(parameter: str, value: int | str) -> int:
    """Return a whole number of at least 1, given as a number or as text.

    :raises ParameterError: It is not a whole number of at least 1.
    """
    number = as_int(value)
    if number is None or number < 1:
        raise ParameterError(f"{parameter} must be a whole number of at least 1, not {_wrong(value)}")
    return number


def check_member(parameter: str, kind: type[E], value: object) -> E:
    """Return the member of an enumeration with this word, in any case, or this number.

    :raises ParameterError: There is no such member.
    """
    try:
        return _member(kind, value)
    except ValueError as error:
        problem = str(error)
    raise ParameterError(f"{parameter} {problem}, not {shown(value)}")


def check_flag(parameter: str, value: object) -> bool:
    """Return a boolean, or what its word says.

    :raises ParameterError: It is neither.
    """
    try:
        return flag(value)
    except ValueError as error:
        problem = str(error)
    raise ParameterError(f"{parameter} {problem}, not {shown(value)}")


def check_text(
    parameter: str, value: str | float, pattern: str = r"(?s).*\S.*", allowed: str = "a non-empty text"
) -> str:
    """Return a text that matches a pattern as a whole; a number becomes one.

    :raises ParameterError: It does not match, or is what a template renders when it finds nothing.
    """
    text = None if isinstance(value, bool) else _plain(value)
    if text in (None, "None") or not re.fullmatch(pattern, text):
        raise ParameterError(f"{parameter} must be {allowed}, not {_wrong(value)}")
    return text
