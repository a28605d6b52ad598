"""Parses HTTP answers, and writes the messages of the errors about them."""

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

from airflow_provider_aihub.http.dialect import Dialect, Reading
from airflow_provider_aihub.http.errors import (
    AmbiguousSubmit,
    AuthError,
    BadAnswerError,
    NotFoundError,
    RejectedError,
    RequestError,
    UnsupportedError,
)
from airflow_provider_aihub.http.protocol import Answer, Failure, Sink
from airflow_provider_aihub.http.request import USUAL_AUTH, Form
from airflow_provider_aihub.http.retry import Trouble
from airflow_provider_aihub.http.urls import netloc

Redact: TypeAlias = Callable[[str], str]
"""Takes the secrets out of a text."""

LONGEST_QUOTE: Final = 300
LONGEST_READ: Final = 32 * 2**10
"""Characters of a text that are looked at to quote it: patterns take their time."""
LONGEST_SECRET: Final = 4 * 2**10
"""Characters at the end of that part which are not quoted: half a secret could not be recognised there."""
TAG: Final = re.compile(r"<(/?[A-Za-z]*+)[^<>]*+>")
_STRINGS: Final = r"[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"
ESCAPES: Final = re.compile(
    # Colours and movements, titles and links, all else that begins with an escape; also as single characters.
    rf"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f]){_STRINGS}|\x1b[ -/]*[0-~]?"
)
"""Control sequences of terminals."""
STATUSES: Final[Mapping[int, Trouble]] = {
    401: Trouble.UNAUTHORIZED,
    408: Trouble.SERVER_ERROR,
    429: Trouble.BUSY,
}
"""What an HTTP status means whatever the body says."""
FORBIDDEN: Final = 403
"""HTTP status of a request for which the user lacks the rights; a new login would not help."""
JWT: Final = re.compile(r"eyJ[\w-]{8,}(?:\.[\w-]*)*")
"""A JSON Web Token, or a part of one, also if this client does not know it."""

CHECK_ADDRESS: Final = "check the address in the connection"
CHECK_PARAMETERS: Final = "check the parameters given"
OTHER_CREDENTIALS: Final = "it may be read with other credentials only"
CHECK_RIGHTS: Final = "ask for the rights to it, which the user of the connection does not have"
LONGER: Final = "if it needs longer, raise 'timeout' of the connection"
ADVICE: Final[Mapping[Trouble, str]] = {
    Trouble.UNREACHED: "check the address, and that the service is running",
    Trouble.UNTRUSTED: "give its authority's certificate as 'ca_file' of the connection, or switch 'verify_tls' off",
    Trouble.NO_TLS: "check whether the address in the connection begins with http:// or https:// as it should",
    Trouble.LOST: "ask again later, and see whether {name} and the network are well",
    Trouble.LATE: f"see whether {{name}} and the network are well, and {LONGER}",
    Trouble.SERVER_ERROR: "ask again later, and see whether {name} is well",
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
    """One HTTP call, and the words for its error messages.

    :param who: Subject of the message, such as ``the platform's training service``.
    :param asks: What is asked, after "was asked to": ``read training 12``.
    :param service: Name of the service; ``None`` for the download of a file.
    :param url: Address without the query: messages show the address, and the query may hold a secret.
    :param headers: Headers beyond those that every call has.
    :param sink: Takes the body of a successful answer; ``None`` to keep it in memory.
    :param decode: Decodes the body; ``None`` for JSON.

    The other parameters are those of :class:`~.request.Request`.
    """

    dialect: Dialect = field(repr=False)
    who: str
    asks: str
    service: str | None
    method: str
    url: str
    query: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)
    form: Form | None = None
    auth: str = USUAL_AUTH
    is_login: bool = False
    creates: bool = False
    same_login: bool = False
    sink: Sink | None = None
    decode: Callable[[bytes], Any] | None = field(default=None, repr=False)

    def sentence(self, what: str) -> str:
        """Return the sentence that says what was asked, and what happened.

        :param what: What happened, as a verb: ``could not be reached``.
        """
        return f"{self.who} was asked to {self.asks} ({self.method} {self.url}) and {what}"

    def error(
        self,
        kind: type[RequestError],
        what: str,
        advice: str,
        *,
        status: int | None = None,
        code: int | str | None = None,
        retry_after: float | None = None,
    ) -> RequestError:
        """Return an error of the given class whose message says what was asked, what happened and what to do.

        :param what: What happened, as a verb: ``could not be reached``.
        :param advice: What the user can do, as an imperative: ``check the address``.
        """
        return kind(
            f"{self.sentence(what)}; {advice}.",
            service=self.service or "",
            asks=self.asks,
            status=status,
            code=code,
            retry_after=retry_after,
        )


@dataclass(frozen=True, slots=True)
class ParsedAnswer:
    """An HTTP answer and what the platform's dialect has read from it.

    :param reading: Content of the answer; ``None`` if it does not have the platform's form, or is a file.
    :param said: What the answer says, for an error message: ``answered HTTP 404: ...``; "" for a success.
    """

    answer: Answer
    reading: Reading | None
    said: str = ""

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.answer.status

    @property
    def code(self) -> int | str | None:
        """The platform's own code."""
        return self.reading.code if self.reading else None

    @property
    def unknown_path(self) -> bool:
        """Whether the server does not know the path: HTTP 405, or a 404 that is not in the platform's form."""
        return self.status == 405 or (self.status == 404 and self.reading is None)


