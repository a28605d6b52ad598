"""One request, and how services say what they serve."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError
from yarl import URL

from ..body import parse_json
from ..refused import Refused
from ..store import Row
from . import errors
from .identity import User
from .modelarts import ModelArts

M = TypeVar("M", bound="Given")


class Given(BaseModel):
    """What a request brings. Numbers count as the text that is promised, unknown fields are kept."""

    model_config = ConfigDict(extra="allow", coerce_numbers_to_str=True, frozen=True)


class Call:
    """A request, with what a handler needs to answer it.

    :param invalid: The code for what is wrong with a parameter.
    :param user: Who asks. Handlers of open routes must not use it.
    """

    def __init__(self, arts: ModelArts, request: web.Request, body: bytes, user: User | None, invalid: str) -> None:
        self.arts = arts
        self.request = request
        self.raw = body
        self.invalid = invalid
        self._user = user

    @property
    def user(self) -> User:
        if self._user is None:
            raise RuntimeError("an open route asked who the user is")
        return self._user

    def path(self, name: str) -> str:
        """A part of the path."""
        return self.request.match_info[name]

    def body(self, model: type[M]) -> M:
        """The body; an empty one counts as an empty object.

        :raises Refused: It is not of the model, which names the first field that is wrong.
        """
        return self._read(model, self.json())

    def query(self, model: type[M]) -> M:
        """The query, without the fields that are empty.

        :raises Refused: It is not of the model.
        """
        return self._read(model, {name: value for name, value in self.request.query.items() if value})

    def json(self) -> Any:
        """:raises Refused: The body is no JSON."""
        try:
            values = parse_json(self.raw) if self.raw else {}
            _check_plain(values)
        except ValueError as error:
            raise Refused(str(error), errors.NO_JSON) from None
        return values

    def refused(self, message: str) -> Refused:
        """A parameter is wrong."""
        return Refused(message, self.invalid)

    def link(self, file: Path, seconds: int) -> str:
        """A link to a file in the emulator's folder, for the host by which the client knows the emulator.

        :param seconds: For how long it opens the file, on the emulator's clock.
        """
        until = str(int(self.arts.clock.now()) + seconds)
        host = self.request.url.host or "127.0.0.1"
        place = URL.build(scheme="http", host=host, port=self.arts.port)
        return f"{place}{self.arts.links.to(file, until)}?until={until}"

    def _read(self, model: type[M], values: Any) -> M:
        try:
            return model.model_validate(values)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise self.refused(f"{where}: {first['msg']}" if where else first["msg"]) from None


DEEPEST = 32
"""How many lists and objects a body may have within each other."""


def _check_plain(value: Any, depth: int = 0) -> None:
    """See that a value can be kept and answered again.

    :raises ValueError: It is nested too deep, is no number, or has a text with half a character in it.
    """
    if depth > DEEPEST:
        raise ValueError(f"the body has more than {DEEPEST} levels")
    if isinstance(value, str):
        value.encode()
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("the body has a number that JSON does not know")
    elif isinstance(value, list):
        for item in value:
            _check_plain(item, depth + 1)
    elif isinstance(value, dict):
        for name, item in value.items():
            name.encode()
            _check_plain(item, depth + 1)


class Route(NamedTuple):
    """An endpoint.

    :param source: ``S`` for the manual, ``V`` for the vendor's SDK, ``D`` for the public documents.
    :param open: It asks for neither a token nor a signature.
    :param status: HTTP status of what it answers, unless it says so itself.
    """

    source: str
    method: str
    path: str
    handler: Callable[[Call], Awaitable[Any]]
    status: int = 200
    open: bool = False


def public(row: Row) -> Row:
    """A row without the emulator's own fields."""
    return {name: value for name, value in row.items() if name[0] != "_"}


def window(rows: list[Any], offset: int, limit: int) -> list[Any]:
    """A part of a list."""
    return rows[offset : offset + limit]
