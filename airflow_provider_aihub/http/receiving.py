"""Receives the body of an answer, for both clients: piece by piece, decompressed, and within limits of size."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from typing import Final

from airflow_provider_aihub.http.protocol import Answer, Failure, Outcome, Sink
from airflow_provider_aihub.http.retry import Trouble

LARGEST_ANSWER: Final = 6 * 2**20
"""Bytes of a successful answer that are read into memory. Decoded, a text takes up to four times as many."""
LARGEST_REFUSAL: Final = 64 * 2**10
"""Bytes of any other answer that are read: enough for the platform's words."""
MOST_VALUES: Final = 250_000
"""Values in an answer that are decoded: each takes up to 100 bytes, however short it is written."""
STEP: Final = 16 * 2**10
"""The time limit is for so many bytes of a file; for any other answer, it is for the whole body."""
CHUNK: Final = 256 * 2**10
"""Bytes that are read or written at once."""

COMPRESSIONS: Final = frozenset({"gzip", "x-gzip", "deflate"})
"""Values of ``Content-Encoding`` that can be decompressed."""


class Receiver:
    """Takes the body of one answer.

    :param sink: Where the body of a success goes instead of into memory.
    """

    def __init__(self, status: int, headers: Mapping[str, str], sink: Sink | None) -> None:
        self._status = status
        self._headers = headers
        success = 200 <= status < 300
        self._sink = sink if success else None
        self._most = LARGEST_ANSWER if success else LARGEST_REFUSAL
        self._body = bytearray()
        self._failure: Failure | None = None
        self._decompressor: _Decompressor | None = None
        # What comes with a redirect is of no use, and what comes after HTTP 101 is no HTTP.
        self.wanted = success or 400 <= status < 600
        """Whether more of the body is wanted."""
        if not self.wanted:
            return
        encoding = headers.get("Content-Encoding", "").strip().lower()
        if encoding in COMPRESSIONS:
            self._decompressor = _Decompressor()
        elif encoding not in ("", "identity"):
            self._give_up(Trouble.GARBLED, "it is packed in a way that was not asked for")
        elif success and sink is None and _length(headers) > LARGEST_ANSWER:
            self._too_large()
        if self._sink:
            self._sink.begin()

    @property
    def size(self) -> int:
        """Bytes that are kept in memory."""
        return len(self._body)

    @property
    def slow(self) -> bool:
        """Whether :meth:`take` may take long, since it decompresses or writes a piece."""
        return self._decompressor is not None or self._sink is not None

    @property
    def grows(self) -> bool:
        """Whether a piece may become many times as large in memory."""
        return self._decompressor is not None and self._sink is None

    @property
    def patient(self) -> bool:
        """Whether the time limit is for each :data:`STEP` of the body, and not for all of it."""
        return self._sink is not None and self._sink.patient

    def take(self, data: bytes) -> bool:
        """Take the next piece, and return whether more is wanted."""
        for _ in self.steps(data, CHUNK):
            pass
        return self.wanted

    def steps(self, data: bytes, most: int) -> Iterator[None]:
        """Take the next piece; yield after each ``most`` decompressed bytes, so that the caller can do other things."""
        try:
            for piece in self._decompressor.decompress(data, most) if self._decompressor else (data,):
                if self._sink is None:
                    self._keep(piece)
                elif self._sink.write(piece):
                    self.wanted = False
                if not self.wanted:
                    return
                yield
        except zlib.error:
            self._give_up(Trouble.GARBLED, "it cannot be unpacked")

    def outcome(self) -> Outcome:
        """Return what was received."""
        if self._failure is None and self.wanted and self._decompressor and not self._decompressor.whole:
            self._give_up(Trouble.LOST, "it was cut off")
        values = sum(map(self._body.count, (b",", b":", b"[", b"{"))) if len(self._body) > MOST_VALUES else 0
        if self._failure is None and values > MOST_VALUES:
            self._give_up(Trouble.TOO_LARGE, f"it holds more than {MOST_VALUES} values")
        return self._failure or Answer(self._status, self._headers, bytes(self._body))

    def _keep(self, piece: bytes) -> None:
        self._body += piece
        if len(self._body) > self._most:
            if self._most == LARGEST_REFUSAL:
                del self._body[self._most :]
                self.wanted = False
            else:
                self._too_large()

    def _too_large(self) -> None:
        self._give_up(Trouble.TOO_LARGE, f"it is longer than {LARGEST_ANSWER} bytes")

    def _give_up(self, trouble: Trouble, why: str) -> None:
        self._failure = Failure(trouble, why)
        self._body.clear()
        self.wanted = False


class _Decompressor:
    """Decompresses a body in small steps, however much a compressed piece expands."""

    def __init__(self) -> None:
        self._stream = _stream()
        self._begun = False

    @property
    def whole(self) -> bool:
        """Whether the end of the compressed data was reached, or there was no data at all."""
        return self._stream.eof or not self._begun

    def decompress(self, data: bytes, most: int) -> Iterator[bytes]:
        while data:
            self._begun = True
            if self._stream.eof:
                self._stream = _stream()
            piece = self._stream.decompress(data, most)
            while piece:
                yield piece
                data = self._stream.unconsumed_tail
                piece = b"" if self._stream.eof else self._stream.decompress(data, most)
            data = self._stream.unused_data


def _stream() -> zlib._Decompress:
    return zlib.decompressobj(zlib.MAX_WBITS | 32)


def _length(headers: Mapping[str, str]) -> int:
    length = headers.get("Content-Length", "")
    return int(length) if length.isascii() and length.isdigit() and len(length) < 19 else 0
