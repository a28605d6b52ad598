"""Which hosts files are fetched from, whoever names them."""

from __future__ import annotations

import asyncio
import io
import socket
import threading
from typing import Any

import pytest
from misbehaving import STATIC_TOKEN, Server, Side, config, serving, text
from test_client_errands import perform
from waiting import eventually

from airflow_provider_aihub.aihub.config import Config
from airflow_provider_aihub.aihub.errors import AIHubConfigError, AIHubParameterError, AIHubUnavailable
from airflow_provider_aihub.aihub.services import Service
from airflow_provider_aihub.jobs.errands import Fetch

HERE = "127.0.0.1"
PUBLIC, PRIVATE = "93.184.216.34", "10.1.2.3"


def at(*hosts: str) -> Config:
    """An AIHub whose services are at these hosts."""
    addresses = {service: f"http://{hosts[number % len(hosts)]}:9" for number, service in enumerate(Service)}
    return config("http://unused", addresses=addresses, token=STATIC_TOKEN, username="", password="")


class Names:
    """A name server: each name has its addresses in turn, the last one for ever."""

    def __init__(self) -> None:
        self.known: dict[str, list[list[str]]] = {}
        self.asked: list[str] = []
        self._real = socket.getaddrinfo

    def __call__(self, host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name not in self.known:
            if name.endswith(".example"):
                raise socket.gaierror(-2, "Name or service not known")
            return self._real(host, port, *args, **kwargs)
        self.asked.append(name)
        answers = self.known[name]
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        return [found for one in addresses for found in self._real(one, port, *args, **kwargs)]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    names = Names()
    monkeypatch.setattr(socket, "getaddrinfo", names)
    return names


def fetched(side: Side, settings: Config, url: str) -> bytes:
    target = io.BytesIO()
    side.download(settings, url, target)
    return target.getvalue()


FILE = text("here it is")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f.0.0.1", "0.0.0.0", "[::1]"])
def test_this_machine_is_asked_only_where_aihub_is_on_it(server: Server, side: Side, host: str) -> None:
    server.script["/x"] = [FILE]
    url = f"http://{host}:{server.port}/x"
    with pytest.raises(AIHubParameterError, match="was not asked to give a file, because it is this machine itself"):
        fetched(side, at("10.0.0.1"), url)
    with pytest.raises(AIHubParameterError):
        perform(side, at("10.0.0.1"), Fetch(url, 0, 10))
    assert not server.seen
    if host in ("127.0.0.1", "localhost"):
        for own in (["127.0.0.1"], ["localhost"], ["10.0.0.1", "127.0.0.1"]):
            assert fetched(side, at(*own), url) == b"here it is"


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("169.254.169.254", "tells a cloud's machines their credentials"),
        ("[::ffff:169.254.169.254]", "tells a cloud's"),
        ("[64:ff9b::a9fe:a9fe]", "tells a cloud's"),
        ("[fd00:ec2::254]", "tells a cloud's"),
        ("100.100.100.200", "tells a cloud's"),
        ("metadata.google.internal", "tells a cloud's"),
        ("Metadata.Google.Internal.", "tells a cloud's"),
        ("2852039166", "tells a cloud's"),
        ("169.254.7.7", "is link-local"),
        ("[fe80::1]", "is link-local"),
        ("[fe80::1%25eth0]", "is link-local"),
        ("[::ffff:127.0.0.1]", "is this machine itself"),
        ("0.0.0.0", "is this machine itself"),
    ],
)
def test_hosts_that_are_not_asked(side: Side, host: str, why: str) -> None:
    with pytest.raises(AIHubParameterError, match=why) as caught:
        fetched(side, at("10.0.0.1"), f"http://me:secret@{host}/latest/meta-data?sign=secret")
    assert "secret" not in str(caught.value)
    assert caught.value.final


def test_metadata_are_not_read_where_aihub_is_on_the_same_link(side: Side) -> None:
    with pytest.raises(AIHubParameterError, match="credentials"):
        fetched(side, at("169.254.7.7"), "http://169.254.169.254/latest")


