"""Following logs: each line once, however the files grow, and whoever goes on."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_aihub.aihub.errors import (
    AIHubAuthError,
    AIHubError,
    AIHubNotFoundError,
    AIHubParameterError,
    AIHubUnavailable,
    AIHubUnsupportedError,
)
from airflow_provider_aihub.aihub.parts import Part, PartLog
from airflow_provider_aihub.aihub.services import Service
from airflow_provider_aihub.http.request import Request
from airflow_provider_aihub.jobs import log_stream
from airflow_provider_aihub.jobs.errands import Ask, Fetch, Piece, Redact
from airflow_provider_aihub.jobs.log_stream import (
    LARGEST_PIECE,
    LAST_LINES,
    MOST_FILES,
    MOST_LINES,
    PIECES_PER_POLL,
    LoadOffsets,
    PartLogs,
    SaveOffsets,
    WriteLines,
)

SECRET = "http://files/secret-signature/"


class Told(logging.Handler):
    """A log that remembers what was told, on its own."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.everything: list[str] = []
        self.log = logging.Logger("told", logging.DEBUG)
        self.log.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.everything.append(record.getMessage())
        if record.levelno >= logging.INFO:
            self.lines.append(record.getMessage())


class Aihub:
    """Log files by pod and name, read as the steps ask."""

    def __init__(self, **files: bytes) -> None:
        self.files = {name: bytearray(content) for name, content in files.items()}
        self.names: dict[str, list[str]] = {name: [name] for name in files}
        self.states: dict[str, str] = {}
        self.kept: dict[str, int] | None = None
        self.keeps = 0
        self.asked: list[str] = []
        self.broken: AIHubError | None = None
        self.sizes = True
        self.text = False
        self.room: int | None = None

    @property
    def parts(self) -> list[Part]:
        return [
            Part(key=pod, name=pod, state=self.states.get(pod, "Running"), logs=self._request(pod))
            for pod in self.names
        ]

    def _request(self, pod: str) -> Request[Any]:
        return Request(asks="", service=Service.MODEL_TRAINING, method="GET", path=f"/{pod}", read=lambda data: data)

    def poll(self, follower: PartLogs, *, again: bool = False, last: bool = False) -> None:
        steps, reply = follower.follow(self.parts, again=again, last=last), None
        while True:
            try:
                step = steps.send(reply)
            except StopIteration:
                return
            if isinstance(step, WriteLines):
                reply = len(step.lines) if self.room is None else min(self.room, len(step.lines))
                for line in step.lines[:reply]:
                    follower._log.info("%s", line)
            else:
                reply = self._reply(step)

    def _reply(self, step: Any) -> Any:
        if isinstance(step, Redact):
            return step.text.replace("open sesame", "***")
        if isinstance(step, LoadOffsets):
            return self.kept
        if isinstance(step, SaveOffsets):
            self.kept, self.keeps = dict(step.offsets), self.keeps + 1
            return None
        if isinstance(step, Ask):
            self.asked.append(step.request.path)
            if self.broken:
                return self.broken
            names = self.names[step.request.path[1:]]
            if self.text:
                return [PartLog(name, "", self.files[name].decode()) for name in names]
            return [PartLog(name, SECRET + name) for name in names]
        assert isinstance(step, Fetch)
        name = step.url.removeprefix(SECRET)
        self.asked.append(name)
        if self.broken:
            return self.broken
        content = self.files[name]
        assert step.most <= LARGEST_PIECE
        return Piece(bytes(content[step.start : step.start + step.most]), len(content) if self.sizes else None)


def follower() -> tuple[PartLogs, Told]:
    told = Told()
    return PartLogs("AIHub", "training 12", told.log), told


