"""Downloading the files of a dataset version, which the version's index names, into a local folder.

The index is a Parquet file, read a batch at a time by ``pyarrow``, from the extra ``s3``. AIHub gives the files over
HTTP without a token, at the host that the index came from.
"""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple, cast
from urllib.parse import quote, urlsplit

from airflow_provider_aihub.aihub.downloading import PIECE, Downloaded, inside, open_part, part_of
from airflow_provider_aihub.aihub.errors import AIHubBadAnswerError, AIHubConfigError
from airflow_provider_aihub.aihub.files import writing
from airflow_provider_aihub.aihub.object_store import WORKERS
from airflow_provider_aihub.http.progress import Progress

JOURNAL: Final = ".aihub-dataset-version"
"""File in the folder that says which files of which version are there."""
BATCH: Final = 1000
FOLDER: Final = 1
"""``type`` of a row of the index that is a folder."""


class Indexed(NamedTuple):
    """A file of a version.

    :param path: Below the version's folder.
    :param size: In bytes, if the index has it; AIHub's description of the index does not mention it.
    :param sha256: Likewise, in hexadecimal digits.
    """

    path: str
    url: str
    size: int | None
    sha256: str | None


def read_index(index: Path, address: str) -> Iterator[Indexed]:
    """Go through the files that an index names.

    :param address: Where the index came from.
    :raises AIHubConfigError: ``pyarrow`` is not installed.
    :raises AIHubBadAnswerError: It is no index.
    """
    try:
        from pyarrow.lib import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise AIHubConfigError(
            "The index of a dataset version is read by pyarrow, which is not installed; install "
            "airflow-provider-aihub[s3]."
        ) from None
    try:
        with ParquetFile(index) as file:
            wanted = ("parent_dir", "name", "s3path", "type", "size", "sha256")
            columns = [name for name in wanted if name in file.schema_arrow.names]
            for batch in file.iter_batches(BATCH, columns=columns):
                for row in batch.to_pylist():
                    if row.get("type") != FOLDER:
                        yield _indexed(row, address)
    except (ArrowException, OSError, KeyError, TypeError, ValueError):
        raise AIHubBadAnswerError(
            "AIHub gave an index of a dataset version that cannot be read; ask its operators."
        ) from None


def _indexed(row: dict[str, Any], address: str) -> Indexed:
    parent, at = (row["parent_dir"] or "").strip("/"), urlsplit(address)
    place = row["s3path"].removeprefix("s3://").lstrip("/")
    # Whether AIHub escapes what it names is not documented: what looks like an escape is left as it is.
    url = f"{at.scheme}://{at.netloc}/{quote(place, safe='/%')}"
    return Indexed(f"{parent}/{row['name']}" if parent else row["name"], url, row.get("size"), row.get("sha256"))


def download_files(
    files: Iterator[Indexed], version: str, target: Path, download: Callable[[str, BinaryIO], int], total: int | None
) -> Downloaded:
    """Fetch files, several at a time, except those that an earlier call has fetched for the same version.

    :param version: Tells the version from others.
    :param download: Streams what is at a URL into a file.
    :param total: Bytes of all files, where that is known.
    :raises AIHubError: A file cannot be had, is not what the index says, or cannot be written.
    """
    progress = Progress(f"Receiving the files of dataset version {version}", total)
    count = size = received = 0
    under_way: deque[tuple[Indexed, Future[int]]] = deque()
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="aihub-download") as pool, _Journal(target, version) as journal:

        def settle(most: int) -> int:
            came = 0
            while len(under_way) > most:
                file, future = under_way.popleft()
                came += future.result()
                progress.add(future.result())
                journal.add(file.path)
            return came

        try:
            for file in files:
                count += 1
                there = journal.size(file.path)
                if there is None or file.size not in (None, there):
                    under_way.append((file, pool.submit(_fetch, file, version, target, download)))
                else:
                    size += there
                    progress.add(there)
                received += settle(4 * WORKERS)
            received += settle(0)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    return Downloaded(count, size + received, received)


def _fetch(file: Indexed, version: str, target: Path, download: Callable[[str, BinaryIO], int]) -> int:
    place = inside(target, file.path)
    part = part_of(place, version, file.path)
    with writing(repr(str(place))):
        place.parent.mkdir(parents=True, exist_ok=True)
        with open_part(part) as content:
            size = download(file.url, cast("BinaryIO", _Over(content)))
            content.truncate(size)
            wrong = file.size not in (None, size) or (file.sha256 and _sha256(content) != file.sha256.lower())
        if wrong:
            part.unlink(missing_ok=True)
            raise AIHubBadAnswerError(
                f"AIHub gave {file.path!r} with another content than its index says; try again, and ask whoever made "
                "the version if that does not help."
            )
        try:
            part.replace(place)
        except FileNotFoundError:
            # Another task that fetches the same into this folder may have been faster.
            if not place.is_file() or place.stat().st_size != size:
                raise
    return size


class _Over:
    """A file that is written over from its beginning, and not emptied first: another task may write the same to it."""

    def __init__(self, file: BinaryIO) -> None:
        self.write, self.seek, self.tell, self.seekable = file.write, file.seek, file.tell, file.seekable

    def truncate(self) -> None:
        """Leave what is there, which the same content will replace."""


def _sha256(content: BinaryIO) -> str:
    content.seek(0)
    digest = hashlib.sha256()
    while data := content.read(PIECE):
        digest.update(data)
    return digest.hexdigest()


class _Journal:
    """Which files of a version are in a folder, as they were when they came."""

    def __init__(self, target: Path, version: str) -> None:
        self._target = target
        self._place = target / JOURNAL
        self._first = json.dumps({"dataset_version": version})
        self._known: dict[str, list[int]] = {}

    def __enter__(self) -> _Journal:
        with self._writing():
            self._begin()
        return self

    def _begin(self) -> None:
        there = self._place.is_file()
        lines = self._place.read_text(encoding="utf-8", errors="replace").splitlines() if there else []
        same = lines[:1] == [self._first]
        for line in lines[1:] if same else ():
            try:
                path, *state = json.loads(line)
                self._known[path] = state
            except (ValueError, TypeError):
                # Who has written it was ended in the middle, or it is no line of a journal.
                continue
        # A line at a time, so that a process that is killed leaves word of all files that came.
        self._file = self._place.open("a" if same else "w", buffering=1, encoding="utf-8")
        self._file.write("\n" if same else f"{self._first}\n")

    def __exit__(self, *_: object) -> None:
        with self._writing():
            self._file.close()

    def size(self, path: str) -> int | None:
        """Return the size of a file that is there as it came; ``None`` for any other."""
        known = self._known.get(path)
        return known[0] if known and self._state(path) == known else None

    def add(self, path: str) -> None:
        """Note that a file has come."""
        with self._writing():
            self._file.write(json.dumps([path, *(self._state(path) or ())]) + "\n")

    def _writing(self) -> AbstractContextManager[None]:
        return writing(repr(str(self._place)))

    def _state(self, path: str) -> list[int] | None:
        try:
            found = inside(self._target, path).stat()
        except OSError:
            return None
        return [found.st_size, found.st_mtime_ns]
