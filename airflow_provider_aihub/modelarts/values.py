"""How single values are checked for ModelArts; what is wrong with one is a ``ModelArtsParameterError``."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any, Final, TypeVar

from pydantic import AfterValidator, BeforeValidator

from airflow_provider_aihub.http import models, values
from airflow_provider_aihub.http.errors import raised_as
from airflow_provider_aihub.http.request import Request
from airflow_provider_aihub.modelarts.errors import KINDS, ModelArtsParameterError

T = TypeVar("T")

check_flag = raised_as(KINDS)(values.check_flag)
check_text = raised_as(KINDS)(values.check_text)
check_whole = raised_as(KINDS)(values.check_id)

# As ids are quoted into a path, this keeps out what no quoting hides, and ids of several parts.
_ID: Final = r"[A-Za-z0-9][A-Za-z0-9_.-]*"


def reading(request: Request[Any], read: Callable[[Any], T]) -> Request[T]:
    """Return a request whose answer is read in another way."""
    return replace(request, read=read)


class Spec(models.Spec):
    """Base of what is sent to ModelArts; see :class:`airflow_provider_aihub.http.models.Spec`."""

    wrong = ModelArtsParameterError


def check_id(parameter: str, value: Any) -> str:
    """Return a checked id: letters, digits, ``_``, ``.`` and ``-``.

    :raises ModelArtsParameterError: It is none.
    """
    what = "an id of letters, digits, '_', '.' and '-'"
    if values.is_nothing(value):
        raise ModelArtsParameterError(f"{parameter} must be {what}, not {values.shown(value)}.")
    return check_text(parameter, value, _ID, what)


def parts_of(parameter: str, value: Any, *nouns: str) -> list[str]:
    """Return the last parts of an id whose parts are joined by ``/``, as many as there are nouns.

    :param nouns: What each part is.
    :raises ModelArtsParameterError: It is none.
    """
    parts = str(value).split("/")[-len(nouns) :]
    if len(parts) < len(nouns) or any(map(values.is_nothing, parts)):
        raise ModelArtsParameterError(
            f"{parameter} must be an id, {'/'.join(f'<{noun}>' for noun in nouns)}, not {values.shown(value)}."
        )
    return parts


def at(data: Any, *names: str) -> Any:
    """Return what stands at a path in a model, or in the data that it is made from; ``None`` for nothing."""
    for name in names:
        data = data.get(name) if isinstance(data, dict) else getattr(data, name, None)
    return data


def text_at(data: Any, *names: str) -> str:
    """Return the text, or the number as a text, that stands at a path; "" for anything else."""
    found = at(data, *names)
    return str(found) if isinstance(found, str | int | float) and not isinstance(found, bool) else ""


def seconds_at(data: Any, *names: str) -> float | None:
    """Return the Unix milliseconds that stand at a path as seconds; ``None`` for 0, which means not yet."""
    found = values.as_int(at(data, *names))
    return found / 1000 if found else None


def spelt(pattern: str, allowed: str) -> AfterValidator:
    """Refuse a text that does not match a pattern as a whole, in words that say what is allowed."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"must be {allowed}")
        return text

    return AfterValidator(check)


def at_most(longest: int) -> AfterValidator:
    """Refuse a text of more characters."""

    def check(text: str) -> str:
        if len(text) > longest:
            raise ValueError(f"must have at most {longest} characters")
        return text

    return AfterValidator(check)


def _string_map(value: Any) -> Any:
    """Take numbers and booleans of a mapping as text."""
    if not isinstance(value, dict):
        raise ValueError("must be an object of texts")  # noqa: TRY004 - validators raise ValueError
    return {name: str(of).lower() if isinstance(of, bool) else str(of) for name, of in value.items()}


Texts = Annotated[dict[str, str], BeforeValidator(_string_map)]
"""A mapping of texts; numbers and booleans become text."""