@pytest.mark.parametrize("text", [False, True], ids=["files", "text"])
@pytest.mark.parametrize("sizes", [True, False])
def test_each_line_once_and_whole_lines_only(text: bool, sizes: bool) -> None:
    aihub = Aihub(a=b"one\ntw")
    aihub.text, aihub.sizes = text, sizes
    logs, told = follower()
    aihub.poll(logs)
    assert told.lines == ["one"]
    aihub.files["a"] += b"o\nthree\nfo"
    aihub.poll(logs)
    aihub.poll(logs)
    assert told.lines == ["one", "two", "three"]
    assert aihub.keeps == 2
    aihub.poll(logs, last=True)
    assert told.lines == ["one", "two", "three", "fo"]


def test_a_poll_takes_one_request_for_each_file() -> None:
    aihub = Aihub(a=b"1\n", b=b"2\n")
    logs, _ = follower()
    aihub.poll(logs)
    assert aihub.asked == ["/a", "a", "/b", "b"]
    aihub.asked.clear()
    aihub.poll(logs)
    assert aihub.asked == ["a", "b"]
    aihub.asked.clear()
    aihub.poll(logs, again=True)
    assert aihub.asked == ["/a", "a", "/b", "b"]


def test_lines_say_whose_they_are() -> None:
    aihub = Aihub(a=b"1\n", b=b"2\n", err=b"3\n")
    del aihub.names["err"]
    aihub.names["b"] = ["b", "err"]
    logs, told = follower()
    aihub.poll(logs)
    assert told.lines == ["[a] 1", "[b b] 2", "[b err] 3"]


def test_another_process_goes_on_where_one_has_ended() -> None:
    aihub = Aihub(a=b"1\n2\nrest", b=b"3\n")
    first, told = follower()
    aihub.poll(first)
    aihub.files["a"] += b" of it\n4\n"
    second, told_later = follower()
    aihub.poll(second)
    assert told.lines == ["[a] 1", "[a] 2", "[b] 3"]
    assert told_later.lines == ["[a] rest of it", "[a] 4"]


@given(
    st.lists(st.tuples(st.binary(max_size=200), st.booleans()), max_size=12),
    st.integers(min_value=0, max_value=40),
)
def test_no_line_is_lost_or_repeated(chunks: Iterable[tuple[bytes, bool]], longest: int) -> None:
    largest, log_stream.LARGEST_PIECE = log_stream.LARGEST_PIECE, 64
    try:
        aihub = Aihub(a=b"")
        logs, told = follower()
        lines = []
        for number, (chunk, restart) in enumerate(chunks):
            line = f"{number} {chunk.hex()[:longest]}"
            lines.append(line)
            # Cut anywhere, and read in between.
            data = f"{line}\n".encode()
            half = len(chunk) % len(data)
            aihub.files["a"] += data[:half]
            aihub.poll(logs)
            aihub.files["a"] += data[half:]
            if restart:
                logs = PartLogs("AIHub", "training 12", told.log)
            aihub.poll(logs)
        aihub.poll(logs, last=True)
    finally:
        log_stream.LARGEST_PIECE = largest
    assert told.lines == lines


def test_a_flood_is_left_out_and_said_so() -> None:
    line = b"x" * 99 + b"\n"
    aihub = Aihub(a=b"first\n")
    logs, told = follower()
    aihub.poll(logs)
    aihub.files["a"] += line * 100_000 + b"end\n"
    aihub.asked.clear()
    aihub.poll(logs)
    assert len(aihub.asked) <= PIECES_PER_POLL
    assert sum(map(len, told.lines)) <= PIECES_PER_POLL * LARGEST_PIECE
    (left_out,) = [text for text in told.lines if "left out" in text]
    assert set(told.lines) == {"first", "x" * 99, left_out, "end"}
    aihub.asked.clear()
    aihub.poll(logs)
    assert aihub.asked == ["a"]


