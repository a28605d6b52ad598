"""What a platform does not do, and says so."""

from __future__ import annotations


class Refused(Exception):
    """A request that is understood and refused. How that is worded is the platform's matter.

    :param code: The platform's own code for it; ``None`` where the platform has none.
    :param retry_after: Seconds after which to try again.
    """

    def __init__(
        self, message: str, code: int | str | None = None, status: int = 400, *, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.retry_after = retry_after
