"""The object store beside the emulators of a process: started when it is first asked for, and kept in memory."""

from __future__ import annotations

import atexit
import csv
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from io import StringIO
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple
from uuid import uuid4

_STARTING = Lock()


class StoreError(Exception):
    """What is in the store is not as it was said to be; the message says how."""


class Stored(NamedTuple):
    """A file that a sheet names.

    :param path: Below the folder.
    """

    path: str
    key: str
    size: int


class ObjectStore:
    """An S3 store of which credentials are given out: a bucket of the emulator's own. All methods block."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._clients: dict[str, Any] = {}
        # The platform's own client takes letters and digits alone.
        self.bucket = f"aihub{uuid4().hex[:8]}"
        self.endpoint = ""

    def access(self) -> dict[str, Any]:
        """New credentials, by the store's own service for them."""
        role = "arn:aws:iam::123456789012:role/aihub"
        given = self._client("sts").assume_role(RoleArn=role, RoleSessionName="aihub")["Credentials"]
        return {
            "access_key_id": given["AccessKeyId"],
            "secret_access_key": given["SecretAccessKey"],
            "session_token": given["SessionToken"],
            "expiration": int(given["Expiration"].timestamp()),
            "endpoint": self.endpoint,
            "bucket": self.bucket,
        }

    def sheet(self, key: str, target: str) -> Iterator[Stored]:
        """The files that a sheet names, each of which must be there.

        :param target: The key that all of them are below.
        :raises StoreError: There is no such sheet, it is none, or names what is not there.
        """
        there = self._sizes(target)
        try:
            body = self._client("s3").get_object(Bucket=self.bucket, Key=key)["Body"].read().decode()
        except self._client("s3").exceptions.NoSuchKey:
            raise StoreError(f"There is no sheet s3://{self.bucket}/{key}.") from None
        for row in csv.DictReader(StringIO(body, newline="")):
            try:
                path, address, size = row["local_path"].lstrip("/"), row["s3path"], int(row["file_size"])
                right = len(bytes.fromhex(row["sha256"])) == 32
            except (KeyError, ValueError, AttributeError, TypeError):
                raise StoreError(f"The sheet s3://{self.bucket}/{key} has a row that cannot be read.") from None
            name = address.removeprefix(f"s3://{self.bucket}/")
            if not right or there.get(name) != size:
                raise StoreError(f"The sheet names {address} with {size} bytes, which is not there.")
            yield Stored(path, name, size)

    def fetch(self, stored: Stored, target: Path) -> None:
        """Copy an object into a file."""
        target.parent.mkdir(parents=True, exist_ok=True)
        # By its own name: boto3 would first give it one that may be too long.
        with target.open("wb") as file:
            self._client("s3").download_fileobj(self.bucket, stored.key, file)

    def close(self) -> None:
        """Forget all objects."""
        if self._clients:
            for key in self._sizes(""):
                self._client("s3").delete_object(Bucket=self.bucket, Key=key)
            self._client("s3").delete_bucket(Bucket=self.bucket)

    def _sizes(self, prefix: str) -> dict[str, int]:
        pages = self._client("s3").get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return {row["Key"]: row["Size"] for page in pages for row in page.get("Contents", ())}

    def _client(self, service: str) -> Any:
        with self._lock:
            if not self._clients:
                self._connect()
            return self._clients[service]

    def _connect(self) -> None:
        import boto3

        self.endpoint = f"127.0.0.1:{_port()}"
        session = boto3.Session(aws_access_key_id="emulator", aws_secret_access_key="emulator")  # noqa: S106
        clients = {
            service: session.client(service, region_name="us-east-1", endpoint_url=f"http://{self.endpoint}")
            for service in ("s3", "sts")
        }
        clients["s3"].create_bucket(Bucket=self.bucket)
        self._clients = clients


def _port() -> int:
    # Several emulators may ask for it at once.
    with _STARTING:
        return _served()


@cache
def _served() -> int:
    """Start the server, which all emulators of this process share: that takes seconds."""
    command = [sys.executable, "-m", f"{__package__}.object_store_server"]
    process = subprocess.Popen(  # noqa: S603 - the command is our own
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    atexit.register(process.communicate)
    said = process.stdout.readline().strip() if process.stdout else ""
    if not said:
        raise StoreError("The object store does not start; see whether moto and flask are installed.")
    return int(said)
