"""Files up and down, TLS, and the methods that are made from the endpoints."""

from __future__ import annotations

import asyncio
import datetime
import hashlib
import inspect
import io
import os
import ssl
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO
from unittest.mock import Mock

import pytest
import requests_mock
from aiohttp import BodyPartReader, MultipartReader, web
from aiohttp.streams import StreamReader
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from misbehaving import (
    RELAY_TOKEN,
    STATIC_TOKEN,
    Server,
    Side,
    answer,
    break_off,
    config,
    hang,
    ok,
    serving,
    text,
    thing,
)

from airflow_provider_aihub.aihub import model_training, s3_relay
from airflow_provider_aihub.aihub.client import AIHubClient, AsyncAIHubClient
from airflow_provider_aihub.aihub.endpoints import Endpoints
from airflow_provider_aihub.aihub.errors import (
    AIHubAmbiguousSubmit,
    AIHubAuthError,
    AIHubBadAnswerError,
    AIHubError,
    AIHubNotFoundError,
    AIHubParameterError,
    AIHubRejectedError,
    AIHubUnavailable,
)
from airflow_provider_aihub.aihub.files import file_from_path
from airflow_provider_aihub.http.endpoint import Endpoint
from airflow_provider_aihub.http.request import File, Form, Request
from airflow_provider_aihub.http.retry import RetryPolicy
from airflow_provider_aihub.http.transfer import CHUNK


async def multipart_parts(headers: Any, body: bytes) -> list[tuple[str | None, str | None, bytes]]:
    """Parse a recorded multipart body with aiohttp's own reader."""
    stream = StreamReader(Mock(_reading_paused=False), 2**16, loop=asyncio.get_running_loop())
    stream.feed_data(body)
    stream.feed_eof()
    reader = MultipartReader(headers, stream)
    found = []
    while isinstance(part := await reader.next(), BodyPartReader):
        found.append((part.name, part.filename, bytes(await part.read())))
    return found


def uploading(form: Form, *, creates: bool = False) -> Request[Any]:
    return thing(method="POST", path="/upload", form=form, creates=creates, json=None, asks="create evaluation 'x'")


def two_files(folder: Path) -> Form:
    (folder / 'model "1".bin').write_bytes(bytes(range(256)) * 4096 * 3)
    (folder / "预测.jsonl").write_text('{"a": 1}\n')
    files = {
        "pred_file": file_from_path(folder / "预测.jsonl"),
        "model_file": file_from_path(str(folder / 'model "1".bin')),
    }
    return Form(fields={"model_name": "m 1", "epoch": "3"}, files=files)


def test_a_form_is_sent_whole_and_in_order(server: Server, side: Side, tmp_path: Path) -> None:
    server.script["/upload"] = [text("", 502), ok()]
    form = two_files(tmp_path)
    assert side.send(config(server.url), uploading(form)) == 7
    first, second = server.asked("/upload")
    parts = asyncio.run(multipart_parts(second.headers, second.body))
    assert [(name, content) for name, _, content in parts[:3]] == [
        ("model_name", b"m 1"),
        ("epoch", b"3"),
        ("pred_file", b'{"a": 1}\n'),
    ]
    assert parts[2][1] == "预测.jsonl"
    assert (parts[3][0], parts[3][2]) == ("model_file", bytes(range(256)) * 4096 * 3)
    assert len(first.body) == len(second.body) == int(second.headers["Content-Length"])
    assert first.headers["Content-Type"].startswith("multipart/form-data; boundary=")


