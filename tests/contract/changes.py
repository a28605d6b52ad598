"""Changes to answers: where a value is, and a copy of the whole with another one there."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

Place = tuple[str | int, ...]
"""Keys and indexes that lead to a value."""


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    """Every value within a value."""
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, inner in items:
        yield (*at, key)
        yield from places(inner, (*at, key))


def value_at(value: Any, place: Place) -> Any:
    """The value at a place."""
    for key in place:
        value = value[key]
    return value


def changed(value: Any, place: Place, new: Any) -> Any:
    """A copy with another value at a place."""
    copy = deepcopy(value)
    value_at(copy, place[:-1])[place[-1]] = deepcopy(new)
    return copy


def without(value: Any, place: Place) -> Any:
    """A copy without what is at a place."""
    copy = deepcopy(value)
    del value_at(copy, place[:-1])[place[-1]]
    return copy


def dotted(place: Place) -> str:
    """A place as cases write it: ``data.0.name``."""
    return ".".join(map(str, place))
