"""An AIHub that answers as badly as it can, in one of several ways.

``python -m benchmarks.hostile_server WAY`` prints its port and serves until its input ends. Logins are granted.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import repeat
from urllib.parse import parse_qs, urlsplit

from benchmarks.server import POD, Http, Hub, serve, success, training

MIB = 2**20
OK = "HTTP/1.1 200 X\r\nContent-Type: application/json\r\n"
CHUNKED = f"{OK}Transfer-Encoding: chunked\r\n\r\n".encode()
PIECE = 2**16
JOBS = 10_000
"""More than are waited for."""
REFUSED = 3
"""How many jobs, the first ones, may not be read."""
BURST = 10.0
"""Seconds after which a pod has written as much again."""

Answer = Iterable[bytes]
"""The pieces of an answer, with its head; they are sent as fast as they are taken."""


@dataclass(frozen=True)
class Asked:
    """A request.

    :param since: Seconds since the first one.
    """

    path: str
    query: str
    headers: dict[str, str]
    since: float


@dataclass(frozen=True)
class Way:
    """A way of being hostile.

    :param said: What the server sends, in words.
    :param answer: Gives the answer to a request; ``None`` for that of a good server.
    :param pause: Seconds between two pieces of it.
    """

    said: str
    answer: Callable[[Asked], Answer | None]
    pause: float = 0.0


def whole(body: bytes, status: str = "200 X", headers: str = "") -> Iterator[bytes]:
    yield f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode()
    for begin in range(0, len(body), PIECE):
        yield body[begin : begin + PIECE]


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def much_json(_: Asked) -> Iterator[bytes]:
    """A training with 62 MB of words in it."""
    yield CHUNKED + chunk(b'{"code": 0, "msg": "", "data": {"id": 1, "status": 2, "envs": [""')
    for _number in range(62):
        yield chunk(b', "' + b"x" * (MIB - 4) + b'"')
    yield chunk(b"]}}") + b"0\r\n\r\n"


def at_the_bound(more: bytes, *, packed: bool = False) -> Callable[[Asked], Answer]:
    """The job that is asked for, with a field that makes the answer as large as one may be."""

    @cache
    def body(job: str) -> bytes:
        data = {**training(int(job)), "more": 0} if job.isdigit() else {"more": 0}
        whole = success(data).replace(b'"more": 0', b'"more": ' + more)
        return gzip.compress(whole, 1) if packed else whole

    def answer(asked: Asked) -> Answer:
        job = asked.path.rpartition("/")[2]
        return whole(body(job), headers="Content-Encoding: gzip\r\n" if packed else "")

    return answer


MANY_VALUES = b"[" + b",".join([b"[]"] * 124_900) + b"]"
LONG_TEXT = b'"' + b"x" * (6 * MIB - 4096) + b'"'


def bomb() -> bytes:
    """2 MB that become 2 GB; nobody comes to the end, which is left out."""
    packer = zlib.compressobj(9, wbits=31)
    first, again = (packer.compress(b"0" * MIB) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    return first + 2047 * again


BOMB = bomb()


def moved(_: Asked) -> Iterator[bytes]:
    yield f"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: {1536 * MIB}\r\n\r\n".encode()
    yield from repeat(b"x" * MIB, 1536)


def slowly(_: Asked) -> Iterator[bytes]:
    yield f"{OK}Content-Length: 3600\r\n\r\n".encode()
    yield from repeat(b" ", 3600)


def refuses_some(asked: Asked) -> Answer | None:
    number = asked.path.rpartition("/")[2]
    return whole(b"", "401 No") if number.isdigit() and int(number) <= REFUSED else None


def versions(page: int, size: int, total: int) -> bytes:
    """A page of a list of so many dataset versions, the newest first."""
    rows = [
        {
            "id": total - (page - 1) * size - row,
            "status": 3,
            "version": row + 1,
            "dataset_id": page,
            "dataset_name": f"dataset-{page}",
            "upload_path": f"/data/datasets/{page}/{row}",
            "created_at": 1780000000000,
            "user_id": 7,
            "description": "nightly",
            "username": "research",
        }
        for row in range(size)
    ]
    return success({"total": total, "page_size": size, "page_num": page, "data": rows})


def busy_for_a_day(asked: Asked) -> Answer | None:
    if not asked.path.endswith("/dataset-versions"):
        return None
    return whole(b"", "429 Busy", "Retry-After: 86400\r\n")


def endless_list(asked: Asked) -> Answer | None:
    if not asked.path.endswith("/dataset-versions"):
        return None
    given = {name: values[0] for name, values in parse_qs(asked.query).items()}
    return whole(versions(int(given["page_num"]), int(given["page_size"]), total=10**9))


def pod_writes(lines: bytes) -> Callable[[Asked], Answer | None]:
    """A pod that writes these lines at once, time and again."""

    def answer(asked: Asked) -> Answer | None:
        if asked.path.endswith("/pods"):
            return whole(success({"total": 1, "page_size": 9999, "page_num": 1, "data": [POD]}))
        if asked.path.endswith("/logs/new"):
            return whole(success([{"name": "log", "url": f"http://{asked.headers['host']}/log"}]))
        if asked.path != "/log":
            return None
        file = lines * (1 + int(asked.since // BURST))
        first, last = asked.headers["range"].removeprefix("bytes=").split("-")
        part = file[int(first) : int(last) + 1]
        if not part:
            return whole(b"", "416 No", f"Content-Range: bytes */{len(file)}\r\n")
        place = f"Content-Range: bytes {first}-{int(first) + len(part) - 1}/{len(file)}\r\n"
        return whole(part, "206 Part", place)

    return answer


WAYS = {
    "nothing": Way("nothing bad", lambda _: None),
    "much_json": Way("62 MB of JSON", much_json),
    "many_values": Way("JSON at its bound: 250,000 values", at_the_bound(MANY_VALUES)),
    "long_text": Way("JSON at its bound: 6 MiB of text", at_the_bound(LONG_TEXT)),
    "no_json": Way("6 MiB that are no JSON", lambda _: whole(b"[" * 100 + b"x" * (6 * MIB - 4096))),
    "packed_text": Way("gzip, 6 kB that become JSON at its bound", at_the_bound(LONG_TEXT, packed=True)),
    "tags": Way("HTTP 500 with 30 kB of `<`", lambda _: whole(b"<" * 30_000, "500 Oops")),
    "scripts": Way("HTTP 500 with 29 kB of `<script`", lambda _: whole(b"<script" * 4143, "500 Oops")),
    "bomb": Way("gzip, 2 MB that become 2 GB", lambda _: whole(BOMB, headers="Content-Encoding: gzip\r\n")),
    "interim": Way("interim 1xx without end", lambda _: repeat(b"HTTP/1.1 102 Processing\r\n\r\n" * 1000)),
    "slowly": Way("one byte a second", slowly, pause=1.0),
    "moved": Way("a 302 with 1.5 GB of body", moved),
    "refuses": Way(f"HTTP 401 for {REFUSED} of 40 jobs", refuses_some),
    "busy": Way("HTTP 429 with `Retry-After: 86400`, to watchers", busy_for_a_day),
    "endless_list": Way("a list of versions without end, to watchers", endless_list),
    "many_lines": Way(
        "a pod that writes 100,000 lines at once, every 10 s", pod_writes(b"".join(b"%d\n" % n for n in range(100_000)))
    ),
    "blank_lines": Way("a pod that writes 70 KB of blank lines at once, every 10 s", pod_writes(b"\n" * 70_000)),
}


class Hostile(Hub):
    """What the hostile server knows: how often it was asked, and when to stop which job."""

    def __init__(self, way: Way) -> None:
        super().__init__(JOBS, lists=False)
        self.way = way
        self.hostile = False
        """Until it is told to be, it is a good one."""
        self._began = 0.0
        self._seconds: list[float] = []
        self._stops: dict[str, float] = {}

    def turn(self, target: str, headers: dict[str, str]) -> Answer | None:
        """Give the hostile answer to a request, if there is one."""
        parts, now = urlsplit(target), time.time()
        if parts.path == "/turn":
            self.hostile, self._began, self._seconds = True, now, []
        if parts.path in ("/turn", "/counts", "/end") or parts.path.endswith("/login"):
            return None
        if parts.path == "/seen":
            return whole(json.dumps({"stops": self._stops, "at": self._seconds}).encode())
        self._seconds.append(now - self._began)
        if parts.path.endswith("/stop"):
            self._stops.setdefault(parts.path.split("/")[-2], now)
        if not self.hostile:
            return None
        return self.way.answer(Asked(parts.path, parts.query, headers, now - self._began))

    def answer(self, method: str, target: str, body: bytes = b"") -> tuple[int, bytes]:
        if target == "/turn":
            return 200, b"{}"
        if urlsplit(target).path.endswith("/dataset-versions"):
            return 200, versions(1, 100, total=100)
        if target.endswith("/stop"):
            return 200, success({})
        return super().answer(method, target, body)


class HostileHttp(Http):
    """One connection of it."""

    def __init__(self, hub: Hostile) -> None:
        super().__init__(hub)
        self._hostile = hub
        self._free = asyncio.Event()
        self._free.set()
        self._sending: asyncio.Task[None] | None = None

    def pause_writing(self) -> None:
        self._free.clear()

    def resume_writing(self) -> None:
        self._free.set()

    def connection_lost(self, _: Exception | None) -> None:
        if self._sending:
            self._sending.cancel()

    def reply(self, method: str, target: str) -> None:
        answer = self._hostile.turn(target, self.headers)
        if answer is None:
            super().reply(method, target)
        else:
            self._sending = asyncio.create_task(self._send(answer))

    async def _send(self, answer: Answer) -> None:
        for piece in answer:
            self._transport.write(piece)
            await asyncio.sleep(self._hostile.way.pause)
            await self._free.wait()


if __name__ == "__main__":
    hub = Hostile(WAYS[sys.argv[1]])
    asyncio.run(serve(lambda: HostileHttp(hub)))
