"""Zip archives that are made while they are sent."""

from __future__ import annotations

import io
import os
import zipfile
from functools import partial
from pathlib import Path

import pytest

from airflow_provider_aihub.aihub.errors import AIHubParameterError
from airflow_provider_aihub.aihub.files import file_from_path, zipped
from airflow_provider_aihub.http import archive
from airflow_provider_aihub.http.errors import RemoteJobError
from airflow_provider_aihub.http.request import File
from airflow_provider_aihub.http.transfer import CHUNK


def file(content: bytes) -> File:
    return File(name="f", open=partial(io.BytesIO, content), size=len(content))


CONTENTS = {
    "empty": b"",
    "a/b/one.bin": b"1",
    "图片/é.bin": bytes(range(256)) * 4096,
    "exactly.bin": bytes(CHUNK),
}


@pytest.mark.parametrize("limit", [archive.LIMIT, 1, 0x1000], ids=["usual", "all in eight bytes", "some"])
def test_an_archive_holds_the_files_and_has_the_size_it_said(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    monkeypatch.setattr(archive, "LIMIT", limit)
    sent = zipped("all.zip", {path: file(content) for path, content in CONTENTS.items()})
    assert sent.name == "all.zip"
    with sent.open() as opened:
        content = opened.read()
    assert len(content) == sent.size
    with zipfile.ZipFile(io.BytesIO(content)) as found:
        assert found.namelist() == list(CONTENTS)
        assert {path: found.read(path) for path in CONTENTS} == CONTENTS
    with sent.open() as again:
        assert again.read() == content


def test_an_archive_of_more_files_than_two_bytes_count() -> None:
    sent = zipped("many.zip", {str(number): file(b"") for number in range(0x10000)})
    with sent.open() as opened:
        content = opened.read()
    assert len(content) == sent.size
    with zipfile.ZipFile(io.BytesIO(content)) as found:
        assert len(found.infolist()) == 0x10000


def test_an_archive_is_read_in_pieces() -> None:
    largest = 0

    class Source(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            nonlocal largest
            assert size is not None
            assert size >= 0
            largest = max(largest, size)
            return super().read(size)

    sent = zipped("big.zip", {"big": File(name="big", open=lambda: Source(bytes(4 * CHUNK)), size=4 * CHUNK)})
    with sent.open() as opened:
        while opened.read(1000):
            pass
    assert largest <= CHUNK


def test_a_file_that_shrinks_spoils_the_archive() -> None:
    sent = zipped("x.zip", {"f": File(name="shrinking.bin", open=lambda: io.BytesIO(b"12"), size=3)})
    with sent.open() as opened, pytest.raises(RemoteJobError, match=r"'shrinking\.bin' became shorter"):
        opened.read()


def test_a_file_that_grows_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "growing.log"
    path.write_bytes(b"123")
    sent = zipped("x.zip", {"f": file_from_path(path)})
    path.write_bytes(b"12345")
    with sent.open() as opened:
        content = opened.read()
    assert len(content) == sent.size
    assert zipfile.ZipFile(io.BytesIO(content)).read("f") == b"123"


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    path = tmp_path / "gone.bin"
    path.write_bytes(b"123")
    sent = zipped("x.zip", {"f": file_from_path(path)})
    path.unlink()
    with (
        sent.open() as opened,
        pytest.raises(RemoteJobError, match=r"'gone\.bin' cannot be sent: No such") as caught,
    ):
        opened.read()
    assert not caught.value.final


def test_a_path_that_is_no_utf_8() -> None:
    with pytest.raises(AIHubParameterError, match=r"The file 'b/caf\\xe9\.bin' cannot be sent: its name is no UTF-8"):
        zipped("x.zip", {"a": file(b"1"), os.fsdecode(b"b/caf\xe9.bin"): file(b"2")})


def test_a_path_that_no_archive_can_hold() -> None:
    with pytest.raises(AIHubParameterError, match="too long"):
        zipped("x.zip", {"é" * 40_000: file(b"")})
