"""Who may speak to the emulator: users, tokens, and the relay's token."""

from __future__ import annotations

import hmac
import itertools
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import jwt

from .answers import UNAUTHORIZED, Refused
from .clock import Clock


@dataclass(frozen=True, slots=True)
class User:
    id: int
    name: str


class Credentials:
    """Users with their passwords, the relay's token and the key that signs tokens, kept in one file of mode 0600.

    The emulator runs commands for whoever logs in, so nothing here has a default that others could know.

    :param users: Passwords by name, added to those in the file. Where there are none at all, a user ``admin`` with a
        random password is made.
    """

    def __init__(self, path: Path, users: Mapping[str, str]) -> None:
        kept = json.loads(path.read_text()) if path.exists() else {}
        self.passwords: dict[str, str] = {**kept.get("users", {}), **users} or {"admin": secrets.token_urlsafe(12)}
        self.relay_token: str = kept.get("relay_token") or secrets.token_urlsafe(24)
        self.secret: str = kept.get("secret") or secrets.token_urlsafe(48)
        self.users = {number: User(number, name) for number, name in enumerate(self.passwords, start=1)}
        values = {"users": self.passwords, "relay_token": self.relay_token, "secret": self.secret}
        if values != kept:
            _write_private(path, json.dumps(values, indent=2))

    def user(self, name: str, password: str) -> User | None:
        """The user, if that is the password."""
        expected = self.passwords.get(name)
        if expected is None or not hmac.compare_digest(expected.encode(), password.encode()):
            return None
        return next(user for user in self.users.values() if user.name == name)


class Tokens:
    """JSON Web Tokens, signed with HS256 and with the claims ``exp``, ``iat`` and ``uid``.

    ``exp`` is in real time, for clients to read. The claims ``jti``, ``age`` and ``gen`` are the emulator's own:
    ``age`` is the moment of expiry on the emulator's clock, which may be moved; ``gen`` lets all tokens be revoked at
    once.

    :param lifetime: Seconds on the emulator's clock.
    """

    def __init__(self, credentials: Credentials, clock: Clock, lifetime: float) -> None:
        self._credentials = credentials
        self._clock = clock
        self._lifetime = lifetime
        self._generation = 0
        self._count = itertools.count()
        # The signature of a token is checked once; polls come in their hundreds a second.
        self._known = lru_cache(maxsize=4096)(self._read)

    def issue(self, user: User) -> str:
        expires = self._clock.now() + self._lifetime
        claims = {
            "exp": int(self._clock.real(expires)),
            "iat": int(self._clock.real(self._clock.now())),
            "uid": user.id,
            "jti": f"{next(self._count)}-{secrets.token_hex(4)}",
            "age": expires,
            "gen": self._generation,
        }
        return jwt.encode(claims, self._credentials.secret, algorithm="HS256")

    def revoke(self) -> None:
        """Make every token issued so far invalid."""
        self._generation += 1

    def user(self, header: str | None) -> User:
        """Whose token an ``Authorization`` header carries.

        :raises Refused: HTTP 401: no token, or one that is invalid, expired or revoked.
        """
        scheme, _, token = (header or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Refused("token is missing", UNAUTHORIZED, 401)
        user, expires, generation = self._known(token.strip())
        if self._clock.now() >= expires:
            raise Refused("token is expired", UNAUTHORIZED, 401)
        if generation != self._generation:
            raise Refused("token was revoked", UNAUTHORIZED, 401)
        return user

    def _read(self, token: str) -> tuple[User, float, int]:
        try:
            claims = jwt.decode(
                token,
                self._credentials.secret,
                algorithms=["HS256"],
                options={"require": ["exp", "iat"], "verify_exp": False, "verify_iat": False},
            )
            return self._credentials.users[claims["uid"]], float(claims["age"]), int(claims["gen"])
        except (jwt.InvalidTokenError, KeyError, TypeError, ValueError):
            raise Refused("token is invalid", UNAUTHORIZED, 401) from None


def _write_private(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    new.replace(path)
