"""AIHub's token, a JWT: what it says about itself."""

from __future__ import annotations

import base64
import json
from typing import Any

from airflow_provider_aihub.http.token import Login, Token


def given(value: str) -> Token:
    """Use a token that came with the connection, until AIHub refuses it, since nothing can replace it."""
    return Token(value, _int(claims(value).get("uid")))


def issued(value: str, user_id: int | None = None) -> Login:
    """Use a token that a login has returned.

    :param user_id: Id of the user, where the login's answer says it.
    """
    said = claims(value)
    return Login(
        token=value,
        user_id=_int(said.get("uid")) if user_id is None else user_id,
        issued=_int(said.get("iat")),
        expires=_int(said.get("exp")),
    )


def claims(token: str) -> dict[str, Any]:
    """Read the claims of a JWT without verifying it; none if the token is no JWT.

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
