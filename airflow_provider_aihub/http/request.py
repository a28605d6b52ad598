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
    """Fields that a JSON body needs only on platforms that lack a certain endpoint.

    :param fields: The fields. They have another meaning on a platform that has the endpoint.
    :param endpoint: An optional, harmless request to that endpoint, to find out whether the platform has it.
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
    :param about: Names and values that fields of the payload must have if they are there, such as ``{"id": 12}``; see
        ``Dialect.check``.
    :param decode: Decodes only a part of the body of the answer. If it raises :class:`ValueError`, all is decoded.
    :param query: Query parameters; one that is ``None`` is left out.
    :param json: Body, sent as JSON.
    :param fields_without: Fields that are added to ``json`` if the platform lacks a certain endpoint.
    :param form: Body, sent as a multipart form. Excludes ``json``.
    :param auth: Which credential it carries, by its platform's name for it; :data:`NO_AUTH`, :data:`USUAL_AUTH`.
    :param headers: Headers beyond those that every request has.
    :param already: Codes of refusals that mean that nothing is left to do, e.g. *already stopped*. They count as a
        success, and ``read`` gets ``None``.
    :param is_login: Whether it asks for a token. Then no message quotes a success, which holds the token, and a refusal
        is an :class:`~.errors.AuthError`, unless the dialect says otherwise.
    :param creates: Whether it creates something and so must not be sent twice: it is sent again only if the server
        certainly did not receive it.
    :param same_login: Whether it may be sent with the current token only. If that is refused, there is no new login:
        after one, another platform may answer.
    :param then: Returns the next request, by the payload of the answer, or ``None``. The result of the next request is
        then the result of this one. It may raise what ``read`` raises, and a :class:`~.errors.RequestError` if the
        answer says that there is no result.
    :param optional: Whether some versions of the platform lack this endpoint.
    :param fallback: The request for versions that lack it.
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
