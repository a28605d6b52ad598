"""Putting the files of a dataset version in place."""

from __future__ import annotations

import shutil
import stat
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath

GROWTH, NO_BOMB = 200, 1 << 30
"""A zip file may become so many times its size, and so many bytes more."""


class UnpackError(Exception):
    """The files cannot be had; the message says why."""


def unpack_zip(archive: Path, target: Path) -> None:
    """Unpack a zip file into an empty folder.

    :raises UnpackError: It is no zip file, or holds a name that leads out of the folder, or a link, or so much more
        than its own size that it must be meant to fill the disk.
    """
    try:
        with zipfile.ZipFile(archive) as zipped:
            # Of no file is more unpacked than is said here.
            size = sum(entry.file_size for entry in zipped.infolist())
            largest = min(GROWTH * archive.stat().st_size + NO_BOMB, shutil.disk_usage(target).free)
            if size > largest:
                raise UnpackError(f"The zip file would become {size} bytes; at most {largest} are unpacked of it.")
            for entry in zipped.infolist():
                name = PurePosixPath(entry.filename)
                if name.is_absolute() or ".." in name.parts or "\\" in entry.filename:
                    raise UnpackError(f"The zip file holds {entry.filename!r}, which leads out of its folder.")
                if stat.S_ISLNK(entry.external_attr >> 16):
                    raise UnpackError(f"The zip file holds {entry.filename!r}, which is a link.")
            zipped.extractall(target)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise UnpackError(f"{archive.name} cannot be unpacked: {error}.") from None


def copy_folder(source: Path, target: Path) -> None:
    """Copy all files below a folder; links are left out, since they can lead anywhere.

    :raises UnpackError: The copy would lie within what is copied.
    """
    if target.resolve().is_relative_to(source.resolve()):
        raise UnpackError(f"{source} holds the dataset version itself.")
    for path in _files(source):
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)


def write_index(folder: Path, index: Path, address: Callable[[str], str]) -> tuple[int, int]:
    """Write a Parquet file with a row for each file below a folder: ``parent_dir``, ``name``, ``s3path`` and ``type``,
    as AIHub's own client reads them, and ``path`` and ``size``.

    :param address: Gives the S3 path of a file by its path within the folder.

    :return: Number of files, bytes of all.
    """
    paths = list(_files(folder))
    names = [path.relative_to(folder).as_posix() for path in paths]
    rows = [(name, address(name), path.stat().st_size) for name, path in zip(names, paths, strict=True)]
    return write_rows(rows, index)


def write_rows(rows: Sequence[tuple[str, str, int]], index: Path) -> tuple[int, int]:
    """Write such a file.

    :param rows: Path, S3 path and size of each file.

    :return: Number of files, bytes of all.
    """
    import duckdb

    names, addresses, sizes = [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]
    with duckdb.connect(":memory:") as con:
        con.execute(
            "CREATE TABLE files AS SELECT unnest(?::VARCHAR[]) AS parent_dir, unnest(?::VARCHAR[]) AS name, "
            "unnest(?::VARCHAR[]) AS s3path, 0 AS type, unnest(?::VARCHAR[]) AS path, unnest(?::BIGINT[]) AS size",
            [
                [name.rpartition("/")[0] for name in names],
                [name.rpartition("/")[2] for name in names],
                addresses,
                names,
                sizes,
            ],
        )
        con.table("files").write_parquet(str(index))
    return len(rows), sum(sizes)


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_symlink():
            continue
        if path.is_dir():
            yield from _files(path)
        elif path.is_file():
            yield path
