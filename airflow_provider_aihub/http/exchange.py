"""How a request is carried out, without doing any I/O.

The generators here yield the steps of :mod:`~.protocol` and are sent the results. A blocking or an asynchronous
transport runs them.
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
from airflow_provider_aihub.http import answers
from airflow_provider_aihub.http.answers import Call, ParsedAnswer
from airflow_provider_aihub.http.errors import (
    AmbiguousSubmit,
    AuthError,
    BadAnswerError,
    NotFoundError,
    ParameterError,
    RejectedError,
    RemoteJobError,
    UnsupportedError,
)
from airflow_provider_aihub.http.protocol import Authenticate, Failure, Outcome, Prepare, Send, Sleep, State, Steps
from airflow_provider_aihub.http.request import NO_AUTH, FieldsWithout, Request
from airflow_provider_aihub.http.retry import Again, LogIn, RetryPolicy, Trouble, decide, retry_after
from airflow_provider_aihub.http.token import Token, is_header_value

T = TypeVar("T")
log = logging.getLogger("airflow_provider_aihub.http")

CLOCK_TOLERANCE: Final = 60.0
"""Seconds by which our clock may differ from the platform's without a signature being refused for it."""
HEADERS: Final = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip",
    "User-Agent": f"airflow-provider-aihub/{__version__}",
}


def exchange(request: Request[T], state: State, policy: RetryPolicy | None = None) -> Steps[T]:
    """Carry out a request, and the requests that its ``then`` returns; or its ``fallback`` if the endpoint is missing.

    The requests of ``then`` are sent with the same token as the first one. If that token is refused, everything is
    asked again from the beginning, once.

    :param policy: How long to keep trying. Default: the client's policy.
    :raises RequestError: One of its subclasses.
    :raises ConfigError: The connection lacks an address or a credential.
    """
    policy, may_begin_anew = policy or state.policy, not (request.same_login or request.creates)
    came = yield from _exchange(request, state, policy)
    while isinstance(came, Request):
        try:
            came = yield from _exchange(replace(came, same_login=True), state, policy)
        except AuthError:
            if not may_begin_anew:
                raise
            # After another login, another platform may answer, so its answer must not be mixed with the first one.
            may_begin_anew = False
            came = yield from _exchange(request, state, policy)
    return came


def _exchange(request: Request[T], state: State, policy: RetryPolicy) -> Steps[T | Request[T]]:
    if request.fields_without is not None:
        request = yield from _with_fields(request, request.fields_without, state, policy)
    if not request.optional:
        return (yield from _ask(request, state, policy))
    key, refusal = endpoint(request), None
    if key not in state.missing:
        try:
            return (yield from _ask(request, state, policy))
        except RejectedError as error:
            if error.status not in (404, 405):
                raise
            refusal = error
    if request.fallback is None:
        if refusal is None:
            advice = f"this {state.dialect.name} does not offer it"
            raise _call(request, state).error(UnsupportedError, "was found not to know it", advice)
        if isinstance(refusal, UnsupportedError):
            _learn(state, key, "it is not asked for again")
        raise refusal
    try:
        result = yield from exchange(request.fallback, state, policy)
    except RejectedError:
        if isinstance(refusal, NotFoundError):
            raise refusal from None
        raise
    _learn(state, key, f"{endpoint(request.fallback)} is used instead")
    return result


def _with_fields(request: Request[T], without: FieldsWithout, state: State, policy: RetryPolicy) -> Steps[Request[T]]:
    """Add the fields of ``without`` to the body if the platform lacks the endpoint that ``without`` names.

    A harmless request finds that out first, because a call that creates something is never sent just to try.
    """
    key = endpoint(without.endpoint)
    if key not in state.found | state.missing:
        try:
            yield from exchange(without.endpoint, state, policy)
        except RejectedError as error:
            # Any other refusal comes from an endpoint that exists.
            (state.missing if error.status in (404, 405) else state.found).add(key)
        else:
            state.found.add(key)
    fields = without.fields if key in state.missing else {}
    return replace(request, json={**(request.json or {}), **fields}, fields_without=None)


def valid_token(state: State, policy: RetryPolicy) -> Steps[Token]:
    """Return a token that is not due for renewal; log in if there is none."""
    while (token := state.token) is None or token.due(state.clock()):
        yield Authenticate(state.logins, policy)
    return token


def authenticate(state: State, step: Authenticate) -> Steps[None]:
    """Log in. The transport runs this one at a time; those that waited meanwhile share its token, or its error.

    :raises AuthError: The login is refused.
    :raises ConfigError: The connection has nothing to log in with.
    """
    if state.logins != step.logins:
        if state.login_error is not None:
            raise copy(state.login_error)
        return
    request = state.dialect.login()
    try:
        login = yield from exchange(request, state, step.policy)
        if not is_header_value(login.token):
            what, advice = "answered with a token that no header can hold", f"see whether {state.dialect.name} is well"
            raise _call(request, state).error(BadAnswerError, what, advice)
    except RemoteJobError as error:
        state.login_error = error
        state.logins += 1
        raise
    state.issued.append(login.token)
    state.token = Token.of(login, state.clock())
    state.login_error = None
    state.logins += 1


