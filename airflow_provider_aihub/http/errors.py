"""The errors of the clients. Each message is one sentence and holds no secret.

Each platform defines subclasses of them, such as ``class OwnAuthError(AuthError, OwnError)``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any, TypeAlias


class RemoteJobError(Exception):
    """Base of all errors of this package.

    ``final`` is true for errors that no retry can mend: a task that meets one fails without using up its retries.
    """

    final: bool = False

    def __init__(self, message: str = "") -> None:
        super().__init__(message if not message or message.endswith(".") else f"{message}.")

    def __reduce__(self) -> tuple[Any, ...]:
        # The usual way would call __init__, which would change a message of several sentences.
        return made_again, (type(self), self.args, self.__dict__)


def made_again(kind: type[RemoteJobError], args: tuple[Any, ...], attributes: Mapping[str, Any]) -> RemoteJobError:
    """Restore a pickled or copied error: its class, ``args`` and attributes."""
    error: RemoteJobError = kind.__new__(kind, *args)
    error.__dict__.update(attributes)
    return error


class ConfigError(RemoteJobError):
    """The connection lacks something or contradicts itself: an address, a credential, a file."""

    final = True


class ParameterError(RemoteJobError, ValueError):
    """A parameter is missing, of the wrong type or not among the allowed values. Nothing was sent."""

    final = True


class RequestError(RemoteJobError):
    """A request did not give a usable answer.

    :param message: The whole sentence.
    :param service: Name of the service asked.
    :param asks: What was asked, e.g. ``read training 12``.
    :param status: HTTP status, where an answer came.
    :param code: The platform's own code, where it gave one.
    :param retry_after: Seconds after which the server wants to be asked again, where it said so.
    """

    def __init__(
        self,
        message: str,
        *,
        service: str = "",
        asks: str = "",
        status: int | None = None,
        code: int | str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.service = service
        self.asks = asks
        self.status = status
        self.code = code
        self.retry_after = retry_after


class AuthError(RequestError):
    """The platform refused the token, the signature or the login."""

    final = True


class RejectedError(RequestError):
    """The platform understood the request and refused it."""

    early = False
    """Whether the same request may succeed a little later, since something that it needs does not exist yet."""


class NotFoundError(RejectedError):
    """What was asked for does not exist."""


class ExistsError(RejectedError):
    """Something of that name exists already."""


class UnsupportedError(RejectedError):
    """The platform does not have the endpoint."""


class BadAnswerError(RequestError):
    """The answer does not come from the platform (e.g. HTML), or is empty, cut off or without a required field."""


class Unavailable(RequestError):
    """The platform could not be reached, did not answer in time, or was too busy or broken, also when asked again."""


class AmbiguousSubmit(RequestError):
    """A create call was sent, and it is unknown whether the platform has created a job."""

    @property
    def refused(self) -> bool:
        """Whether the platform answered with a refusal (not HTTP 5xx) that does not exclude that a job was created."""
        return bool(self.code) and (self.status or 0) < 500


OwnKinds: TypeAlias = Mapping[type[RemoteJobError], type[RemoteJobError]]
"""A platform's own error classes, by the general class of this module, or of ``jobs.errors``, that each extends."""


def own_kinds(errors: ModuleType) -> OwnKinds:
    """Return the error classes that a platform's module of errors defines, by the first base of each."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and kind.__module__ == errors.__name__]
    return {kind.__bases__[0]: kind for kind in kinds if issubclass(kind, RemoteJobError)}


def make_own(error: RemoteJobError, own: OwnKinds) -> None:
    """Change the class of an error from a general one to the platform's own; message and attributes stay."""
    error.__class__ = own.get(type(error), type(error))


@contextmanager
def raised_as(own: OwnKinds) -> Iterator[None]:
    """Raise errors of general classes as the platform's own. May also be used as a decorator."""
    try:
        yield
    except RemoteJobError as error:
        make_own(error, own)
        raise
