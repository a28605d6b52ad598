"""The emulator's folder, and links to files in it."""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import quote

from .settings import SettingsError

FILES = "/files"
PRIVATE = 0o700
"""Mode of a folder."""


@dataclass(frozen=True, slots=True)
class Home:
    """Where the emulator keeps what it has."""

    path: Path
    database_name: str

    @property
    def credentials(self) -> Path:
        return self.path / "credentials.json"

    @property
    def database(self) -> Path:
        """The file for all that it knows, made when it is missing. SQLite keeps those beside it just as private."""
        path = self.path / self.database_name
        path.touch(mode=0o600)
        path.chmod(0o600)
        return path

    def folder(self, *parts: str) -> Path:
        """A folder in here, made when it is missing. Nobody else on this machine can look into it."""
        top = self.path / parts[0]
        top.mkdir(mode=PRIVATE, exist_ok=True)
        if stat.S_IMODE(top.stat().st_mode) & 0o077:
            top.chmod(PRIVATE)
        folder = self.path.joinpath(*parts)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def lock(self) -> IO[str]:
        """Keep every other emulator out for as long as the returned file is open.

        :raises SettingsError: Another one is in.
        """
        file = (self.path / "lock").open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            raise SettingsError(f"Another emulator uses {self.path}; each needs a home of its own.") from None
        return file

    def relative(self, path: Path) -> str:
        """A path as seen from here; one of a storage that lies elsewhere stays as it is."""
        return (path.relative_to(self.path) if path.is_relative_to(self.path) else path).as_posix()


class Links:
    """Paths of links that need no token: each is signed, so a link opens the one file that it was made for."""

    def __init__(self, home: Home, secret: str) -> None:
        self._home = home
        self._secret = secret.encode()

    def to(self, path: Path, more: str = "") -> str:
        """The path part of a link to a file in the emulator's folder.

        :param more: What else the signature covers, such as the end of the link's time.
        """
        name = self._home.relative(path)
        return f"{FILES}/{self._sign(name, more)}/{quote(name)}"

    def open(self, signature: str, name: str, more: str = "") -> Path | None:
        """The file that a link leads to; ``None`` where the emulator did not make the link."""
        if not hmac.compare_digest(signature.encode(), self._sign(name, more).encode()):
            return None
        return self._home.path / name

    def _sign(self, name: str, more: str) -> str:
        signed = f"{name}?{more}" if more else name
        return hmac.new(self._secret, signed.encode(), hashlib.sha256).hexdigest()[:24]
