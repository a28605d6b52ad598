"""Copies the logs of a job's parts (pods, nodes) into the task's log, each line once. Without I/O."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from airflow_provider_aihub.http.answers import ESCAPES, JWT
from airflow_provider_aihub.http.errors import RejectedError, RemoteJobError, UnsupportedError
from airflow_provider_aihub.jobs.errands import Ask, Fetch, Piece, Redact
from airflow_provider_aihub.jobs.parts import PENDING, Part, PartLog
from airflow_provider_aihub.jobs.progress_log import Log, plain, without_folds

T = TypeVar("T")

LARGEST_PIECE = 32 * 1024
"""Bytes that are read and logged at once; more would block an event loop for too long."""
PIECES_PER_POLL = 32
"""How many such pieces are read at one poll, of all files together."""
MOST_LINES = 2000
"""How many lines are logged at a poll, of all files together: each takes Airflow about a millisecond."""
LAST_LINES = 200
"""If a file has more new lines than are logged, so many of those logged are its last ones."""
ALWAYS_LOGGED = 20
"""So many of the last lines are logged even if writing is too slow for the others, since they say how a job ended."""
MOST_FILES = 32
"""How many log files of a job are followed."""

_BREAKS = re.compile(r"[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
"""Characters other than the usual ones at which some programs end a line."""
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Characters that are invisible, or that change the direction of the text."""

Offsets: TypeAlias = Mapping[str, int]
"""How many bytes of each log file have been logged, by ``<part>/<file>``."""


class LoadOffsets:
    """Step: load the :data:`Offsets` that were saved for this job. The reply is ``None`` if there are none."""


@dataclass(frozen=True, slots=True)
class SaveOffsets:
    """Step: save the offsets for the process that may continue. The reply is ignored."""

    offsets: Offsets


@dataclass(frozen=True, slots=True)
class WriteLines:
    """Step: write lines into the task's log. The reply is how many were written; ``None`` for all."""

    lines: Sequence[str]


LogSteps: TypeAlias = Generator[Ask | Fetch | Redact | LoadOffsets | SaveOffsets | WriteLines, Any, T]


