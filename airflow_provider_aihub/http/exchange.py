"""How a request is carried out, without doing any I/O.

The generators here yield what is to be done and are sent what came of it. A transport drives them, blocking or not;
it knows nothing of AIHub.
"""

from __future__ import annotations

import json
import logging
import re
from copy import copy
from dataclasses import replace
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from airflow_provider_aihub import __version__
from airflow_provider_aihub.aihub import user_system
from airflow_provider_aihub.aihub.config import S3_RELAY_TOKEN, TOKEN, Config, is_header_value
from airflow_provider_aihub.aihub.errors import (
    AIHubAmbiguousSubmit,
    AIHubBadAnswerError,
    AIHubConfigError,
    AIHubError,
    AIHubNotFoundError,
    AIHubParameterError,
    AIHubRejectedError,
    AIHubUnsupportedError,
)
from airflow_provider_aihub.aihub.token import Token
from airflow_provider_aihub.http import answers
from airflow_provider_aihub.http.answers import Call, Heard
from airflow_provider_aihub.http.protocol import Authenticate, Failure, Outcome, Send, Sleep, State, Steps
from airflow_provider_aihub.http.request import Auth, OnlyDocument, Request
from airflow_provider_aihub.http.retry import Again, LogIn, RetryPolicy, Trouble, decide, retry_after

T = TypeVar("T")
log = logging.getLogger("airflow_provider_aihub.http")

HEADERS: Final = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip",
    "User-Agent": f"airflow-provider-aihub/{__version__}",
}


def exchange(request: Request[T], state: State, policy: RetryPolicy | None = None) -> Steps[T]:
    """Carry out a request; its fallback, where this AIHub does not have its endpoint.

    :param policy: How long to keep trying; the client's own policy by default.
    :raises AIHubRequestError: of the kind that says what went wrong.
    :raises AIHubConfigError: where the connection lacks an address or a credential for it.
    """
    policy = policy or state.policy
    if request.only_document is not None:
        request = yield from _in_its_dialect(request, request.only_document, state, policy)
    if not request.optional:
        return (yield from _ask(request, state, policy))
    key, refusal = endpoint(request), None
    if key not in state.missing:
        try:
            return (yield from _ask(request, state, policy))
        except AIHubRejectedError as error:
            if error.status not in (404, 405):
                raise
            refusal = error
    if request.fallback is None:
        if refusal is None:
            raise _call(request, state).error(AIHubUnsupportedError, "was found not to know it", answers.UNSUPPORTED)
        if isinstance(refusal, AIHubUnsupportedError):
            _learn(state, key, "it is not asked for again")
        raise refusal
    try:
        result = yield from exchange(request.fallback, state, policy)
    except AIHubRejectedError:
        if isinstance(refusal, AIHubNotFoundError):
            raise refusal from None
        raise
    _learn(state, key, f"{endpoint(request.fallback)} is used instead")
    return result


def _in_its_dialect(
    request: Request[T], only_document: OnlyDocument, state: State, policy: RetryPolicy
) -> Steps[Request[T]]:
    """Put into a body what only the document's API wants there, where this AIHub has no more than that.

    What it has is asked before, by a request that does no harm: a call that creates something is never sent on trial.
    """
    newer = endpoint(only_document.newer)
    if newer not in state.found | state.missing:
        try:
            yield from exchange(only_document.newer, state, policy)
        except AIHubRejectedError as error:
            # Whatever else it refuses, it has.
            (state.missing if error.status in (404, 405) else state.found).add(newer)
        else:
            state.found.add(newer)
    fields = only_document.fields if newer in state.missing else {}
    return replace(request, json={**(request.json or {}), **fields}, only_document=None)


def valid_token(state: State, policy: RetryPolicy) -> Steps[Token]:
    """Have a token that is not due for renewal."""
    while (token := state.token) is None or token.due(state.clock()):
        yield Authenticate(state.logins, policy)
    return token


def authenticate(state: State, step: Authenticate) -> Steps[None]:
    """Get a new token. To be run by one at a time; whoever waited meanwhile shares what came of it.

    :raises AIHubAuthError: where the login is refused.
    :raises AIHubConfigError: where there is nothing to log in with.
    """
    if state.logins != step.logins:
        if state.login_error is not None:
            raise copy(state.login_error)
        return
    config = state.config
    if not config.can_log_in:
        raise AIHubConfigError(
            f"The connection has {_lacking(config)}; fill in login and password, or '{TOKEN}' in its extra fields."
        )
    request = user_system.login(config.username, config.password)
    try:
        login = yield from exchange(request, state, step.policy)
        if not is_header_value(login.token):
            what, advice = "answered with a token that no header can hold", "see whether AIHub is well"
            raise _call(request, state).error(AIHubBadAnswerError, what, advice)
    except AIHubError as error:
        state.login_error = error
        state.logins += 1
        raise
    state.issued.append(login.token)
    state.token = Token.issued(login.token, login.id or None, state.clock())
    state.login_error = None
    state.logins += 1