def test_a_form_is_read_in_pieces_and_its_files_are_closed(server: Server, side: Side) -> None:
    sizes: list[int] = []
    opened: list[BinaryIO] = []

    class Content(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            sizes.append(size if size is not None else -1)
            return super().read(size)

    def open_() -> BinaryIO:
        opened.append(Content(b"x" * 4 * CHUNK))
        return opened[-1]

    server.script["/upload"] = [ok()]
    file = File(name="big", open=open_, size=4 * CHUNK)
    side.send(config(server.url), uploading(Form(fields={}, files={"file": file}), creates=True))
    assert 0 < max(sizes) <= CHUNK
    assert min(sizes) >= 0
    assert [content.closed for content in opened] == [True]


@pytest.mark.parametrize("where", ["open", "read"])
def test_a_disk_that_fails_is_no_doubt_whether_aihub_took_it(server: Server, side: Side, where: str) -> None:
    def fail(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    class Broken(io.BytesIO):
        read = fail

    server.script["/upload"] = [ok()]
    file = File(name="big.bin", open=fail if where == "open" else Broken, size=1000)  # type: ignore[arg-type]
    with pytest.raises(AIHubError, match=r"'big\.bin' c.*: Input/output error") as caught:
        side.send(config(server.url), uploading(Form(fields={}, files={"file": file}), creates=True))
    assert type(caught.value) is AIHubError
    assert not caught.value.final


@pytest.mark.parametrize("creates", [False, True])
def test_a_file_that_shrinks_while_it_is_sent(server: Server, side: Side, creates: bool) -> None:
    server.script["/upload"] = [ok()]
    file = File(name="shrinking.bin", open=lambda: io.BytesIO(b"x" * 10), size=1000)
    with pytest.raises(AIHubError, match=r"'shrinking\.bin' became shorter") as caught:
        side.send(config(server.url), uploading(Form(fields={}, files={"file": file}), creates=creates))
    assert type(caught.value) is AIHubError
    assert not caught.value.final
    assert side.slept == []


def test_a_file_that_is_gone_when_it_is_sent(server: Server, side: Side, tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(b"x")
    form = Form(fields={}, files={"file": file_from_path(path)})
    path.unlink()
    with pytest.raises(AIHubError, match=r"'model\.bin' cannot be sent: No such file") as caught:
        side.send(config(server.url), uploading(form, creates=True))
    assert not caught.value.final
    assert not server.asked("/upload")


def test_a_file_that_is_a_pipe_when_it_is_sent(server: Server, side: Side, tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(b"x")
    form = Form(fields={}, files={"file": file_from_path(path)})
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(AIHubError, match=r"'model\.bin' cannot be sent: it is no regular file") as caught:
        side.send(config(server.url), uploading(form, creates=True))
    assert not caught.value.final
    assert not server.asked("/upload")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("none.bin", "No such file or directory"),
        (".", "Is a directory"),
        ("pipe", "it is no regular file"),
        ("a\0b", "embedded null"),
        (os.fsdecode(b"caf\xe9"), r"The file 'caf\\xe9' cannot be sent: its name is no UTF-8"),
    ],
)
def test_paths_that_are_no_file(tmp_path: Path, name: str, problem: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(AIHubParameterError, match=problem):
        file_from_path(tmp_path / name)


def test_a_broken_upload_of_an_evaluation_is_ambiguous(server: Server, side: Side, tmp_path: Path) -> None:
    server.script["/upload"] = [text("", 502)]
    with pytest.raises(AIHubAmbiguousSubmit):
        side.send(config(server.url), uploading(two_files(tmp_path), creates=True))
    assert len(server.asked("/upload")) == 1


def slow(seconds: float) -> Any:
    """Answer so long after the whole request has come."""

    async def act(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return await ok()(request)

    return act


@pytest.mark.parametrize("creates", [False, True])
def test_a_server_has_time_to_store_what_it_got(server: Server, side: Side, creates: bool) -> None:
    server.script["/upload"] = [slow(2.5)]
    size = 32 * 2**20
    file = File(name="big.bin", open=lambda: io.BytesIO(bytes(size)), size=size)
    request = uploading(Form(fields={}, files={"file": file}), creates=creates)
    assert side.send(config(server.url, timeout=1), request) == 7
    assert len(server.asked("/upload")) == 1


@pytest.mark.parametrize("creates", [False, True])
def test_an_answer_that_comes_too_late_names_the_time_limit(server: Server, side: Side, creates: bool) -> None:
    server.script["/upload"] = [hang]
    file = File(name="small.bin", open=lambda: io.BytesIO(b"x"), size=1)
    request = uploading(Form(fields={}, files={"file": file}), creates=creates)
    policy = RetryPolicy(attempts=2)
    with pytest.raises(AIHubAmbiguousSubmit if creates else AIHubUnavailable, match=r"within 0\.3 s") as caught:
        side.send(config(server.url, timeout=0.3), request, policy)
    assert "if it needs longer, raise 'timeout' of the connection." in str(caught.value)
    assert len(server.asked("/upload")) == (1 if creates else 2)


CSV = ("object_name\n" + "a.png\n" * 200_000).encode()


def file_of(content: bytes = CSV) -> Any:
    async def act(_: web.Request) -> web.StreamResponse:
        return web.Response(body=content)

    return act


def test_a_download_from_elsewhere_carries_no_token(server: Server, side: Side) -> None:
    with serving() as other:
        other.script["/a b.csv"] = [text("", 502), file_of()]
        target = io.BytesIO(b"kept")
        target.seek(4)
        assert side.download(config(server.url), f"{other.url}/a%20b.csv?sign=x%2Fy", target) == len(CSV)
        assert hashlib.sha256(target.getvalue()[4:]).digest() == hashlib.sha256(CSV).digest()
        assert all("Authorization" not in seen.headers and "Token" not in seen.headers for seen in other.seen)
        assert {seen.query for seen in other.seen} == {"sign=x%2Fy"}
    assert server.logins == 0


def test_a_download_from_aihub_carries_the_token(server: Server, side: Side) -> None:
    server.script["/result.csv"] = [answer(401, code=1), file_of()]
    target = io.BytesIO()
    assert side.download(config(server.url), f"{server.url}/result.csv", target) == len(CSV)
    assert target.getvalue() == CSV
    assert server.logins == 2
    assert all("Authorization" in seen.headers for seen in server.asked("/result.csv"))


def test_a_download_that_breaks_off_begins_anew(server: Server, side: Side) -> None:
    server.script["/result.csv"] = [break_off, file_of(b"short")]
    target = io.BytesIO()
    assert side.download(config(server.url), f"{server.url}/result.csv", target) == 5
    assert target.getvalue() == b"short"


def test_a_download_that_breaks_off_into_a_pipe_is_an_error(server: Server, side: Side) -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    async def break_off_late(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(len(CSV) + 1)})
        await response.prepare(request)
        await response.write(CSV)
        assert request.transport is not None
        request.transport.close()
        return response

    server.script["/result.csv"] = [break_off_late, file_of()]
    target = Pipe()
    with pytest.raises(AIHubUnavailable, match=r"broke off after \d+ bytes"):
        side.download(config(server.url), f"{server.url}/result.csv", target)
    assert CSV.startswith(target.getvalue())


def test_a_redirect_with_the_token_is_not_followed(server: Server, side: Side) -> None:
    with serving() as other:
        server.script["/result.csv"] = [text("", 302, {"Location": f"{other.url}/x?sign=secret"})]
        with pytest.raises(AIHubBadAnswerError, match="redirect") as caught:
            side.download(config(server.url), f"{server.url}/result.csv", io.BytesIO())
        assert not other.seen
    assert "sign" not in str(caught.value)


def test_a_redirect_without_the_token_is_followed_and_stays_without(server: Server, side: Side) -> None:
    with serving() as other:
        other.script["/x.csv"] = [text("", 302, {"Location": f"{server.url}/y.csv"})]
        server.script["/y.csv"] = [text("", 302, {"Location": "z.csv"})]
        server.script["/z.csv"] = [file_of()]
        assert side.download(config(server.url), f"{other.url}/x.csv", io.BytesIO()) == len(CSV)
    assert all("Authorization" not in seen.headers for seen in server.seen)


def test_redirects_in_a_circle_end(server: Server, side: Side) -> None:
    with serving() as other:
        other.script["/x.csv"] = [text("", 302, {"Location": "/x.csv"})]
        with pytest.raises(AIHubBadAnswerError, match="redirect"):
            side.download(config(server.url), f"{other.url}/x.csv", io.BytesIO())
        assert len(other.seen) < 10


@pytest.mark.parametrize(
    ("act", "kind"), [(text("no", 404), AIHubNotFoundError), (text("no", 403), AIHubRejectedError)]
)
def test_a_file_that_is_not_there(server: Server, side: Side, act: Any, kind: type) -> None:
    server.script["/x.csv"] = [act]
    with pytest.raises(AIHubRejectedError) as caught:
        side.download(config(server.url), f"{server.url}/x.csv?sign=secret", io.BytesIO())
    assert type(caught.value) is kind
    assert str(caught.value).startswith(f"AIHub was asked to give a file (GET {server.url}/x.csv) and answered HTTP ")


@pytest.mark.parametrize("url", ["", "x.csv", "file:///etc/passwd", "ftp://h/x", "http://", "http://h:99999/x"])
def test_urls_that_are_not_downloaded(server: Server, side: Side, url: str) -> None:
    with pytest.raises(AIHubParameterError, match="http and https"):
        side.download(config(server.url), url, io.BytesIO())


def test_a_file_server_that_wants_credentials(side: Side, server: Server) -> None:
    with serving() as other:
        other.script["/x"] = [text("", 401)]
        with pytest.raises(AIHubAuthError, match="other credentials"):
            side.download(config(server.url), f"{other.url}/x", io.BytesIO())
        assert len(other.seen) == 1


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "relay")])
    now = datetime.datetime.now(datetime.UTC)
    public = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(public, critical=False)
    )
    folder = tmp_path_factory.mktemp("tls")
    crt, pem = folder / "relay.crt", folder / "relay.key"
    crt.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return crt, pem