class PartLogs:
    """Copies the new lines in the logs of a job's parts into the task's log.

    :param platform: Name of the platform, for messages.
    :param called: What the job is called in messages: ``training 12``.
    """

    def __init__(self, platform: str, called: str, log: Log) -> None:
        self._platform = platform
        self._called = called
        self._log = log
        self._offsets: dict[str, int] | None = None
        self._files: dict[str, list[PartLog]] = {}
        self._ended: set[str] = set()
        self._done: set[str] = set()
        self._unsupported = False
        self._said_too_many = False

    def follow(self, parts: Sequence[Part], *, again: bool, last: bool) -> LogSteps[None]:
        """Log the lines that have been added since the last call.

        :param again: Whether to ask for the log files of parts that are known already, since there may be new files.
        :param last: Whether the job has ended, so that an incomplete last line is logged as well.
        """
        if self._unsupported:
            return
        if self._offsets is None:
            loaded = yield LoadOffsets()
            self._offsets = dict(loaded) if isinstance(loaded, Mapping) else {}
        kept = dict(self._offsets)
        for part in parts:
            if part.logs is None or part.key in self._done or (part.state == PENDING and not last):
                continue
            # The last lines of a part may come late, so it is read once more after it was seen to have ended.
            ended = part.key in self._ended
            if part.over:
                self._ended.add(part.key)
            if again or last or part.key not in self._files:
                reply = yield Ask(part.logs)
                names_none = not reply and (ended or last)
                if part.logs_otherwise and (names_none or isinstance(reply, RejectedError)):
                    other = yield Ask(part.logs_otherwise)
                    reply = reply if isinstance(other, RemoteJobError) else other
                if isinstance(reply, UnsupportedError):
                    self._unsupported = True
                    self._log.info(
                        "This %s gives out no logs (newer ones do); %s is waited for without",
                        self._platform,
                        self._called,
                    )
                    return
                if isinstance(reply, RemoteJobError):
                    self._log.debug("The logs of %s cannot be found now: %s", part.name, reply)
                else:
                    self._files[part.key] = reply
            read = part.key in self._files
            for file in self._files.get(part.key, ()):
                read &= yield from self._read(part, file, self._prefix(part, parts), last=last or ended)
            if ended and read:
                self._done.add(part.key)
        if self._offsets != kept:
            yield SaveOffsets(dict(self._offsets))

    def _prefix(self, part: Part, parts: Sequence[Part]) -> str:
        """Return what begins each line of a part: its name, if there are several parts."""
        return f"[{plain(part.name)}] " if len(parts) > 1 else ""

    def _read(self, part: Part, file: PartLog, prefix: str, *, last: bool) -> LogSteps[bool]:
        """Log what is new in a file. Return whether the file could be read."""
        offsets = self._offsets
        assert offsets is not None, "loaded before"  # noqa: S101
        key = f"{part.key}/{file.name}"
        if key not in offsets and len(offsets) >= MOST_FILES:
            if not self._said_too_many:
                self._said_too_many = True
                self._log.info("Of the log files of %s, the first %d are followed", self._called, MOST_FILES)
            return True
        if len(self._files.get(part.key, ())) > 1:
            prefix = f"[{plain(part.name)} {plain(file.name)}] "
        offsets.setdefault(key, 0)
        budget = max(MOST_LINES // len(offsets), 1)
        named = f"[{plain(part.name)}] "
        new_lines = _NewLines(self._platform, self._called, self._log, prefix, named=named, budget=budget)
        read = yield from self._read_on(part, file, key, new_lines, last=last)
        yield from new_lines.finish()
        return read

    def _read_on(self, part: Part, file: PartLog, key: str, new_lines: _NewLines, *, last: bool) -> LogSteps[bool]:
        offsets = self._offsets
        assert offsets is not None, "loaded before"  # noqa: S101
        turns = max(3, PIECES_PER_POLL // len(offsets))
        cut = False
        for turn in range(turns):
            if not file.url and offsets[key] < file.start:
                new_lines.skipped += file.start - offsets[key]
                offsets[key] = file.start
            offset = offsets[key]
            piece = yield from self._piece(part, file, offset)
            if piece is None:
                return False
            if piece.size is not None and piece.size < offset:
                # The file was begun anew.
                offsets[key] = 0
                continue
            whole = len(piece.data) < LARGEST_PIECE if piece.size is None else offset + len(piece.data) >= piece.size
            begin, end = _whole_lines(piece.data, cut=cut, rest=last and whole)
            yield from new_lines.take(piece.data[begin:end])
            offsets[key] = offset + end
            if whole or not end:
                return True
            cut = False
            left = (piece.size or 0) - offsets[key]
            if turn == turns - 2 and left > LARGEST_PIECE:
                new_lines.skipped = left - LARGEST_PIECE
                offsets[key] += new_lines.skipped
                cut = True
        return True

    def _piece(self, part: Part, file: PartLog, offset: int) -> LogSteps[Piece | None]:
        if file.url:
            reply = yield Fetch(file.url, offset, LARGEST_PIECE)
            if isinstance(reply, Piece):
                return reply
            self._log.debug("A log of %s cannot be read now (%s)", part.name, type(reply).__name__)
            if (reply.final or isinstance(reply, UnsupportedError)) and not file.text:
                # Another request would be refused as well, and each refusal costs a login.
                self._done.add(part.key)
                self._log.info("The log of %s cannot be followed (%s)", plain(part.name), type(reply).__name__)
        # The file is asked for anew at the next poll: its URL may have expired, or its text may be out of date.
        self._files.pop(part.key, None)
        if not file.text:
            return None
        text, begin = file.text.encode(), offset - file.start
        return Piece(text[begin : begin + LARGEST_PIECE], file.start + len(text))


class _NewLines:
    """Writes the new lines of one file at one poll; if there are too many, only the first and the last ones.

    :param platform: Name of the platform, for messages.
    :param called: What the job is called in messages.
    :param prefix: Is put before each line.
    :param named: Is put, if there is no ``prefix``, before a line that looks like one of Airflow or of this provider.
    :param budget: Maximum number of lines.
    """

    def __init__(self, platform: str, called: str, log: Log, prefix: str, *, named: str, budget: int) -> None:
        self._platform = platform
        self._log = log
        self._prefix, self._named = prefix, named
        names = f"{re.escape(called)}\\b|{re.escape(platform)}|Airflow"
        self._suspect = re.compile(rf"\s*(?:[\[{{]|\d{{4}}-\d\d-\d\d)|.*(?:{names})")
        self._kept = min(LAST_LINES, budget)
        self._budget = budget - self._kept
        self._last: list[str] = []
        self._untold = 0
        self._busy = False
        self.skipped = 0
        """Bytes that were not read."""

    def take(self, data: bytes) -> LogSteps[None]:
        """Write the first of these lines, as far as the budget goes, and keep the last ones for :meth:`finish`."""
        if not data:
            return
        text = yield Redact(data.decode(errors="replace"))
        if not isinstance(text, str):
            self.skipped += len(data)
            return
        new = [self._named_if_suspect(line) for line in _lines(text)]
        now, later = new[: self._budget], new[self._budget :]
        self._budget -= len(now)
        yield from self._tell(now)
        last = self._last + later
        self._last = last[-self._kept :]
        self._untold += len(last) - len(self._last)

    def finish(self) -> LogSteps[None]:
        """Log how much is left out, and write the last lines."""
        if self._busy:
            self._busy = False
            self._untold += len(self._last[:-ALWAYS_LOGGED])
            self._last = self._last[-ALWAYS_LOGGED:]
        self._say_what_is_left_out()
        yield from self._tell(self._last)
        self._say_what_is_left_out()

    def _named_if_suspect(self, line: str) -> str:
        return f"{self._prefix or (self._named if self._suspect.match(line) else '')}{line}"

    def _tell(self, new: list[str]) -> LogSteps[None]:
        told = 0
        if new and not self._busy:
            reply = yield WriteLines(new)
            told = reply if isinstance(reply, int) else len(new) if reply is None else 0
        self._busy |= told < len(new)
        self._untold += len(new) - told

    def _say_what_is_left_out(self) -> None:
        parts = [f"{self._untold} lines"] if self._untold else []
        parts += [f"{-(-self.skipped // 1024)} KiB"] if self.skipped else []
        if parts:
            said = "%s%s of the log are left out here: it grows faster than it is told; %s has it all"
            self._log.info(said, self._prefix, " and ".join(parts), self._platform)
        self._untold = self.skipped = 0


def lines(data: bytes) -> list[str]:
    """Return the lines of a log as a person sees them: overwritten text (progress bars) and tokens are left out.

    Also left out is what would change how a log is shown: control sequences of terminals, and the marks by which
    Airflow folds lines.
    """
    return _lines(data.decode(errors="replace"))


def _lines(text: str) -> list[str]:
    if not text:
        return []
    text = _CONTROLS.sub("", _BREAKS.sub(" ", JWT.sub("***", ESCAPES.sub("", text))))
    return [line.rstrip("\r").rpartition("\r")[2] for line in without_folds(text).removesuffix("\n").split("\n")]


def _whole_lines(data: bytes, *, cut: bool, rest: bool) -> tuple[int, int]:
    """Return the offsets in ``data`` between which whole lines are.

    :param cut: Whether the first line lacks its beginning, and so is left out.
    :param rest: Whether an incomplete last line is included.
    """
    end = len(data) if rest else data.rfind(b"\n") + 1
    if not end and len(data) == LARGEST_PIECE:
        # A longer line is logged in several pieces.
        end = len(data)
    return (data.find(b"\n") + 1 if cut else 0), end
