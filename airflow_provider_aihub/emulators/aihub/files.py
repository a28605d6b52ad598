"""The emulator's folder, and links to files in it."""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import quote

from .answers import Refused
from .settings import SettingsError

FILES = "/files"
PRIVATE = 0o700
"""Mode of a folder."""


@dataclass(frozen=True, slots=True)
class Home:
    """Where the emulator keeps what it has."""

    path: Path

    @property
    def credentials(self) -> Path:
        return self.path / "credentials.json"

    @property
    def certificate(self) -> Path:
        return self.path / "relay-ca.pem"

    @property
    def certificate_key(self) -> Path:
        return self.path / "relay-key.pem"

    @property
    def database(self) -> Path:
        """The file for all that it knows, made when it is missing. SQLite keeps those beside it just as private."""
        path = self.path / "aihub.sqlite"
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

    def to(self, path: Path) -> str:
        """The path part of a link to a file in the emulator's folder."""
        name = self._home.relative(path)
        return f"{FILES}/{self._sign(name)}/{quote(name)}"

    def open(self, signature: str, name: str) -> Path | None:
        """The file that a link leads to; ``None`` where the emulator did not make the link."""
        if not hmac.compare_digest(signature.encode(), self._sign(name).encode()):
            return None
        return self._home.path / name

    def _sign(self, name: str) -> str:
        return hmac.new(self._secret, name.encode(), hashlib.sha256).hexdigest()[:24]


class Buckets:
    """The S3 buckets behind the relay: a folder each, an object per file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def place(self, bucket: str, key: str) -> Path:
        """Where an object lies.

        :raises Refused: The bucket or key is empty or would lead out of its folder.
        """
        if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,62}", bucket) or ".." in bucket:
            raise Refused("bucket must be 3 to 63 of the characters a-z, 0-9, '.' and '-'")
        parts = key.split("/")
        if any(part in ("", ".", "..") or "\0" in part or "\\" in part for part in parts) or len(key) > 1024:
            raise Refused("key must be a path of names parted by '/', without '..'")
        return self._folder.joinpath(bucket, *parts)

    def find(self, address: str) -> Path:
        """The file or folder behind ``s3://bucket/key`` or ``s3://bucket``.

        :raises Refused: The address is none.
        """
        bucket, _, key = address.removeprefix("s3://").rstrip("/").partition("/")
        return self.place(bucket, key) if key else self.place(bucket, "object").parent
