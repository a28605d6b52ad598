"""Servers that answer as badly as they can: an error of AIHub's own kind comes of it, in bounds of time and memory."""

from __future__ import annotations

import asyncio
import gc
import gzip
import io
import itertools
import logging
import re
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.client_proto import ResponseHandler
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from misbehaving import PASSWORD, Act, Server, Side, answer, config, ok, raw, serving, text, thing
from test_client_errands import perform
from waiting import crowd

from airflow_provider_aihub.aihub.client import AsyncAIHubClient
from airflow_provider_aihub.aihub.config import Config
from airflow_provider_aihub.aihub.errors import (
    AIHubAmbiguousSubmit,
    AIHubBadAnswerError,
    AIHubError,
    AIHubRequestError,
    AIHubUnavailable,
)
from airflow_provider_aihub.http.async_connections import FIRST_TURN, LARGEST_TURN
from airflow_provider_aihub.http.receiving import LARGEST_ANSWER, MOST_VALUES, STEP
from airflow_provider_aihub.http.retry import RetryPolicy
from airflow_provider_aihub.jobs.errands import Fetch

ONCE = RetryPolicy(attempts=1)
OK = "HTTP/1.1 200 OK\r\n"
CHUNKED = OK + "Transfer-Encoding: chunked\r\n\r\n"
LONG = OK + "Content-Length: 1000000\r\n\r\n"
ENDLESS = OK + "Content-Length: 1000000000\r\n\r\n"
MIB = 2**20


class Pouring:
    """Sends a head and then pieces, as many and as fast as they are taken; ``sent`` counts the bytes."""

    def __init__(self, head: str, *pieces: bytes, pause: float = 0.0) -> None:
        self.sent = 0
        self._head = head.encode()
        self._pieces = pieces
        self._pause = pause

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        transport = request.transport
        assert transport is not None
        for piece in itertools.chain([self._head], self._pieces):
            transport.write(piece)
            self.sent += len(piece)
            await asyncio.sleep(self._pause)
            while transport.get_write_buffer_size() > MIB and not transport.is_closing():  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            if transport.is_closing():
                break
        transport.close()
        return web.Response()


def endless(piece: bytes) -> Any:
    """So many of them that they never end."""
    return [piece] * 200_000


def peak() -> int:
    """The most memory that this process has had, in bytes."""
    return int(re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[0]) * 1024


@contextmanager
def in_bounds() -> Iterator[None]:
    """See to it that what is done takes little memory: far less than what the servers here send."""
    before = peak()
    yield
    assert peak() - before < 150 * MIB


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


@cache
def bomb() -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    zeros = b"0" * MIB
    return b"".join(packer.compress(zeros) for _ in range(500)) + packer.flush()


LISTS = b'{"code": 0, "data": [' + b",".join([b"[]"] * 120_000) + b"]}"
ROWS = b"[" + b"[]," * 2_000_000 + b"[]]"

