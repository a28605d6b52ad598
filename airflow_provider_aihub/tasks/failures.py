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
        # Pickle cannot import this class by its name, so it makes the class again from its base.
        return _restored, (kind, self.args, self.__dict__)

    namespace = {"__doc__": kind.__doc__, "__module__": kind.__module__, "__reduce__": restore}
    return type(kind.__name__, (kind, AirflowFailException), namespace)


def _restored(kind: Any, args: tuple[Any, ...], attributes: dict[str, Any]) -> RemoteJobError:
    return made_again(_final_kind(kind), args, attributes)


def as_task_failure(error: RemoteJobError) -> RemoteJobError:
    """Return the error to raise from a task. If it is final, it is an ``AirflowFailException`` as well: no retry."""
    if not error.final or isinstance(error, AirflowFailException):
        return error
    return _restored(type(error), error.args, error.__dict__).with_traceback(error.__traceback__)


def section(kind: type[RemoteJobError]) -> str:
    """Return the page and section of the documentation about a class of error: ``docs/errors.md#autherror``."""
    general = next(one for one in kind.__mro__ if one.__module__ in (errors.__name__, job_errors.__name__))
    return f"docs/errors.md#{general.__name__.lower()}"


def _with_section(error: RemoteJobError) -> RemoteJobError:
    """Add the section of the documentation to the message, unless it is there already, e.g. from an inner operator."""
    # The name of a job may have line breaks.
    message, advice = " ".join(str(error).splitlines()), f"See {section(type(error))} of airflow-provider-aihub."
    if not message.endswith(advice):
        error.args = (f"{message} {advice}".lstrip(),)
    return error


@contextmanager
def task_failures(own: OwnKinds) -> Iterator[None]:
    """Raise errors of the ``with`` block as a task shall: of the platform's own class, with one traceback, and with
    the section of the documentation at the end of the message.

    :param own: The platform's own error classes.
    """
    try:
        yield
    except RemoteJobError as error:
        make_own(error, own)
        raise as_task_failure(_with_section(error)) from None
