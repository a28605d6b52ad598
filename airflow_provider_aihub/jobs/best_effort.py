"""Work whose failure must not fail the task: links, asset events, lineage, lines of the log."""

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
def best_effort(log: Log, what: str, reported: list[str] | None = None) -> Iterator[None]:
    """Log an error of the ``with`` block as one line, and go on.

    :param what: What the task goes on without, as in *The task goes on without its link*.
    :param reported: Earlier values of ``what``; ``what`` is added to it. If ``what`` is in it already, the line has the
        level DEBUG instead of WARNING. Default: the level is always WARNING.
    """
    try:
        yield
    except Exception as error:
        # The message of any other error may contain a signed URL, so only its type is logged.
        why = str(error) if isinstance(error, RemoteJobError) or type(error) is ValueError else type(error).__name__
        again = reported is not None and what in reported
        if reported is not None and not again:
            reported.append(what)
        write = log.debug if again else log.warning
        write("The task goes on without %s: %s", what, why or type(error).__name__)
