"""How errors of AIHub become failures of an Airflow task."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_aihub.api.errors import AIHubError

_final_kinds: dict[str, Any] = {}


def as_task_failure(error: AIHubError) -> AIHubError:
    """Give the error to raise from a task: of the same type, and failing it for good where no retry can mend it."""
    if not error.final or isinstance(error, AirflowFailException):
        return error
    kind = type(error)
    if kind.__name__ not in _final_kinds:
        namespace = {"__doc__": kind.__doc__, "__module__": kind.__module__}
        _final_kinds[kind.__name__] = type(kind.__name__, (kind, AirflowFailException), namespace)
    final_kind = _final_kinds[kind.__name__]
    failure: AIHubError = final_kind.__new__(final_kind)
    failure.args = error.args
    failure.__dict__.update(error.__dict__)
    return failure.with_traceback(error.__traceback__)


@contextmanager
def task_failures() -> Iterator[None]:
    """Let errors of AIHub leave a task as one exception with one traceback."""
    try:
        yield
    except AIHubError as error:
        raise as_task_failure(error) from None
