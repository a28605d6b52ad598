"""What any emulator is told at its start, and how it says what is wrong with that."""

from __future__ import annotations

import ipaddress
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

DAY = 86400.0


class SettingsError(ValueError):
    """The emulator cannot start as it was told to; the message is one sentence."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """
    :param home: The folder in which everything is kept; the same folder again continues where the last start ended.
    :param users: Passwords by name.
    :param host: Address to listen on.
    :param port: Port for HTTP, 0 for a free one.
    :param allow_remote: Must be true for an address that other machines can reach: the emulator runs commands.
    :param host_names: More names under which clients may ask for it, such as that of a container.
    :param token_lifetime: Seconds until a token expires.
    :param speed: How much faster than ours the emulator's time runs.
    """

    home: Path
    users: Mapping[str, str] = field(default_factory=dict, repr=False)
    host: str = "127.0.0.1"
    port: int = 0
    allow_remote: bool = False
    host_names: tuple[str, ...] = ()
    token_lifetime: float = 7 * DAY
    speed: float = 1.0

    def __post_init__(self) -> None:
        if not self.allow_remote and not _loopback(self.host):
            raise SettingsError(
                f"{self.host} can be reached from other machines, and the emulator runs the commands it is sent: "
                "ask for it with --allow-remote."
            )
        if not self.speed > 0 or not self.token_lifetime > 0:
            raise SettingsError("The speed and the lifetime of tokens must be above 0.")

    @property
    def listens_everywhere(self) -> bool:
        """Whether it listens at every address of this machine."""
        return self.host in ("0.0.0.0", "::")  # noqa: S104

    @cached_property
    def names(self) -> frozenset[str]:
        """The names under which clients may ask for it, besides addresses."""
        host = socket.gethostname() if self.listens_everywhere else self.host
        return frozenset(name.lower() for name in ("localhost", host, *self.host_names))


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_json(path: Path) -> Any:
    """:raises SettingsError: The file cannot be read or is no JSON."""
    try:
        return json.loads(path.read_text())
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise SettingsError(f"{path} is no JSON: {error}.") from None


class reading:  # noqa: N801 - reads as a statement
    """Turns what is wrong with a file into one sentence that names it."""

    def __init__(self, path: Path, what: str) -> None:
        self._path, self._what = path, what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, SettingsError):
            return
        if isinstance(error, KeyError):
            raise SettingsError(f"{self._path} does not hold {self._what}: the field {error} is missing.") from None
        if isinstance(error, TypeError | ValueError | AttributeError):
            raise SettingsError(f"{self._path} does not hold {self._what}: {error}.") from None
