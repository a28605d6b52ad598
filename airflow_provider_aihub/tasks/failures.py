"""How errors of a platform become failures of an Airflow task."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_aihub.http import errors
from airflow_provider_aihub.http.errors import OwnKinds, RemoteJobError, made_again, make_own
from airflow_provider_aihub.jobs import errors as job_errors


@cache
def _final_kind(kind: Any) -> Any:
    def restore(self: RemoteJobError) -> Any:
        # Nobody can import this class by its name: it is made again, of the error that it is.
        return _restored, (kind, self.args, self.__dict__)

    namespace = {"__doc__": kind.__doc__, "__module__": kind.__module__, "__reduce__": restore}
    return type(kind.__name__, (kind, AirflowFailException), namespace)


def _restored(kind: Any, args: tuple[Any, ...], attributes: dict[str, Any]) -> RemoteJobError:
    return made_again(_final_kind(kind), args, attributes)


def as_task_failure(error: RemoteJobError) -> RemoteJobError:
    """Return the error to raise from a task: of the same type, and failing it for good where no retry can mend it."""
    if not error.final or isinstance(error, AirflowFailException):
        return error
    return _restored(type(error), error.args, error.__dict__).with_traceback(error.__traceback__)


def section(kind: type[RemoteJobError]) -> str:
    """Return where the documentation of this package describes a kind of error: page and section."""
    general = next(one for one in kind.__mro__ if one.__module__ in (errors.__name__, job_errors.__name__))
    return f"docs/errors.md#{general.__name__.lower()}"


def _with_section(error: RemoteJobError) -> RemoteJobError:
    """Let the message end with where to read on, once: an operator may have been called by a function of a task."""
    # What it names may have line breaks in its name.
    message, advice = " ".join(str(error).splitlines()), f"See {section(type(error))} of airflow-provider-aihub."
    if not message.endswith(advice):
        error.args = (f"{message} {advice}".lstrip(),)
    return error


@contextmanager
def task_failures(own: OwnKinds) -> Iterator[None]:
    """Let errors leave a task as one exception with one traceback, of the platform's own kinds.

    The message ends with where to read on. Elsewhere it does not, so messages that quote one another say it once.

    :param own: These kinds.
    """
    try:
        yield
    except RemoteJobError as error:
        make_own(error, own)
        raise as_task_failure(_with_section(error)) from None
