"""The asynchronous client, on ``aiohttp``. Nothing in it blocks the event loop."""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import copy_context
from functools import cache, partial
from typing import TYPE_CHECKING, Any, BinaryIO, Final, ParamSpec, Self, TypeVar

from airflow_provider_aihub.http.dialect import ClientConfig
from airflow_provider_aihub.http.errors import AuthError, RemoteJobError, make_own
from airflow_provider_aihub.http.exchange import authenticate, exchange, prepare, valid_token
from airflow_provider_aihub.http.gc_pause import gc_paused
from airflow_provider_aihub.http.protocol import (
    Answer,
    Done,
    Errand,
    Failure,
    Outcome,
    Prepare,
    Resolve,
    Send,
    Sink,
    Sleep,
    State,
    Step,
    Steps,
    TooSlowError,
    advance,
    causes,
    tls_failure,
    why,
)
from airflow_provider_aihub.http.receiving import STEP, Receiver
from airflow_provider_aihub.http.request import USUAL_AUTH, Form, Request
from airflow_provider_aihub.http.retry import RetryPolicy, Trouble
from airflow_provider_aihub.http.transfer import Body, download, multipart

if TYPE_CHECKING:
    import aiohttp

T = TypeVar("T")
P = ParamSpec("P")

LONG: Final = 16 * 2**10
"""An answer of so many bytes or more is decoded in a thread, since many may come at once."""
LARGE: Final = 64 * 2**10
"""Of answers of so many bytes or more, only one at a time is in memory."""


