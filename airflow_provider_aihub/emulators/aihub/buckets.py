"""The S3 buckets behind the relay."""

from __future__ import annotations

import re
from pathlib import Path

from .answers import Refused


class Buckets:
    """A folder for each bucket, a file for each object."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def place(self, bucket: str, key: str) -> Path:
        """Where an object lies.

        :raises Refused: The bucket or key is empty or would lead out of its folder.
        """
        if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,62}", bucket) or ".." in bucket:
            raise Refused("bucket must be 3 to 63 of the characters a-z, 0-9, '.' and '-'")
        parts = key.split("/")
        if any(part in ("", ".", "..") or "\0" in part or "\\" in part for part in parts) or len(key) > 1024:
            raise Refused("key must be a path of names parted by '/', without '..'")
        return self._folder.joinpath(bucket, *parts)

    def find(self, address: str) -> Path:
        """The file or folder behind ``s3://bucket/key`` or ``s3://bucket``.

        :raises Refused: The address is none.
        """
        bucket, _, key = address.removeprefix("s3://").rstrip("/").partition("/")
        return self.place(bucket, key) if key else self.place(bucket, "object").parent
