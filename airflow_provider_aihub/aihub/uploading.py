"""Uploading a folder to AIHub's object store: its files as they are, a sheet of them with their hashes, and their
number.

A file that is already there with the same content is not sent again, so an interrupted upload continues where it
stopped. Files are read a part at a time, so the memory needed depends neither on their number nor on their size.
"""

from __future__ import annotations

import csv
import hashlib
import json
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from airflow_provider_aihub.aihub.errors import AIHubNotFoundError
from airflow_provider_aihub.aihub.files import writing
from airflow_provider_aihub.aihub.object_store import MOST_PARTS, PART, WORKERS, ObjectStore, Place, Stored
from airflow_provider_aihub.http.progress import Progress
from airflow_provider_aihub.http.request import File
from airflow_provider_aihub.http.transfer import Content, file_from_path, opened

AHEAD: Final = 4 * WORKERS
"""Files that are under way, or wait for it, at a time."""
SHEET: Final = ("local_path", "sha256", "s3path", "file_size")


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What became of an upload.

    :param count: Number of files.
    :param size: Bytes of all of them.
    :param sent: Bytes that were sent; the others were already there.
    :param strange: Number of objects there that belong to none of the files.
    :param same: Whether nothing had to be sent, the sheet of the files included.
    :param sheet_put: When the sheet that was there already was put, in Unix seconds by the store's clock.
    """

    count: int
    size: int
    sent: int
    strange: int
    same: bool
    sheet_put: float = 0.0


def upload_folder(
    store: ObjectStore,
    name: str,
    files: Iterable[tuple[str, File]],
    size: int,
    target: Place,
    sheet: Place | None = None,
) -> Uploaded:
    """Put files, and then the sheet of them, into the store.

    :param name: Name of what is sent, for the log.
    :param files: The files with their paths below the folder, in the order of these paths as UTF-8.
    :param size: Bytes of all files, for the log.
    :param target: The folder for the files.
    :param sheet: Where the sheet is put, if anywhere.
    :raises AIHubRequestError: The store does not take a file.
    :raises RemoteJobError: A file cannot be read, or changes while it is sent.
    """
    with (
        writing("The sheet of the files"),
        TemporaryDirectory() as folder,
        ThreadPoolExecutor(WORKERS, thread_name_prefix="aihub-upload") as pool,
    ):
        upload = _Upload(store, pool, Progress(f"Sending the files of {name!r}", size))
        written = Path(folder) / "sheet.csv"
        try:
            # The folder may have changed since its size was looked at.
            count, size, strange = upload.files(files, target, written)
            sent, old = upload.sent, store.find(sheet) if sheet else None
            if sheet:
                upload.file(sheet, file_from_path(written), old)()
        finally:
            # What waits for its turn is not begun any more.
            pool.shutdown(wait=False, cancel_futures=True)
    same = upload.sent == sent if sheet else not sent
    return Uploaded(count, size, sent, strange, same=same, sheet_put=old.put if old else 0.0)


def upload_file(store: ObjectStore, file: File, place: Place) -> Uploaded:
    """Put one file into the store.

    :raises RemoteJobError: As :func:`upload_folder` does.
    """
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="aihub-upload") as pool:
        upload = _Upload(store, pool, Progress(f"Sending {file.name!r}", file.size))
        try:
            upload.file(place, file, store.find(place))()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    return Uploaded(1, file.size, upload.sent, 0, same=not upload.sent)


def put_status(store: ObjectStore, place: Place, uploaded: Uploaded) -> None:
    """Say in the store how many files were uploaded."""
    told = {"uploaded_count": uploaded.count, "uploaded_size": uploaded.size, "updated_at": int(time.time())}
    store.put(place, json.dumps(told).encode())


class _Upload:
    def __init__(self, store: ObjectStore, pool: ThreadPoolExecutor, progress: Progress) -> None:
        self._store = store
        self._pool = pool
        self._progress = progress
        self.sent = 0

    def files(self, files: Iterable[tuple[str, File]], target: Place, sheet: Path) -> tuple[int, int, int]:
        """Put files, and write the sheet of them.

        :return: Their number, their size, and the number of objects that are of none of them.
        """
        there, count, size = _Listed(self._store.objects(target)), 0, 0
        under_way: deque[tuple[str, File, Callable[[], str]]] = deque()
        with sheet.open("w", newline="", encoding="utf-8") as written:
            rows = csv.writer(written)
            rows.writerow(SHEET)

            def settle(most: int) -> None:
                while len(under_way) > most:
                    path, file, digest = under_way.popleft()
                    rows.writerow([f"/{path}", digest(), str(target.below(path)), file.size])

            for path, file in files:
                place = target.below(path)
                under_way.append((path, file, self.file(place, file, there.at(place.key))))
                count, size = count + 1, size + file.size
                settle(AHEAD)
            settle(0)
        return count, size, there.strange()

    def file(self, place: Place, file: File, known: Stored | None) -> Callable[[], str]:
        """Put one file, unless it lies there; return what waits for that and gives its SHA-256."""
        if file.size <= PART:
            future = self._pool.submit(self._small, place, file, known)
            return lambda: self._counted(*future.result())
        digest = self._large(place, file, known)
        return lambda: digest

    def _counted(self, digest: str, size: int, sent: int) -> str:
        self.sent += sent
        self._progress.add(size)
        return digest

    def _small(self, place: Place, file: File, known: Stored | None) -> tuple[str, int, int]:
        (data,) = _parts(file, max(file.size, 1))
        digest = hashlib.sha256(data).hexdigest()
        if known and (known.size, known.etag) == (file.size, _md5(data)):
            return digest, file.size, 0
        self._store.put(place, data)
        return digest, file.size, file.size

    def _large(self, place: Place, file: File, known: Stored | None) -> str:
        """Put a file in parts, unless it lies there.

        An upload in parts is gone once it is done: by a call that lost its answer and was sent again, or by another
        task that sends the same file.
        """
        try:
            return self._if_there(file, known) or self._in_parts(place, file)
        except AIHubNotFoundError:
            return self._if_there(file, self._store.find(place)) or self._in_parts(place, file)

    def _if_there(self, file: File, known: Stored | None) -> str | None:
        """Return the SHA-256 of a file if it is the one that lies there."""
        if known is None or known.size != file.size:
            return None
        same = digest_if(file, part_size(file.size), known.etag)
        if same:
            self._progress.add(file.size)
        return same

    def _in_parts(self, place: Place, file: File) -> str:
        """Put the parts of a file that are missing, several at a time."""
        size = part_size(file.size)
        upload, there = self._store.begun(place)
        digest = hashlib.sha256()
        parts: dict[int, str] = {}
        under_way: deque[tuple[int, Future[str]]] = deque()

        def settle(most: int) -> None:
            while len(under_way) > most:
                number, future = under_way.popleft()
                parts[number] = future.result()

        for number, data in enumerate(_parts(file, size), start=1):
            digest.update(data)
            self._progress.add(len(data))
            if there.get(number) == _md5(data):
                parts[number] = there[number]
                continue
            self.sent += len(data)
            under_way.append((number, self._pool.submit(self._store.put_part, place, upload, number, data)))
            settle(WORKERS - 1)
        settle(0)
        self._store.complete(place, upload, parts)
        return digest.hexdigest()


class _Listed:
    """Objects in the order of their keys, looked for in that order."""

    def __init__(self, objects: Iterator[Stored]) -> None:
        self._objects = objects
        self._next = next(objects, None)
        self._strange = 0

    def at(self, key: str) -> Stored | None:
        """Return the object of a key, if there is one."""
        while self._next and self._next.key.encode() < key.encode():
            self._strange += 1
            self._next = next(self._objects, None)
        if self._next is None or self._next.key != key:
            return None
        found, self._next = self._next, next(self._objects, None)
        return found

    def strange(self) -> int:
        """Return how many objects there were that nobody has looked for."""
        return self._strange + (self._next is not None) + sum(1 for _ in self._objects)


def _parts(file: File, size: int) -> Iterator[bytes]:
    """Read a file in parts; one that is empty has one part. It gives neither more nor less than was promised."""
    with opened(file) as source:
        content = Content(file, source)
        while True:
            # A file in a storage elsewhere may give less at a time than it is asked for.
            part = bytearray()
            while len(part) < size and (data := content.read(size - len(part))):
                part += data
            yield bytes(part)
            if not content.len:
                return


def part_size(size: int) -> int:
    """Return the size of the parts, in bytes, in which a file of a size is sent."""
    return max(PART, -(-size // MOST_PARTS))


def digest_if(file: File, size: int, etag: str) -> str | None:
    """Return the SHA-256 of a file, if it is the one that was put in parts of that size under that etag."""
    digest, of_parts, count = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    for data in _parts(file, size):
        digest.update(data)
        of_parts.update(hashlib.md5(data, usedforsecurity=False).digest())
        count += 1
    return digest.hexdigest() if etag == f"{of_parts.hexdigest()}-{count}" else None


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
