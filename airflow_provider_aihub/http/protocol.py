"""The steps that the shared generators yield to a transport, and the results that they are sent."""

from __future__ import annotations

import math
import random
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Protocol, TypeAlias, TypeVar

from airflow_provider_aihub.http.dialect import ClientConfig, Dialect
from airflow_provider_aihub.http.errors import RemoteJobError
from airflow_provider_aihub.http.request import Form, Request
from airflow_provider_aihub.http.retry import RetryPolicy, Trouble, http_date
from airflow_provider_aihub.http.token import Token

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


CLOCK_KNOWN: Final = 60.0
"""Seconds after which the platform's clock is looked at again."""

SLOWEST_STORE: Final = 2**20
"""Bytes per second that a server stores at least: it may answer only after it has stored a whole upload."""

NOT_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "UNSUPPORTED_PROTOCOL", "HTTP_REQUEST"})
"""OpenSSL's reasons that mean that the server does not speak TLS, or only a version that is too old."""


class Sink(Protocol):
    """Receives the body of a successful answer, which then is not kept in memory.

    :param patient: Whether the time limit applies to each :data:`~.receiving.STEP` of the body instead of all of it.
    """

    patient: bool

    def begin(self) -> None:
        """Drop what an earlier attempt has written."""

    def write(self, data: bytes) -> bool | None:
        """Take the next piece. Return true if the rest of the body is not wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Send this once, and follow no redirect. The result is an :class:`Answer` or a :class:`Failure`.

    :param sink: Takes the body of an answer with a 2xx status.
    :param alone: Open a new connection: the server may just be closing an idle one, and then it would be unknown
        whether a request that must not be sent twice was received.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(default=None, repr=False)
    form: Form | None = None
    sink: Sink | None = None
    alone: bool = False

    def patience(self, timeout: float) -> float:
        """Return for how many seconds to wait for the answer once all is sent: more, the larger an upload is.

        :param timeout: Seconds to wait for any other answer.
        """
        files = self.form.files.values() if self.form else ()
        return timeout + sum(file.size for file in files) / SLOWEST_STORE


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait this many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Resolve:
    """Resolve a host name. The result is a list of IP addresses as texts; it is empty if the look-up fails."""

    host: str


@dataclass(frozen=True, slots=True)
class Authenticate:
    """Run :func:`~.exchange.authenticate` with this, one at a time for a client.

    :param logins: ``State.logins`` when the step was yielded; if it has changed since, there is a new token already.
    """

    logins: int
    policy: RetryPolicy


@dataclass(frozen=True, slots=True)
class Prepare:
    """Run :func:`~.exchange.prepare` with this, one at a time for a client. It may need a login.

    :param request: The request that needs the preparation.
    :param prepared: ``State.prepared`` when the step was yielded.
    """

    request: Request[Any]
    prepared: int
    policy: RetryPolicy


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; the keys of ``headers`` are found in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Failure:
    """The request got no HTTP answer; ``why`` is a few words for an error message."""

    trouble: Trouble
    why: str


class TooSlowError(TimeoutError):
    """An answer has begun to arrive, and was not complete within the time limit."""


def causes(error: BaseException, handled: BaseException | None) -> list[BaseException]:
    """Return an error and its causes: ``__cause__``, ``__context__``, and those that the HTTP libraries put elsewhere.

    :param handled: The exception that was being handled when the call began, if any. Python makes it the context of
        the new error, but it has nothing to do with this call, so it and its causes are left out.
    """
    found = [error]
    for cause in found:
        behind = (cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args)
        found += [
            other
            for other in behind
            if isinstance(other, BaseException) and other is not handled and not any(other is one for one in found)
        ]
    return found


def tls_failure(chain: Sequence[BaseException]) -> Failure | None:
    """Return the failure if TLS failed before anything was sent, in a way that a retry cannot mend; else ``None``.

    :param chain: The result of :func:`causes`.
    """
    for cause in chain:
        # aiohttp has subclasses of these types without the attributes; the causes of those errors have them.
        if isinstance(cause, ssl.SSLCertVerificationError) and hasattr(cause, "verify_message"):
            return Failure(Trouble.UNTRUSTED, f"its certificate was not accepted, {cause.verify_message}")
        if isinstance(cause, ssl.SSLError) and getattr(cause, "reason", None) in NOT_TLS:
            return Failure(Trouble.NO_TLS, f"it speaks no TLS, or another kind ({cause.reason})")
    return None


def why(chain: Sequence[BaseException]) -> str:
    """Return in a few words what went wrong. The messages of the HTTP libraries are not used: they hold whole URLs.

    :param chain: The result of :func:`causes`.
    """
    for kinds, words in (
        (socket.gaierror, "the host name could not be resolved"),
        (ConnectionRefusedError, "connection refused"),
        ((ConnectionResetError, BrokenPipeError), "the connection was closed by the other side"),
    ):
        if any(isinstance(cause, kinds) for cause in chain):
            return words
    said = [cause.strerror for cause in chain if isinstance(cause, OSError) and cause.strerror]
    return said[-1] if said else f"the connection broke ({type(chain[-1]).__name__})"


class Errand(Protocol[T_co]):
    """An operation for a client's ``perform``: something other than one plain ``send`` of a request."""

    def steps(self, state: State) -> Steps[T_co]:
        """Return the steps that it takes."""


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """The generator has ended with this result."""

    result: T