HUGE: dict[str, tuple[Any, type[AIHubRequestError], str]] = {
    "62 MB": (
        lambda: Pouring(OK + f"Content-Length: {62 * MIB}\r\n\r\n", *[b"1" * MIB] * 62),
        AIHubBadAnswerError,
        "longer",
    ),
    "62 MB in chunks": (lambda: Pouring(CHUNKED, *[chunk(b"[" * MIB)] * 62), AIHubBadAnswerError, "longer"),
    # Which of its bounds that meets is a matter of speed.
    "in chunks of 1 byte": (
        lambda: Pouring(CHUNKED, *endless(chunk(b"[") * 50_000)),
        AIHubRequestError,
        "longer|came|not all",
    ),
    "many values": (
        lambda: raw("HTTP/1.1 200 OK", b'{"code": 0, "data": ' + ROWS[: LARGEST_ANSWER - 100]),
        AIHubBadAnswerError,
        f"more than {MOST_VALUES} values",
    ),
    "a bomb": (
        lambda: raw("HTTP/1.1 200 OK", bomb(), f"Content-Encoding: gzip\r\nContent-Length: {len(bomb())}\r\n"),
        AIHubBadAnswerError,
        "longer",
    ),
    "a bomb that says no": (
        lambda: raw("HTTP/1.1 503 Busy", bomb(), f"Content-Encoding: gzip\r\nContent-Length: {len(bomb())}\r\n"),
        AIHubUnavailable,
        "HTTP 503",
    ),
    "an error page without end": (
        lambda: Pouring("HTTP/1.1 500 Oops\r\n\r\n", *endless(b"<p>no" * 10_000)),
        AIHubUnavailable,
        'HTTP 500: "no no',
    ),
    "a redirect without end": (
        lambda: Pouring("HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n", *endless(b"x" * MIB)),
        AIHubBadAnswerError,
        "redirect",
    ),
    "interim answers without end": (
        lambda: Pouring("", *endless(b"HTTP/1.1 102 Processing\r\n\r\n" * 1000)),
        AIHubUnavailable,
        "the connection broke",
    ),
    "30 kB of <": (lambda: text("<" * 30_000, 500), AIHubUnavailable, "HTTP 500"),
    "29 kB of <script": (lambda: text("<script" * 4000, 500), AIHubUnavailable, "HTTP 500"),
    "29 kB of <script>": (lambda: text("<script>" * 4000, 500), AIHubUnavailable, "HTTP 500"),
    "a tag without end": (lambda: text("<" + "a" * 30_000, 500), AIHubUnavailable, "HTTP 500"),
    "5 MB of words": (lambda: text("{" + "<a \x1bX" * 700_000), AIHubBadAnswerError, "no AIHub answer"),
}


@pytest.mark.parametrize("name", HUGE)
def test_what_is_too_much_is_not_taken(server: Server, side: Side, name: str) -> None:
    make, kind, words = HUGE[name]
    act = make()
    server.script["/things/7"] = [act]
    with in_bounds(), pytest.raises(AIHubError, match=words) as caught:
        side.send(config(server.url, timeout=2), thing(), ONCE)
    assert isinstance(caught.value, kind)
    assert getattr(act, "sent", 0) < 50 * MIB
    assert len(server.asked("/things/7")) == 1


@pytest.mark.parametrize("name", HUGE)
def test_it_holds_no_event_loop(server: Server, name: str) -> None:
    """Each answer would hold it for seconds; a busy machine may do so for a moment."""
    server.script["/things/7"] = [HUGE[name][0]()]

    async def run() -> float:
        longest, last = 0.0, time.monotonic()

        async def tick() -> None:
            nonlocal longest, last
            while True:
                await asyncio.sleep(0.005)
                longest, last = max(longest, time.monotonic() - last), time.monotonic()

        async with AsyncAIHubClient(config(server.url, timeout=2), policy=ONCE) as client:
            await client.authenticate()
            ticker = asyncio.create_task(tick())
            last = time.monotonic()
            results = await asyncio.gather(*(client.send(thing()) for _ in range(3)), return_exceptions=True)
            ticker.cancel()
            assert all(isinstance(result, AIHubError) for result in results)
        return longest

    assert asyncio.run(run()) < 1.0 * crowd()


NO_JSON = b"[" + b"x" * (LARGEST_ANSWER - 1000)
LARGE_ANSWERS = {
    "text": ("", b'{"code": 0, "data": "' + b"x" * (LARGEST_ANSWER - 1000) + b'"}'),
    "packed": ("Content-Encoding: gzip\r\n", gzip.compress(NO_JSON)),
    "no JSON": ("", NO_JSON),
}


