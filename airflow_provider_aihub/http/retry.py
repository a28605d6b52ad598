"""Which failed requests are repeated, and when. No I/O; time and random numbers are arguments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Final

from airflow_provider_aihub.http.errors import (
    AmbiguousSubmit,
    AuthError,
    BadAnswerError,
    ConfigError,
    RejectedError,
    RequestError,
    Unavailable,
)


class Trouble(Enum):
    """How an attempt at a request has failed, other than by a clear refusal of the platform."""

    UNREACHED = "unreached"
    """Nothing was sent: connection refused, host name unknown, no connection in time."""
    UNTRUSTED = "untrusted"
    """Nothing was sent: the certificate was not accepted."""
    NO_TLS = "no TLS"
    """Nothing was sent: the server speaks no TLS, or another kind."""
    LOST = "lost"
    """It was sent, wholly or in part, and no whole answer came: reset, cut off."""
    LATE = "late"
    """It was sent, wholly or in part, and no answer came in time."""
    SERVER_ERROR = "server error"
    """HTTP 5xx, or 408."""
    BUSY = "busy"
    """HTTP 429: the platform has not looked at the request."""
    UNAUTHORIZED = "unauthorized"
    """HTTP 401: the credential was refused, and with it the request."""
    REDIRECTED = "redirected"
    """HTTP 3xx, which is not followed."""
    GARBLED = "garbled"
    """A 2xx answer without the platform's form (HTML, empty, cut off), or an HTTP status that does not exist."""
    DOUBTFUL = "doubtful"
    """A refusal of a create call that does not exclude that something was created."""
    TOO_LARGE = "too large"
    """The answer is larger than what is read into memory."""


LONGEST_RETRY_AFTER: Final = 120.0
"""Bound on a pause that a server asks for, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How long to keep trying.

    :param attempts: Attempts in all; 1 means that nothing is tried again. Sending again after a new login is extra.
    :param first_pause: Seconds before the second attempt; doubled before each further one, with jitter.
    :param longest_pause: Bound on that pause, in seconds.
    :param longest_retry_after: Bound on a pause that the server asks for by ``Retry-After``, in seconds.
    """

    attempts: int = 5
    first_pause: float = 1.0
    longest_pause: float = 30.0
    longest_retry_after: float = LONGEST_RETRY_AFTER

    def __post_init__(self) -> None:
        if self.attempts < 1 or min(self.first_pause, self.longest_pause, self.longest_retry_after) < 0:
            raise ConfigError("A retry policy needs at least 1 attempt, and pauses that are not negative.")


@dataclass(frozen=True, slots=True)
class Again:
    """Send it again after this many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class LogIn:
    """Get a new token and send it again."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Raise this kind of error."""

    error: type[RequestError]


ERRORS: Final[dict[Trouble, type[RequestError]]] = {
    Trouble.UNREACHED: Unavailable,
    Trouble.UNTRUSTED: Unavailable,
    Trouble.NO_TLS: Unavailable,
    Trouble.LOST: Unavailable,
    Trouble.LATE: Unavailable,
    Trouble.SERVER_ERROR: Unavailable,
    Trouble.BUSY: Unavailable,
    Trouble.UNAUTHORIZED: AuthError,
    Trouble.REDIRECTED: BadAnswerError,
    Trouble.GARBLED: BadAnswerError,
    Trouble.DOUBTFUL: RejectedError,
    Trouble.TOO_LARGE: BadAnswerError,
}

NOT_TAKEN: Final = frozenset({Trouble.UNREACHED, Trouble.UNTRUSTED, Trouble.NO_TLS, Trouble.BUSY, Trouble.UNAUTHORIZED})
"""Troubles after which it is certain that the server did nothing."""

PERMANENT: Final = frozenset(
    {
        Trouble.UNTRUSTED,
        Trouble.NO_TLS,
        Trouble.UNAUTHORIZED,
        Trouble.REDIRECTED,
        Trouble.DOUBTFUL,
        Trouble.TOO_LARGE,
    }
)
"""Troubles that another attempt would meet again."""


def decide(
    trouble: Trouble,
    *,
    policy: RetryPolicy,
    attempt: int,
    creates: bool,
    can_log_in: bool,
    retry_after: float | None,
    random: Callable[[], float],
) -> Again | LogIn | GiveUp:
    """Decide what to do after a failed attempt.

    :param attempt: Number of the attempt that failed, from 1.
    :param creates: Whether the request creates something; then it is repeated only after a trouble in ``NOT_TAKEN``.
    :param can_log_in: Whether a login can renew the token, and has not done so for this request yet.
    :param retry_after: The server's ``Retry-After``, in seconds; ``None`` if there was none.
    :param random: Returns numbers from 0 to 1, for the jitter.
    """
    if trouble is Trouble.UNAUTHORIZED and can_log_in:
        return LogIn()
    if creates and trouble not in NOT_TAKEN:
        return GiveUp(AmbiguousSubmit)
    if trouble in PERMANENT or attempt >= policy.attempts:
        return GiveUp(ERRORS[trouble])
    if retry_after is not None:
        return Again(min(retry_after, policy.longest_retry_after))
    pause = min(policy.longest_pause, policy.first_pause * 2.0 ** (attempt - 1))
    return Again(pause * (0.5 + random() / 2))


def retry_after(header: str | None, now: float) -> float | None:
    """Read a ``Retry-After`` header, seconds or an HTTP date, as seconds from ``now`` (Unix time); at least 0."""
    text = (header or "").strip()
    if not text:
        return None
    if text.isascii() and text.isdigit():
        return float(text)
    at = http_date(text)
    return None if at is None else max(0.0, at - now)


def http_date(header: str | None) -> float | None:
    """Read an HTTP date as Unix time; ``None`` where it is none."""
    try:
        return parsedate_to_datetime(header or "").timestamp()
    except (ValueError, OverflowError, TypeError, LookupError, OSError):
        return None


def requested_pause(error: Exception, most: float = LONGEST_RETRY_AFTER) -> float:
    """Return the ``Retry-After`` of an error, in seconds; 0 if there was none.

    :param most: Upper bound of the result, in seconds: a server may ask for a day.
    """
    seconds = error.retry_after if isinstance(error, RequestError) else None
    return min(seconds or 0.0, most)
