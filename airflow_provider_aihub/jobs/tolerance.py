"""For how long requests about a job may fail, and when they are repeated. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field

from airflow_provider_aihub.http.errors import BadAnswerError, NotFoundError, Unavailable
from airflow_provider_aihub.http.retry import requested_pause

TRANSIENT = (Unavailable, BadAnswerError, NotFoundError)
"""Errors that may pass by themselves."""


@dataclass(slots=True)
class Tolerance:
    """For how long requests about a job may fail: a failed request says nothing about the job.

    :param seconds: For how long it may fail, from the first failure on.
    :param missing: For how many seconds the platform may say that there is no such job; ``None`` for ``seconds``.
    :param first_pause: Seconds from the first failure to the next request; doubled after each further one.
    :param longest_pause: Bound on that, in seconds.
    """

    seconds: float
    missing: float | None = None
    first_pause: float = 1.0
    longest_pause: float = 10.0
    failures: int = field(default=0, init=False)
    """How often it has failed since the last answer."""
    _since: float = field(default=0.0, init=False)

    def longest(self, error: Exception) -> float:
        """Return for how many seconds this kind of failure may last."""
        return self.missing if isinstance(error, NotFoundError) and self.missing is not None else self.seconds

    def failed(self, error: Exception, now: float, pause: float = 0.0) -> float | None:
        """Note a failure. Return the seconds until the next request, or ``None`` if it has failed for too long.

        :param now: A time in seconds.
        :param pause: Seconds that would pass until then anyway.
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
        """Note an answer. Return how many requests had failed before."""
        failures, self.failures = self.failures, 0
        return failures
