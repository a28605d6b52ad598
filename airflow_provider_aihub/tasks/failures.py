"""How errors of a platform become failures of an Airflow task."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_aihub.http.errors import OwnKinds, RemoteJobError, make_own


@cache
def _final_kind(kind: Any) -> Any:
    def restore(self: RemoteJobError) -> Any:
        # Nobody can import this class by its name: it is made again, of the error that it is.
        return _restored, (kind, self.args, self.__dict__)

    namespace = {"__doc__": kind.__doc__, "__module__": kind.__module__, "__reduce__": restore}
    return type(kind.__name__, (kind, AirflowFailException), namespace)


def _restored(kind: Any, args: tuple[Any, ...], attributes: dict[str, Any]) -> RemoteJobError:
    final_kind = _final_kind(kind)
    failure: RemoteJobError = final_kind.__new__(final_kind, *args)
    failure.__dict__.update(attributes)
    return failure


def as_task_failure(error: RemoteJobError) -> RemoteJobError:
    """Return the error to raise from a task: of the same type, and failing it for good where no retry can mend it."""
    if not error.final or isinstance(error, AirflowFailException):
        return error
    return _restored(type(error), error.args, error.__dict__).with_traceback(error.__traceback__)


@contextmanager
def task_failures(own: OwnKinds) -> Iterator[None]:
    """Let errors leave a task as one exception with one traceback, of the platform's own kinds.

    :param own: These kinds.
    """
    try:
        yield
    except RemoteJobError as error:
        make_own(error, own)
        raise as_task_failure(error) from None
