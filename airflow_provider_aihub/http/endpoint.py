"""Makes a method of a client out of a function that returns a request."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from typing import Any, Generic, ParamSpec, Protocol, Self, TypeVar, overload

from airflow_provider_aihub.http.request import Request

P = ParamSpec("P")
T = TypeVar("T")


class Sender(Protocol):
    """Sends requests and blocks until the answer, as a client or a hook does."""

    def send(self, request: Request[T], /) -> T: ...


class AsyncSender(Protocol):
    """Sends requests; the result must be awaited."""

    def send(self, request: Request[T], /) -> Coroutine[Any, Any, T]: ...


class Endpoint(Generic[P, T]):
    """A method that sends the request which a function of the same parameters builds.

    It returns what the owner's ``send`` returns: the result, or something to await.
    """

    def __init__(self, build: Callable[P, Request[T]]) -> None:
        self.build = build
        self.__wrapped__ = build
        self.__doc__ = build.__doc__

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: AsyncSender, owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    @overload
    def __get__(self, client: Sender, owner: type) -> Callable[P, T]: ...
    def __get__(self, client: Sender | AsyncSender | None, owner: type) -> Any:
        if client is None:
            return self
        build, send = self.build, client.send

        @functools.wraps(build)
        def call(*args: P.args, **kwargs: P.kwargs) -> Any:
            return send(build(*args, **kwargs))

        return call
