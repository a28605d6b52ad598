"""All that the triggers of one connection ask of AIHub, through one client."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from copy import copy
from typing import ClassVar, TypeVar
from weakref import WeakKeyDictionary

from airflow.providers.common.compat.connection import get_async_connection, get_async_extra_dejson

from airflow_provider_aihub.api.errors import AIHubAuthError, AIHubUnavailable
from airflow_provider_aihub.api.jobs import JobKind
from airflow_provider_aihub.api.request import Request, Service
from airflow_provider_aihub.client.aio import AsyncAIHubClient
from airflow_provider_aihub.client.config import Config
from airflow_provider_aihub.client.errands import POLL_POLICY
from airflow_provider_aihub.client.retry import RetryPolicy
from airflow_provider_aihub.client.steps import Errand
from airflow_provider_aihub.hooks.aihub import config_from
from airflow_provider_aihub.triggers import settings
from airflow_provider_aihub.triggers.pages import Pages
from airflow_provider_aihub.triggers.undisturbed import undisturbed

T = TypeVar("T")

log = logging.getLogger(__name__)

RELOAD_PAUSE = 30.0
"""Seconds between two looks whether the connection was changed in Airflow, while AIHub is not there or refuses it."""
REFUSAL_PAUSE = 30.0
"""Seconds for which a login that was refused is not tried again, so that many triggers do not lock an account."""


class Poller:
    """One client, and so one session, one token and one login, for all triggers of a connection in an event loop.

    Get one by :meth:`shared`. The session is closed when the last trigger leaves; token and what was learnt of the
    platform are kept for the next.
    """

    _of_loop: ClassVar[WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Poller]]] = WeakKeyDictionary()

    def __init__(self, conn_id: str) -> None:
        self.conn_id = conn_id
        self.floor = settings.poll_floor()
        """Seconds between two polls of a job at least."""
        self._client: AsyncAIHubClient | None = None
        self._config: Config | None = None
        self._loaded_at = 0.0
        self._refusal: AIHubAuthError | None = None
        self._refused_at = 0.0
        self._retired: list[AsyncAIHubClient] = []
        self._loading = asyncio.Lock()
        self._users = 0
        self._pages: dict[str, Pages] = {}

    @classmethod
    @asynccontextmanager
    async def shared(cls, conn_id: str) -> AsyncIterator[Poller]:
        """Give the poller of a connection on the running event loop."""
        pollers = cls._of_loop.setdefault(asyncio.get_running_loop(), {})
        poller = pollers.get(conn_id) or pollers.setdefault(conn_id, cls(conn_id))
        poller._users += 1
        try:
            yield poller
        finally:
            poller._users -= 1
            if not poller._users:
                await poller._rest()

    async def _rest(self) -> None:
        for pages in self._pages.values():
            pages.close()
        clients, self._retired = [*self._retired, *filter(None, [self._client])], []
        for client in clients:
            await client.close()

    @property
    def config(self) -> Config | None:
        """What the connection says; ``None`` before AIHub was asked for the first time."""
        return self._config

    @property
    def user_id(self) -> int | None:
        """Id of the user that the connection logs in as, where that is known by now."""
        return self._client.user_id if self._client else None

    def pages(self, kind: JobKind) -> Pages:
        """Give the jobs of one kind that are waited for."""
        if kind.name not in self._pages:
            self._pages[kind.name] = Pages(kind, self, threshold=settings.page_threshold(), spacing=self.floor)
        return self._pages[kind.name]

    async def send(self, request: Request[T], policy: RetryPolicy = POLL_POLICY) -> T:
        """Carry out one request; where the login is refused, with the connection as it stands in Airflow now.

        :raises AIHubError: In one of its kinds.
        """
        return await self._carry_out(lambda client: client.send(request, policy=policy))

    async def perform(self, errand: Errand[T]) -> T:
        """Carry out an errand, likewise.

        :raises AIHubError: In one of its kinds.
        """
        return await self._carry_out(lambda client: client.perform(errand))

    async def _carry_out(self, ask: Callable[[AsyncAIHubClient], Awaitable[T]]) -> T:
        client = self._client or await self._load(None)
        if self._refusal and time.monotonic() - self._refused_at < REFUSAL_PAUSE:
            raise copy(self._refusal)
        try:
            return await ask(client)
        except (AIHubAuthError, AIHubUnavailable) as error:
            # A job that may not be read with a token that was taken for others is no concern of theirs.
            if isinstance(error, AIHubAuthError) and error.service == Service.USER_SYSTEM and client is self._client:
                self._refusal, self._refused_at = error, time.monotonic()
            changed = await self._load(client)
            if changed is client:
                raise
            return await ask(changed)

    async def _load(self, failed: AsyncAIHubClient | None) -> AsyncAIHubClient:
        """Read the connection, unless that was just done, and give a new client if it says something new."""
        async with self._loading:
            if self._client and (self._client is not failed or time.monotonic() - self._loaded_at < RELOAD_PAUSE):
                return self._client
            self._loaded_at = time.monotonic()
            try:
                connection = await undisturbed(get_async_connection(self.conn_id))
                extra = await undisturbed(get_async_extra_dejson(connection))
            except Exception as error:
                # What Airflow says may quote the connection, and so its secrets.
                if self._client:
                    log.info("Airflow did not give the connection %s (%s)", self.conn_id, type(error).__name__)
                    return self._client
                raise AIHubUnavailable(
                    f"Airflow did not give the connection {self.conn_id!r} ({type(error).__name__}); see that it "
                    "exists and that Airflow's API server is well."
                ) from None
            config = config_from(connection, extra)
            if self._client and config == self._config:
                return self._client
            if self._client:
                log.info("The connection %s was changed; using what it says now", self.conn_id)
                # Requests of other triggers may be under way on it.
                self._retired.append(self._client)
            self._config, self._refusal = config, None
            self._client = AsyncAIHubClient(config, limit=settings.pool_size())
            return self._client