@pytest.fixture(scope="module")
def tls_server(certificate: tuple[Path, Path]) -> Iterator[Server]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    with serving(context) as running:
        yield running


@pytest.mark.parametrize("creates", [False, True])
@pytest.mark.parametrize(
    ("host", "given", "why"),
    [
        ("localhost", {}, "self-signed certificate"),
        ("127.0.0.1", {"ca_file": "crt"}, "IP address mismatch"),
    ],
)
def test_a_certificate_that_is_not_trusted(
    tls_server: Server, side: Side, certificate: tuple[Path, Path], creates: bool, host: str, given: Any, why: str
) -> None:
    tls_server.forget()
    settings = config(
        f"https://{host}:{tls_server.port}",
        token=STATIC_TOKEN,
        username="",
        **dict.fromkeys(given, str(certificate[0])),
    )
    with pytest.raises(AIHubUnavailable, match=why) as caught:
        side.send(settings, thing(creates=creates))
    assert "'ca_file'" in str(caught.value)
    assert "'verify_tls'" in str(caught.value)
    assert side.slept == []
    assert not tls_server.seen


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
@pytest.mark.parametrize("verify", [True, False])
def test_a_certificate_that_is_trusted_or_not_looked_at(
    tls_server: Server, side: Side, certificate: tuple[Path, Path], verify: bool
) -> None:
    tls_server.forget()
    tls_server.script["/upload"] = [ok({"path": "s3://b/k", "url": "http://h/b/k"})]
    settings = config(
        f"https://localhost:{tls_server.port}",
        relay_token=RELAY_TOKEN,
        verify=verify,
        ca_file=str(certificate[0]) if verify else None,
    )
    file = File(name="f", open=lambda: io.BytesIO(b"abc"), size=3)
    upload = side.send(settings, s3_relay.upload_to_relay("b", "a/k &", file))
    assert (upload.path, upload.url) == ("s3://b/k", "http://h/b/k")
    (seen,) = tls_server.seen
    assert seen.headers["Token"] == RELAY_TOKEN
    assert seen.query == "bucket=b&key=a%2Fk+%26"