class AsyncClient:
    """A platform, any number of calls at a time, within one event loop.

    Proxies, ``.netrc`` and CA bundles that the environment names are not used.

    :param config: Where the platform is and how to get in.
    :param policy: How long to keep trying.
    :param limit: Connections open at a time; further calls wait for one. A call that creates something opens one of
        its own besides.
    :param sleep: Waits for a number of seconds.
    :param clock: Gives Unix time in seconds.
    """

    def __init__(
        self,
        config: ClientConfig,
        *,
        policy: RetryPolicy | None = None,
        limit: int = 10,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.config = config
        self._state = State(config, policy or RetryPolicy(), clock)
        self._limit = limit
        self._sleep = sleep
        self._login = asyncio.Lock()
        self._preparing = asyncio.Lock()
        self._opening = asyncio.Lock()
        self._large = asyncio.Lock()
        # One thread only: each thread would keep the memory of its largest answer.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="answers")
        self._turns = asyncio.Semaphore(limit)
        self._tls: ssl.SSLContext | None = None
        self._session: aiohttp.ClientSession | None = None

    @property
    def user_id(self) -> int | str | None:
        """Id of the user, once a login or the token itself has told it; see :meth:`authenticate`."""
        return self._state.user_id

    @property
    def logins(self) -> int:
        """How many logins there have been."""
        return self._state.logins

    @property
    def is_logged_in(self) -> bool:
        """Whether a request can be sent without a login before it: there is a token, or none is needed."""
        state = self._state
        valid = state.token is not None and not state.token.due(state.clock())
        return valid or not state.dialect.needs_token(USUAL_AUTH)

    @property
    def login_refused(self) -> bool:
        """Whether the last login was refused."""
        return isinstance(self._state.login_error, AuthError)

    async def authenticate(self) -> int | str | None:
        """Log in unless there is a token already, and return the user's id where it is known.

        :raises AuthError: where the login is refused.
        """
        if self._state.dialect.needs_token(USUAL_AUTH):
            await self._run(valid_token(self._state, self._state.policy))
        return self.user_id

    async def send(self, request: Request[T], *, policy: RetryPolicy | None = None) -> T:
        """Carry out a request.

        :param policy: How long to keep trying this one; the client's policy by default.
        :raises RequestError: of the kind that says what went wrong.
        :raises ConfigError: where the configuration lacks an address or a credential for it.
        """
        return await self._run(exchange(request, self._state, policy))

    async def download(self, url: str, target: BinaryIO) -> int:
        """Stream a file, such as a job's result or log, and return its size in bytes.

        ``target`` is written in a thread. The token goes along only to an address of the platform's own. See
        :func:`~.transfer.download`.
        """
        return await self._run(download(url, target, self._state))

    async def perform(self, errand: Errand[T]) -> T:
        """Carry out an :class:`~.protocol.Errand`, and return its result.

        :raises RequestError: One of its subclasses.
        """
        return await self._run(errand.steps(self._state))

    async def close(self) -> None:
        """Close the connections. The client opens new ones when it is used again."""
        async with self._opening:
            session, self._session = self._session, None
            if session is not None:
                await session.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _run(self, steps: Steps[T]) -> T:
        with _LargeAnswerLock(self._large) as lock:
            try:
                return await self._carry(lock, steps)
            except RemoteJobError as error:
                make_own(error, self.config.dialect.kinds)
                # It may be kept for long, and with it all that is on its way here: the answer above all.
                error.__context__ = error.__cause__ = None
                raise error.with_traceback(None) from None

    async def _carry(self, lock: _LargeAnswerLock, steps: Steps[T]) -> T:
        came: Outcome | list[str] | None = None
        while not isinstance(step := await self._advance(steps, came), Done):
            came = None
            lock.release()
            if isinstance(step, Send):
                came = await self._send(step, lock)
            elif isinstance(step, Sleep):
                await self._sleep(step.seconds)
            elif isinstance(step, Resolve):
                came = await _addresses(step.host, self.config.timeout)
            elif isinstance(step, Prepare):
                async with self._preparing:
                    await self._carry(lock, prepare(self._state, step))
            else:
                async with self._login:
                    await self._carry(lock, authenticate(self._state, step))
        return step.result

    async def _advance(self, steps: Steps[T], came: Outcome | list[str] | None) -> Step | Done[T]:
        """Go on; in the thread, where a long answer is to be read."""
        if not isinstance(came, Answer) or len(came.body) < LONG:
            return advance(steps, came)
        return await self._in_thread(_advance_without_gc, steps, came)

    async def _in_thread(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function in the client's only thread, so that such calls run one after the other."""
        done = partial(copy_context().run, call, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._thread, done)

    async def _send(self, step: Send, lock: _LargeAnswerLock) -> Outcome:
        handled = sys.exception()
        session = self._session or await self._shared()
        try:
            if step.alone or step.form is not None:
                return await self._send_apart(step, session, lock)
            async with self._turns:
                return await self._sent(session, step, step.headers, step.body, lock)
        except RemoteJobError:
            raise
        except Exception as error:
            return _failure(error, causes(error, handled), self.config.timeout, step)

    async def _send_apart(self, step: Send, session: aiohttp.ClientSession, lock: _LargeAnswerLock) -> Outcome:
        """Send what needs a connection of its own, or has files."""
        headers: dict[str, str] = dict(step.headers)
        data: Any = step.body
        async with AsyncExitStack() as stack:
            if step.alone:
                session = await stack.enter_async_context(self._open(1, _one_connection()))
            else:
                await stack.enter_async_context(self._turns)
            if step.form is not None:
                body = await stack.enter_async_context(_multipart(step.form))
                headers |= {"Content-Type": body.content_type, "Content-Length": str(body.len)}
                data = body
            return await self._sent(session, step, headers, data, lock)

    async def _sent(
        self,
        session: aiohttp.ClientSession,
        step: Send,
        headers: Mapping[str, str],
        data: bytes | Body | None,
        lock: _LargeAnswerLock,
    ) -> Outcome:
        import aiohttp
        from yarl import URL

        url, now, timeout = URL(step.url, encoded=True), asyncio.get_running_loop().time, self.config.timeout
        patience = step.patience(timeout)
        limits = aiohttp.ClientTimeout(total=None, connect=timeout, sock_connect=timeout, sock_read=patience)
        # From one piece that is sent to the next, and from the last one until the answer's body begins.
        async with asyncio.timeout(2 * timeout) as limit:

            def goes_on(*, last: bool) -> None:
                limit.reschedule(now() + timeout + (patience if last else timeout))

            sent = _pieces(data, goes_on) if isinstance(data, Body) else data
            response = await session.request(
                step.method, url, headers=headers, data=sent, timeout=limits, allow_redirects=False
            )
        async with response:
            return await self._receive(response, step.sink, patience, lock)

    async def _receive(
        self, response: aiohttp.ClientResponse, sink: Sink | None, limit: float, lock: _LargeAnswerLock
    ) -> Outcome:
        now = asyncio.get_running_loop().time
        receiver = Receiver(response.status, response.headers, sink)
        until, left = now() + limit, STEP
        while receiver.wanted:
            try:
                # What is all there needs no timer.
                async with asyncio.timeout_at(None if response.content.is_eof() else until):
                    piece = await response.content.readany()
            except TimeoutError as error:
                raise TooSlowError from error
            if not piece:
                break
            came = now()
            if receiver.grows:
                steps = receiver.steps(piece, STEP)
                while receiver.size < LARGE and await self._in_thread(next, steps, _END) is not _END:
                    pass
                if receiver.size >= LARGE:
                    await lock.acquire()
                    await self._in_thread(deque, steps, 0)
            elif receiver.slow:
                await asyncio.to_thread(receiver.take, piece)
            else:
                receiver.take(piece)
            if receiver.size >= LARGE:
                await lock.acquire()
            until += now() - came
            left -= len(piece)
            if receiver.patient and left <= 0:
                until, left = now() + limit, STEP
        else:
            response.close()
        return receiver.outcome() if receiver.size < LARGE else await self._in_thread(receiver.outcome)

    async def _shared(self) -> aiohttp.ClientSession:
        async with self._opening:
            if self._tls is None:
                self._tls = await asyncio.to_thread(_tls, self.config)
            if self._session is None:
                self._session = self._open(self._limit)
            return self._session

    def _open(self, limit: int, *traces: aiohttp.TraceConfig) -> aiohttp.ClientSession:
        import aiohttp

        from airflow_provider_aihub.http.async_connections import LARGEST_TURN, Connector

        assert self._tls is not None, "made before the first session"  # noqa: S101
        session = aiohttp.ClientSession(
            connector=Connector(limit=limit, ssl=self._tls),
            cookie_jar=aiohttp.DummyCookieJar(),
            trace_configs=list(traces),
            auto_decompress=False,
            read_bufsize=LARGEST_TURN,
        )
        # aiohttp would send a GET or PUT again by itself when a connection breaks, unseen by the rules of retrying.
        session._retry_connection = False
        return session


def _one_connection() -> aiohttp.TraceConfig:
    """Allow a session one connection only, so that no version of aiohttp can send a create call twice."""
    import aiohttp

    used = False

    async def opening(*_: object) -> None:
        nonlocal used
        if used:
            raise aiohttp.ServerDisconnectedError
        used = True

    trace = aiohttp.TraceConfig()
    trace.on_connection_create_start.append(opening)
    return trace


def _tls(config: ClientConfig) -> ssl.SSLContext:
    """Return the TLS settings, with the same authorities as the blocking client.

    To be called in a thread: reading the authorities takes tens of milliseconds, and so does importing aiohttp.
    """
    import aiohttp  # noqa: F401

    if config.verify:
        return ssl.create_default_context(cafile=config.ca_file) if config.ca_file else _usual_tls()
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@cache
def _usual_tls() -> ssl.SSLContext:
    from requests.utils import DEFAULT_CA_BUNDLE_PATH

    return ssl.create_default_context(cafile=DEFAULT_CA_BUNDLE_PATH)


@asynccontextmanager
async def _multipart(form: Form) -> AsyncIterator[Body]:
    opening = multipart(form)
    body = await asyncio.to_thread(opening.__enter__)
    try:
        yield body
    finally:
        await asyncio.to_thread(opening.__exit__, None, None, None)


async def _pieces(body: Body, goes_on: Callable[..., None]) -> AsyncIterator[bytes]:
    """Yield the pieces of a body, which are read in a thread.

    :param goes_on: Is called before each piece (``last=False``) and after the last one (``last=True``).
    """
    pieces = iter(body)
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        goes_on(last=False)
        yield piece
    goes_on(last=True)


def _advance_without_gc(steps: Steps[T], came: Answer) -> Step | Done[T]:
    with gc_paused():
        return advance(steps, came)


class _LargeAnswerLock:
    """Lets only one large answer be in memory, from when a part of it has come until it is decoded.

    :param large: The client's lock, which is acquired at most once for an answer.
    """

    def __init__(self, large: asyncio.Lock) -> None:
        self._large = large
        self._locked = False

    async def acquire(self) -> None:
        if not self._locked:
            await self._large.acquire()
            self._locked = True

    def release(self) -> None:
        if self._locked:
            self._locked = False
            self._large.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


_END: Final = object()


async def _addresses(host: str, limit: float) -> list[str]:
    try:
        async with asyncio.timeout(limit):
            found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [str(one[4][0]) for one in found]


def _failure(error: Exception, chain: Sequence[BaseException], timeout: float, step: Send) -> Failure:
    """Return what went wrong in ``aiohttp``, and so whether the request may have been sent."""
    import aiohttp

    for cause in chain:
        if isinstance(cause, RemoteJobError):
            raise cause from None
    if failure := tls_failure(chain):
        return failure
    if isinstance(error, TooSlowError):
        return Failure(Trouble.LATE, f"it was not all there within {round(step.patience(timeout), 1):g} s")
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return Failure(Trouble.UNREACHED, f"no connection within {timeout:g} s")
    if isinstance(error, aiohttp.ClientConnectorError):
        return Failure(Trouble.UNREACHED, why(chain))
    if isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ServerTimeoutError):
        return Failure(Trouble.LATE, "it took the request, or answered it, too slowly")
    if isinstance(error, TimeoutError):
        return Failure(Trouble.LATE, f"nothing came within {round(step.patience(timeout), 1):g} s")
    return Failure(Trouble.LOST, why(chain))
