"""OBS, the object storage: a folder for each bucket, a file for each object."""

from __future__ import annotations

import re
from pathlib import Path

from .errors import wrong_path

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,62}")


class Obs:
    """Where objects lie here.

    :param root: The folder that holds the buckets.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def place(self, url: str) -> Path:
        """Where ``obs://bucket/key`` or ``/bucket/key`` lies; the key may be that of a folder, or empty.

        :raises Refused: It is no such address.
        """
        path = url.removeprefix("obs:/") if url.startswith("obs://") else url
        bucket, *parts = path.strip("/").split("/")
        if not path.startswith("/") or not _BUCKET.fullmatch(bucket) or ".." in bucket:
            raise wrong_path(f"{url!r} is no OBS path, such as obs://bucket/folder/.")
        if any(part in ("", ".", "..") or "\0" in part or "\\" in part for part in parts) or len(path) > 1024:
            raise wrong_path(f"{url!r} is no OBS path: it must consist of names, without '..'.")
        return self.root.joinpath(bucket, *parts)

    def existing(self, url: str) -> Path:
        """The file or folder at an address.

        :raises Refused: There is none.
        """
        place = self.place(url)
        if not place.exists():
            raise wrong_path(f"There is nothing at the OBS path {url}.")
        return place

    def folder(self, url: str) -> Path:
        """The folder at an address, made when it is missing."""
        place = self.place(url)
        if place.exists() and not place.is_dir():
            raise wrong_path(f"{url} is an object and not a folder.")
        place.mkdir(parents=True, exist_ok=True)
        return place
