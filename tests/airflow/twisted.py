"""A proxy in front of an emulator: real HTTP, with rules that change what is asked and what is answered."""

from __future__ import annotations

import http.client
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from email.utils import formatdate, parsedate_to_datetime
from itertools import count as count_up
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from http_servers import Answered, Asked, answering

from airflow_provider_aihub.emulators.aihub import Emulator

READ = re.compile(r"/(trainings|tasks|searches|runs|dataset-versions)/\d+$|/dataset-versions-detail$")
LIST = re.compile(r"/(trainings|tasks|searches|runs|dataset-versions)$")
CREATE = re.compile(r"/(trainings|tasks|searches|runs|dataset-versions-upload)$")


def creates(request: Asked) -> bool:
    return request.method == "POST" and bool(CREATE.search(request.path))


def lists(request: Asked) -> bool:
    return request.method == "GET" and bool(LIST.search(request.path))


def reads(request: Asked) -> bool:
    return request.method == "GET" and bool(READ.search(request.path))


def stops(request: Asked) -> bool:
    return request.method == "POST" and request.path.endswith("/stop")


def envelope(answer: Answered) -> dict[str, Any]:
    try:
        envelope = json.loads(answer.body)
    except ValueError:
        return {}
    return envelope if isinstance(envelope, dict) else {}


def content(answer: Answered) -> Any:
    return envelope(answer).get("data") or {}


def saying(answer: Answered, data: Any, **given: Any) -> Answered:
    return replace(answer, body=json.dumps({"code": 0, "msg": "", "data": data, **given}).encode())


GoOn = Callable[[Asked], Answered]
Rule = Callable[[Asked, GoOn], Answered | None]
"""Answers a request, perhaps with what the next rule says; ``None`` closes the connection without an answer."""


