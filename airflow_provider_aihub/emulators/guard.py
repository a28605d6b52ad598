"""Who is kept out before a request is looked at: pages of other sites, and whoever guesses passwords.

The emulator runs commands for whoever logs in, and a browser on this machine lets every page speak to it.
"""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict

from aiohttp import web

from .refused import Refused
from .settings import Settings

FREE_GUESSES = 10
"""Wrong passwords that are answered at once."""
PAUSE = 1.0
"""Seconds until one more is."""
LARGEST_CROWD = 1024
"""Most who are kept an eye on; beyond that, whoever has been quiet for longest is forgotten."""


def check_site(request: web.Request, settings: Settings) -> None:
    """Refuse a request that a page of another site has a browser make.

    ``Host`` must be a name of this emulator: otherwise a page whose name is made to mean this machine would count as
    its own. ``Origin``, which browsers send with whatever changes something, must be the same address.

    :raises Refused: HTTP 403.
    """
    hosts = request.headers.getall("Host", [])
    for host in hosts:
        if not is_own(_name(host), settings):
            raise Refused("the Host header names another server; see the emulator's --host-name", status=403)
    for origin in request.headers.getall("Origin", []):
        if [origin.partition("://")[2].lower()] != [host.lower() for host in hosts]:
            raise Refused("the request comes from a page of another site", status=403)


def _name(host: str) -> str:
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return name.lower().rstrip(".")


def is_own(name: str, settings: Settings) -> bool:
    """Whether a name, in lower case, is one of this emulator's."""
    if name.endswith(".localhost") or name in settings.names:
        return True
    try:
        # A name can be made to mean anything, an address cannot.
        return ipaddress.ip_address(name).is_loopback or settings.listens_everywhere
    except ValueError:
        return False


class Guesses:
    """Slows down those who guess passwords, and nobody else.

    It is counted for each user name and each address that tries it: a user who is logged in, another user, and the
    same user elsewhere notice nothing. Whoever has guessed too often is not told whether the next one is right.
    """

    def __init__(self) -> None:
        self._wrong: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    def check(self, who: tuple[str, str]) -> None:
        """:raises Refused: HTTP 429: too many wrong passwords lately."""
        if self._count(who) > FREE_GUESSES - 1:
            raise Refused("too many wrong passwords, try again later", status=429, retry_after=max(1, round(PAUSE)))

    def note(self, who: tuple[str, str]) -> None:
        """Count a wrong password."""
        self._wrong[who] = (self._count(who) + 1, time.monotonic())
        self._wrong.move_to_end(who)
        if len(self._wrong) > LARGEST_CROWD:
            self._wrong.popitem(last=False)

    def __len__(self) -> int:
        return len(self._wrong)

    def _count(self, who: tuple[str, str]) -> float:
        count, at = self._wrong.get(who, (0.0, 0.0))
        return max(0.0, count - (time.monotonic() - at) / PAUSE)
