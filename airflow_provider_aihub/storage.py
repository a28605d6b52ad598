"""Files that a task sends to AIHub or gets from there: local ones, and those in any storage that Airflow reaches.

``fsspec`` does the reading and writing, by way of Airflow's ``ObjectStoragePath``.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, BinaryIO

from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_aihub.aihub.errors import AIHubError, AIHubParameterError
from airflow_provider_aihub.aihub.values import check_text

if TYPE_CHECKING:
    from airflow_provider_aihub.http.request import File


@dataclass(frozen=True)
class Source:
    """A file, or the files below a folder.

    :param name: Name of the file or folder.
    :param is_folder: Which of both it is.
    :param files: The files by their paths below the folder, parted by ``/``; a single one by its name.
    """

    name: str
    is_folder: bool
    files: Mapping[str, File] = field(repr=False)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files.values())

    def as_file(self) -> File:
        """Return a file as it is, and a folder as a zip archive that is made while it is sent."""
        return self.as_archive() if self.is_folder else self.files[self.name]

    def as_archive(self) -> File:
        """Return a zip archive of the files, made while it is sent."""
        from airflow_provider_aihub.aihub.files import zipped

        return zipped(f"{self.name}.zip", self.files)


def storage_path(parameter: str, given: str | Path | ObjectStoragePath) -> ObjectStoragePath:
    """Take a path or URI: ``/data/images``, ``s3://bucket/images``, ``gs://conn_id@bucket/images``.

    :raises AIHubParameterError: It is none, or what reads this kind of storage is not installed.
    """
    if not isinstance(given, ObjectStoragePath):
        given = str(given) if isinstance(given, Path) else given
        given = check_text(parameter, given, allowed="a path or a URI such as s3://bucket/key")
    try:
        # Airflow 2.11 does not take relative paths for what they are.
        text = given if not isinstance(given, str) or "://" in given else str(Path(given).absolute())
        path = ObjectStoragePath(text)
        # Here it shows whether the storage can be read at all.
        _ = path.fs
    except (ImportError, ValueError) as error:
        problem = f"{str(error).rstrip('.')}; install Airflow's provider for this kind of storage"
    except Exception as error:
        # Airflow's connection, or what a provider makes of it; its words may hold a secret.
        problem = f"{type(error).__name__}; check the connection that it names"
    else:
        return path
    raise AIHubParameterError(f"{parameter} is '{given}', which Airflow cannot reach: {problem}.")


def find_source(parameter: str, given: str | Path | ObjectStoragePath) -> Source:
    """Look at what is to be sent. A folder is listed once, with the sizes of its files; none is opened.

    Links in a folder are followed to files within it.

    :raises AIHubParameterError: There is no such thing, it is empty, or holds what is no file, a link that leads
        out of it, or a name that is no UTF-8.
    :raises AIHubError: The storage does not answer now.
    """
    from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped]

    from airflow_provider_aihub.aihub.files import check_name
    from airflow_provider_aihub.http.request import File
    from airflow_provider_aihub.http.transfer import open_file

    path = storage_path(parameter, given)
    storage, root = path.fs, _place(path)
    name = root.rpartition("/")[2]
    local = isinstance(storage, LocalFileSystem)
    problem = "there is no such file or folder"
    try:
        found: dict[str, dict[str, Any]]
        if not storage.isdir(root):
            found = {root: storage.info(root)}
        elif local:
            found = dict(sorted(_below(storage, root)))
        else:
            found = storage.find(root, detail=True)
    except (FileNotFoundError, NotADirectoryError):
        found = {}
    except PermissionError:
        found, problem = {}, "it may not be read"
    except ValueError:
        found, problem = {}, "that is no path"
    except Exception as error:
        if local and isinstance(error, OSError) and error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
            found, problem = {}, f"that is no path: {error.strerror}"
        else:
            raise _silent(parameter, path, error) from error
    else:
        problem = "the folder holds no file"
    is_folder = root not in found
    files = {}
    for place, info in found.items():
        # Object storages know folders only as parts of names, and some as objects that hold nothing.
        if info["type"] == "directory" or place.endswith("/"):
            continue
        below = place[len(root) :].lstrip("/") or name
        check_name(below)
        if info["type"] != "file" and not storage.isfile(place):
            raise AIHubParameterError(
                f"{parameter}: {place} cannot be sent, since it is neither a file nor a link to one."
            )
        if not local:
            opened = partial(storage.open, place, "rb")
        elif is_folder and not _within(root, place):
            raise AIHubParameterError(
                f"{parameter}: {place} cannot be sent, since it is a link that leads out of the folder; put the file "
                "itself there, or take the link away."
            )
        else:
            # What becomes a link from here on is not followed.
            opened = partial(open_file, os.path.realpath(place), follow_link=False)
        files[below] = File(name=place.rpartition("/")[2], open=opened, size=info["size"])
    if not files:
        raise AIHubParameterError(f"{parameter} is '{given}', but {problem}.")
    return Source(name, is_folder, files)


@dataclass(frozen=True)
class Files:
    """Files to send one by one, in the order of their paths as UTF-8; their number does not matter to memory.

    :param name: Name of the folder, or of the one file.
    :param is_folder: Which of both it is.
    :param size: Bytes of all files.
    :param each: Goes through them.
    """

    name: str
    is_folder: bool
    size: int
    each: Callable[[], Iterator[tuple[str, File]]] = field(repr=False)

    def __iter__(self) -> Iterator[tuple[str, File]]:
        return self.each()


def find_files(parameter: str, given: str | Path | ObjectStoragePath) -> Files:
    """Look at what is to be sent file by file, as :func:`find_source` does. A local folder is gone through twice.

    :raises AIHubParameterError: As there.
    :raises AIHubError: As there, or what was there a moment ago is gone.
    """
    from fsspec.implementations.local import LocalFileSystem

    path = storage_path(parameter, given)
    root = _place(path)
    if isinstance(path.fs, LocalFileSystem) and path.fs.isdir(root):
        each = partial(_each, parameter, root, root)
        count = size = 0
        for _, file in each():
            count, size = count + 1, size + file.size
        if not count:
            raise AIHubParameterError(f"{parameter} is '{given}', but the folder holds no file.")
        return Files(Path(root).name, True, size, each)
    source = find_source(parameter, given)
    items = sorted(source.files.items(), key=lambda item: item[0].encode())
    return Files(source.name, source.is_folder, source.size, lambda: iter(items))


def _each(parameter: str, root: str, folder: str) -> Iterator[tuple[str, File]]:
    """Go through the files below a local folder."""
    from airflow_provider_aihub.aihub.files import check_name
    from airflow_provider_aihub.http.request import File
    from airflow_provider_aihub.http.transfer import open_file

    try:
        with os.scandir(folder) as found:
            entries = list(found)
    except PermissionError as error:
        raise AIHubParameterError(f"{parameter}: {folder} may not be read: {error.strerror}.") from None
    except OSError as error:
        # As with a file below.
        raise AIHubError(f"{parameter}: {folder} cannot be read: {error.strerror}.") from None

    def order(entry: os.DirEntry[str]) -> bytes:
        return os.fsencode(entry.name) + (b"/" if entry.is_dir(follow_symlinks=False) else b"")

    for entry in sorted(entries, key=order):
        if entry.is_dir(follow_symlinks=False):
            yield from _each(parameter, root, entry.path)
            continue
        if not _is_file(entry):
            raise AIHubParameterError(
                f"{parameter}: {entry.path} cannot be sent, since it is neither a file nor a link to one."
            )
        if entry.is_symlink() and not _within(root, entry.path):
            raise AIHubParameterError(
                f"{parameter}: {entry.path} cannot be sent, since it is a link that leads out of the folder; put the "
                "file itself there, or take the link away."
            )
        below = entry.path[len(root) :].lstrip("/")
        check_name(below)
        place = os.path.realpath(entry.path) if entry.is_symlink() else entry.path
        opened = partial(open_file, place, follow_link=False)
        try:
            size = entry.stat().st_size
        except OSError as error:
            # It was there a moment ago; a retry looks anew at what there is.
            raise AIHubError(f"{parameter}: {entry.path} cannot be sent: {error.strerror}.") from None
        yield below, File(name=entry.name, open=opened, size=size)


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Whether something in a folder is a file, or a link that leads to one; a link to itself leads nowhere."""
    try:
        return entry.is_file()
    except OSError:
        return False


