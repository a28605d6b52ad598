"""Who may speak to the emulator: users, and whoever has the relay's token."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..tokens import write_private


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
            write_private(path, json.dumps(values, indent=2))

    def named(self, name: str) -> User:
        return next(user for user in self.users.values() if user.name == name)
