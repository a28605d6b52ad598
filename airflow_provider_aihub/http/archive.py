"""Files as one zip archive that is made while it is sent, so that it needs no place of its own.

Its size is known beforehand, since the files are stored and not packed. So the archive can be a part of a multipart
form with a length, as gateways want it. Checksums come behind each file, in its data descriptor.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from airflow_provider_aihub.http.errors import ParameterError
from airflow_provider_aihub.http.receiving import CHUNK
from airflow_provider_aihub.http.request import File
from airflow_provider_aihub.http.transfer import Content, check_name, opened

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

# Names and numbers are those of PKWARE's APPNOTE, chapter 4.
LOCAL_HEADER: Final = struct.Struct("<4s5H3L2H")
DESCRIPTOR: Final = struct.Struct("<4sLLL")
DESCRIPTOR_64: Final = struct.Struct("<4sLQQ")
CENTRAL_HEADER: Final = struct.Struct("<4s6H3L5H2L")
SIZES_64: Final = struct.Struct("<2H2Q")
SIZES_AND_OFFSET_64: Final = struct.Struct("<2H3Q")
END_64: Final = struct.Struct("<4sQ2H2L4Q")
LOCATOR_64: Final = struct.Struct("<4sLQL")
END: Final = struct.Struct("<4s4H2LH")

VERSION: Final = 45
MADE_BY: Final = 3 << 8 | VERSION
"""On Unix, so that the mode below is heeded."""
FLAGS: Final = 1 << 3 | 1 << 11
"""A data descriptor follows; names are UTF-8."""
STORED: Final = 0
TIME: Final = 0
DATE: Final = 1 << 5 | 1
"""1980-01-01, always: the same files give the same archive."""
MODE: Final = 0o100644 << 16
EXTRA_64: Final = 1
LONGEST_PATH: Final = 0xFFFF
IN_EXTRA: Final = 0xFFFFFFFF
"""Stands for a number that takes eight bytes elsewhere; likewise the next one for a count."""
IN_END_64: Final = 0xFFFF
LIMIT = IN_EXTRA
"""Sizes and offsets from this on take eight bytes."""
LIMIT_COUNT = IN_END_64


def zipped(name: str, files: Mapping[str, File]) -> File:
    """Describe the zip archive of some files for an upload. It is made anew for each attempt.

    :param name: Name of the archive.
    :param files: The files by their paths within the archive, parted by ``/``.
    :raises ParameterError: A path is too long for a zip archive, or no UTF-8.
    """
    check_name(name)
    for path in files:
        check_name(path)
        if len(path.encode()) > LONGEST_PATH:
            raise ParameterError(f"The path {path[:60]!r}... is too long for a zip archive.")

    def make() -> BinaryIO:
        return cast("BinaryIO", io.BufferedReader(_Pieces(_archive(files)), CHUNK))

    return File(name=name, open=make, size=_size(files))


def _archive(files: Mapping[str, File]) -> Iterator[bytes]:
    directory, offset = [], 0
    for path, file in files.items():
        header, check = _local_header(path, file), 0
        yield header
        with opened(file) as source:
            content = Content(file, source)
            while data := content.read(CHUNK):
                check = zlib.crc32(data, check)
                yield data
        descriptor = _descriptor(file, check)
        yield descriptor
        directory.append(_central_header(path, file, offset, check))
        offset += len(header) + file.size + len(descriptor)
    yield from directory
    yield _end(len(directory), offset, sum(map(len, directory)))


def _size(files: Mapping[str, File]) -> int:
    directory = offset = 0
    for path, file in files.items():
        directory += len(_central_header(path, file, offset, 0))
        offset += len(_local_header(path, file)) + file.size + len(_descriptor(file, 0))
    return offset + directory + len(_end(len(files), offset, directory))


def _local_header(path: str, file: File) -> bytes:
    # The sizes are in the descriptor; the extra field says that they take eight bytes each there.
    size, extra = (IN_EXTRA, SIZES_64.pack(EXTRA_64, 16, 0, 0)) if file.size >= LIMIT else (0, b"")
    name = path.encode()
    fields = (VERSION, FLAGS, STORED, TIME, DATE, 0, size, size, len(name), len(extra))
    return LOCAL_HEADER.pack(b"PK\3\4", *fields) + name + extra


def _descriptor(file: File, check: int) -> bytes:
    kind = DESCRIPTOR_64 if file.size >= LIMIT else DESCRIPTOR
    return kind.pack(b"PK\7\x08", check, file.size, file.size)


def _central_header(path: str, file: File, offset: int, check: int) -> bytes:
    size, extra, name = file.size, b"", path.encode()
    if max(size, offset) >= LIMIT:
        extra = SIZES_AND_OFFSET_64.pack(EXTRA_64, 24, size, size, offset)
        size = offset = IN_EXTRA
    fields = (MADE_BY, VERSION, FLAGS, STORED, TIME, DATE, check, size, size, len(name), len(extra), 0, 0, 0)
    return CENTRAL_HEADER.pack(b"PK\1\2", *fields, MODE, offset) + name + extra


def _end(count: int, start: int, size: int) -> bytes:
    ends = b""
    if count >= LIMIT_COUNT or max(start, size) >= LIMIT:
        rest = END_64.size - 12
        ends = END_64.pack(b"PK\6\6", rest, MADE_BY, VERSION, 0, 0, count, count, size, start)
        ends += LOCATOR_64.pack(b"PK\6\7", 0, start + size, 1)
        count, size, start = IN_END_64, IN_EXTRA, IN_EXTRA
    return ends + END.pack(b"PK\5\6", 0, 0, count, count, size, start, 0)


class _Pieces(io.RawIOBase):
    """Pieces of bytes as a file that can be read."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        while not self._left:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._left = memoryview(piece)
        target = memoryview(buffer).cast("B")
        count = min(len(target), len(self._left))
        target[:count] = self._left[:count]
        self._left = self._left[count:]
        return count
