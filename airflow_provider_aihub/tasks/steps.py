"""What the life of a job wants done, step by step; a worker does it, and so does a simulation."""

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
]


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """Carry out a request. The reply is its result; an :class:`RemoteJobError` is thrown."""

    request: Request[T]


@dataclass(frozen=True, slots=True)
class ServerTime:
    """Say what time it is by the platform's own clock. The reply is Unix seconds; ``None`` where it has not told it."""


@dataclass(frozen=True, slots=True)
class LogIn:
    """Log in unless there is a token. The reply is the user's id, where it is known."""


@dataclass(frozen=True, slots=True)
class Logins:
    """Say how many logins there have been: after another one, another platform may stand behind the address."""


@dataclass(frozen=True, slots=True)
class Load:
    """Read the record. The reply is what an earlier try wrote, as JSON values; ``None`` for nothing; a
    :class:`Refused` where Airflow did not tell."""


@dataclass(frozen=True, slots=True)
class Save:
    """Write the record. The reply is a :class:`Refused` where Airflow did not take it."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Forget:
    """Delete the record; where that fails, it stays."""


@dataclass(frozen=True, slots=True)
class Push:
    """Push an XCom. The reply is a :class:`Refused` where Airflow did not take it."""

    key: str
    value: Any


@dataclass(frozen=True, slots=True)
class Do(Generic[T]):
    """Do what is the operator's own, such as an upload. The reply is what it returns; what it raises is thrown."""

    work: Callable[[], T]


@dataclass(frozen=True, slots=True)
class Refused:
    """Airflow did not take, or tell, something.

    :param why: Airflow's error.
    :param superseded: Whether Airflow says that the try that this worker runs is not the task's any more.
    """

    why: Exception
    superseded: bool


Steps: TypeAlias = Generator[Any, Any, T]
