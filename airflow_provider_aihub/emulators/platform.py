"""What every emulated platform consists of."""

from __future__ import annotations

import hmac
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

from aiohttp import web

from .clock import Clock
from .faults import Faults
from .files import Home
from .guard import Guesses
from .journal import Journal
from .refused import Refused
from .settings import Settings


class Platform(ABC):
    """The state and the work of one emulator. Made, used and closed on its event loop.

    :param database: Name of the file in its home in which it keeps what it knows.
    """

    def __init__(self, settings: Settings, clock: Clock, faults: Faults, journal: Journal, database: str) -> None:
        self.settings = settings
        self.clock = clock
        self.faults = faults
        self.journal = journal
        self.guesses = Guesses()
        self.home = Home(settings.home.resolve(), database)
        self._lock = self.home.lock()

    @abstractmethod
    def recover(self) -> None:
        """Go on with what an earlier start in the same home left behind."""

    async def close(self) -> None:
        """End all work; everything else is on disk already."""
        self._lock.close()

    def is_right(self, request: web.Request, passwords: Mapping[str, str], name: str, password: str) -> bool:
        """Whether that is the user's password.

        :raises Refused: Somebody has guessed too often from where the request comes.
        """
        who = (request.remote or "", name if name in passwords else "")
        self.guesses.check(who)
        right = hmac.compare_digest(passwords.get(name, "").encode(), password.encode()) and name in passwords
        if not right:
            self.guesses.note(who)
        return right

    def refusal(self, why: Refused) -> web.Response:
        """The answer that says so."""
        answer = self.worded(why)
        if why.retry_after is not None:
            answer.headers["Retry-After"] = str(why.retry_after)
        return answer

    @abstractmethod
    def worded(self, why: Refused) -> web.Response:
        """A refusal in the platform's own form."""

    def unreadable(self, message: str) -> Refused:
        """For a request of which nobody can tell what it asks for."""
        return Refused(message)

    @abstractmethod
    def unauthorised(self, message: str) -> Refused:
        """HTTP 401, as for a token that is not valid any more."""

    @abstractmethod
    def revoke(self) -> None:
        """Make all tokens issued so far invalid."""

    @abstractmethod
    def admit(self, request: web.Request) -> None:
        """Let the emulator's first user look at the emulator itself, and nobody else.

        :raises Refused: It is somebody else.
        """

    @abstractmethod
    def file(self, request: web.Request) -> Path | None:
        """The file that a link of the emulator leads to; ``None`` where it did not make the link."""

    def serves(self, request: web.Request) -> bool:  # noqa: ARG002 - for those who serve more than one address
        """Whether the address at which a request has come serves its path."""
        return True