def prepare(state: State, step: Prepare) -> Steps[None]:
    """Carry out :meth:`Dialect.before` of a request. Those that waited meanwhile share the result, as for
    :func:`authenticate`.

    :raises RequestError: One of its subclasses.
    """
    first = state.dialect.before(step.request)
    if first is None:
        return
    if state.prepared != step.prepared and state.prepare_error is not None:
        raise copy(state.prepare_error)
    state.prepare_error = None
    try:
        yield from exchange(first, state, step.policy)
    except RemoteJobError as error:
        state.prepare_error = error
        raise
    finally:
        state.prepared += 1


def send_with_retries(call: Call, state: State, policy: RetryPolicy) -> Steps[ParsedAnswer]:
    """Send a call until it is answered: log in if needed, and repeat it as :func:`~.retry.decide` says.

    :raises RequestError: All attempts failed. A refusal by the platform is returned and not raised.
    """
    dialect, attempt, renewed = call.dialect, 1, False
    needs_token = dialect.needs_token(call.auth)
    while True:
        token = None
        if needs_token:
            token = (state.token if call.same_login else None) or (yield from valid_token(state, policy))
        logins = state.logins
        headers = {**HEADERS, **call.headers}
        if call.body is not None:
            headers["Content-Type"] = "application/json"
        send = Send(
            method=call.method,
            url=call.url + call.query,
            headers=headers,
            body=call.body,
            form=call.form,
            sink=call.sink,
            alone=call.creates,
        )
        now = state.server_time or state.clock()
        if call.auth != NO_AUTH:
            headers |= dialect.authorise(send, call.auth, token, now)
        outcome: Outcome = yield send
        status, code, wait = None, None, None
        if isinstance(outcome, Failure):
            trouble, what = outcome.trouble, answers.failure_text(outcome)
        else:
            if call.service is not None:
                state.note_server_time(outcome.headers.get("Date"))
            parsed = answers.parse_answer(outcome, call, state.redact)
            found = dialect.trouble(parsed, call)
            if found is None:
                return parsed
            trouble, what, status, code = found, parsed.said, outcome.status, parsed.code
            wait = retry_after(outcome.headers.get("Retry-After"), state.clock())
            del parsed
        # Many calls may wait for their next attempt, and an answer may be large.
        del outcome
        if trouble is Trouble.UNAUTHORIZED and not (needs_token or renewed) and _clock_was_off(now, state):
            renewed = True
            continue
        verdict = decide(
            trouble,
            policy=policy,
            attempt=attempt,
            creates=call.creates,
            can_log_in=needs_token and dialect.can_log_in and not (renewed or call.same_login),
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
            ambiguous = verdict.error is AmbiguousSubmit
            if attempt > 1 and not ambiguous:
                what += f" (attempt {attempt})"
            if ambiguous:
                advice = answers.ambiguous_advice(call) + (f"; {answers.LONGER}" if trouble is Trouble.LATE else "")
            else:
                advice = answers.advice(trouble, call)
            raise call.error(verdict.error, what, advice, status=status, code=code, retry_after=wait)


def _clock_was_off(now: float, state: State) -> bool:
    """Whether the answer shows that the time in the signature was too far from the platform's own time."""
    return state.server_time is not None and abs(state.server_time - now) > CLOCK_TOLERANCE


def endpoint(request: Request[Any]) -> str:
    """Return the name of an endpoint: method, path and service, with ``{}`` for parts of the path that have a digit.

    Such parts are ids, except for the API's version, e.g. ``v1``.
    """
    path = re.sub(r"/(?!v\d+(?:/|$))[^/]*\d[^/]*", "/{}", request.path)
    return f"{request.method} {path} of {request.service}"


def _ask(request: Request[T], state: State, policy: RetryPolicy) -> Steps[T | Request[T]]:
    if state.dialect.before(request) is not None:
        yield Prepare(request, state.prepared, policy)
    request = state.dialect.completed(request)
    call = _call(request, state)
    parsed = yield from send_with_retries(call, state, policy)
    if parsed.code in request.already:
        return request.read(None)
    if parsed.said or parsed.reading is None:
        raise answers.refusal(call, parsed, optional=request.optional)
    payload = parsed.reading.payload
    try:
        state.dialect.check(request, payload)
        following = request.then and request.then(payload)
        return following or request.read(payload)
    except ValueError as error:
        problem = error
    raise answers.unreadable(call, problem, parsed, state.redact)


def _call(request: Request[Any], state: State) -> Call:
    if "/." in request.path and not {".", ".."}.isdisjoint(request.path.split("/")):
        name = state.dialect.name
        raise ParameterError(f"{name} cannot be asked to {request.asks}: '.' and '..' cannot be ids or names.")
    query = request.query and {name: str(value) for name, value in request.query.items() if value is not None}
    return Call(
        dialect=state.dialect,
        who=state.dialect.who(request.service),
        asks=request.asks,
        service=request.service,
        method=request.method,
        url=state.dialect.address(request),
        headers=request.headers,
        query=f"?{urlencode(query)}" if query else "",
        body=None if request.json is None else json.dumps(request.json).encode(),
        form=request.form,
        auth=request.auth,
        is_login=request.is_login,
        creates=request.creates,
        same_login=request.same_login,
        decode=request.decode,
    )


def _learn(state: State, key: str, consequence: str) -> None:
    if key not in state.missing:
        state.missing.add(key)
        log.info("This %s does not have %s; %s.", state.dialect.name, key, consequence)