@dataclass
class Twisted:
    """The proxy.

    :param emulator: Where requests go; may be exchanged for another one at any time.
    """

    emulator: Emulator
    rules: list[Rule] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    done: list[Asked] = field(default_factory=list)
    """What the emulator has answered, whoever still waited for it."""
    url: str = ""

    def __call__(self, request: Asked) -> Answered | None:
        self.asked.append(request)
        return self._through(list(self.rules), request)

    def forward(self, request: Asked) -> Answered:
        """Ask the emulator."""
        parts = urlsplit(self.emulator.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        try:
            target = request.path + (f"?{urlencode(request.query)}" if request.query else "")
            kept = {
                name: value for name, value in request.headers.items() if name.lower() not in ("host", "connection")
            }
            connection.request(request.method, target, request.body or None, kept)
            response = connection.getresponse()
            hop = ("connection", "transfer-encoding", "content-length", "keep-alive")
            headers = {name: value for name, value in response.getheaders() if name.lower() not in hop}
            answer = Answered(response.status, headers, response.read())
            self.done.append(request)
            return answer
        finally:
            connection.close()

    def count(self, what: Callable[[Asked], bool]) -> int:
        return sum(map(what, self.asked))

    def _through(self, rules: list[Rule], request: Asked) -> Answered | None:
        if not rules:
            return self.forward(request)

        def go_on(changed: Asked) -> Answered:
            answer = self._through(rules[1:], changed)
            if answer is None:
                raise ConnectionAbortedError
            return answer

        try:
            return rules[0](request, go_on)
        except ConnectionAbortedError:
            return None


@contextmanager
def serving(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Twisted]:
    """Put a proxy between the connection ``aihub_default`` and an emulator.

    The connection ``direct`` leads past it.
    """
    twisted = Twisted(emulator)
    with answering(twisted) as twisted.url:
        connection = json.loads(emulator.connection_json()) | {"host": twisted.url}
        monkeypatch.setenv("AIRFLOW_CONN_AIHUB_DEFAULT", json.dumps(connection))
        monkeypatch.setenv("AIRFLOW_CONN_DIRECT", emulator.connection_json())
        yield twisted


# Rules


def times(number: int, wanted: Callable[[Asked], bool], rule: Rule) -> Rule:
    """Apply a rule to the first requests of a kind only."""
    numbers = count_up(1)
    return lambda request, go_on: (
        rule(request, go_on) if wanted(request) and next(numbers) <= number else go_on(request)
    )


def once(wanted: Callable[[Asked], bool], rule: Rule) -> Rule:
    """Apply a rule to the first request of a kind only."""
    return times(1, wanted, rule)


def before(wanted: Callable[[Asked], bool], act: Callable[[], Any], *, number: int = 1) -> Rule:
    """Do something when a request of a kind comes, and before it is passed on.

    :param number: Which of these requests.
    """
    numbers = count_up(1)

    def rule(request: Asked, go_on: GoOn) -> Answered:
        if wanted(request) and next(numbers) == number:
            act()
        return go_on(request)

    return rule


def late(seconds: float, *, answered: Rule | None = None) -> Rule:
    """Let a call take effect later, whether its client still waits or not.

    :param answered: What the client is told meanwhile; by default it waits.
    """

    def rule(request: Asked, go_on: GoOn) -> Answered | None:
        if answered is None:
            time.sleep(seconds)
            return go_on(request)
        timer = threading.Timer(seconds, go_on, (request,))
        timer.daemon = True
        timer.start()
        return answered(request, lambda _: Answered(200, {"Content-Type": "application/json"}, b""))

    return rule


def lost(request: Asked, go_on: GoOn) -> None:
    """Do the work and lose the answer."""
    go_on(request)


def says(code: int, msg: str = "", *, status: int = 200) -> Rule:
    """Do the work and say that it was refused."""

    def rule(request: Asked, go_on: GoOn) -> Answered:
        body = json.dumps({"code": code, "msg": msg, "data": None}).encode()
        return replace(go_on(request), status=status, body=body)

    return rule


def redirects(status: int) -> Rule:
    """Do the work and answer with a redirect."""

    def rule(request: Asked, go_on: GoOn) -> Answered:
        answer = go_on(request)
        return Answered(status, {**answer.headers, "Location": f"{request.path}/1"}, b"")

    return rule


def after_interim(status: int, rule: Rule | None = None) -> Rule:
    """Send an interim answer before the final one."""

    def interim(request: Asked, go_on: GoOn) -> Answered | None:
        answer = (rule or (lambda asked, go: go(asked)))(request, go_on)
        return answer and replace(answer, interim=status)

    return interim


def slow(seconds: float, wanted: Callable[[Asked], bool] = lambda _: True) -> Rule:
    """Take so long for each answer."""

    def rule(request: Asked, go_on: GoOn) -> Answered:
        if wanted(request):
            time.sleep(seconds)
        return go_on(request)

    return rule


def clock_off(seconds: float) -> Rule:
    """Let AIHub's clock be ahead by so many seconds, wherever it shows."""

    def rule(request: Asked, go_on: GoOn) -> Answered:
        answer = go_on(request)
        headers = {name: value for name, value in answer.headers.items() if name.lower() != "date"}
        told = parsedate_to_datetime(answer.headers["Date"]).timestamp() if "Date" in answer.headers else time.time()
        return replace(answer, headers={**headers, "Date": formatdate(told + seconds, usegmt=True)})

    def change(row: dict[str, Any]) -> None:
        row["created_at"] += int(1000 * seconds)

    shown = each_row(change)
    return lambda request, go_on: rule(request, lambda asked: shown(asked, go_on))


def each_row(change: Callable[[dict[str, Any]], Any]) -> Callable[[Asked, GoOn], Answered]:
    """Change what is shown of each job, alone and in lists."""

    def rule(request: Asked, go_on: GoOn) -> Answered:
        answer = go_on(request)
        if not (reads(request) or lists(request)) or not isinstance(content(answer), dict):
            return answer
        data = content(answer)
        for row in data.get("data", ()) if lists(request) else [data]:
            if "created_at" in row:
                change(row)
        return saying(answer, data)

    return rule


def described(change: Callable[[str], str]) -> Rule:
    """Change all descriptions."""
    return each_row(lambda row: row.update(description=change(row.get("description") or "")))


def sent(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Rule:
    """Change what a create call sends."""

    def rule(request: Asked, go_on: GoOn) -> Answered:
        if creates(request):
            body = json.dumps(change(json.loads(request.body))).encode()
            headers = {name: value for name, value in request.headers.items() if name.lower() != "content-length"}
            request = replace(request, body=body, headers={**headers, "Content-Length": str(len(body))})
        return go_on(request)

    return rule


def hidden(seconds: float) -> Rule:
    """Let reads say for so long after a job was created that there is none."""

    def rule(request: Asked, go_on: GoOn) -> Answered:
        answer = go_on(request)
        young = reads(request) and content(answer) and time.time() - content(answer)["created_at"] / 1000 < seconds
        if not young:
            return answer
        return replace(answer, body=json.dumps({"code": 2, "msg": "record not found", "data": None}).encode())

    return rule


Rows = list[dict[str, Any]]


def listed(
    *,
    lag: float = 0.0,
    most: int = 1000,
    total: int | str | None = "right",
    newer: int = 0,
    oldest_first: bool = False,
    repeats: bool = False,
    shows: dict[str, Any] | None = None,
) -> Rule:
    """Show lists in another way.

    :param lag: Seconds after which a job is in them.
    :param most: Rows on a page, whatever is asked for.
    :param total: What they say to have in all; ``None`` for nothing.
    :param newer: How many strangers' jobs are newer than all others; they have any name that is asked for.
    :param repeats: Whether every page is the first one.
    :param shows: What they say of every job.
    """
    theirs = [
        {
            "id": 10**6 + number,
            "name": "",
            "status": 2,
            "description": "",
            "created_at": int(1000 * time.time()) + 10**6,
        }
        for number in range(newer, 0, -1)
    ]

    def rows_of(request: Asked, go_on: GoOn) -> tuple[Answered, Rows]:
        everything = {**request.query, "page_num": "1", "page_size": "1000"}
        answer = go_on(replace(request, query=everything))
        rows: Rows = content(answer)["data"] if content(answer) else []
        return answer, rows

    def rule(request: Asked, go_on: GoOn) -> Answered:
        if not lists(request):
            return go_on(request)
        answer, rows = rows_of(request, go_on)
        if not content(answer):
            return answer
        now = time.time()
        rows = theirs + [{**row, **(shows or {})} for row in rows if now - (row.get("created_at") or 0) / 1000 >= lag]
        if oldest_first:
            rows.reverse()
        size = min(most, int(request.query.get("page_size", 20)))
        number = 1 if repeats else int(request.query.get("page_num", 1))
        page = rows[(number - 1) * size : number * size]
        data: dict[str, Any] = {"total": len(rows), "page_num": number, "page_size": size, "data": page}
        if total is None:
            del data["total"]
        elif total != "right":
            data["total"] = total
        return saying(answer, data)

    return rule
