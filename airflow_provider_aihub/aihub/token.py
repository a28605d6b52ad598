"""The token: what it says about itself, and when to get a new one. No I/O, no clock of its own."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any, Final, Self

RENEW_BEFORE: Final = 300.0
RENEW_FRACTION: Final = 0.1


@dataclass(frozen=True, slots=True)
class Token:
    """A JWT in use.

    :param value: The token itself.
    :param user_id: Id of the user it stands for, where that is known.
    :param renew_at: Unix time in seconds from which on it should be renewed; ``None`` means when AIHub refuses it.
    """

    value: str = field(repr=False)
    user_id: int | None = None
    renew_at: float | None = None

    @classmethod
    def given(cls, value: str) -> Self:
        """A token that came with the connection: it is used until AIHub refuses it, since nothing can replace it."""
        return cls(value, _int(claims(value).get("uid")))

    @classmethod
    def issued(cls, value: str, user_id: int | None, now: float) -> Self:
        """A token that a login has just returned.

        Its lifetime counts from ``now``, so that a clock that differs from AIHub's does no harm. It is renewed five
        minutes, or a tenth of its lifetime where that is shorter, before its end.
        """
        said = claims(value)
        expires, issued = _int(said.get("exp")), _int(said.get("iat"))
        user_id = user_id if user_id is not None else _int(said.get("uid"))
        if expires is None:
            return cls(value, user_id)
        lifetime = expires - (now if issued is None else issued)
        if lifetime <= 0:
            return cls(value, user_id)
        return cls(value, user_id, now + lifetime - min(RENEW_BEFORE, RENEW_FRACTION * lifetime))

    def due(self, now: float) -> bool:
        """Whether it is time to renew this token."""
        return self.renew_at is not None and now >= self.renew_at


def claims(token: str) -> dict[str, Any]:
    """Read the claims of a JWT without verifying it; nothing where the token is no JWT.

    AIHub's tokens were seen to hold ``exp``, ``iat`` (seconds) and ``uid``.
    """
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        said = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _int(value: Any) -> int | None:
    try:
        number = None if isinstance(value, bool) else int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    # No time is longer, and greater numbers cannot be reckoned with as floats.
    return number if number is not None and abs(number) < 2**63 else None
