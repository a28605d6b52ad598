"""Downloading the files below a place in AIHub's object store into a local folder.

A file that is already in the folder with the same content is not fetched again. A file whose transfer broke off is
continued where it stopped.
"""

from __future__ import annotations

import csv
import hashlib
import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO, Final

from airflow_provider_aihub.aihub.errors import AIHubBadAnswerError, AIHubNotFoundError, AIHubUnavailable
from airflow_provider_aihub.aihub.files import writing
from airflow_provider_aihub.aihub.object_store import WORKERS, ObjectStore, Place, Stored
from airflow_provider_aihub.aihub.uploading import digest_if, part_size
from airflow_provider_aihub.http.progress import Progress
from airflow_provider_aihub.http.transfer import file_from_path

ATTEMPTS: Final = 5
"""How often the rest of a file is requested if its transfer breaks off."""
PIECE: Final = 2**20


@dataclass(frozen=True, slots=True)
class Downloaded:
    """What became of a download.

    :param count: Number of files.
    :param size: Bytes of all of them.
    :param received: Bytes that were received; the others were already there.
    """

    count: int = 0
    size: int = 0
    received: int = 0


def read_sheet(store: ObjectStore, place: Place) -> dict[str, bytes]:
    """Return the SHA-256 of each file that a sheet names, by its path; nothing if there is no sheet."""
    stored = store.find(place)
    if stored is None:
        return {}
    with writing("The sheet of files"), TemporaryFile("w+b") as file:
        for piece in store.pieces(stored, place, 0):
            file.write(piece)
        file.seek(0)
        rows = csv.DictReader(map(bytes.decode, file))
        try:
            return {row["local_path"].lstrip("/"): bytes.fromhex(row["sha256"]) for row in rows}
        except (KeyError, ValueError, AttributeError, TypeError, csv.Error):
            raise AIHubBadAnswerError(f"The sheet of files at {place} cannot be read; ask whoever wrote it.") from None


def inside(folder: Path, path: str) -> Path:
    """Return the local path for a file that AIHub names by its path below the folder.

    :raises AIHubBadAnswerError: It would lead out of the folder.
    """
    if any(part in ("", ".", "..") or "\0" in part or os.sep in part for part in path.split("/")):
        raise AIHubBadAnswerError(
            f"AIHub names a file {path!r}, which would lead out of the folder; ask whoever made it."
        )
    return folder.joinpath(*path.split("/"))


def download_folder(store: ObjectStore, name: str, source: Place, hashes: dict[str, bytes], target: Path) -> Downloaded:
    """Fetch the files below a place, several at a time.

    :param name: Name of what is fetched, for the log.
    :param hashes: The SHA-256 of files by their paths, see :func:`read_sheet`. A file without one is checked by the
        store's own MD5, if there is one.
    :raises AIHubError: A file cannot be had, came with another hash, or cannot be written.
    """
    download, progress = _Download(store, source, hashes, target), Progress(f"Receiving the files of {name!r}")
    files = size = received = 0
    under_way: deque[tuple[int, Future[int]]] = deque()
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="aihub-download") as pool:

        def settle(most: int) -> int:
            came = 0
            while len(under_way) > most:
                of_file, future = under_way.popleft()
                came += future.result()
                progress.add(of_file)
            return came

        try:
            for stored in store.objects(source):
                # Some stores know folders as objects that hold nothing.
                if stored.key.endswith("/"):
                    continue
                path = stored.key[len(source.key.rstrip("/")) + 1 :]
                under_way.append((stored.size, pool.submit(download.file, stored, path)))
                files, size = files + 1, size + stored.size
                received += settle(4 * WORKERS)
            received += settle(0)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    return Downloaded(files, size, received)


def download_file(store: ObjectStore, source: Place, target: Path, path: str) -> Downloaded:
    """Fetch the file at a place.

    :param path: Where it goes below the target.
    :raises AIHubError: As :func:`download_folder` does.
    """
    stored = store.find(source)
    if stored is None:
        raise AIHubNotFoundError(f"AIHub's object store has nothing at {source}; see whether its upload was finished.")
    received = _Download(store, source, {}, target).file(stored, path)
    return Downloaded(1, stored.size, received)


class _Download:
    def __init__(self, store: ObjectStore, source: Place, hashes: dict[str, bytes], target: Path) -> None:
        self._store = store
        self._source = source
        self._hashes = hashes
        self._target = target

    def file(self, stored: Stored, path: str) -> int:
        """Fetch one file, unless it lies there; return how many bytes were received."""
        place, wanted = inside(self._target, path), self._digest(path, stored)
        with writing(repr(str(place))):
            if _is_there(place, stored, wanted):
                return 0
            place.parent.mkdir(parents=True, exist_ok=True)
            part = part_of(place, path, stored.etag, stored.size)
            try:
                received = self._fetch(stored, part)
                if part.stat().st_size != stored.size or (wanted and _hash(part, wanted) != wanted[1]):
                    part.unlink(missing_ok=True)
                    raise AIHubBadAnswerError(
                        f"AIHub's object store gave {path!r} of {self._source} with another content than its hash "
                        "says; try again, and ask whoever uploaded it if that does not help."
                    )
                part.replace(place)
            except FileNotFoundError:
                # Another task that fetches the same into this folder may have been faster.
                if not _is_there(place, stored, wanted):
                    raise
                received = 0
        return received

    def _digest(self, path: str, stored: Stored) -> tuple[str, bytes] | None:
        if path in self._hashes:
            return "sha256", self._hashes[path]
        try:
            return ("md5", bytes.fromhex(stored.etag)) if len(stored.etag) == 32 else None
        except ValueError:
            return None

    def _fetch(self, stored: Stored, part: Path) -> int:
        begun = size = part.stat().st_size if part.is_file() else 0
        if size >= stored.size > 0:
            return 0
        for attempt in count(1):
            try:
                with open_part(part) as file:
                    file.seek(size)
                    for piece in self._store.pieces(stored, Place(self._source.bucket, stored.key), size):
                        size += file.write(piece)
                break
            except AIHubUnavailable:
                if attempt == ATTEMPTS:
                    raise
                size = part.stat().st_size
        return size - begun


def part_of(place: Path, *content: object) -> Path:
    """Return where the part of a file lies that has come so far.

    Its name tells of which content it is a part; that of the file may be as long as a name can be.
    """
    key = hashlib.sha256("\0".join(map(str, content)).encode()).hexdigest()[:24]
    return place.with_name(f".{key}.part")


def open_part(part: Path) -> BinaryIO:
    """Open a part for reading and writing, as it is: another task may write the same at the same places."""
    return open(part, "r+b", opener=lambda place, flags: os.open(place, flags | os.O_CREAT, 0o666))


def _is_there(place: Path, stored: Stored, wanted: tuple[str, bytes] | None) -> bool:
    return place.is_file() and place.stat().st_size == stored.size and _same(place, stored, wanted)


def _same(path: Path, stored: Stored, wanted: tuple[str, bytes] | None) -> bool:
    """Whether a file is what is in the store, as far as that can be said."""
    if wanted:
        return _hash(path, wanted) == wanted[1]
    # What was sent in parts was most likely sent in parts of this size.
    return bool(digest_if(file_from_path(path), part_size(stored.size), stored.etag))


def _hash(path: Path, wanted: tuple[str, bytes]) -> bytes:
    digest: Any = hashlib.new(wanted[0], usedforsecurity=False)
    with path.open("rb") as file:
        while data := file.read(PIECE):
            digest.update(data)
    return bytes(digest.digest())
