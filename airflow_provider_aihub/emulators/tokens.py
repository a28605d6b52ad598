"""Tokens that a login gives, and a file for what must not be known to others."""

from __future__ import annotations

import itertools
import os
import secrets
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import jwt

from .clock import Clock
from .refused import Refused


class Tokens:
    """JSON Web Tokens, signed with HS256 and with the claims ``exp``, ``iat`` and what they are issued for.

    ``exp`` is in real time, for clients to read. The claims ``jti``, ``age`` and ``gen`` are the emulator's own:
    ``age`` is the moment of expiry on the emulator's clock, which may be moved; ``gen`` lets all tokens be revoked at
    once.

    :param lifetime: Seconds on the emulator's clock.
    :param unauthorised: The refusal of a token.
    """

    def __init__(self, secret: str, clock: Clock, lifetime: float, unauthorised: Callable[[str], Refused]) -> None:
        self._secret = secret
        self._clock = clock
        self._lifetime = lifetime
        self._unauthorised = unauthorised
        self._generation = 0
        self._count = itertools.count()
        # The signature of a token is checked once; polls come in their hundreds a second.
        self._known = lru_cache(maxsize=4096)(self._decode)

    def issue(self, claims: dict[str, Any]) -> str:
        expires = self._clock.now() + self._lifetime
        everything = {
            "exp": int(self._clock.real(expires)),
            "iat": int(self._clock.real(self._clock.now())),
            **claims,
            "jti": f"{next(self._count)}-{secrets.token_hex(4)}",
            "age": expires,
            "gen": self._generation,
        }
        return jwt.encode(everything, self._secret, algorithm="HS256")

    def revoke(self) -> None:
        """Make every token issued so far invalid."""
        self._generation += 1

    def read(self, token: str) -> dict[str, Any]:
        """What a token was issued for.

        :raises Refused: HTTP 401: it is invalid, expired or revoked.
        """
        claims = self._known(token)
        if self._clock.now() >= claims["age"]:
            raise self._unauthorised("token is expired")
        if claims["gen"] != self._generation:
            raise self._unauthorised("token was revoked")
        return claims

    def _decode(self, token: str) -> dict[str, Any]:
        options: Any = {"require": ["exp", "iat", "age", "gen"], "verify_exp": False, "verify_iat": False}
        try:
            claims: dict[str, Any] = jwt.decode(token, self._secret, algorithms=["HS256"], options=options)
        except jwt.InvalidTokenError:
            raise self._unauthorised("token is invalid") from None
        return claims


def write_private(path: Path, text: str) -> None:
    """Write a file that nobody else on this machine can read, and that nobody sees half of."""
    new = path.with_name(f"{path.name}.{os.getpid()}")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    new.replace(path)
