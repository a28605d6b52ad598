"""Sends all requests of the triggers of one connection, through one client."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from copy import copy
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self, TypeVar
from weakref import WeakKeyDictionary

from airflow.providers.common.compat.connection import get_async_connection, get_async_extra_dejson

from airflow_provider_aihub.http.errors import AuthError, RemoteJobError, Unavailable
from airflow_provider_aihub.http.protocol import Errand
from airflow_provider_aihub.http.request import Request
from airflow_provider_aihub.http.retry import RetryPolicy
from airflow_provider_aihub.jobs.errands import Ask, Fetch, Redact
from airflow_provider_aihub.jobs.kind import JobKind
from airflow_provider_aihub.jobs.platform import Platform
from airflow_provider_aihub.triggers import hand_over
from airflow_provider_aihub.triggers.batch_poller import BatchPoller
from airflow_provider_aihub.triggers.cancellation import shielded
from airflow_provider_aihub.triggers.lanes import Lanes
from airflow_provider_aihub.triggers.settings import Settings

T = TypeVar("T")

log = logging.getLogger(__name__)

CONNECTION_FRESHNESS = 1.0
"""Seconds for which new triggers use a connection that was read for another one, since many start at once."""
RELOAD_PAUSE = 30.0
"""Seconds after which the connection is read again from Airflow, while the platform is unavailable or refuses it."""
REFUSAL_PAUSE = 30.0
"""Seconds for which no login is tried after one was refused, so that many triggers do not lock the account."""


async def read_connection(platform: Platform, conn_id: str) -> Any:
    """Read a connection from Airflow. Return the configuration of a client.

    :raises Unavailable: Airflow does not return it.
    :raises ConfigError: It is not valid.
    """
    try:
        connection = await shielded(get_async_connection(conn_id))
        extra = await shielded(get_async_extra_dejson(connection))
    except Exception as error:
        # Airflow's message may quote the connection, and so its secrets.
        raise Unavailable(
            f"Airflow did not give the connection {conn_id!r} ({type(error).__name__}); see that it exists "
            "and that Airflow's API server is well."
        ) from None
    return platform.config(connection, extra)


@dataclass(frozen=True, slots=True)
class Environment:
    """The dependencies of triggers on their triggerer. A simulation replaces them.

    :param clock: Returns Unix time in seconds. Durations are measured by the event loop's own clock.
    :param jitter: Returns a number from 0 to 1.
    :param read: Reads a connection, as :func:`read_connection` does.
    :param client: Returns a client for a configuration. Default: that of the platform.
    :param guard: Has the functions of :mod:`~airflow_provider_aihub.triggers.hand_over`.
    :param settings: Returns the settings for the key of a platform.
    """

    clock: Callable[[], float] = time.time
    jitter: Callable[[], float] = random.random
    read: Callable[[Platform, str], Awaitable[Any]] = read_connection
    client: Callable[..., Any] | None = None
    guard: Any = hand_over
    settings: Callable[[str], Settings] = Settings.of


TRIGGERER: Final = Environment()
"""The dependencies in a triggerer of Airflow."""


class Poller:
    """One client, and so one session, one token and one login, for all triggers of a connection in an event loop.

    Get one from :meth:`shared`, and use it with ``async with``. When the last trigger leaves, the session is closed;
    the token, and what is known about the platform, are kept for later triggers.
    """

    _of_loop: ClassVar[WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, str], Poller]]] = (
        WeakKeyDictionary()
    )

    def __init__(self, platform: Platform, conn_id: str, environment: Environment = TRIGGERER) -> None:
        self.platform = platform
        self.conn_id = conn_id
        self._environment = environment
        self._settings = environment.settings(platform.key)
        self.floor = self._settings.poll_floor
        """Seconds between two polls of a job at least."""
        self._client: Any = None
        self._config: Any = None
        self._loaded_at = 0.0
        self._refusal: AuthError | None = None
        self._refused_at = 0.0
        self._retired: list[Any] = []
        self._loading = asyncio.Lock()
        self._lanes = Lanes(self._settings.pool_size)
        self._users = 0
        self._batches: dict[str, BatchPoller] = {}

    @classmethod
    async def shared(cls, platform: Platform, conn_id: str, environment: Environment = TRIGGERER) -> Poller:
        """Return the poller of a connection on the running event loop, with the connection as it is in Airflow now.

        If its addresses have been changed, a new poller is returned; triggers that use the old one keep it.
        """
        pollers = cls._of_loop.setdefault(asyncio.get_running_loop(), {})
        key = (platform.key, conn_id)
        known = pollers.get(key) or pollers.setdefault(key, cls(platform, conn_id, environment))
        current = await known._current()
        if pollers[key] is known:
            pollers[key] = current
        return pollers[key]

    async def __aenter__(self) -> Self:
        self._users += 1
        return self

    async def __aexit__(self, *_: object) -> None:
        self._users -= 1
        if not self._users:
            await self._close_clients()

    async def _close_clients(self) -> None:
        for batch in self._batches.values():
            batch.close()
        clients, self._retired = [*self._retired, *filter(None, [self._client])], []
        for client in clients:
            await client.close()

    @property
    def config(self) -> Any:
        """Configuration of the client; ``None`` before the first request."""
        return self._config

    @property
    def user_id(self) -> Any:
        """Id of the user that the connection logs in as; ``None`` if not known yet."""
        return self._client.user_id if self._client else None

    def batch(self, kind: JobKind) -> BatchPoller:
        """Return what polls the jobs of one kind."""
        if kind.name not in self._batches:
            self._batches[kind.name] = BatchPoller(
                kind,
                self,
                threshold=self._settings.page_threshold,
                spacing=self.floor,
                clock=self._environment.clock,
                jitter=self._environment.jitter,
            )
        return self._batches[kind.name]

    def send(self, request: Request[T]) -> Awaitable[T]:
        """Send a request, in one attempt. If it fails and the connection has been changed in Airflow, send it again.

        :raises RemoteJobError: One of its subclasses.
        """
        return self._lanes.look(request.path, self._carry_out, Ask(request))

    def perform(self, errand: Ask | Fetch | Redact) -> Awaitable[Any]:
        """Carry out an errand, in the same way as :meth:`send`.

        :raises RemoteJobError: One of its subclasses.
        """
        if isinstance(errand, Redact):
            return self._carry_out(errand)
        what = errand.request.path if isinstance(errand, Ask) else errand.url
        return self._lanes.look(what, self._carry_out, errand)

    @property
    def login(self) -> object:
        """A value that changes with each login and each change of the connection; ``None`` before the first login."""
        return (self._client, self._client.logins) if self._client and self._client.logins else None

    @property
    def is_logged_in(self) -> bool:
        """Whether a request can be sent without a login before it."""
        return self._client is not None and self._client.is_logged_in

    def send_first(self, request: Request[T]) -> Awaitable[T]:
        """Send a request that stops a job, or reads it before, with the usual retries. It need not wait for polls.

        :raises RemoteJobError: One of its subclasses.
        """
        return self._lanes.stop(self._carry_out, Ask(request, policy=RetryPolicy()))

    async def _carry_out(self, errand: Errand[Any]) -> Any:
        client = self._client or await self._load(None)
        if self._refusal and _loop_time() - self._refused_at < REFUSAL_PAUSE:
            raise copy(self._refusal)
        try:
            return await client.perform(errand)
        except (AuthError, Unavailable) as error:
            # Only a refused login is remembered: a token may be refused for one job and accepted for the others.
            if isinstance(error, AuthError) and client.login_refused and client is self._client:
                self._refusal, self._refused_at = error, _loop_time()
            changed = await self._load(client)
            if changed is client:
                raise
            return await changed.perform(errand)

    async def _load(self, failed: Any) -> Any:
        """Read the connection, unless that was just done. Return a new client if it has changed, else the same."""
        async with self._loading:
            if self._client and (self._client is not failed or _loop_time() - self._loaded_at < RELOAD_PAUSE):
                return self._client
            try:
                config = await self._read()
            except Unavailable as trouble:
                if self._client is None:
                    raise
                log.info("%s", trouble)
                return self._client
            return self._use(config)

    async def _current(self) -> Poller:
        """Read the connection. Return this poller, or another one if the addresses have been changed."""
        async with self._loading:
            if self._config is None or _loop_time() - self._loaded_at < CONNECTION_FRESHNESS:
                return self
            try:
                config = await self._read()
            except RemoteJobError as trouble:
                log.info("%s", trouble)
                return self
            if config.addresses == self._config.addresses:
                self._use(config)
                return self
            said = "The connection %s points to another %s; what has begun goes on at the old one"
            log.info(said, self.conn_id, self.platform.name)
            other = type(self)(self.platform, self.conn_id, self._environment)
            other._use(config)
            return other

    async def _read(self) -> Any:
        self._loaded_at = _loop_time()
        return await self._environment.read(self.platform, self.conn_id)

    def _use(self, config: Any) -> Any:
        """Return the client for a configuration: the current one, or a new one if the configuration has changed."""
        if self._client and config == self._config:
            return self._client
        if self._client:
            log.info("The connection %s was changed; using what it says now", self.conn_id)
            # Requests of other triggers may be under way on it.
            self._retired.append(self._client)
        self._config, self._refusal, self._loaded_at = config, None, _loop_time()
        make = self._environment.client or self.platform.client
        self._client = make(config, limit=self._lanes.most)
        return self._client


def _loop_time() -> float:
    return asyncio.get_running_loop().time()
