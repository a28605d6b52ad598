"""What a task does besides its result: links, events, lineage, lines of the log. If that fails, the task does not.

Nothing of Airflow or a platform is imported here but the errors, so everything may use it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from airflow_provider_aihub.http.errors import RemoteJobError


class Log(Protocol):
    """A logger, the standard library's or Airflow's."""

    def debug(self, message: str, /, *args: Any) -> Any: ...
    def warning(self, message: str, /, *args: Any) -> Any: ...


@contextmanager
def beside(log: Log, what: str, told: list[str] | None = None) -> Iterator[None]:
    """Do something that a task can do without: an error there becomes one line in the log, and the task goes on.

    :param what: What is done, as in *the link to the platform*.
    :param told: What the log has reported already: each thing is reported once. Default: it is reported each time.
    """
    try:
        yield
    except Exception as error:
        # Other errors quote what they met, which may be an address with a signature.
        why = str(error) if isinstance(error, RemoteJobError) or type(error) is ValueError else type(error).__name__
        again = told is not None and what in told
        if told is not None and not again:
            told.append(what)
        tell = log.debug if again else log.warning
        tell("The task goes on without %s: %s", what, why or type(error).__name__)