def _lacking(config: Config) -> str:
    if config.username:
        return "a login and no password"
    return "a password and no login" if config.password else "no credentials"


def carry(call: Call, state: State, policy: RetryPolicy) -> Steps[Heard]:
    """Send a call, log in for it, and send it again as the rules of :mod:`~.retry` say, until it is answered."""
    config, attempt, renewed = state.config, 1, False
    while True:
        headers = {**HEADERS, **call.headers}
        if call.body is not None:
            headers["Content-Type"] = "application/json"
        yield from _authorize(call, state, policy, headers)
        logins = state.logins
        outcome: Outcome = yield Send(
            method=call.method,
            url=call.url + call.query,
            headers=headers,
            body=call.body,
            form=call.form,
            sink=call.sink,
            alone=call.creates,
        )
        status, code, wait = None, None, None
        if isinstance(outcome, Failure):
            trouble, what = outcome.trouble, answers.failed(outcome)
        else:
            if call.service is not None:
                state.hear_time(outcome.headers.get("Date"))
            heard = answers.hear(outcome, call, state.redact)
            found = answers.trouble(heard, call)
            if found is None:
                return heard
            trouble, what, status, code = found, heard.said, outcome.status, heard.code
            wait = retry_after(outcome.headers.get("Retry-After"), state.clock())
            del heard
        # Many may wait to send again, and an answer may be large.
        del outcome
        verdict = decide(
            trouble,
            policy=policy,
            attempt=attempt,
            creates=call.creates,
            can_log_in=call.auth is Auth.BEARER and config.can_log_in and not (renewed or call.same_login),
            retry_after=wait,
            random=state.random,
        )
        if isinstance(verdict, LogIn):
            yield Authenticate(logins, policy)
            renewed = True
        elif isinstance(verdict, Again):
            log.warning("%s; trying again in %.1f s.", call.sentence(what), verdict.seconds)
            yield Sleep(verdict.seconds)
            attempt += 1
        else:
            ambiguous = verdict.error is AIHubAmbiguousSubmit
            if attempt > 1 and not ambiguous:
                what += f" (attempt {attempt})"
            if ambiguous:
                advice = answers.LOOK_FIRST + (f"; {answers.LONGER}" if trouble is Trouble.LATE else "")
            else:
                advice = answers.advice(trouble, call, config)
            raise call.error(verdict.error, what, advice, status=status, code=code, retry_after=wait)


def endpoint(request: Request[Any]) -> str:
    """Name an endpoint whatever ids are in its path: parts with a digit are ids, but for the API's version."""
    path = re.sub(r"/(?!v\d+(?:/|$))[^/]*\d[^/]*", "/{}", request.path)
    return f"{request.method} {path} of {request.service}"


def _ask(request: Request[T], state: State, policy: RetryPolicy) -> Steps[T]:
    call = _call(request, state)
    heard = yield from carry(call, state, policy)
    if heard.said or heard.envelope is None:
        raise answers.refusal(call, heard, optional=request.optional)
    data = heard.envelope.get("data")
    try:
        request.check(data)
        return request.read(data)
    except ValueError as error:
        problem = error
    raise answers.unreadable(call, problem, heard.answer.status, state.redact)


def _call(request: Request[Any], state: State) -> Call:
    if "/." in request.path and not {".", ".."}.isdisjoint(request.path.split("/")):
        raise AIHubParameterError(f"AIHub cannot be asked to {request.asks}: '.' and '..' are no ids or names.")
    query = request.query and {name: str(value) for name, value in request.query.items() if value is not None}
    return Call(
        who=f"AIHub's {request.service}",
        asks=request.asks,
        service=request.service,
        method=request.method,
        url=state.config.address(request.service) + request.path,
        query=f"?{urlencode(query)}" if query else "",
        body=None if request.json is None else json.dumps(request.json).encode(),
        form=request.form,
        auth=request.auth,
        creates=request.creates,
        same_login=request.same_login,
        decode=request.decode,
    )


def _authorize(call: Call, state: State, policy: RetryPolicy, headers: dict[str, str]) -> Steps[None]:
    """Put the call's credential into ``headers``."""
    if call.auth is Auth.RELAY:
        if not state.config.relay_token:
            raise AIHubConfigError(f"The connection has no token for the S3 relay; fill in '{S3_RELAY_TOKEN}'.")
        headers["Token"] = state.config.relay_token
    elif call.auth is Auth.BEARER:
        token = (state.token if call.same_login else None) or (yield from valid_token(state, policy))
        headers["Authorization"] = f"Bearer {token.value}"


def _learn(state: State, key: str, consequence: str) -> None:
    if key not in state.missing:
        state.missing.add(key)
        log.info("This AIHub does not have %s; %s.", key, consequence)