@contextmanager
def large(name: str) -> Iterator[Config]:
    """A server that holds little in memory of what it has not sent, so that what the client holds can be measured."""
    headers, body = LARGE_ANSWERS[name]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(f"{OK}{headers}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode())
            for begin in range(0, len(body), STEP):
                writer.write(body[begin : begin + STEP])
                await writer.drain()
        writer.close()

    with plain_server(serve) as url:
        yield config(url, token="t", username="")


@pytest.fixture
def traced() -> Iterator[Callable[[], tuple[int, int]]]:
    """Gives how many bytes Python holds, and has held at most, since the test began."""
    tracemalloc.start()
    yield tracemalloc.get_traced_memory
    tracemalloc.stop()


@pytest.mark.parametrize("name", LARGE_ANSWERS)
async def test_large_answers_are_in_memory_one_at_a_time(traced: Callable[[], tuple[int, int]], name: str) -> None:
    request = replace(thing(), read=len)
    with large(name) as settings_:
        async with AsyncAIHubClient(settings_, policy=ONCE, limit=20) as client:
            results = await asyncio.gather(*(client.send(request) for _ in range(20)), return_exceptions=True)
    assert len(results) == 20
    assert all(isinstance(result, AIHubBadAnswerError | int) for result in results)
    assert traced()[1] < 8 * LARGEST_ANSWER


async def test_an_error_keeps_nothing_of_the_answer(traced: Callable[[], tuple[int, int]]) -> None:
    with large("no JSON") as settings_:
        async with AsyncAIHubClient(settings_, policy=ONCE) as client:
            kept = [await asyncio.gather(client.send(thing()), return_exceptions=True) for _ in range(10)]
    assert len(kept) == 10
    assert traced()[0] < 2 * LARGEST_ANSWER


async def test_nothing_of_an_answer_is_kept_until_it_is_asked_for_again(traced: Callable[[], tuple[int, int]]) -> None:
    held: list[int] = []
    all_sleep = asyncio.Barrier(10)

    async def sleep(_: float) -> None:
        await all_sleep.wait()
        held.append(traced()[0])

    with large("no JSON") as settings_:
        async with AsyncAIHubClient(settings_, policy=RetryPolicy(attempts=2), sleep=sleep) as client:
            await asyncio.gather(*(client.send(thing()) for _ in range(10)), return_exceptions=True)
    assert len(held) == 10
    assert max(held) < 3 * LARGEST_ANSWER


async def test_a_large_answer_is_no_reason_to_look_for_garbage(server: Server) -> None:
    """That stops all else, for longer the more Airflow has in memory."""
    server.script["/things/7"] = [raw("HTTP/1.1 200 OK", LISTS, f"Content-Length: {len(LISTS)}\r\n")]
    collections: list[str] = []

    def collecting(phase: str, info: dict[str, int]) -> None:
        if info["generation"] == 2:
            collections.append(phase)

    async with AsyncAIHubClient(config(server.url), policy=ONCE) as client:
        await client.authenticate()
        gc.collect()
        gc.callbacks.append(collecting)
        try:
            sent = await asyncio.gather(*(client.send(replace(thing(), read=len)) for _ in range(3)))
        finally:
            gc.callbacks.remove(collecting)
    assert sent == [120_000] * 3
    assert collections == []
    assert gc.isenabled()


@pytest.mark.parametrize(
    ("act", "most"),
    [(HUGE["interim answers without end"][0], FIRST_TURN), (lambda: ok("x" * MIB), LARGEST_TURN)],
    ids=["interim answers", "an answer"],
)
async def test_little_is_parsed_until_an_answer_has_begun(
    server: Server, monkeypatch: pytest.MonkeyPatch, act: Callable[[], Act], most: int
) -> None:
    """Heads are of many objects each; what follows them is not parsed."""
    server.script["/things/7"] = [act()]
    came: list[int] = []

    def received(self: ResponseHandler, data: bytes, take: Any = ResponseHandler.data_received) -> None:
        came.append(len(data))
        take(self, data)

    monkeypatch.setattr(ResponseHandler, "data_received", received)
    async with AsyncAIHubClient(config(server.url), policy=ONCE) as client:
        await client.authenticate()
        await asyncio.gather(client.send(thing()), return_exceptions=True)
        assert max(came) == most
        # A connection that is used again begins anew.
        came.clear()
        server.script["/things/7"] = [HUGE["interim answers without end"][0]()]
        await asyncio.gather(client.send(thing()), return_exceptions=True)
        assert max(came) == FIRST_TURN


SLOW: dict[str, tuple[str, bytes]] = {
    "the body": (LONG, b"1"),
    "a chunk": (CHUNKED + "fffffff\r\n", b"1"),
    "the size of a chunk": (CHUNKED, b"0"),
    "the status line": ("HTTP/1.1 200 ", b"O"),
    "a header": (OK + "X: ", b"x"),
    "many headers": (OK, b"X: y\r\n"),
    "an error": ("HTTP/1.1 404 No\r\nContent-Length: 1000000\r\n\r\n", b"n"),
}


@pytest.mark.parametrize("creates", [False, True], ids=["read", "create"])
@pytest.mark.parametrize("name", SLOW)
def test_an_answer_that_comes_a_byte_at_a_time_is_given_up(
    server: Server, side: Side, name: str, creates: bool
) -> None:
    head, byte = SLOW[name]
    act = Pouring(head, *endless(byte), pause=0.05)
    request = thing(creates=creates)
    server.script[request.path] = [act]
    with pytest.raises(AIHubError) as caught:
        side.send(config(server.url, timeout=0.4), request, ONCE)
    assert type(caught.value) is (AIHubAmbiguousSubmit if creates else AIHubUnavailable)
    # It would have gone on for hours.
    assert act.sent < 2000


def test_a_slow_answer_takes_no_turn_of_others_for_ever(server: Server) -> None:
    slow = Pouring(LONG, *endless(b"1"), pause=0.05)
    server.script |= {"/slow": [slow], "/things/7": [ok()]}

    async def run() -> list[Any]:
        async with AsyncAIHubClient(config(server.url, timeout=0.4), policy=ONCE, limit=2) as client:
            calls = [client.send(thing(path="/slow")) for _ in range(6)] + [client.send(thing())]
            return await asyncio.gather(*calls, return_exceptions=True)

    *slow_ones, good = asyncio.run(run())
    assert [type(one) for one in slow_ones] == [AIHubUnavailable] * 6
    assert good == 7


@pytest.mark.parametrize("fast", [True, False])
def test_a_file_may_take_long_as_long_as_it_comes(server: Server, side: Side, fast: bool) -> None:
    piece = b"x" * (STEP if fast else 10)
    server.script["/file"] = [Pouring(OK + f"Content-Length: {12 * len(piece)}\r\n\r\n", *[piece] * 12, pause=0.1)]
    target = io.BytesIO()
    if fast:
        assert side.download(config(server.url, timeout=0.6), f"{server.url}/file", target) == 12 * STEP
        return
    server.script["/file"] = [Pouring(ENDLESS, *endless(b"x"), pause=0.05)]
    with pytest.raises(AIHubUnavailable, match=r"not all there within 0\.6 s"):
        side.download(config(server.url, timeout=0.6), f"{server.url}/file", target)


def test_a_part_of_a_file_must_come_in_time(server: Server, side: Side) -> None:
    act = Pouring(ENDLESS, *endless(b"x" * 2000), pause=0.05)
    server.script["/log"] = [act]
    with pytest.raises(AIHubUnavailable, match=r"not all there within 0\.4 s"):
        perform(side, config(server.url, timeout=0.4), Fetch(f"{server.url}/log", 10**6, 1000))
    assert act.sent < MIB


def test_an_upload_that_nobody_takes(side: Side) -> None:
    from test_client_transfer import uploading

    from airflow_provider_aihub.http.request import File, Form

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n")
        await asyncio.sleep(30)

    with plain_server(deaf) as url:
        file = File("big", lambda: io.BytesIO(bytes(64 * MIB)), 64 * MIB)
        with pytest.raises(AIHubAmbiguousSubmit, match=r"gave no (whole answer|answer in time)"):
            side.send(
                config(url, token="t", username="", timeout=0.5),
                uploading(Form(fields={}, files={"file": file}), creates=True),
            )


@contextmanager
def plain_server(serve: Any, host: str = "127.0.0.1") -> Iterator[str]:
    """Run a server that speaks as it likes, and give its address."""
    import threading

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(asyncio.start_server(serve, host, 0), loop).result()
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


PACKED = {
    "gzip": gzip.compress(b"abc" * 100_000),
    "x-gzip": gzip.compress(b"abc" * 50_000) + gzip.compress(b"abc" * 50_000),
    "GZIP": gzip.compress(b"abc" * 100_000),
    "deflate": zlib.compress(b"abc" * 100_000),
    "identity": b"abc" * 100_000,
}


@pytest.mark.parametrize("encoding", PACKED)
def test_what_is_packed_is_unpacked(server: Server, side: Side, encoding: str) -> None:
    def packed(body: bytes) -> Act:
        return raw("HTTP/1.1 200 OK", body, f"Content-Encoding: {encoding}\r\nContent-Length: {len(body)}\r\n")

    server.script["/file"] = [packed(PACKED[encoding])]
    target = io.BytesIO()
    assert side.download(config(server.url), f"{server.url}/file", target) == 300_000
    assert target.getvalue() == b"abc" * 100_000
    if encoding == "gzip":
        server.script["/things/7"] = [packed(gzip.compress(b'{"code": 0, "data": 7}'))]
        assert side.send(config(server.url), thing()) == 7


@pytest.mark.parametrize(
    ("encoding", "body", "kind"),
    [
        ("br", b"{}", AIHubBadAnswerError),
        ("gzip, gzip", gzip.compress(gzip.compress(b"{}")), AIHubBadAnswerError),
        ("gzip", b'{"code": 0, "data": 7}', AIHubBadAnswerError),
        ("gzip", gzip.compress(b'{"code": 0, "data": 7}')[:-9], AIHubUnavailable),
        ("gzip", b"", AIHubBadAnswerError),
    ],
    ids=["unknown", "packed twice", "not packed", "cut off", "nothing"],
)
def test_what_cannot_be_unpacked(server: Server, side: Side, encoding: str, body: bytes, kind: type) -> None:
    head = f"Content-Encoding: {encoding}\r\nContent-Length: {len(body)}\r\n"
    for creates, expected in ((False, kind), (True, AIHubAmbiguousSubmit)):
        request = thing(creates=creates)
        server.script[request.path] = [raw("HTTP/1.1 200 OK", body, head)]
        with pytest.raises(AIHubError) as caught:
            side.send(config(server.url), request, ONCE)
        assert type(caught.value) is expected


ODD_ANSWERS = [
    b"",
    b"\r\n\r\n",
    b"HTTP/1.1\r\n\r\n",
    b"HTTP/9.9 200 OK\r\n\r\n",
    b"HTTP/1.1 20 OK\r\n\r\n",
    b"HTTP/1.1 -1 OK\r\n\r\n",
    b"HTTP/1.1 999999999999999999999 OK\r\n\r\n",
    b"HTTP/1.1 \xd9\xa3\xd9\xa3\xd9\xa3 OK\r\n\r\n",
    b"ICY 200 OK\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n: empty\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: \xff\x00\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5000 + b"\r\n{}",
    b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000 + b"\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nabcde\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nabcde\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 100 + b"\r\nabc",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: nonsense\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: \xff\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nSet-Cookie: \xff=\xfe; expires=" + b"9" * 9000 + b"\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=nonsense\r\n\r\n{}",
    b"HTTP/1.1 429 No\r\nRetry-After: " + b"9" * 400 + b"\r\n\r\n",
    b"HTTP/1.1 503 No\r\nRetry-After: Mon, 99 Foo 99999 99:99:99 GMT\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nDate: Mon, 01 Jan 0001 00:00:00 -9999\r\n\r\n{}",
    b"HTTP/1.1 302 Found\r\nLocation: http://[::1\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nLocation: http://x:99999999/\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nLocation: \xff\xfe\r\n\r\n",
    b"HTTP/1.1 401 No\r\nWWW-Authenticate: \xff\r\n\r\n",
    b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\nxx",
    b"HTTP/1.1 204 None\r\n\r\n",
    b"HTTP/1.1 100 Go on\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\n\xff\xfe\x00",
]


def ask_oddly(side: Side, answer: bytes) -> None:
    """Have everything answered so; whatever raises anything but AIHub's own errors fails."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
            writer.close()

    with plain_server(serve) as url:
        settings_ = config(url, token="t", username="", timeout=2)
        for creates in (False, True):
            with pytest.raises(AIHubError):
                side.send(settings_, thing(creates=creates), ONCE)
        with suppress(AIHubError):
            perform(side, settings_, Fetch(f"{url}/log", 0, 100))
        with plain_server(serve) as other, suppress(AIHubError):
            perform(side, settings_, Fetch(f"{other}/log", 0, 100))


@pytest.mark.parametrize("answer", ODD_ANSWERS, ids=lambda answer: answer[:60].decode(errors="replace").strip())
def test_odd_answers(side: Side, answer: bytes) -> None:
    ask_oddly(side, answer)


@settings(max_examples=40, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_odd_answers_that_nobody_thought_of(side: Side, data: st.DataObject) -> None:
    odd = bytearray(data.draw(st.sampled_from(ODD_ANSWERS))[:3000])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(odd)))
        odd[at : at + data.draw(st.integers(0, 3))] = data.draw(
            st.one_of(st.binary(max_size=3), st.sampled_from([b"\r\n", b"\r\n\r\n", b":", b" ", b"-", b"99999"]))
        )
    ask_oddly(side, bytes(odd))


@pytest.mark.parametrize(
    "location", ["http://[::1", "ftp://h/x", "http://h:99999/", "http://" + "a" * 80, "http://a\x7f.b:x/"]
)
def test_a_redirect_to_what_is_no_address(server: Server, side: Side, location: str) -> None:
    with serving() as other:
        other.script["/x"] = [raw("HTTP/1.1 302 Found", b"", f"Location: {location}\r\nContent-Length: 0\r\n")]
        with pytest.raises(AIHubBadAnswerError, match="redirect"):
            side.download(config(server.url), f"{other.url}/x", io.BytesIO())
        assert len(other.seen) == 1


def test_the_body_of_a_redirect_is_no_part_of_the_file(server: Server, side: Side) -> None:
    with serving() as other:
        other.script["/x"] = [text("moved", 302, {"Location": "/y"})]
        other.script["/y"] = [text("file")]
        target = io.BytesIO()
        assert side.download(config(server.url), f"{other.url}/x", target) == 4
        assert target.getvalue() == b"file"


def test_a_disk_that_is_full(server: Server, side: Side) -> None:
    class Full(io.BytesIO):
        def write(self, _: Any) -> int:
            raise OSError(28, "No space left on device")

    server.script["/x"] = [text("file")]
    with pytest.raises(AIHubError, match="cannot be written: No space left on device") as caught:
        side.download(config(server.url), f"{server.url}/x", Full())
    assert type(caught.value) is AIHubError
    assert len(server.asked("/x")) == 1


def test_ipv6(side: Side) -> None:
    asked = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        asked.append(head)
        status = b"404 None" if b"/gone" in head else b"200 OK"
        writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 4\r\nConnection: close\r\n\r\nfile")
        await writer.drain()
        writer.close()

    with plain_server(serve, "::1") as url:
        settings_ = config(url, token="secret-token", username="")
        target = io.BytesIO()
        assert side.download(settings_, f"{url}/x", target) == 4
        assert perform(side, settings_, Fetch(f"{url}/x", 0, 10)).data == b"file"
        with pytest.raises(AIHubError, match=re.escape(f"(GET {url}/gone)")):
            side.download(settings_, f"{url}/gone", target)
    host = url.removeprefix("http://").encode()
    assert len(asked) == 3
    assert all(b"Host: " + host + b"\r\n" in head and b"Bearer secret-token" in head for head in asked)


ADDRESSES = {
    "/a b.csv": "/a%20b.csv",
    "/结果 1.csv": "/%E7%BB%93%E6%9E%9C%201.csv",
    "/%e7%bb%93.csv": "/%E7%BB%93.csv",
    "/100%.csv": "/100%25.csv",
    "/a%2Fb+c~d": "/a%2Fb+c~d",
    '/a"b<c>|d\\e^f`g{h}': "/a%22b%3Cc%3E%7Cd%5Ce%5Ef%60g%7Bh%7D",
    "/a/./b/../c//d": "/a/./b/../c//d",
    "/[1].csv": "/%5B1%5D.csv",
    "/x?sign=a/b+c=&名=é d&p=%zz": "/x?sign=a/b+c=&%E5%90%8D=%C3%A9%20d&p=%25zz",
    "/x?": "/x",
    "?a=b": "/?a=b",
    "/x#part": "/x",
    "": "/",
    "/😀": "/%F0%9F%98%80",
}


@pytest.mark.parametrize("address", ADDRESSES, ids=list(ADDRESSES.values()))
@pytest.mark.parametrize("way", ["a download", "a part", "a redirect"])
def test_odd_addresses(side: Side, address: str, way: str) -> None:
    targets: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1].decode()
        targets.append(target)
        moved = target == "/moved"
        place = f"Location: {address or '/'}\r\n" if moved else ""
        head = f"HTTP/1.1 {'302 Found' if moved else '200 OK'}\r\n{place}Content-Length: 4\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + b"file")
        await writer.drain()
        writer.close()

    with plain_server(serve) as url, serving() as aihub:
        settings_ = config(aihub.url)
        if way == "a part":
            assert perform(side, settings_, Fetch(url + address, 0, 10)).data == b"file"
        elif way == "a download":
            assert side.download(settings_, url + address, io.BytesIO()) == 4
        elif address.startswith("/") and "/." not in address:
            assert side.download(settings_, f"{url}/moved", io.BytesIO()) == 4
            assert targets.pop(0) == "/moved"
        else:
            return
    assert targets == [ADDRESSES[address]]


def test_no_log_holds_a_signature(server: Server, side: Side, caplog: pytest.LogCaptureFixture) -> None:
    async def odd(request: web.Request) -> web.StreamResponse:
        return await raw("HTTP/1.1 200 OK", b"file", "no colon\r\nContent-Length: 4\r\n")(request)

    with serving() as other, caplog.at_level(logging.DEBUG):
        other.script |= {
            "/x": [text("no", 502), text("", 302, {"Location": "/y?sign=hush2"})],
            "/y": [text("file")],
            "/odd": [odd],
        }
        assert side.download(config(server.url), f"{other.url}/x?sign=hush1", io.BytesIO()) == 4
        with suppress(AIHubError):
            side.download(config(server.url), f"{other.url}/odd?sign=hush3", io.BytesIO())
        with suppress(AIHubError):
            side.download(config(server.url), "http://127.0.0.1:1/x?sign=hush4", io.BytesIO())
    assert other.asked("/y")
    assert [record for record in caplog.records if "hush" in f"{record.getMessage()}{record.exc_info}"] == []


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (answer(code=2, msg="expected loss < 0.5 and accuracy > 0.9"), '"expected loss < 0.5 and accuracy > 0.9"'),
        (text("expected loss < 0.5 and accuracy > 0.9", 400), '"expected loss < 0.5 and accuracy > 0.9"'),
        (answer(400, message="a < b and c > d"), "a < b and c > d"),
        (answer(code=2, msg="<b>bold</b>"), '"<b>bold</b>"'),
        (text("<p>too <b>hot</b></p><script>if (a < b) {}</script>!", 400), '"too hot !"'),
        (text("<STYLE>p {}</STYLE>cold<script>x", 400), '"cold"'),
        (text("\ufeff \n<html>cold", 400), '"cold"'),
        (answer(code=2, msg="\x1b[1;31mred\x1b[0m and \x1b]0;title\x07\x9b2Kblue\x1b"), '"red and blue"'),
    ],
)
def test_words_are_told_as_they_are(server: Server, side: Side, act: Act, words: str) -> None:
    server.script["/things/7"] = [act]
    with pytest.raises(AIHubError) as caught:
        side.send(config(server.url), thing())
    assert words in str(caught.value)


def test_a_secret_that_is_parted_by_escape_sequences(server: Server, side: Side) -> None:
    parted = f"{PASSWORD[:4]}\x1b[0m{PASSWORD[4:]}"
    server.script["/things/7"] = [answer(code=2, msg=f"{parted} eyJhbGciOi\x1b[0mJIUzI1NiJ9.e30.c2ln")]
    with pytest.raises(AIHubError, match=r'"\*\*\* \*\*\*"'):
        side.send(config(server.url), thing())
