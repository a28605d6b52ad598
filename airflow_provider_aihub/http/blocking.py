"""The blocking client, on ``requests``."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO, Self, TypeVar

from airflow_provider_aihub.http.dialect import ClientConfig
from airflow_provider_aihub.http.errors import RemoteJobError, make_own
from airflow_provider_aihub.http.exchange import authenticate, exchange, prepare, valid_token
from airflow_provider_aihub.http.protocol import (
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
    Steps,
    TooSlowError,
    advance,
    causes,
    tls_failure,
    why,
)
from airflow_provider_aihub.http.receiving import CHUNK, Receiver
from airflow_provider_aihub.http.request import USUAL_AUTH, Request
from airflow_provider_aihub.http.retry import RetryPolicy, Trouble
from airflow_provider_aihub.http.transfer import download, multipart

if TYPE_CHECKING:
    import requests

T = TypeVar("T")


class Client:
    """A platform, one call at a time. It may be used from several threads.

    Proxies, ``.netrc`` and CA bundles that the environment names are not used: nothing but the configuration decides
    where a token goes and whom it is shown to.

    :param config: Where the platform is and how to get in.
    :param policy: How long to keep trying.
    :param sleep: Waits for a number of seconds; also for those who ask again.
    :param clock: Gives Unix time in seconds; also to them.
    """

    def __init__(
        self,
        config: ClientConfig,
        *,
        policy: RetryPolicy | None = None,
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.config = config
        self._state = State(config, policy or RetryPolicy(), clock)
        self.sleep, self.clock = sleep, clock
        self._login = threading.Lock()
        self._preparing = threading.Lock()
        self._opening = threading.Lock()
        self._session: requests.Session | None = None

    @property
    def user_id(self) -> int | str | None:
        """Id of the user, once a login or the token itself has told it; see :meth:`authenticate`."""
        return self._state.user_id

    @property
    def server_time(self) -> float | None:
        """What time it is by the platform's own clock, in Unix seconds; ``None`` where it has not told it."""
        return self._state.server_time

    @property
    def logins(self) -> int:
        """How many logins there have been."""
        return self._state.logins

    def with_timeout(self, timeout: float, policy: RetryPolicy) -> Self:
        """Return another client of the same connection that waits at most ``timeout`` seconds for an answer.

        It has the token of this client but locks of its own, so it works while a call of this client is interrupted.

        :param policy: How long the new client keeps trying.
        """
        config = replace(self.config, timeout=min(self.config.timeout, timeout))
        client = type(self)(config, policy=policy, sleep=self.sleep, clock=self.clock)
        client._state.token = self._state.token
        client._state.logins = self._state.logins
        client._state.missing |= self._state.missing
        client._state.found |= self._state.found
        return client

    def authenticate(self) -> int | str | None:
        """Log in unless there is a token already, and return the user's id where it is known.

        :raises AuthError: where the login is refused.
        """
        if self._state.dialect.needs_token(USUAL_AUTH):
            self._run(valid_token(self._state, self._state.policy))
        return self.user_id

    def send(self, request: Request[T], *, policy: RetryPolicy | None = None) -> T:
        """Carry out a request.

        :param policy: How long to keep trying this one; the client's policy by default.
        :raises RequestError: of the kind that says what went wrong.
        :raises ConfigError: where the configuration lacks an address or a credential for it.
        """
        return self._run(exchange(request, self._state, policy))

    def download(self, url: str, target: BinaryIO) -> int:
        """Stream a file, such as a job's result or log, and return its size in bytes.

        The token goes along only to an address of the platform's own. See :func:`~.transfer.download`.
        """
        return self._run(download(url, target, self._state))

    def perform(self, errand: Errand[T]) -> T:
        """Carry out an :class:`~.protocol.Errand`, and return its result.

        :raises RequestError: One of its subclasses.
        """
        return self._run(errand.steps(self._state))

    def close(self) -> None:
        """Close the connections. The client opens new ones when it is used again."""
        with self._opening:
            session, self._session = self._session, None
        if session is not None:
            session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, steps: Steps[T]) -> T:
        try:
            return self._carry(steps)
        except RemoteJobError as error:
            make_own(error, self.config.dialect.kinds)
            raise

    def _carry(self, steps: Steps[T]) -> T:
        came: Outcome | list[str] | None = None
        while not isinstance(step := advance(steps, came), Done):
            came = None
            if isinstance(step, Send):
                came = self._send(step)
            elif isinstance(step, Sleep):
                self.sleep(step.seconds)
            elif isinstance(step, Resolve):
                came = _addresses(step.host)
            elif isinstance(step, Prepare):
                with self._preparing:
                    self._carry(prepare(self._state, step))
            else:
                with self._login:
                    self._carry(authenticate(self._state, step))
        return step.result

    def _send(self, step: Send) -> Outcome:
        from airflow_provider_aihub.http.connections import prepared

        handled = sys.exception()
        headers, timeout = dict(step.headers), self.config.timeout
        patience = step.patience(timeout)
        with ExitStack() as stack:
            session = stack.enter_context(self._open()) if step.alone else self._shared()
            data: Any = step.body
            if step.form is not None:
                body = stack.enter_context(multipart(step.form))
                headers["Content-Type"] = body.content_type
                data = body
            try:
                request = prepared(step.method, step.url, headers, data)
                response = stack.enter_context(
                    session.send(request, timeout=(timeout, patience), allow_redirects=False, stream=True)
                )
                return _receive(response, step.sink)
            except RemoteJobError:
                raise
            except Exception as error:
                return _failure(causes(error, handled), timeout, patience)

    def _shared(self) -> requests.Session:
        with self._opening:
            if self._session is None:
                self._session = self._open()
            return self._session

    def _open(self) -> requests.Session:
        from airflow_provider_aihub.http.connections import Session

        session = Session()
        session.verify = (self.config.ca_file or True) if self.config.verify else False
        return session


def _receive(response: requests.Response, sink: Sink | None) -> Outcome:
    from airflow_provider_aihub.http.connections import start_body_timer

    receiver = Receiver(response.status_code, response.headers, sink)
    start_body_timer(response, patient=receiver.patient)
    if receiver.wanted:
        for piece in response.raw.stream(CHUNK, decode_content=False):
            if not receiver.take(piece):
                break
    return receiver.outcome()


def _addresses(host: str) -> list[str]:
    try:
        return [str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError):
        return []


def _failure(chain: Sequence[BaseException], timeout: float, patience: float) -> Failure:
    """Return what went wrong in ``requests``, and so whether the request may have been sent."""
    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ReadTimeoutError

    if failure := tls_failure(chain):
        return failure
    for cause in chain:
        if isinstance(cause, NewConnectionError):
            return Failure(Trouble.UNREACHED, why(chain))
        if isinstance(cause, ConnectTimeoutError):
            return Failure(Trouble.UNREACHED, f"no connection within {timeout:g} s")
    if any(isinstance(cause, TooSlowError) for cause in chain):
        return Failure(Trouble.LATE, f"it was not all there within {round(patience, 1):g} s")
    if any(isinstance(cause, ReadTimeoutError) for cause in chain):
        return Failure(Trouble.LATE, f"nothing came within {round(patience, 1):g} s")
    return Failure(Trouble.LOST, why(chain))
