"""How errors of AIHub become failures of an Airflow task."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_aihub.api.errors import AIHubError


@cache
def _final(kind: type[AIHubError]) -> type[AIHubError]:
    return type(kind.__name__, (kind, AirflowFailException), {"__doc__": kind.__doc__, "__module__": kind.__module__})


def as_task_failure(error: AIHubError) -> AIHubError:
    """Give the error to raise from a task: of the same type, and failing it for good where no retry can mend it."""
    if error.final and not isinstance(error, AirflowFailException):
        failure = _final(type(error)).__new__(_final(type(error)))
        failure.args = error.args
        failure.__dict__.update(error.__dict__)
        return failure.with_traceback(error.__traceback__)
    return error


@contextmanager
def task_failures() -> Iterator[None]:
    """Let errors of AIHub leave a task as one exception with one traceback."""
    try:
        yield
    except AIHubError as error:
        raise as_task_failure(error) from None
