"""What an HTTP answer means, and the sentence that says so when it is a bad one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from pydantic import ValidationError
from pydantic_core import from_json

from airflow_provider_aihub.aihub.config import S3_RELAY_TOKEN, TIMEOUT, TOKEN, Config
from airflow_provider_aihub.aihub.errors import (
    AIHubAmbiguousSubmit,
    AIHubAuthError,
    AIHubBadAnswerError,
    AIHubExistsError,
    AIHubNotFoundError,
    AIHubRejectedError,
    AIHubRequestError,
    AIHubUnsupportedError,
)
from airflow_provider_aihub.http.protocol import Answer, Failure, Sink
from airflow_provider_aihub.http.request import Auth, Form, Service
from airflow_provider_aihub.http.retry import Trouble
from airflow_provider_aihub.http.urls import netloc
from airflow_provider_aihub.http.values import as_int

Redact: TypeAlias = Callable[[str], str]
"""Takes the secrets out of a text."""

LONGEST_QUOTE: Final = 300
LONGEST_READ: Final = 32 * 2**10
"""Characters of a text that are looked at to quote it: patterns take their time."""
LONGEST_SECRET: Final = 4 * 2**10
"""Characters at the end of that part which are not quoted: a secret that was cut there would not be known."""
TAG: Final = re.compile(r"<(/?[A-Za-z]*+)[^<>]*+>")
_STRINGS: Final = r"[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"
ESCAPES: Final = re.compile(
    # Colours and movements, titles and links, all else that begins with an escape; also as single characters.
    rf"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f]){_STRINGS}|\x1b[ -/]*[0-~]?"
)
"""What terminals take for an order."""
STATUSES: Final[Mapping[int, Trouble]] = {
    401: Trouble.UNAUTHORIZED,
    408: Trouble.SERVER_ERROR,
    429: Trouble.BUSY,
}
"""What an HTTP status means whatever the envelope says."""
FORBIDDEN: Final = 403
"""Refused unseen, for want of rights; another login would change nothing."""
JWT: Final = re.compile(r"eyJ[\w-]{8,}(?:\.[\w-]*)*")
"""A token that this client does not know, or a part of one."""

UNKNOWN_ERROR: Final = 1
DATABASE_ERROR: Final = 3
REFUSALS: Final[Mapping[int, tuple[type[AIHubRejectedError], str]]] = {
    2: (AIHubNotFoundError, "check the ids and names given"),
    8: (AIHubExistsError, "choose another name, or use what exists"),
}
"""The envelope's codes that say what is wrong with the request, whatever the HTTP status."""
KNOWN_CODES: Final = frozenset({UNKNOWN_ERROR, DATABASE_ERROR, *REFUSALS})
"""The codes that AIHub itself is known to answer with."""

