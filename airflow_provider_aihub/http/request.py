"""A call to a platform as a value: what to send, where, and how to read what comes back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final, Generic, Literal, TypeVar
from urllib.parse import quote

T = TypeVar("T")

NO_AUTH: Final = ""
"""A request carries no credential."""
USUAL_AUTH: Final = "usual"
"""A request carries the credential that a platform wants with most of its requests."""


@dataclass(frozen=True, slots=True)
class File:
    """One file of a multipart form, read while it is sent.

    :param name: File name as the server sees it.
    :param open: Opens the content for reading, from its beginning, each time it is called.
    :param size: Size in bytes.
    """

    name: str
    open: Callable[[], BinaryIO] = field(repr=False)
    size: int


@dataclass(frozen=True, slots=True)
class Form:
    """A multipart form: text fields and files, in the order in which they are sent."""

    fields: Mapping[str, str]
    files: Mapping[str, File]


@dataclass(frozen=True, slots=True)
class FieldsWithout:
    """Fields that a JSON body needs where the platform lacks an endpoint.

    :param fields: The fields, which a platform that has the endpoint takes for something else.
    :param endpoint: An optional request to that endpoint, which may be sent at any time.
    """

    fields: Mapping[str, Any]
    endpoint: Request[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(Generic[T]):
    """One call to one endpoint of a platform.

    :param asks: What is asked, as it stands in a sentence after "was asked to": ``read training 12``.
    :param service: The service that answers, by its platform's name for it.
    :param path: Path and nothing else, every part of it quoted; see :func:`path`.
    :param read: Turns the payload of an answer into the result. It raises :class:`ValueError` (pydantic's
        ``ValidationError`` is one) where the answer lacks what it must have.
    :param about: What the answer must be about, where it says it: the id of the thing that is read, by the name that
        it has in the payload; see ``Dialect.check``.
    :param decode: Decodes the body of the answer, where not all of it is wanted. It raises :class:`ValueError` where it
        cannot; then all is decoded.
    :param query: Query parameters; ``None`` leaves one out.
    :param json: Body, sent as JSON.
    :param fields_without: What is added to it where the platform lacks an endpoint.
    :param form: Body, sent as a multipart form. Excludes ``json``.
    :param auth: Which credential it carries, by its platform's name for it; :data:`NO_AUTH`, :data:`USUAL_AUTH`.
    :param headers: Headers beyond those that every request has.
    :param already: The platform's codes for a refusal which says that things are already as they were asked to be; what
        then is read is ``None``.
    :param is_login: It asks for a token: no success is quoted, lest the token is, and a refusal is one of the login.
    :param creates: The call makes something new and must never be sent twice: it is sent again only where the server
        certainly did not take it.
    :param same_login: The call is for the platform that has given the token that there is, and is not sent with another
        one: who does not take it may be another platform.
    :param then: What to ask next, by the payload of the answer; ``None`` for nothing. It is a part of the same
        question: what comes of it is the result. It raises as ``read`` does, and a :class:`~.errors.RequestError`
        where the answer says that there is none.
    :param optional: Not every version of the platform has this endpoint.
    :param fallback: What to send to one that does not have it.
    """

    asks: str
    service: str
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    read: Callable[[Any], T] = field(repr=False)
    about: Mapping[str, int | str] = field(default_factory=dict)
    decode: Callable[[bytes], Any] | None = field(default=None, repr=False)
    query: Mapping[str, str | int | None] = field(default_factory=dict)
    json: Mapping[str, Any] | None = field(default=None, repr=False)
    fields_without: FieldsWithout | None = None
    form: Form | None = None
    auth: str = USUAL_AUTH
    headers: Mapping[str, str] = field(default_factory=dict)
    already: frozenset[str] = frozenset()
    is_login: bool = False
    creates: bool = False
    same_login: bool = False
    then: Callable[[Any], Request[T] | None] | None = field(default=None, repr=False)
    optional: bool = False
    fallback: Request[T] | None = None


def path(template: str, *parts: int | str) -> str:
    """Fill ``{}`` in a path with quoted parts, so that no id or name can reach another path."""
    return template.format(*(quote(str(part), safe="") for part in parts))
