"""Errands: requests besides reading the job's state, such as for its pods, its events, or parts of its log files.

A client carries them out with ``perform``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from airflow_provider_aihub.http import answers
from airflow_provider_aihub.http.errors import BadAnswerError, UnsupportedError
from airflow_provider_aihub.http.exchange import exchange
from airflow_provider_aihub.http.protocol import State, Steps
from airflow_provider_aihub.http.request import Request
from airflow_provider_aihub.http.retry import RetryPolicy
from airflow_provider_aihub.http.transfer import fetch

POLL_POLICY: Final = RetryPolicy(attempts=1)
"""A failed poll is not repeated at once, since the next poll comes anyway."""
LARGEST_SKIP: Final = 4 * 2**20
"""Most bytes that are read and dropped to get to a part of a file, if the server sends only whole files."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Send a request. The result is that of the request.

    :param timeout: Time limit in seconds; ``None`` for none.
    :param policy: How long to keep trying. Default: one attempt.
    """

    request: Request[Any]
    timeout: float | None = None
    policy: RetryPolicy = POLL_POLICY

    def steps(self, state: State) -> Steps[Any]:
        """Return the generator that carries it out."""
        return exchange(self.request, state, self.policy)


@dataclass(frozen=True, slots=True)
class Redact:
    """Replace the secrets that the client knows in a text. The result is the new text."""

    text: str = field(repr=False)

    def steps(self, state: State) -> Steps[str]:
        """Return a generator that yields nothing."""
        yield from ()
        return state.redact(self.text)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a file.

    :param data: The bytes that were asked for; fewer if the file ends before.
    :param size: Size of the whole file in bytes; ``None`` if the server does not say.
    """

    data: bytes = field(repr=False)
    size: int | None


@dataclass(frozen=True, slots=True)
class Fetch:
    """Read a part of a file, in one attempt. The result is a :class:`Piece`.

    The messages of errors name the file's URL, which may have a signature: log only their types.

    :param start: Offset of the first byte, from 0.
    :param most: Maximum number of bytes.
    :param timeout: Time limit in seconds; ``None`` for none.
    """

    url: str = field(repr=False)
    start: int
    most: int
    timeout: float | None = None

    def steps(self, state: State) -> Steps[Piece]:
        """Return the generator that carries it out.

        :raises UnsupportedError: The server sends only whole files, and the part begins after ``LARGEST_SKIP`` bytes.
        """
        # Offsets would not fit the bytes of a compressed answer.
        headers = {"Range": f"bytes={self.start}-{self.start + self.most - 1}", "Accept-Encoding": "identity"}
        call, parsed, window = yield from fetch(
            self.url, lambda _call: _Window(self.start, self.most), state, POLL_POLICY, headers
        )
        status, begin, size = parsed.answer.status, *_content_range(parsed.answer.headers)
        if status == 416:
            return Piece(b"", size)
        if status == 206 and begin == self.start:
            return Piece(bytes(window.head), size)
        if 200 <= status < 300 and status != 206:
            if window.full and self.start > LARGEST_SKIP:
                raise call.error(UnsupportedError, "gives files as a whole only", "its end cannot be read")
            return Piece(bytes(window.part), _length(parsed.answer.headers) if window.full else window.received)
        if 200 <= status < 300:
            what = "gave another part of a file than was asked for"
            raise call.error(BadAnswerError, what, "it cannot be read in parts", status=status)
        raise answers.refusal(call, parsed)


class _Window:
    """Receives the answer to a :class:`Fetch` before its status is known: HTTP 206 is the part, 200 the whole file.

    ``head`` is the part in the first case, ``part`` in the second.
    """

    patient = False

    def __init__(self, start: int, most: int) -> None:
        self._start = start
        self._most = most
        self.begin()

    def begin(self) -> None:
        self.head, self.part, self.received = bytearray(), bytearray(), 0

    def write(self, data: bytes) -> bool:
        self.head += data[: self._most - len(self.head)]
        ahead = max(self._start - self.received, 0)
        self.part += data[ahead : ahead + self._most - len(self.part)]
        self.received += len(data)
        return self.full

    @property
    def full(self) -> bool:
        """Whether nothing more is needed, although the answer goes on."""
        return self.received > self._most + (self._start if self._start <= LARGEST_SKIP else 0)


def _content_range(headers: Mapping[str, str]) -> tuple[int | None, int | None]:
    """Return from ``Content-Range`` the offset of the part and the size of the file; ``None`` for what it lacks."""
    found = re.fullmatch(r"bytes (?:(\d{1,18})-\d+|\*)/(?:(\d{1,18})|\*)", headers.get("Content-Range", "").strip())
    if not found:
        return None, None
    begin, size = found.groups()
    return (None if begin is None else int(begin), None if size is None else int(size))


def _length(headers: Mapping[str, str]) -> int | None:
    length = headers.get("Content-Length", "")
    return int(length) if re.fullmatch(r"\d{1,18}", length) and "Content-Encoding" not in headers else None
