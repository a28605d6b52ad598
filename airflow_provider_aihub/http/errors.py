"""What can go wrong with a platform, as types. Each message is one sentence and holds no secret.

A platform has kinds of its own, each of which is one of these as well: ``class OwnAuthError(AuthError, OwnError)``.
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
        # As it is: its message may have become more than a sentence.
        return made_again, (type(self), self.args, self.__dict__)


def made_again(kind: type[RemoteJobError], args: tuple[Any, ...], attributes: Mapping[str, Any]) -> RemoteJobError:
    """Make an error as one was."""
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
    """The platform did not take the credential, or the login."""

    final = True


class RejectedError(RequestError):
    """The platform understood the request and refused it."""

    early = False
    """Whether it may be granted a little later: what it takes does not exist yet."""


class NotFoundError(RejectedError):
    """What was asked for does not exist."""


class ExistsError(RejectedError):
    """Something of that name exists already."""


class UnsupportedError(RejectedError):
    """The platform does not have the endpoint."""


class BadAnswerError(RequestError):
    """The answer is none of the platform's: HTML, nothing at all, cut off, or without a field that must be there."""


class Unavailable(RequestError):
    """The platform could not be reached, did not answer in time, or was too busy or broken, also when asked again."""


class AmbiguousSubmit(RequestError):
    """A create call was sent, and no answer says for certain what came of it: there may be a job or none."""

    @property
    def refused(self) -> bool:
        """Whether the platform itself said no, but not that nothing was done. An HTTP 5xx is no such no."""
        return bool(self.code) and (self.status or 0) < 500


OwnKinds: TypeAlias = Mapping[type[RemoteJobError], type[RemoteJobError]]
"""The kinds of errors of a platform, by the general kinds that they are of."""


def own_kinds(errors: ModuleType) -> OwnKinds:
    """Return the kinds that a platform's module of errors defines.

    The first base of each class there is the general kind that it is of.
    """
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and kind.__module__ == errors.__name__]
    return {kind.__bases__[0]: kind for kind in kinds if issubclass(kind, RemoteJobError)}


def make_own(error: RemoteJobError, own: OwnKinds) -> None:
    """Make an error of a general kind the platform's own, with all that it holds."""
    error.__class__ = own.get(type(error), type(error))


@contextmanager
def raised_as(own: OwnKinds) -> Iterator[None]:
    """Let errors of general kinds leave as the platform's own. Also a decorator."""
    try:
        yield
    except RemoteJobError as error:
        make_own(error, own)
        raise