def local_folder(parameter: str, given: str | Path) -> Path:
    """Take the path of a folder on this machine that is to be written to; it is made if it is missing.

    :raises AIHubParameterError: It is none, or cannot be made.
    """
    if "://" in str(given):
        raise AIHubParameterError(f"{parameter} is '{given}', but files are fetched to a folder on the worker alone.")
    text = str(given) if isinstance(given, Path) else given
    place = Path(check_text(parameter, text, allowed="the path of a folder on the worker"))
    try:
        place.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        problem = error.strerror if isinstance(error, OSError) else "that is no path"
        raise AIHubParameterError(f"{parameter} is '{given}', which cannot be made: {problem}.") from None
    return place.absolute()


def check_output(parameter: str, given: str | Path | ObjectStoragePath) -> ObjectStoragePath:
    """Take the path or URI of a file that is to be written.

    What is found out here, before anything is asked of AIHub, and nothing is left behind: whether it is a path, no
    folder and no device; that Airflow has what writes to this kind of storage, and the connection for it; that the
    storage answers; for a local file, that its folder, or the nearest one above it that there is, can be written to by
    this worker. What shows only when the file is written: whether an object storage has the bucket and takes the
    object, whether there is room for it, and what another worker may do, where the task ends on another one.

    :raises AIHubParameterError: It cannot be written.
    :raises AIHubError: The storage does not answer now.
    """
    from fsspec.implementations.local import LocalFileSystem

    path = storage_path(parameter, given)
    if isinstance(path.fs, LocalFileSystem):
        problem = _unwritable(_place(path))
    else:
        problem = "which is a folder" if _is_folder(parameter, path) else ""
    if str(given).endswith("/"):
        problem = "which is a folder"
    if problem:
        raise AIHubParameterError(f"{parameter} is '{given}', {problem}; give the path of a file that can be written.")
    return path


