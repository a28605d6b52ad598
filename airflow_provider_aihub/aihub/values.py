"""How single values are checked for AIHub; see :mod:`airflow_provider_aihub.http.values`.

What is wrong with one is an :class:`~airflow_provider_aihub.aihub.errors.AIHubParameterError`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from airflow_provider_aihub.aihub.errors import KINDS, AIHubParameterError
from airflow_provider_aihub.http import values
from airflow_provider_aihub.http.errors import raised_as
from airflow_provider_aihub.http.values import shown

PAGE: Final = "page_num"
"""What AIHub calls the number of a page, from 1, asked for and answered."""

check_id = raised_as(KINDS)(values.check_id)
check_flag = raised_as(KINDS)(values.check_flag)
check_member = raised_as(KINDS)(values.check_member)
check_text = raised_as(KINDS)(values.check_text)


def page_query(
    page: int, page_size: int, numbers: Mapping[str, int | str | None] | None = None, **words: str | bool | None
) -> dict[str, str | int | None]:
    """Build the query of a list: which page, and the filters that were given.

    :param page: Number of the page, from 1.
    :param page_size: Greatest number of rows on a page.
    :param numbers: Filters by a number of at least 1.
    :param words: Filters by a text or a boolean.
    :raises AIHubParameterError: A number is not a whole number of at least 1.
    """
    query: dict[str, str | int | None] = {
        "page_size": check_id("page_size", page_size),
        PAGE: check_id("page", page),
    }
    for name, number in (numbers or {}).items():
        query[name] = None if number is None else check_id(name, number)
    for name, word in words.items():
        query[name] = ("true" if word else "false") if isinstance(word, bool) else word
    return query


def joined_ids(parameter: str, ids: Sequence[int | str] | None) -> str | None:
    """Return ids separated by commas, as AIHub takes several; a text or a number is one id.

    :raises AIHubParameterError: It is no list, or one of them is not a whole number of at least 1.
    """
    if ids is None:
        return None
    return ",".join(map(str, check_ids(parameter, ids)))


def check_ids(parameter: str, ids: Sequence[int | str] | int | str) -> list[int]:
    """Return ids; a text or a number is one.

    :raises AIHubParameterError: It is no list, or one of them is not a whole number of at least 1.
    """
    return [check_id(parameter, one) for one in check_several(parameter, ids, "ids")]


def check_several(parameter: str, given: Any, of_what: str) -> list[Any]:
    """Return the elements of a list; a text or a number is one alone.

    :raises AIHubParameterError: It is neither.
    """
    if isinstance(given, str | int) and not isinstance(given, bool):
        return [given]
    if not isinstance(given, Iterable) or isinstance(given, Mapping | bytes):
        raise AIHubParameterError(f"{parameter} must be a list of {of_what}, not {shown(given)}.")
    return list(given)