def test_a_name_is_looked_up(server: Server, side: Side, names: Names) -> None:
    server.script["/x"] = [FILE]
    names.known = {
        "inside.example": [[HERE]],
        "both.example": [[PRIVATE, "169.254.169.254"]],
        "aihub.example": [[HERE]],
        "files.example": [[PRIVATE], [HERE]],
    }
    url = f"http://{{}}.example:{server.port}/x"
    for name, why in (("inside", "this machine"), ("both", "credentials")):
        with pytest.raises(AIHubParameterError, match=rf"The file server {name}\.example was not asked .*{why}"):
            fetched(side, at("10.0.0.1"), url.format(name))
    assert not server.seen
    assert fetched(side, at("10.0.0.1"), url.format("files")) == b"here it is", "a private network is open"
    assert fetched(side, at("aihub.example"), url.format("inside")) == b"here it is", "AIHub is here, by its name"
    with pytest.raises(AIHubUnavailable, match="could not be resolved"):
        fetched(side, at("10.0.0.1"), url.format("nowhere"))


def test_each_redirect_is_checked(server: Server, side: Side) -> None:
    with serving() as other:
        for number, target in enumerate(
            ("http://169.254.169.254/latest", "//metadata.google.internal/", "http://[fe80::1]/")
        ):
            other.script["/x"] = [text("", 302, {"Location": "/y"})]
            other.script["/y"] = [text("", 307, {"Location": target})]
            with pytest.raises(AIHubParameterError, match="was not asked to give a file"):
                fetched(side, config(server.url), f"{other.url}/x")
            assert len(other.seen) == 2 * number + 2


@pytest.mark.parametrize(
    ("first", "second", "follows"),
    [
        (PUBLIC, PRIVATE, False),
        (PUBLIC, HERE, False),
        (PUBLIC, "100.64.0.1", False),
        (PUBLIC, "8.8.8.8", True),
        (PRIVATE, "192.168.1.1", True),
        (PRIVATE, PUBLIC, True),
        (PRIVATE, HERE, True),
    ],
)
def test_a_public_server_does_not_lead_into_a_private_network(
    server: Server, side: Side, names: Names, first: str, second: str, follows: bool
) -> None:
    """What is looked up first is what is judged; both names then lead to the server of this test."""
    names.known = {"one.example": [[first], [HERE]], "two.example": [[second], [HERE]]}
    server.script["/x"] = [text("", 302, {"Location": f"http://two.example:{server.port}/y"})]
    server.script["/y"] = [FILE]
    url = f"http://one.example:{server.port}/x"
    if follows:
        assert fetched(side, at(HERE), url) == b"here it is"
    else:
        with pytest.raises(AIHubParameterError, match=r"two\.example .* in a private network, to which a public"):
            fetched(side, at(HERE), url)
        assert [seen.path for seen in server.seen] == ["/x"]


@pytest.mark.parametrize("host", ["127.0.0.1\\.example", "a<b", "127.0.0.1%2f.example", "a b"])
def test_hosts_that_could_be_read_in_two_ways(side: Side, host: str) -> None:
    with pytest.raises(AIHubParameterError, match="http and https"):
        fetched(side, at("10.0.0.1"), f"http://{host}/x")
    with pytest.raises(AIHubConfigError, match="'model_training_url' cannot be used"):
        Config(addresses={Service.MODEL_TRAINING: f"http://{host}"})


async def test_a_name_is_looked_up_beside_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, answered = threading.Event(), threading.Event()
    in_time = []

    def slow(*_: Any, **__: Any) -> Any:
        asked.set()
        in_time.append(answered.wait(10))
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    async with Side("asynchronous").async_client(at("10.0.0.1")) as client:
        reading = asyncio.ensure_future(client.perform(Fetch("http://slow.example/x", 0, 10)))
        await eventually("the name is asked for", asked.is_set)
        answered.set()
        with pytest.raises(AIHubUnavailable, match="could not be resolved"):
            await reading
    assert in_time[0], "the loop went on meanwhile"