@pytest.mark.parametrize("creates", [False, True])
def test_https_asked_of_a_plain_server(server: Server, side: Side, creates: bool) -> None:
    settings = config(f"https://127.0.0.1:{server.port}", token=STATIC_TOKEN, username="")
    with pytest.raises(AIHubUnavailable, match="speaks no TLS"):
        side.send(settings, thing(creates=creates))
    assert side.slept == []


def test_every_api_function_is_a_method() -> None:
    endpoints = {name: value for name, value in vars(Endpoints).items() if isinstance(value, Endpoint)}
    functions = set()
    for module in {endpoint.build.__module__ for endpoint in endpoints.values()}:
        built = import_module(module)
        for name, function in inspect.getmembers(built, inspect.isfunction):
            returns = str(inspect.signature(function).return_annotation)
            if function.__module__ == built.__name__ and not name.startswith("_") and returns.startswith("Request["):
                functions.add(name)
    # These ask twice, for a kind of job alone.
    assert functions - set(endpoints) == {"read_model_eval", "stop_model_eval", "read_served"}
    assert set(endpoints) <= functions


@pytest.mark.parametrize("client", [AIHubClient, AsyncAIHubClient])
def test_methods_keep_name_docstring_and_signature(client: type[AIHubClient] | type[AsyncAIHubClient]) -> None:
    method = client(config("http://h")).get_training
    assert method.__name__ == "get_training"
    assert method.__doc__ == model_training.get_training.__doc__
    assert inspect.signature(method) == inspect.signature(model_training.get_training)
    assert inspect.getdoc(client.get_training) == inspect.getdoc(model_training.get_training)
    with pytest.raises(TypeError):
        method(nonsense=1)  # type: ignore[call-arg]