CHECK_ADDRESS: Final = "check the address in the connection"
CHECK_RELAY_TOKEN: Final = f"check '{S3_RELAY_TOKEN}' of the connection"
OTHER_CREDENTIALS: Final = "it may be read with other credentials only"
CHECK_RIGHTS: Final = "ask for the rights to it, which the user of the connection does not have"
CHECK_LOGIN: Final = "check login and password of the connection"
LONGER: Final = f"if it needs longer, raise '{TIMEOUT}' of the connection"
UNSUPPORTED: Final = "this AIHub does not offer it"
LOOK_FIRST: Final = "it may or may not have been done, so look on AIHub before asking again"
ADVICE: Final[Mapping[Trouble, str]] = {
    Trouble.UNREACHED: "check the address, and that the service is running",
    Trouble.UNTRUSTED: "give its authority's certificate as 'ca_file' of the connection, or switch 'verify_tls' off",
    Trouble.NO_TLS: "check whether the address in the connection begins with http:// or https:// as it should",
    Trouble.LOST: "ask again later, and see whether AIHub and the network are well",
    Trouble.LATE: f"see whether AIHub and the network are well, and {LONGER}",
    Trouble.SERVER_ERROR: "ask again later, and see whether AIHub is well",
    Trouble.BUSY: "ask again later, or less often",
    Trouble.REDIRECTED: CHECK_ADDRESS,
    Trouble.GARBLED: f"{CHECK_ADDRESS}, it may not be that of this service",
    Trouble.TOO_LARGE: "ask for less at once",
}
FAILURES: Final[Mapping[Trouble, str]] = {
    Trouble.UNREACHED: "could not be reached",
    Trouble.UNTRUSTED: "could not be trusted",
    Trouble.NO_TLS: "could not be talked to",
    Trouble.LOST: "gave no whole answer",
    Trouble.LATE: "gave no answer in time",
    Trouble.GARBLED: "gave no answer that can be read",
    Trouble.TOO_LARGE: "gave no answer of a usable size",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One HTTP call and what its error messages say of it.

    :param who: Who is asked, as a sentence begins: ``AIHub's model_training``.
    :param service: The service, or ``None`` for an address outside AIHub.
    :param url: Address without the query, which may hold what is nobody's business.
    :param headers: Headers beyond those that every call has.
    """

    who: str
    asks: str
    service: Service | None
    method: str
    url: str
    query: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)
    form: Form | None = None
    auth: Auth = Auth.BEARER
    creates: bool = False
    same_login: bool = False
    sink: Sink | None = None
    decode: Callable[[bytes], Any] | None = field(default=None, repr=False)

    @property
    def is_login(self) -> bool:
        """Whether this asks for a token. A success is then not quoted: the token may be in it."""
        return self.auth is Auth.NONE and self.service is Service.USER_SYSTEM

    def sentence(self, what: str) -> str:
        """Say what was asked, and what came of it."""
        return f"{self.who} was asked to {self.asks} ({self.method} {self.url}) and {what}"

    def error(
        self,
        kind: type[AIHubRequestError],
        what: str,
        advice: str,
        *,
        status: int | None = None,
        code: int | None = None,
        retry_after: float | None = None,
    ) -> AIHubRequestError:
        """Make the error that says it, with what to do about it."""
        return kind(
            f"{self.sentence(what)}; {advice}.",
            service=str(self.service or ""),
            asks=self.asks,
            status=status,
            code=code,
            retry_after=retry_after,
        )


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer, read as far as HTTP and the envelope go.

    :param envelope: The envelope with its ``code`` as a number; ``None`` where the body is none.
    :param said: What came back, in words, where it was no success.
    """

    answer: Answer
    envelope: Mapping[str, Any] | None
    said: str = ""

    @property
    def code(self) -> int | None:
        """The envelope's code."""
        return None if self.envelope is None else self.envelope["code"]


def hear(answer: Answer, call: Call, redact: Redact) -> Heard:
    """Read an answer."""
    success = 200 <= answer.status < 300
    if success and call.sink is not None:
        return Heard(answer, None)
    if 300 <= answer.status < 400:
        host = _host(answer.headers.get("Location", ""))
        return Heard(answer, None, f"answered with a redirect (HTTP {answer.status}) to {host}, which is not followed")
    envelope = _envelope(answer.body, call.decode)
    if success and envelope is not None and envelope["code"] == 0:
        return Heard(answer, envelope)
    status, is_page = "" if success else f"HTTP {answer.status}", False
    if envelope is not None and envelope["code"] != 0:
        status += f"{' with ' if status else ''}code {envelope['code']}"
        words = envelope.get("msg") or ""
    else:
        status = status or f"HTTP {answer.status} with something that is no AIHub answer"
        # A character takes up to four bytes.
        words = "" if call.is_login and success else answer.body[: 4 * LONGEST_READ].decode(errors="replace")
        is_page = words.lstrip("\ufeff \t\r\n").startswith("<")
    quoted = quote(words if isinstance(words, str) else json.dumps(words), redact, is_page=is_page)
    return Heard(answer, envelope, f"answered {status}: {quoted}" if quoted else f"answered {status} and no more")


def trouble(heard: Heard, call: Call) -> Trouble | None:
    """Tell whether an answer leaves the request undone without saying yes or no to it."""
    status, code = heard.answer.status, heard.code
    success = 200 <= status < 300
    if status in STATUSES:
        return STATUSES[status]
    if code in REFUSALS or status == FORBIDDEN:
        return None
    if 500 <= status < 600:
        return Trouble.SERVER_ERROR
    if 300 <= status < 400:
        # What is read from outside AIHub may lie elsewhere, see transfer.fetch.
        return Trouble.REDIRECTED if call.sink is None else None
    if not 200 <= status < 500 or (success and heard.envelope is None and call.sink is None):
        return Trouble.GARBLED
    if call.creates and heard.said and code is not None and (success or code in (0, UNKNOWN_ERROR, DATABASE_ERROR)):
        return Trouble.DOUBTFUL
    return None


def failed(failure: Failure) -> str:
    """Say that no answer came."""
    return f"{FAILURES[failure.trouble]}: {failure.why}"


def advice(trouble: Trouble, call: Call, config: Config) -> str:
    """Say what a person can do about a trouble."""
    if trouble is not Trouble.UNAUTHORIZED:
        return ADVICE[trouble]
    if call.auth is Auth.RELAY:
        return CHECK_RELAY_TOKEN
    if call.service is None:
        return OTHER_CREDENTIALS
    return CHECK_LOGIN if config.can_log_in else f"the connection's token is no longer good, renew '{TOKEN}'"


def refusal(call: Call, heard: Heard, *, optional: bool = False) -> AIHubRequestError:
    """Make the error for an answer that says no."""
    status, code = heard.answer.status, heard.code or None
    if 300 <= status < 400:
        return call.error(AIHubBadAnswerError, heard.said, CHECK_ADDRESS, status=status)
    unknown_path = status == 405 or (status == 404 and heard.envelope is None)
    # A router may well speak JSON, but with a code of its own.
    if optional and (unknown_path or (status == 404 and code not in KNOWN_CODES)):
        return call.error(AIHubUnsupportedError, heard.said, UNSUPPORTED, status=status, code=code)
    if call.is_login and not unknown_path and code != DATABASE_ERROR:
        return call.error(AIHubAuthError, heard.said, CHECK_LOGIN, status=status, code=code)
    if call.service is None and status == 404:
        return call.error(AIHubNotFoundError, heard.said, "it may have been removed", status=status, code=code)
    if status == FORBIDDEN:
        otherwise = CHECK_RELAY_TOKEN if call.auth is Auth.RELAY else CHECK_RIGHTS
        otherwise = OTHER_CREDENTIALS if call.service is None else otherwise
    else:
        otherwise = CHECK_ADDRESS if unknown_path else "check the parameters given"
    kind, what_to_do = REFUSALS.get(code or 0, (AIHubRejectedError, otherwise))
    return call.error(kind, heard.said, what_to_do, status=status, code=code)


def unreadable(call: Call, problem: ValueError, status: int, redact: Redact) -> AIHubRequestError:
    """Make the error for a success whose data lacks what it must have."""
    if isinstance(problem, ValidationError):
        details = problem.errors(include_url=False, include_context=False, include_input=False)
        words = "; ".join(f"{'.'.join(map(str, at['loc'])) or 'data'}: {at['msg']}" for at in details)
    else:
        words = str(problem)
    what = f"answered with data that cannot be used: {quote(words, redact)}"
    kind, what_to_do = AIHubBadAnswerError, "see whether this AIHub is of another version than the document describes"
    if call.creates:
        return call.error(AIHubAmbiguousSubmit, what, LOOK_FIRST, status=status, code=0)
    return call.error(kind, what, what_to_do, status=status, code=0)


def quote(text: str, redact: Redact, *, is_page: bool = False) -> str:
    """Quote a server's words: without secrets and control characters, and not at length; "" for nothing.

    :param is_page: It is HTML or XML, of which only the text is quoted.
    """
    # They come out first, lest they part a secret.
    read = JWT.sub("***", redact(ESCAPES.sub("", text[:LONGEST_READ])))
    if len(text) > LONGEST_READ:
        read = read[:-LONGEST_SECRET]
    text = _text_of(read) if is_page else read
    text = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    if len(text) > LONGEST_QUOTE:
        text = text[:LONGEST_QUOTE] + "..."
    return f'"{text}"' if text else ""


def _text_of(page: str) -> str:
    """Return the text of a page, without its styles and scripts."""
    pieces, begin, hidden = [], 0, ""
    for tag in TAG.finditer(page):
        name = tag[1].lower()
        if not hidden:
            pieces.append(page[begin : tag.start()])
        if not hidden and name in ("style", "script"):
            hidden = f"/{name}"
        elif name == hidden:
            hidden = ""
        begin = tag.end()
    if not hidden:
        pieces.append(page[begin:])
    return " ".join(pieces)


def _envelope(body: bytes, decode: Callable[[bytes], Any] | None) -> dict[str, Any] | None:
    try:
        envelope = _data(body, decode)
    except (ValueError, RecursionError):
        return None
    code = as_int(envelope.get("code")) if isinstance(envelope, dict) else None
    return None if code is None else {**envelope, "code": code}


def _data(body: bytes, decode: Callable[[bytes], Any] | None) -> Any:
    """Decode JSON: as pydantic does, in half the time, unless it is of a form that only Python's own decoder takes.

    :param decode: Decodes as much as is wanted.
    :raises ValueError: It is no JSON.
    """
    for quick in (decode, partial(from_json, cache_strings="keys")):
        with suppress(ValueError):
            if quick:
                return quick(body)
    return json.loads(body)


def _host(location: str) -> str:
    """Name the machine that a ``Location`` is on."""
    try:
        return netloc(urlsplit(as_text(location))) or "a path of the same host"
    except ValueError:
        return "an address that cannot be read"


def as_text(header: str) -> str:
    """Read a header in UTF-8, which ``requests`` takes for Latin-1 and ``aiohttp`` does not."""
    try:
        return header.encode("latin-1").decode()
    except UnicodeError:
        return header
