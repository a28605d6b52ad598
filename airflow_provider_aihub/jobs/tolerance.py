"""Decides how long requests about a job may fail, and when to repeat them. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field

from airflow_provider_aihub.http.errors import BadAnswerError, NotFoundError, Unavailable
from airflow_provider_aihub.http.retry import requested_pause

TRANSIENT = (Unavailable, BadAnswerError, NotFoundError)
"""Errors after which the same request may succeed later."""


@dataclass(slots=True)
class Tolerance:
    """Counts the failures of requests about a job. A failed request does not mean a failed job.

    :param seconds: Time from the first failure after which requests are given up.
    :param missing: The same for answers that the job does not exist; ``None`` for ``seconds``.
    :param first_pause: Seconds from the first failure to the next request; doubled after each further failure.
    :param longest_pause: Maximum of that pause, in seconds.
    """

    seconds: float
    missing: float | None = None
    first_pause: float = 1.0
    longest_pause: float = 10.0
    failures: int = field(default=0, init=False)
    """Number of failures since the last success."""
    _since: float = field(default=0.0, init=False)

    def longest(self, error: Exception) -> float:
        """Return for how many seconds requests may fail with such an error."""
        return self.missing if isinstance(error, NotFoundError) and self.missing is not None else self.seconds

    def failed(self, error: Exception, now: float, pause: float = 0.0) -> float | None:
        """Count a failure. Return the seconds until the next request; ``None`` to give up.

        :param now: The time in seconds, of any clock.
        :param pause: Shortest pause, in seconds.
        """
        if not self.failures:
            self._since = now
        self.failures += 1
        left = self._since + self.longest(error) - now
        if left <= 0:
            return None
        growing = min(self.first_pause * 2.0 ** min(self.failures - 1, 64), self.longest_pause)
        return min(max(pause, growing, requested_pause(error)), max(self.first_pause, left))

    def answered(self) -> int:
        """Note a success. Return the number of failures before it."""
        failures, self.failures = self.failures, 0
        return failures