@pytest.mark.parametrize(("lines", "pods"), [(100_000, 1), (100_000, 7), (3_000, 1)])
def test_lines_beyond_the_budget_are_counted(lines: int, pods: int) -> None:
    aihub = Aihub(**{f"p{pod}": b"first\n" for pod in range(pods)})
    logs, told = follower()
    aihub.poll(logs)
    told.lines.clear()
    for content in aihub.files.values():
        content += "".join(f"{number}\n" for number in range(1, lines + 1)).encode()[:100_000]
    aihub.poll(logs)
    notes = [line for line in told.lines if "left out" in line]
    assert len(notes) == pods
    assert len(told.lines) - len(notes) <= MOST_LINES
    for pod in range(pods):
        prefix = f"[p{pod}] " if pods > 1 else ""
        mine = [line.removeprefix(prefix) for line in told.lines if line.startswith(prefix)]
        (note,) = [line for line in mine if "left out" in line]
        data = bytes(aihub.files[f"p{pod}"]).decode()
        mine.remove(note)
        assert len(mine) + int(note.split()[0]) == data.count("\n") - 1
        assert mine[0] == "1"
        assert mine[-1] == data.splitlines()[-1 if data.endswith("\n") else -2]


def test_a_log_that_takes_few_lines_still_has_the_last_ones() -> None:
    """They say why a job has failed."""
    aihub = Aihub(a="".join(f"{number}\n" for number in range(1, 10_001)).encode())
    aihub.room = 50
    logs, told = follower()
    aihub.poll(logs)
    notes = [int(line.split()[0]) for line in told.lines if "left out" in line]
    numbers = [line for line in told.lines if line.isdigit()]
    assert numbers[:50] == [str(number) for number in range(1, 51)]
    assert numbers[50:] == [str(number) for number in range(9_981, 10_001)]
    assert len(numbers) + sum(notes) == 10_000


def test_blank_lines_are_lines() -> None:
    aihub = Aihub(a=b"\n" * 70 * 1024)
    logs, told = follower()
    aihub.poll(logs)
    assert len(told.lines) == MOST_LINES + 1
    assert f"{70 * 1024 - MOST_LINES} lines of the log are left out" in told.lines[MOST_LINES - LAST_LINES]


def test_what_an_event_loop_has_no_time_for_is_counted() -> None:
    aihub = Aihub(a=b"line\n" * 100)
    aihub.room = 30
    logs, told = follower()
    aihub.poll(logs)
    assert told.lines[:30] == ["line"] * 30
    assert "70 lines of the log are left out" in told.lines[-1]


@pytest.mark.parametrize(
    ("written", "told_as"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text \x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "text link"),
        ("\x1b[2J\x1b[1;1Hcleared\x1bc", "cleared"),
        ("\x9b31mred \x1b(Bset \x1bP1$r\x1b\\end", "red set end"),
        ("\x1b[", ""),
        ("\x1b]unended", ""),
        ("a\x00b\x07c\x7fd", "abcd"),
        ("one\u2028two\x0bthree\x85four", "one two three four"),
        ("\u202egnirts\u202c", "gnirts"),
        ("::group::hidden", ": :group::hidden"),
        ("x ::endgroup::", "x : :endgroup::"),
        (":\x1b[0m:group::x", ": :group::x"),
        (
            "std::vector, 你好\u3000世界, \U0001f469\u200d\U0001f52c",
            "std::vector, 你好\u3000世界, \U0001f469\u200d\U0001f52c",
        ),
        ("the password is open sesame", "the password is ***"),
        ("training 12 has succeeded", "[a] training 12 has succeeded"),
        ("Asked AIHub to stop it", "[a] Asked AIHub to stop it"),
        (
            "[2026-11-01T00:00:00+0000] {job.py:1} ERROR - boom",
            "[a] [2026-11-01T00:00:00+0000] {job.py:1} ERROR - boom",
        ),
        ('{"level": "error", "event": "boom"}', '[a] {"level": "error", "event": "boom"}'),
    ],
)
def test_a_line_cannot_pass_for_what_it_is_not(written: str, told_as: str) -> None:
    aihub = Aihub(a=f"{written}\n".encode())
    logs, told = follower()
    aihub.poll(logs)
    assert told.lines == [told_as]


def test_one_endless_line_is_told_in_pieces() -> None:
    aihub = Aihub(a=b"x" * (LARGEST_PIECE + 10) + b"\n")
    logs, told = follower()
    aihub.poll(logs)
    assert told.lines == ["x" * LARGEST_PIECE, "x" * 10]