def parse_answer(answer: Answer, call: Call, redact: Redact) -> ParsedAnswer:
    """Parse an answer, whether it is a success or not.

    :param redact: Takes the secrets out of what :attr:`ParsedAnswer.said` quotes.
    """
    success = 200 <= answer.status < 300
    if success and call.sink is not None:
        return ParsedAnswer(answer, None)
    if 300 <= answer.status < 400:
        host = _host(answer.headers.get("Location", ""))
        return ParsedAnswer(
            answer, None, f"answered with a redirect (HTTP {answer.status}) to {host}, which is not followed"
        )
    reading = call.dialect.read(answer, call)
    if success and reading is not None and not reading.refused:
        return ParsedAnswer(answer, reading)
    status, is_page = "" if success else f"HTTP {answer.status}", False
    if reading is not None and reading.refused:
        status += f"{' with ' if status else ''}code {reading.code}"
        words = reading.words
    else:
        status = status or f"HTTP {answer.status} with something that is no {call.dialect.name} answer"
        # A character takes up to four bytes.
        words = "" if call.is_login and success else answer.body[: 4 * LONGEST_READ].decode(errors="replace")
        is_page = words.lstrip("\ufeff \t\r\n").startswith("<")
    quoted = quote(words, redact, is_page=is_page)
    return ParsedAnswer(answer, reading, f"answered {status}: {quoted}" if quoted else f"answered {status} and no more")


def trouble_by_status(parsed: ParsedAnswer, call: Call) -> Trouble | None:
    """Return what has gone wrong, by the HTTP status; ``None`` if the platform has granted or refused the request."""
    status = parsed.status
    success = 200 <= status < 300
    if status in STATUSES:
        return STATUSES[status]
    if 500 <= status < 600:
        return Trouble.SERVER_ERROR
    if 300 <= status < 400:
        # A file may lie elsewhere, see transfer.fetch.
        return Trouble.REDIRECTED if call.sink is None else None
    if not 200 <= status < 500 or (success and parsed.reading is None and call.sink is None):
        return Trouble.GARBLED
    return None


def failure_text(failure: Failure) -> str:
    """Return why no answer came, as the verb of a message: ``could not be reached: connection refused``."""
    return f"{FAILURES[failure.trouble]}: {failure.why}"


def advice(trouble: Trouble, call: Call) -> str:
    """Return what the user can do about a trouble, as an imperative."""
    if trouble is not Trouble.UNAUTHORIZED:
        return ADVICE[trouble].format(name=call.dialect.name)
    return OTHER_CREDENTIALS if call.service is None else call.dialect.refused_credential(call.auth)


def refusal(call: Call, parsed: ParsedAnswer, *, optional: bool = False) -> RequestError:
    """Return the error for an answer that refuses the request.

    :param optional: Whether the platform may lack the endpoint; then a 404 or 405 is an :class:`UnsupportedError`.
    """
    kind, what_to_do = _refusal(call, parsed, optional=optional)
    return call.error(kind, parsed.said, what_to_do, status=parsed.status, code=parsed.code or None)


def _refusal(call: Call, parsed: ParsedAnswer, *, optional: bool) -> tuple[type[RequestError], str]:
    status, reading = parsed.status, parsed.reading
    if 300 <= status < 400:
        return BadAnswerError, CHECK_ADDRESS
    if optional and (status == 405 or (status == 404 and (reading is None or reading.may_be_gateway))):
        return UnsupportedError, f"this {call.dialect.name} does not offer it"
    if call.is_login and not parsed.unknown_path:
        otherwise: tuple[type[RequestError], str] = AuthError, call.dialect.refused_credential(call.auth)
    elif call.service is None and status == 404:
        return NotFoundError, "it may have been removed"
    elif status == FORBIDDEN:
        otherwise = RejectedError, OTHER_CREDENTIALS if call.service is None else CHECK_RIGHTS
    else:
        otherwise = RejectedError, CHECK_ADDRESS if parsed.unknown_path else CHECK_PARAMETERS
    return call.dialect.refusal(parsed, call) or otherwise


def ambiguous_advice(call: Call) -> str:
    """Return what the user can do if it is unknown whether the platform has done what was asked."""
    return f"it may or may not have been done, so look on {call.dialect.name} before asking again"


def unreadable(call: Call, problem: ValueError, parsed: ParsedAnswer, redact: Redact) -> RequestError:
    """Return the error for a successful answer whose payload lacks a required field.

    :param problem: What ``Request.read`` has raised.
    """
    if isinstance(problem, ValidationError):
        details = problem.errors(include_url=False, include_context=False, include_input=False)
        words = "; ".join(f"{'.'.join(map(str, at['loc'])) or 'data'}: {at['msg']}" for at in details)
    else:
        words = str(problem)
    what = f"answered with data that cannot be used: {quote(words, redact)}"
    if call.creates:
        return call.error(AmbiguousSubmit, what, ambiguous_advice(call), status=parsed.status, code=parsed.code)
    what_to_do = f"see whether this {call.dialect.name} is of another version than the document describes"
    return call.error(BadAnswerError, what, what_to_do, status=parsed.status, code=parsed.code)


def quote(text: str, redact: Redact, *, is_page: bool = False) -> str:
    """Quote a server's words: without secrets and control characters, and not at length; "" for nothing.

    :param is_page: It is HTML or XML, of which only the text is quoted.
    """
    # Control sequences are removed first: a secret with one in it would not be recognised.
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


_DECODE: Final = partial(from_json, cache_strings="keys")


def decoded(body: bytes, decode: Callable[[bytes], Any] | None) -> Any:
    """Decode JSON, with pydantic's decoder if it can (twice as fast), or else with Python's own, which accepts more.

    :param decode: Tried before both: decodes only what is wanted.
    :raises ValueError: The body is no JSON, or is nested too deeply.
    """
    for quick in (decode, _DECODE):
        if quick:
            with suppress(ValueError):
                return quick(body)
    try:
        return json.loads(body)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


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
