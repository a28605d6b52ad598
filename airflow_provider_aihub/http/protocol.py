"""What passes between the shared logic and a transport: things to do, and what came of them."""

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
"""Bytes of an upload that a server may take a second to store before it answers."""

NOT_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "UNSUPPORTED_PROTOCOL", "HTTP_REQUEST"})
"""What OpenSSL says of a server that does not speak TLS, or none that is spoken here."""


class Sink(Protocol):
    """Where the body of a successful answer goes instead of into memory.

    :param patient: Whether all of it may take as long as it keeps coming; else it must be there within the time limit.
    """

    patient: bool

    def begin(self) -> None:
        """Drop what an earlier attempt has written."""

    def write(self, data: bytes) -> bool | None:
        """Take the next piece; true says that no more is wanted, and the answer is left at that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Send just this and answer with an :class:`Answer` or a :class:`Failure`; follow no redirect, try nothing again.

    :param sink: Takes the body of an answer with a 2xx status.
    :param alone: Use a connection of its own: one that lay idle may die under a request, and for a request that must
        not be sent twice that would be an answer lost.
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
    """Look a host name up and answer with its IP addresses, as texts; with none where that does not succeed."""

    host: str


@dataclass(frozen=True, slots=True)
class Authenticate:
    """Run :func:`~.exchange.authenticate` with this, one at a time for a client.

    :param logins: How many logins had ended when this was wanted.
    """

    logins: int
    policy: RetryPolicy


@dataclass(frozen=True, slots=True)
class Prepare:
    """Run :func:`~.exchange.prepare` with this, one at a time for a client. It may need a login.

    :param request: Which request cannot be sent before something else was asked.
    :param prepared: How many such preparations had ended when this was wanted.
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
    """No HTTP answer; ``why`` is a few words."""

    trouble: Trouble
    why: str


class TooSlowError(TimeoutError):
    """An answer has begun, and has not come as fast as it must."""


def causes(error: BaseException, handled: BaseException | None) -> list[BaseException]:
    """Return an error and those behind it, as the HTTP libraries nest them.

    :param handled: What was being handled when the call began, if anything. Python makes it the context of whatever
        goes wrong meanwhile, but neither it nor what lies behind it says anything of this call.
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
    """Recognise TLS that failed before anything was sent, and that will fail again.

    :param chain: What :func:`causes` gives, as for :func:`why`.
    """
    for cause in chain:
        # aiohttp's errors of these types lack the attributes; those that they stand for have them.
        if isinstance(cause, ssl.SSLCertVerificationError) and hasattr(cause, "verify_message"):
            return Failure(Trouble.UNTRUSTED, f"its certificate was not accepted, {cause.verify_message}")
        if isinstance(cause, ssl.SSLError) and getattr(cause, "reason", None) in NOT_TLS:
            return Failure(Trouble.NO_TLS, f"it speaks no TLS, or another kind ({cause.reason})")
    return None


def why(chain: Sequence[BaseException]) -> str:
    """Say in a few words what went wrong. Messages of the HTTP libraries are not repeated: they hold whole URLs."""
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
    """Something a client can be asked to carry out, beyond a :class:`~airflow_provider_aihub.http.request.Request`."""

    def steps(self, state: State) -> Steps[T_co]:
        """Return the steps that it takes."""


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """There is nothing more to do, and this came of it."""

    result: T


def advance(steps: Steps[T], came: Outcome | list[str] | None) -> Step | Done[T]:
    """Return what is to be done next."""
    try:
        return steps.send(came)
    except StopIteration as end:
        return Done(end.value)


Outcome: TypeAlias = Answer | Failure
Step: TypeAlias = Send | Sleep | Resolve | Authenticate | Prepare
Steps: TypeAlias = Generator[Step, Any, T]


@dataclass(slots=True)
class State:
    """What a client knows and has learnt.

    :param clock: Gives Unix time in seconds.
    :param random: Gives numbers from 0 to 1.
    :param token: The token in use.
    :param issued: The last tokens that logins have returned.
    :param logins: How many logins have ended, well or not.
    :param login_error: How the last login went wrong.
    :param prepared: How many preparations have ended, well or not, and ``prepare_error`` how the last one went wrong.
    :param missing: The endpoints that the platform was found not to have.
    :param found: Those that it was found to have, as far as something depends on that.
    :param ahead: By how many seconds the platform's clock is ahead of ours, where an answer has told it.
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
        """Learn from the ``Date`` of an answer what time it is at the platform, once in a while."""
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