def advance(steps: Steps[T], came: Outcome | list[str] | None) -> Step | Done[T]:
    """Send the result of the last step to the generator; return its next step."""
    try:
        return steps.send(came)
    except StopIteration as end:
        return Done(end.value)


Outcome: TypeAlias = Answer | Failure
Step: TypeAlias = Send | Sleep | Resolve | Authenticate | Prepare
Steps: TypeAlias = Generator[Step, Any, T]


@dataclass(slots=True)
class State:
    """The state of a client that its requests share.

    :param clock: Returns Unix time in seconds.
    :param random: Returns numbers from 0 to 1.
    :param token: The token in use; ``None`` before the first login.
    :param issued: The last tokens that logins have returned, so that they can be redacted.
    :param logins: Number of logins, failed ones included.
    :param login_error: The error of the last login; ``None`` if it succeeded.
    :param prepared: Number of preparations, failed ones included; ``prepare_error`` is the error of the last one.
    :param missing: Endpoints (see :func:`~.exchange.endpoint`) that the platform is known not to have.
    :param found: Endpoints that it is known to have; only those of :class:`~.request.FieldsWithout`.
    :param ahead: Seconds by which the platform's clock is ahead of ours; ``None`` if no answer has told it yet.
    """

    config: ClientConfig
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    clock: Callable[[], float] = time.time
    random: Callable[[], float] = random.random
    token: Token | None = None
    issued: deque[str] = field(default_factory=lambda: deque(maxlen=8), repr=False)
    logins: int = 0
    login_error: RemoteJobError | None = None
    prepared: int = 0
    prepare_error: RemoteJobError | None = None
    missing: set[str] = field(default_factory=set)
    found: set[str] = field(default_factory=set)
    ahead: float | None = None
    ahead_at: float = -math.inf
    dialect: Dialect = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.dialect = self.config.dialect
        self.token = self.dialect.token

    def note_server_time(self, date: str | None) -> None:
        """Take the platform's time from the ``Date`` of an answer, once in :data:`CLOCK_KNOWN` seconds."""
        now = self.clock()
        if not 0 <= now - self.ahead_at < CLOCK_KNOWN and (at := http_date(date)) is not None:
            self.ahead, self.ahead_at = at - now, now

    @property
    def server_time(self) -> float | None:
        """What time it is by the platform's own clock, in Unix seconds; ``None`` where it has not told it."""
        return None if self.ahead is None else self.clock() + self.ahead

    def redact(self, text: str) -> str:
        """Replace the secrets that this client knows by ``***``."""
        return self.config.redact(text, *self.issued)

    @property
    def user_id(self) -> int | str | None:
        """Id of the user whose token is in use, where it is known by now."""
        return self.token.user_id if self.token else None