def test_a_file_that_was_begun_anew_is_told_anew() -> None:
    aihub = Aihub(a=b"old 1\nold 2\n")
    logs, told = follower()
    aihub.poll(logs)
    aihub.files["a"][:] = b"new\n"
    aihub.poll(logs)
    assert told.lines == ["old 1", "old 2", "new"]


def test_progress_bars_and_tokens() -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJ1aWQiOjF9.c2lnbmF0dXJl"
    aihub = Aihub(a=f"  1%\r 50%\r100%\r\nAI_HUB_TOKEN={token}\n".encode() + b"\xff\n\n")
    logs, told = follower()
    aihub.poll(logs)
    assert told.lines == ["100%", "AI_HUB_TOKEN=***", "\ufffd", ""]


@pytest.mark.parametrize("broken", [AIHubUnavailable(f"{SECRET} is away"), AIHubNotFoundError(f"no {SECRET}")])
def test_what_goes_wrong_is_made_up_for_later(broken: AIHubError) -> None:
    aihub = Aihub(a=b"1\n")
    logs, told = follower()
    aihub.poll(logs)
    aihub.files["a"] += b"2\n"
    aihub.broken = broken
    aihub.poll(logs)
    aihub.poll(logs, last=True)
    aihub.broken = None
    aihub.asked.clear()
    aihub.poll(logs)
    assert told.lines == ["1", "2"]
    # The address may have expired.
    assert aihub.asked == ["/a", "a"]
    fetching = [text for text in told.everything if "cannot be read now" in text]
    assert fetching
    assert not any(SECRET in text for text in fetching)


@pytest.mark.parametrize(
    "refusal", [AIHubAuthError(SECRET), AIHubParameterError(SECRET), AIHubUnsupportedError(SECRET)]
)
def test_a_log_that_will_never_be_given_is_asked_for_once(refusal: AIHubError) -> None:
    aihub = Aihub(a=b"1\n")
    logs, told = follower()
    aihub.poll(logs)
    aihub.broken = refusal
    for _ in range(3):
        aihub.poll(logs)
    aihub.poll(logs, last=True)
    assert aihub.asked == ["/a", "a", "a"]
    assert told.lines == ["1", f"The log of a cannot be followed ({type(refusal).__name__})"]


def test_an_aihub_without_logs_is_told_once() -> None:
    aihub = Aihub(a=b"1\n", b=b"2\n")
    aihub.broken = AIHubUnsupportedError("There are none.")
    logs, told = follower()
    aihub.poll(logs)
    aihub.poll(logs, last=True)
    assert told.lines == ["This AIHub gives out no logs (newer ones do); training 12 is waited for without"]
    assert aihub.asked == ["/a"]


def test_pods_that_wait_have_no_logs_and_those_that_ended_are_read_twice() -> None:
    aihub = Aihub(a=b"1\n")
    logs, told = follower()
    aihub.states["a"] = "Pending"
    aihub.poll(logs)
    assert aihub.asked == []
    aihub.states["a"] = "Succeeded"
    aihub.poll(logs)
    aihub.broken = AIHubUnavailable("It is away.")
    aihub.poll(logs)
    aihub.broken = None
    # What came late, and what is no whole line.
    aihub.files["a"] += b"2\n3"
    aihub.poll(logs)
    aihub.asked.clear()
    aihub.poll(logs)
    aihub.poll(logs, last=True)
    assert told.lines == ["1", "2", "3"]
    assert aihub.asked == []


def test_only_so_many_files_are_followed() -> None:
    aihub = Aihub(**{f"p{number}": b"line\n" for number in range(MOST_FILES + 5)})
    logs, told = follower()
    aihub.poll(logs)
    aihub.poll(logs)
    assert len([text for text in told.lines if text.endswith("line")]) == MOST_FILES
    assert [text for text in told.lines if "are followed" in text] == [
        f"Of the log files of training 12, the first {MOST_FILES} are followed"
    ]
    assert aihub.kept is not None
    assert len(aihub.kept) == MOST_FILES