def _unwritable(place: str) -> str:
    """Say why a local file cannot be written; nothing where it can."""
    target = Path(place or "/")
    try:
        if target.exists() and not target.is_file():
            return "which is a folder" if target.is_dir() else "which is no file"
        folder = next(folder for folder in target.parents if folder.exists())
        # It has no name in the folder, so it is gone whatever happens.
        with TemporaryFile(dir=folder):
            pass
        # Of a name that is too long, or links in a circle, the system says so itself.
        with suppress(FileNotFoundError):
            target.lstat()
    except (OSError, ValueError) as error:
        return f"which cannot be written ({error.strerror if isinstance(error, OSError) else error})"
    return ""


def _is_folder(parameter: str, path: ObjectStoragePath) -> bool:
    try:
        return bool(path.fs.isdir(_place(path)))
    except PermissionError:
        # Who may write need not be allowed to list.
        return False
    except Exception as error:
        raise _silent(parameter, path, error) from error


def _silent(parameter: str, path: ObjectStoragePath, error: Exception) -> AIHubError:
    """Say that a storage did not tell what there is. Its own words may hold a secret."""
    return AIHubError(
        f"{parameter} is '{path}', and its storage could not be asked about it ({type(error).__name__}); check the "
        "connection of the storage, or try again later."
    )


@contextmanager
def written(path: ObjectStoragePath) -> Iterator[BinaryIO]:
    """Open a file for writing. It gets its name only when it is whole, so that no half one is ever taken for it.

    :raises AIHubError: The storage does not take it.
    """
    from fsspec.implementations.local import LocalFileSystem

    storage, place = path.fs, _place(path)
    folder = place.rpartition("/")[0]
    # Its length does not depend on the file's, whose name may be as long as a name can be.
    half = f"{folder}/.{secrets.token_hex(8)}.part"
    try:
        if isinstance(storage, LocalFileSystem):
            storage.makedirs(folder or "/", exist_ok=True)
        with storage.open(half, "wb") as file:
            yield file
        storage.mv(half, place)
    except BaseException as error:
        with suppress(Exception):
            storage.rm_file(half)
        if isinstance(error, AIHubError) or not isinstance(error, Exception):
            raise
        raise AIHubError(
            f"'{path}' could not be written ({type(error).__name__}); check that its folder or bucket is there and can "
            "be written, then try again: the result is still on AIHub."
        ) from error


def _place(path: ObjectStoragePath) -> str:
    """Return the path as the storage itself knows it: a local one is absolute, another begins with its bucket."""
    place: str = path.fs._strip_protocol(path.path)
    return place.rstrip("/")


def _below(storage: Any, folder: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """List what is below a local folder. ``fsspec`` itself leaves out folders that may not be read, in silence."""
    for info in storage.ls(folder, detail=True):
        if info["type"] == "directory":
            yield from _below(storage, info["name"])
        else:
            yield info["name"], info


def _within(folder: str, place: str) -> bool:
    """Whether a local file lies below a folder, wherever links lead."""
    folder = os.path.realpath(folder)
    return os.path.commonpath([folder, os.path.realpath(place)]) == folder
