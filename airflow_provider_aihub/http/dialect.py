"""What a platform must tell of itself, and of a connection to it, so that its requests can be carried out. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from airflow_provider_aihub.http.errors import OwnKinds, RequestError

if TYPE_CHECKING:
    from airflow_provider_aihub.http.answers import Call, ParsedAnswer
    from airflow_provider_aihub.http.protocol import Answer, Send
    from airflow_provider_aihub.http.request import Request
    from airflow_provider_aihub.http.retry import Trouble
    from airflow_provider_aihub.http.token import Login, Token

T = TypeVar("T")


class ClientConfig(Protocol):
    """A connection to a platform: where it is and how to get in. A dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def dialect(self) -> Dialect:
        """How to speak to the platform over this connection."""

    @property
    def addresses(self) -> Mapping[str, str]:
        """Base URL of each service."""

    @property
    def timeout(self) -> float:
        """Seconds to wait for a connection, for an answer to begin, and then for all of it."""

    @property
    def verify(self) -> bool:
        """Whether TLS certificates are verified."""

    @property
    def ca_file(self) -> str | None:
        """File of certificate authorities (PEM) to trust, instead of the usual ones."""

    def takes_token(self, url: str) -> bool:
        """Whether a file's URL is on the platform itself, so that the credential may go there."""

    def redact(self, text: str, *tokens: str) -> str:
        """Replace the connection's secrets, and the tokens given, by ``***``, however they are written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """An answer of the platform, as far as the platform's own form goes.

    :param payload: What :attr:`Request.read` is given.
    :param refused: Whether it says no, whatever its HTTP status.
    :param code: The platform's own code.
    :param words: The platform's own words for a refusal.
    :param may_be_gateway: Whether it may be a gateway's instead, which speaks the same form.
    """

    payload: Any = field(default=None, repr=False)
    refused: bool = False
    code: int | str | None = None
    words: str = field(default="", repr=False)
    may_be_gateway: bool = False


class Dialect(Protocol):
    """How a platform is spoken to over one connection."""

    @property
    def name(self) -> str:
        """The platform's name in sentences."""

    @property
    def kinds(self) -> OwnKinds:
        """Its own kinds of errors; see :func:`~airflow_provider_aihub.http.errors.own_kinds`."""

    @property
    def token(self) -> Token | None:
        """The token that the connection itself holds, if it does and no login could replace it."""

    @property
    def can_log_in(self) -> bool:
        """Whether a token can be had by logging in, and so be renewed."""

    def needs_token(self, auth: str) -> bool:
        """Whether a request with such a credential carries what a login gives."""

    def login(self) -> Request[Login]:
        """Return the request that logs in. A token that comes in a header is put into the payload by :meth:`read`.

        :raises ConfigError: where there is nothing to log in with.
        """

    def before(self, request: Request[Any]) -> Request[Any] | None:  # noqa: ARG002 - for those who need it
        """Return what must be asked before a request can be completed; nothing by default, and before a login."""
        return None

    def completed(self, request: Request[T]) -> Request[T]:
        """Return a request with what the connection alone knows put into it; by default as it is."""
        return request

    def who(self, service: str) -> str:
        """Say who is asked, as a sentence begins."""

    def address(self, request: Request[Any]) -> str:
        """Return the URL of a request, without its query.

        :raises ConfigError: where the connection does not say it.
        """

    def authorise(self, send: Send, auth: str, token: Token | None, now: float) -> Mapping[str, str]:
        """Return the headers that authorise a request; a signature may cover all of it.

        :param send: All that is sent, but for these headers.
        :param token: The token, where the request needs one.
        :param now: The time, in Unix seconds, by the platform's clock as far as that is known.
        :raises ConfigError: where the connection lacks the credential.
        """

    def read(self, answer: Answer, call: Call) -> Reading | None:
        """Read an answer; ``None`` where it is none of the platform's. See :func:`~.answers.decoded`."""

    def check(self, request: Request[Any], payload: Any) -> None:
        """Check that an answer is about what was asked for.

        :raises ValueError: It is about something else.
        """

    def trouble(self, parsed: ParsedAnswer, call: Call) -> Trouble | None:
        """Tell whether an answer leaves a request undone without saying yes or no to it, or leaves that open.

        See :func:`~.answers.trouble_by_status`.
        """

    def refusal(self, parsed: ParsedAnswer, call: Call) -> tuple[type[RequestError], str] | None:
        """Say of which kind a refusal is, and what a person can do; ``None`` where the HTTP status says all of it."""

    def refused_credential(self, auth: str) -> str:
        """Say what a person can do where a credential was refused."""
