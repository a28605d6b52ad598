"""One request to a service, and how services say what they serve."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

from aiohttp import BodyPartReader, web
from yarl import URL

from ..body import LARGEST_BODY, LARGEST_OPEN_BODY, parse_json, read_body
from .aihub import AIHub
from .answers import Refused, page
from .auth import User
from .fields import REQUIRED, Fields, Missing, Query
from .store import Row

T = TypeVar("T")


class Call:
    """A request, with what a handler needs to answer it.

    :param user: Who asks. Handlers of open routes must not use it.
    """

    def __init__(self, hub: AIHub, request: web.Request, user: User | None) -> None:
        self.hub = hub
        self.request = request
        self._user = user

    @property
    def user(self) -> User:
        if self._user is None:
            raise RuntimeError("an open route asked who the user is")
        return self._user

    @cached_property
    def query(self) -> Query:
        return Query(self.request.query)

    def id(self, name: str = "id") -> int:
        """A number from the path."""
        return Query(self.request.match_info).integer(name)

    def unless_document(self, default: T) -> T | Missing:
        """The default of a field that the document demands and that the newer platform's own client leaves out."""
        return default if self.hub.platform else REQUIRED

    async def body(self) -> Fields:
        """:raises Refused: The body is no JSON object, too large or too slow."""
        return Fields(await self.json())

    async def json(self) -> Any:
        """:raises Refused: The body is no JSON, too large or too slow."""
        try:
            return parse_json(await read_body(self.request, LARGEST_OPEN_BODY if self._user is None else LARGEST_BODY))
        except ValueError as error:
            raise Refused(str(error)) from None

    def login(self, name: str, password: str) -> User | None:
        """The user, if that is the password.

        :raises Refused: Somebody has guessed too often from where the request comes.
        """
        return self.hub.login(self.request, name, password)

    def page(self, rows: Iterable[Row], show: Callable[[Row], Any]) -> dict[str, Any]:
        """The page of rows that the query asks for, each shown as an answer."""
        query = self.query
        size = query.integer("page_size", 20, minimum=1)
        found = page(rows, size, query.integer("page_num", 1, minimum=1))
        return {**found, "data": [show(row) for row in found["data"]]}

    def link(self, path: Path | str) -> str:
        """A link to a file in the emulator's folder, for the host by which the client knows the emulator; empty where
        there is no file."""
        if not path:
            return ""
        file = self.hub.home.path / path
        host = self.request.url.host or "127.0.0.1"
        return str(URL.build(scheme="http", host=host, port=self.hub.port)) + self.hub.links.to(file)

    def matches(self, row: Row, names: Collection[str]) -> bool:
        """Whether a row has what the query asks for: ``name`` as a part of its name, the other fields exactly."""
        query = self.query
        if "name" in names and query.text("name", "") not in row["name"]:
            return False
        return all(row[name] == query.integer(name) for name in names if name != "name" and query.given(name))

    def optional_user(self, fields: Fields, name: str) -> User:
        """The user whose id a request gives, or else the one who asks."""
        number = fields.integer(name, self.user.id)
        if number not in self.hub.credentials.users:
            raise Refused(f"user {number} not found", 2)
        return self.hub.credentials.users[number]


class Route(NamedTuple):
    """An endpoint.

    :param source: ``D`` for the OpenAPI document, ``P`` for what only the newer platform has.
    :param open: It asks for no token, or for another one than the login gives.
    :param message: Whether the envelope of its answers has a ``msg``.
    """

    source: Literal["D", "P"]
    method: str
    path: str
    handler: Callable[[Call], Awaitable[Any]]
    open: bool = False
    message: bool = True


def public(row: Row, leave_out: Collection[str] = ()) -> Row:
    """A row without the emulator's own fields."""
    return {name: value for name, value in row.items() if name[0] != "_" and name not in leave_out}


async def read_part(part: BodyPartReader) -> str:
    """The text of one part of a multipart body.

    :raises Refused: It is too large.
    """
    text = bytearray()
    while chunk := await part.read_chunk(1 << 16):
        text += chunk
        if len(text) > LARGEST_OPEN_BODY:
            raise Refused(f"{part.name} is larger than {LARGEST_OPEN_BODY} bytes", status=413)
    return text.decode()


def file_name(part: BodyPartReader) -> str:
    """The name of an uploaded file, made safe to use here."""
    name = re.sub(r"[^\w.-]", "_", part.filename or "")
    return name.encode()[-200:].decode(errors="ignore").lstrip(".") or "file"


async def save_part(part: BodyPartReader, path: Path) -> int:
    """Write one part of a multipart body to a file as it comes in; a half one is not left behind.

    :return: Its size in bytes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    with path.open("wb") as file, _removed_on_failure(path):
        while chunk := await part.read_chunk(1 << 18):
            # Quicker to hand to the operating system than to a thread.
            size += file.write(chunk)
    return size


@contextmanager
def _removed_on_failure(path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise
