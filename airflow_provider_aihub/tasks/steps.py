"""The steps that the life of a job yields. A worker carries them out, and so does a simulation."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from airflow_provider_aihub.http.protocol import Sleep
from airflow_provider_aihub.http.request import Request
from airflow_provider_aihub.tasks.job_state import Entry

T = TypeVar("T")

__all__ = [
    "Call",
    "Do",
    "Forget",
    "Load",
    "LogIn",
    "Logins",
    "Push",
    "Refused",
    "Save",
    "ServerTime",
    "Sleep",
    "Steps",
    "Wanted",
]


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """Send a request. The reply is its result; a :class:`RemoteJobError` is thrown into the generator."""

    request: Request[T]


@dataclass(frozen=True, slots=True)
class ServerTime:
    """Return the time by the platform's clock, in Unix seconds; ``None`` if no answer has told it yet."""


@dataclass(frozen=True, slots=True)
class LogIn:
    """Log in unless there is a token. The reply is the user's id; ``None`` if unknown."""


@dataclass(frozen=True, slots=True)
class Logins:
    """Return the number of logins. If it has changed, another platform may answer at the same address."""


@dataclass(frozen=True, slots=True)
class Load:
    """Load the record. The reply is a dict of JSON values; ``None`` if there is none; :class:`Refused` on an error."""


@dataclass(frozen=True, slots=True)
class Save:
    """Save the record. The reply is ``None``, or :class:`Refused` if Airflow did not accept it."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Forget:
    """Delete the record. An error is only logged."""


@dataclass(frozen=True, slots=True)
class Push:
    """Push an XCom. The reply is ``None``, or :class:`Refused` if Airflow did not accept it."""

    key: str
    value: Any


@dataclass(frozen=True, slots=True)
class Wanted:
    """Return whether Airflow still wants this try: false if somebody has marked or cleared the task meanwhile."""


@dataclass(frozen=True, slots=True)
class Do(Generic[T]):
    """Call a method of the operator, e.g. for an upload. The reply is its result; its error is thrown."""

    work: Callable[[], T]


@dataclass(frozen=True, slots=True)
class Refused:
    """Reply of a step whose call to Airflow failed.

    :param why: Airflow's error.
    :param superseded: Whether the error means that Airflow has started another try of the task.
    """

    why: Exception
    superseded: bool


Steps: TypeAlias = Generator[Any, Any, T]
