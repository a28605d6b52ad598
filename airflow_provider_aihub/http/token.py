"""The result of a login, and when to log in again. No I/O; time is an argument."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Self

RENEW_BEFORE: Final = 300.0
RENEW_FRACTION: Final = 0.1


@dataclass(frozen=True, slots=True)
class Login:
    """The result of a successful login.

    :param token: The token.
    :param user_id: Id of the user; ``None`` if unknown.
    :param issued: When the token's lifetime began, in Unix seconds by the platform's clock; ``None`` for just now.
    :param expires: When it ends, in the same unit and by the same clock; ``None`` if unknown.
    """

    token: str = field(repr=False)
    user_id: int | str | None = None
    issued: float | None = None
    expires: float | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """A token in use.

    :param value: The token itself.
    :param user_id: Id of the user; ``None`` if unknown.
    :param renew_at: When to log in again, in Unix seconds; ``None`` to wait until the token is refused.
    """

    value: str = field(repr=False)
    user_id: int | str | None = None
    renew_at: float | None = None

    @classmethod
    def of(cls, login: Login, now: float) -> Self:
        """Make the token that a login has just returned.

        Its lifetime counts from ``now``, so that a clock that differs from the platform's does no harm. It is renewed
        five minutes, or a tenth of its lifetime where that is shorter, before its end.
        """
        lifetime = 0.0 if login.expires is None else login.expires - (now if login.issued is None else login.issued)
        if lifetime <= 0:
            return cls(login.token, login.user_id)
        return cls(login.token, login.user_id, now + lifetime - min(RENEW_BEFORE, RENEW_FRACTION * lifetime))

    def due(self, now: float) -> bool:
        """Whether it is time to renew this token."""
        return self.renew_at is not None and now >= self.renew_at


def is_header_value(text: str) -> bool:
    """Whether a text can stand in an HTTP header as it is."""
    return text.isascii() and text.isprintable() and text == text.strip()
