"""A call to AIHub as a value: what to send, where, and how to read what comes back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any, BinaryIO, Final, Generic, Literal, TypeVar
from urllib.parse import quote

from airflow_provider_aihub.http.values import as_int

T = TypeVar("T")

PAGE: Final = "page_num"
"""What AIHub calls the number of a page, from 1, asked for and answered."""


class Service(StrEnum):
    """The services that AIHub consists of; the value is the name used in connections and messages."""

    USER_SYSTEM = "user_system"
    DATA_WAREHOUSE = "data_warehouse"
    DATASET_MANAGEMENT = "dataset_management"
    WORKFLOW_CENTER = "workflow_center"
    MODEL_TRAINING = "model_training"
    QUOTA_SCHEDULE = "quota_schedule"
    EVALUATION = "evaluation"
    TAG_SYSTEM = "tag_system"
    S3_RELAY = "s3_relay"


class Auth(Enum):
    """Which credential a request carries."""

    NONE = "none"
    BEARER = "bearer"
    """``Authorization: Bearer <JWT>``, from the login."""
    RELAY = "relay"
    """``Token: <token>``, given out by the relay's administrator."""


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
class OnlyDocument:
    """What goes into a JSON body for an AIHub that has no more than the API of the document.

    :param fields: Fields that the document demands and that newer platforms take for something else.
    :param newer: An optional request, which may be sent at any time: it tells the one kind of AIHub from the other.
    """

    fields: Mapping[str, Any]
    newer: Request[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(Generic[T]):
    """One call to one endpoint of AIHub.

    :param asks: What is asked, as it stands in a sentence after "was asked to": ``read training 12``.
    :param service: The service that answers.
    :param path: Path and nothing else, every part of it quoted; see :func:`path`.
    :param read: Turns the ``data`` of the answer's envelope into the result. It raises :class:`ValueError`
        (pydantic's ``ValidationError`` is one) where the answer lacks what it must have.
    :param about: What the answer must be about, where it says it: the id of the thing that is read, by the name that
        it has in ``data``. For a page, that is its number in ``query`` as well; see :meth:`check`.
    :param decode: Decodes the body of the answer, where not all of it is wanted. It raises :class:`ValueError` where it
        cannot; then all is decoded.
    :param query: Query parameters; ``None`` leaves one out.
    :param json: Body, sent as JSON.
    :param only_document: What is added to it for an AIHub that has no more than the API of the document.
    :param form: Body, sent as a multipart form. Excludes ``json``.
    :param creates: The call makes something new on AIHub and must never be sent twice: it is sent again only
        where the server certainly did not take it.
    :param same_login: The call is for the AIHub that has given the token that there is, and is not sent with another
        one: who does not take it may be another AIHub.
    :param optional: Not every AIHub has this endpoint.
    :param fallback: What to send to an AIHub that does not have this endpoint.
    """

    asks: str
    service: Service
    method: Literal["GET", "POST", "PUT"]
    path: str
    read: Callable[[Any], T] = field(repr=False)
    about: Mapping[str, int] = field(default_factory=dict)
    decode: Callable[[bytes], Any] | None = field(default=None, repr=False)
    query: Mapping[str, str | int | None] = field(default_factory=dict)
    json: Mapping[str, Any] | None = field(default=None, repr=False)
    only_document: OnlyDocument | None = None
    form: Form | None = None
    auth: Auth = Auth.BEARER
    creates: bool = False
    same_login: bool = False
    optional: bool = False
    fallback: Request[T] | None = None

    def check(self, data: Any) -> None:
        """Check that an answer is about what was asked for.

        :param data: The ``data`` of its envelope.
        :raises ValueError: It is about something else.
        """
        if not isinstance(data, dict):
            return
        page, said = as_int(self.query.get(PAGE)), as_int(data.get(PAGE))
        # Some servers count no pages; they say 0.
        asked = dict(self.about) if page is None or said is None or said < 1 else {**self.about, PAGE: page}
        for name, number in asked.items():
            found = as_int(data.get(name))
            if found is not None and found != number:
                raise ValueError(f"{name} is {found}, but {number} was asked for")


def path(template: str, *parts: int | str) -> str:
    """Fill ``{}`` in a path with quoted parts, so that no id or name can reach another path."""
    return template.format(*(quote(str(part), safe="") for part in parts))
