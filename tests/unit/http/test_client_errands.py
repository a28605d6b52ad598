"""Reading parts of files, from servers that can and from servers that cannot give parts."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from aiohttp import web
from misbehaving import STATIC_TOKEN, Act, Server, Side, config, ok, serving, text, thing

from airflow_provider_aihub.aihub.client import AIHubClient
from airflow_provider_aihub.aihub.config import Config
from airflow_provider_aihub.aihub.errors import AIHubBadAnswerError, AIHubError, AIHubUnavailable, AIHubUnsupportedError
from airflow_provider_aihub.jobs import errands
from airflow_provider_aihub.jobs.errands import Ask, Fetch, Piece

CONTENT = bytes(range(256)) * 1200
LOG = "/log.txt"


def perform(side: Side, config: Config, errand: Ask | Fetch) -> Any:
    if side.name == "blocking":
        with AIHubClient(config, sleep=side.slept.append) as client:
            return client.perform(errand)

    async def run() -> Any:
        async with side.async_client(config) as client:
            return await client.perform(errand)

    return asyncio.run(run())


def in_parts(content: bytes) -> Act:
    async def act(request: web.Request) -> web.StreamResponse:
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers["Range"])
        assert found
        first, last = int(found[1]), min(int(found[2]), len(content) - 1)
        if first > last:
            return web.Response(status=416, headers={"Content-Range": f"bytes */{len(content)}"})
        where = f"bytes {first}-{last}/{len(content)}"
        return web.Response(status=206, body=content[first : last + 1], headers={"Content-Range": where})

    return act


def as_a_whole(content: bytes, *, chunked: bool = False) -> Act:
    async def act(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        if chunked:
            response.enable_chunked_encoding()
        else:
            response.content_length = len(content)
        await response.prepare(request)
        try:
            await response.write(content)
            await response.write_eof()
        except ConnectionError:
            pass
        return response

    return act


@pytest.mark.parametrize("start", [0, 1, 70_000, len(CONTENT) - 10, len(CONTENT), len(CONTENT) + 5])
@pytest.mark.parametrize("most", [1, 1000, 10**6])
@pytest.mark.parametrize("act", [in_parts(CONTENT), as_a_whole(CONTENT)], ids=["in parts", "as a whole"])
def test_a_part_is_the_same_whatever_the_server_can_do(
    server: Server, side: Side, act: Act, start: int, most: int
) -> None:
    server.script[LOG] = [act]
    piece = perform(side, config(server.url), Fetch(server.url + LOG, start, most))
    assert piece == Piece(CONTENT[start : start + most], len(CONTENT))


def test_a_server_that_does_not_say_how_much_there_is(server: Server, side: Side) -> None:
    server.script[LOG] = [as_a_whole(CONTENT, chunked=True)]
    connection = config(server.url)
    assert perform(side, connection, Fetch(server.url + LOG, 10, 20)) == Piece(CONTENT[10:30], None)
    everything = perform(side, connection, Fetch(server.url + LOG, 10, 10**7))
    assert everything == Piece(CONTENT[10:], len(CONTENT))


def test_a_file_is_not_read_in_vain_without_end(server: Server, side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errands, "LARGEST_SKIP", 1000)
    server.script[LOG] = [as_a_whole(CONTENT)]
    with pytest.raises(AIHubUnsupportedError, match="as a whole only"):
        perform(side, config(server.url), Fetch(server.url + LOG, 1001, 100))
    server.script[LOG] = [in_parts(CONTENT)]
    assert perform(side, config(server.url), Fetch(server.url + LOG, 1001, 100)).data == CONTENT[1001:1101]


@pytest.mark.parametrize("where", ["bytes 7-9/100", "lines 0-9/100", ""])
def test_another_part_than_was_asked_for_is_no_part(server: Server, side: Side, where: str) -> None:
    server.script[LOG] = [text("abc", 206, {"Content-Range": where})]
    with pytest.raises(AIHubBadAnswerError, match="another part"):
        perform(side, config(server.url), Fetch(server.url + LOG, 0, 3))


def test_the_token_goes_to_aihub_alone(server: Server, side: Side) -> None:
    connection = config(server.url, token=STATIC_TOKEN, username="", password="")
    server.script[LOG] = [in_parts(CONTENT)]
    perform(side, connection, Fetch(server.url + LOG, 0, 3))
    assert server.asked(LOG)[0].headers["Authorization"] == f"Bearer {STATIC_TOKEN}"
    assert server.asked(LOG)[0].headers["Accept-Encoding"] == "identity"
    with serving() as other:
        other.script[LOG] = [text("", 302, {"Location": f"{other.url}/moved"})]
        other.script["/moved"] = [in_parts(CONTENT)]
        assert perform(side, connection, Fetch(other.url + LOG, 5, 3)).data == CONTENT[5:8]
        assert [seen.path for seen in other.seen] == [LOG, "/moved"]
        assert all("Authorization" not in seen.headers for seen in other.seen)
        assert all(seen.headers["Range"] == "bytes=5-7" for seen in other.seen)


@pytest.mark.parametrize("errand", ["ask", "fetch"])
def test_nothing_is_tried_twice(server: Server, side: Side, errand: str) -> None:
    server.script = {"/things/7": [text("", 503), ok()], LOG: [text("", 503), in_parts(CONTENT)]}
    wanted = Ask(thing()) if errand == "ask" else Fetch(server.url + LOG, 0, 9)
    with pytest.raises(AIHubUnavailable):
        perform(side, config(server.url), wanted)
    assert side.slept == []
    assert perform(side, config(server.url), wanted) in (7, Piece(CONTENT[:9], len(CONTENT)))


def test_an_address_is_not_shown() -> None:
    assert "signature" not in repr(Fetch("http://files/log?signature=abc", 0, 1))


def test_what_is_no_address(server: Server, side: Side) -> None:
    with pytest.raises(AIHubError):
        perform(side, config(server.url), Fetch("s3://bucket/log", 0, 1))
