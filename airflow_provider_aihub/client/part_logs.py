"""Following the logs of a job's parts, each line once. Without I/O."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from airflow_provider_aihub.api.errors import AIHubError, AIHubUnsupportedError
from airflow_provider_aihub.api.parts import PENDING, Part, PartLog
from airflow_provider_aihub.client.answers import JWT
from airflow_provider_aihub.client.errands import Ask, Fetch, Piece
from airflow_provider_aihub.client.story import Log, plain

T = TypeVar("T")

LARGEST_PIECE = 32 * 1024
"""Bytes that are read and told at once: more would hold up an event loop for too long."""
PIECES_PER_POLL = 32
"""How many of them are read at a poll, of all files together."""
MOST_FILES = 32
"""How many log files of a job are followed."""

Offsets: TypeAlias = Mapping[str, int]
"""Up to which byte each log file has been told."""


class Recall:
    """Step: give the :data:`Offsets` that were kept for this job, or ``None``."""


@dataclass(frozen=True, slots=True)
class Keep:
    """Step: keep the offsets where they outlive this process. The reply is ignored."""

    offsets: Offsets


LogSteps: TypeAlias = Generator[Ask | Fetch | Recall | Keep, Any, T]


class PartLogs:
    """Tells what is new in the logs of a job's parts.

    :param called: What the job is called.
    """

    def __init__(self, called: str, log: Log) -> None:
        self._called = called
        self._log = log
        self._offsets: dict[str, int] | None = None
        self._files: dict[str, list[PartLog]] = {}
        self._ended: set[str] = set()
        self._done: set[str] = set()
        self._unsupported = False
        self._said_too_many = False

    def follow(self, parts: Sequence[Part], *, again: bool, last: bool) -> LogSteps[None]:
        """Tell the lines that have been added.

        :param again: Whether to see if parts have new log files.
        :param last: Whether nothing more is to come, so that what is no whole line yet is told as well.
        """
        if self._unsupported:
            return
        if self._offsets is None:
            recalled = yield Recall()
            self._offsets = dict(recalled) if isinstance(recalled, Mapping) else {}
        kept = dict(self._offsets)
        for part in parts:
            if part.logs is None or part.key in self._done or (part.state == PENDING and not last):
                continue
            # What a part has written in its last moments may come late, so it is over at the second sight.
            ended = part.key in self._ended
            if part.over:
                self._ended.add(part.key)
            if again or last or part.key not in self._files:
                reply = yield Ask(part.logs)
                if isinstance(reply, AIHubUnsupportedError):
                    self._unsupported = True
                    self._log.info(
                        "This AIHub gives out no logs (newer ones do); %s is waited for without", self._called
                    )
                    return
                if isinstance(reply, AIHubError):
                    self._log.debug("The logs of %s cannot be found now: %s", part.name, reply)
                else:
                    self._files[part.key] = reply
            read = part.key in self._files
            for file in self._files.get(part.key, ()):
                read &= yield from self._read(part, file, self._prefix(part, parts), last=last or ended)
            if ended and read:
                self._done.add(part.key)
        if self._offsets != kept:
            yield Keep(dict(self._offsets))

    def _prefix(self, part: Part, parts: Sequence[Part]) -> str:
        """Say whose line it is, where that is not clear."""
        return f"[{plain(part.name)}] " if len(parts) > 1 else ""

    def _read(self, part: Part, file: PartLog, prefix: str, *, last: bool) -> LogSteps[bool]:
        """Tell what is new in a file, and give whether it could be read."""
        offsets = self._offsets
        assert offsets is not None, "recalled before"  # noqa: S101
        key = f"{part.key}/{file.name}"
        if key not in offsets and len(offsets) >= MOST_FILES:
            if not self._said_too_many:
                self._said_too_many = True
                self._log.info("Of the log files of %s, the first %d are followed", self._called, MOST_FILES)
            return True
        if len(self._files.get(part.key, ())) > 1:
            prefix = f"[{plain(part.name)} {plain(file.name)}] "
        turns = max(3, PIECES_PER_POLL // max(len(offsets), 1))
        cut = False
        for turn in range(turns):
            offset = offsets.setdefault(key, 0)
            piece = yield from self._piece(part, file, offset)
            if piece is None:
                return False
            if piece.size is not None and piece.size < offset:
                # The file was begun anew.
                offsets[key] = 0
                continue
            whole = len(piece.data) < LARGEST_PIECE if piece.size is None else offset + len(piece.data) >= piece.size
            told = self._tell(piece.data, prefix, cut=cut, rest=last and whole)
            offsets[key] = offset + told
            if whole or not told:
                return True
            cut = False
            left = (piece.size or 0) - offsets[key]
            if turn == turns - 2 and left > LARGEST_PIECE:
                skipped = left - LARGEST_PIECE
                self._log.info(
                    "%s%d KiB of the log are left out here: it grows faster than it is read; AIHub has it all",
                    prefix,
                    skipped // 1024,
                )
                offsets[key] += skipped
                cut = True
        return True

    def _piece(self, part: Part, file: PartLog, offset: int) -> LogSteps[Piece | None]:
        if file.url:
            reply = yield Fetch(file.url, offset, LARGEST_PIECE)
            if isinstance(reply, Piece):
                return reply
            self._log.debug("A log of %s cannot be read now (%s)", part.name, type(reply).__name__)
            if (reply.final or isinstance(reply, AIHubUnsupportedError)) and not file.text:
                # It would not help to ask again, and to be refused costs a login each time.
                self._done.add(part.key)
                self._log.info("The log of %s cannot be followed (%s)", plain(part.name), type(reply).__name__)
        # Its address may have expired; a text that came in its place is out of date at the next look.
        self._files.pop(part.key, None)
        if not file.text:
            return None
        text = file.text.encode()
        return Piece(text[offset : offset + LARGEST_PIECE], len(text))

    def _tell(self, data: bytes, prefix: str, *, cut: bool, rest: bool) -> int:
        """Tell the whole lines, and give how many bytes they were.

        :param cut: Whether the first line lacks its beginning, and is left out.
        :param rest: Whether what comes after the last whole line is told, too.
        """
        end = len(data) if rest else data.rfind(b"\n") + 1
        if not end and len(data) == LARGEST_PIECE:
            # One line longer than that is told in several.
            end = len(data)
        begin = data.find(b"\n") + 1 if cut else 0
        for line in lines(data[begin:end]):
            self._log.info("%s%s", prefix, line)
        return end


def lines(data: bytes) -> list[str]:
    """Give the lines of a log as one sees them: what was overwritten (progress bars) and tokens are left out."""
    text = JWT.sub("***", data.decode(errors="replace"))
    return [line.rstrip("\r").rpartition("\r")[2] for line in text.removesuffix("\n").split("\n")] if text else []
