"""What a platform must define so that the clients can send requests to it. No I/O."""

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
    """Configuration of a client: the platform's addresses, the credentials, timeout and TLS. A dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def dialect(self) -> Dialect:
        """The platform's :class:`Dialect`, for this configuration."""

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
    """What a :class:`Dialect` has read from an answer that has the platform's form.

    :param payload: The argument for :attr:`Request.read`.
    :param refused: Whether the answer refuses the request, whatever its HTTP status.
    :param code: The platform's own code.
    :param words: The platform's message about a refusal.
    :param may_be_gateway: Whether the answer may come from a gateway, whose answers have the same form.
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
        """Return a request that must be sent first, since :meth:`completed` needs its result, e.g. a project's id.

        Default, and always for a login: ``None``.
        """
        return None

    def completed(self, request: Request[T]) -> Request[T]:
        """Return the request with the parts that come from the connection, e.g. a workspace. Default: unchanged."""
        return request

    def who(self, service: str) -> str:
        """Return the subject of an error message about a service: ``the platform's training service``."""

    def address(self, request: Request[Any]) -> str:
        """Return the URL of a request, without its query.

        :raises ConfigError: The connection lacks the address of the service.
        """

    def authorise(self, send: Send, auth: str, token: Token | None, now: float) -> Mapping[str, str]:
        """Return the headers that authorise a request; a signature may cover all of it.

        :param send: All that is sent, but for these headers.
        :param token: The token, where the request needs one.
        :param now: The time, in Unix seconds, by the platform's clock as far as that is known.
        :raises ConfigError: where the connection lacks the credential.
        """

    def read(self, answer: Answer, call: Call) -> Reading | None:
        """Read an answer; return ``None`` if it does not have the platform's form. See :func:`~.answers.decoded`."""

    def check(self, request: Request[Any], payload: Any) -> None:
        """Check that an answer is about what was asked for.

        :raises ValueError: It is about something else.
        """

    def trouble(self, parsed: ParsedAnswer, call: Call) -> Trouble | None:
        """Return what has gone wrong; ``None`` if the answer grants the request, or refuses it for certain.

        A refusal that may hide a job which was created all the same is :attr:`Trouble.DOUBTFUL`. See
        :func:`~.answers.trouble_by_status`.
        """

    def refusal(self, parsed: ParsedAnswer, call: Call) -> tuple[type[RequestError], str] | None:
        """Return the class of the error for a refusal, and the advice; ``None`` if the HTTP status decides both."""

    def refused_credential(self, auth: str) -> str:
        """Return what the user can do about a refused credential, as an imperative."""
