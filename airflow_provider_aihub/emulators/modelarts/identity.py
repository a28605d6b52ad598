"""Who may speak to the emulator: whoever has the access key, or a token of one of its users."""

from __future__ import annotations

import json
import secrets
import string
from pathlib import Path
from typing import NamedTuple

from ..tokens import write_private
from .settings import Settings

ALPHABET = string.ascii_letters + string.digits


class User(NamedTuple):
    id: str
    name: str


class Credentials:
    """The access key, the users with their passwords, and the key that signs tokens, kept in one file of mode 0600.

    The emulator runs commands for whoever it lets in, so nothing here has a default that others could know. Without
    users, a user ``admin`` with a random password is made.
    """

    def __init__(self, path: Path, settings: Settings) -> None:
        kept = json.loads(path.read_text()) if path.exists() else {}
        self.access_key: str = settings.access_key or kept.get("access_key") or _random(20).upper()
        self.secret_key: str = settings.secret_key or kept.get("secret_key") or _random(40)
        self.project_id: str = settings.project_id or kept.get("project_id") or secrets.token_hex(16)
        self.secret: str = kept.get("secret") or secrets.token_urlsafe(48)
        users: dict[str, str] = {**kept.get("users", {}), **settings.users}
        self.passwords = users or {"admin": secrets.token_urlsafe(12)}
        values = {
            "access_key": self.access_key,
            "secret_key": self.secret_key,
            "project_id": self.project_id,
            "users": self.passwords,
            "secret": self.secret,
        }
        if values != kept:
            write_private(path, json.dumps(values, indent=2))

    @property
    def first(self) -> User:
        """The user that the access key belongs to."""
        return self.named(next(iter(self.passwords)))

    def named(self, name: str) -> User:
        return User(f"{list(self.passwords).index(name) + 1:032x}", name)


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))
