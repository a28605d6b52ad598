"""All that the triggers of one connection ask of its platform, through one client."""

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
"""Seconds for which a connection that was read is used for further triggers that begin: many begin at once."""
RELOAD_PAUSE = 30.0
"""Seconds between two looks whether the connection was changed in Airflow, while the platform is away or refuses it."""
REFUSAL_PAUSE = 30.0
"""Seconds for which a login that was refused is not tried again, so that many triggers do not lock an account."""


async def read_connection(platform: Platform, conn_id: str) -> Any:
    """Read a connection.

    :raises Unavailable: Airflow does not give it.
    :raises ConfigError: It cannot be used.
    """
    try:
        connection = await shielded(get_async_connection(conn_id))
        extra = await shielded(get_async_extra_dejson(connection))
    except Exception as error:
        # What Airflow says may quote the connection, and so its secrets.
        raise Unavailable(
            f"Airflow did not give the connection {conn_id!r} ({type(error).__name__}); see that it exists "
            "and that Airflow's API server is well."
        ) from None
    return platform.config(connection, extra)


@dataclass(frozen=True, slots=True)
class Environment:
    """What triggers find around them in a triggerer; a simulation gives them another world.

    :param clock: Gives Unix time in seconds. Time that has passed is measured by the event loop's own clock.
    :param jitter: Gives a number from 0 to 1.
    :param read: Reads a connection, as :func:`read_connection` does.
    :param client: Makes a client of what the connection says. Default: the platform's own.
    :param guard: Tells how tasks stand, as :mod:`~airflow_provider_aihub.triggers.hand_over` does.
    :param settings: Reads what an administrator has set for a platform.
    """

    clock: Callable[[], float] = time.time
    jitter: Callable[[], float] = random.random
    read: Callable[[Platform, str], Awaitable[Any]] = read_connection
    client: Callable[..., Any] | None = None
    guard: Any = hand_over
    settings: Callable[[str], Settings] = Settings.of


TRIGGERER: Final = Environment()
"""A triggerer of Airflow."""


class Poller:
    """One client, and so one session, one token and one login, for all triggers of a connection in an event loop.

    Get one by :meth:`shared`, and use it in ``async with``, which keeps its session open: that is closed when the last
    trigger leaves. Token and what was learnt of the platform are kept for the next.
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
        """Return the poller of a connection, as it stands in Airflow now, on the running event loop.

        Where it has come to point to another place, those that began before go on with the poller that they have.
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
        """What the connection says; ``None`` before the platform was asked for the first time."""
        return self._config

    @property
    def user_id(self) -> Any:
        """Id of the user that the connection logs in as, where that is known by now."""
        return self._client.user_id if self._client else None

    def batch(self, kind: JobKind) -> BatchPoller:
        """Return the jobs of one kind that are waited for."""
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
        """Carry out one request; where the login is refused, with the connection as it stands in Airflow now.

        :raises RemoteJobError: One of its kinds.
        """
        return self._lanes.look(request.path, self._carry_out, Ask(request))

    def perform(self, errand: Ask | Fetch | Redact) -> Awaitable[Any]:
        """Carry out an errand, likewise.

        :raises RemoteJobError: One of its kinds.
        """
        if isinstance(errand, Redact):
            return self._carry_out(errand)
        what = errand.request.path if isinstance(errand, Ask) else errand.url
        return self._lanes.look(what, self._carry_out, errand)

    @property
    def login(self) -> object:
        """What changes with each login and each change of the connection; ``None`` before the first login."""
        return (self._client, self._client.logins) if self._client and self._client.logins else None

    def send_first(self, request: Request[T]) -> Awaitable[T]:
        """Carry out a request that stops a job, or reads whose it is. It does not wait for slow requests.

        It is tried again as a client does.

        :raises RemoteJobError: One of its kinds.
        """
        return self._lanes.stop(self._carry_out, Ask(request, policy=RetryPolicy()))

    async def _carry_out(self, errand: Errand[Any]) -> Any:
        client = self._client or await self._load(None)
        if self._refusal and _loop_time() - self._refused_at < REFUSAL_PAUSE:
            raise copy(self._refusal)
        try:
            return await client.perform(errand)
        except (AuthError, Unavailable) as error:
            # A job that may not be read with a token that was taken for others is no concern of theirs.
            if isinstance(error, AuthError) and client.login_refused and client is self._client:
                self._refusal, self._refused_at = error, _loop_time()
            changed = await self._load(client)
            if changed is client:
                raise
            return await changed.perform(errand)

    async def _load(self, failed: Any) -> Any:
        """Read the connection, unless that was just done, and return a new client if it says something new."""
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

    async def _now(self) -> Poller:
        """Return the poller of the connection as it stands in Airflow: another one if it points elsewhere now."""
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
        """Have a client for what the connection says."""
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