def test_endpoints_over_requests_mock() -> None:
    url = "http://10.0.0.1:30021"
    with requests_mock.Mocker() as mock, AIHubClient(config(url, token=STATIC_TOKEN, username="")) as client:
        address = f"{url}/model-training-platform/api/v1/trainings/12"
        mock.get(address, json={"code": 0, "data": {"id": 12, "status": 3}})
        mock.post(f"{address}/stop", json={"code": 0})
        training = client.get_training("12")
        assert (training.id, training.status) == (12, 3)
        client.stop_training(12)
        assert [call.headers["Authorization"] for call in mock.request_history] == [f"Bearer {STATIC_TOKEN}"] * 2
        assert mock.request_history[0].headers["User-Agent"].startswith("airflow-provider-aihub/")


def test_both_clients_read_the_same(server: Server) -> None:
    server.script["/model-training-platform/api/v1/trainings/12"] = [ok({"id": 12, "status": 2})]

    async def read() -> model_training.Training:
        async with AsyncAIHubClient(config(server.url), policy=RetryPolicy(attempts=1)) as client:
            return await client.get_training(12)

    with AIHubClient(config(server.url)) as client:
        assert client.get_training(12) == asyncio.run(read())


def test_a_client_can_be_used_again_after_it_was_closed(server: Server, side: Side) -> None:
    server.script["/things/7"] = [ok()]

    async def twice() -> None:
        client = side.async_client(config(server.url))
        for _ in range(2):
            assert await client.send(thing()) == 7
            await client.close()

    if side.name == "asynchronous":
        asyncio.run(twice())
    else:
        client = AIHubClient(config(server.url))
        for _ in range(2):
            assert client.send(thing()) == 7
            client.close()
    assert server.logins == 1
