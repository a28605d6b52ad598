"""AIHub's object store, an S3 store, with the short-lived credentials that AIHub gives out for it.

``boto3`` carries out the requests, from the extra ``s3``; it is imported at the first request to the store. What this
machine has configured for Amazon's own S3 (profiles, regions, addresses) has no effect.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from airflow_provider_aihub.aihub.errors import (
    AIHubBadAnswerError,
    AIHubConfigError,
    AIHubNotFoundError,
    AIHubRejectedError,
    AIHubRequestError,
    AIHubUnavailable,
)
from airflow_provider_aihub.aihub.models import StoreAccess
from airflow_provider_aihub.aihub.services import Service
from airflow_provider_aihub.http.request import Request

if TYPE_CHECKING:
    from airflow_provider_aihub.aihub.config import Config as AIHubConfig

PART: Final = 5 * 2**20
"""Bytes that are sent in one request at most, and the fewest that S3 takes as a part of a file."""
MOST_PARTS: Final = 10_000
"""Parts that S3 takes of one file."""
WORKERS: Final = 6
"""Requests at a time. Each holds a part of a file in memory."""
SMALL: Final = 2**18
"""Up to so many bytes are sent without asking the store first: it reads a body of this size even if it refuses it."""
REFUSED: Final = (401, 403)
EXPIRED: Final = {"ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "TokenRefreshRequired"}
"""Codes with which a store refuses credentials that have expired."""


def store_access(service: Service, path: str) -> Request[StoreAccess]:
    """Get the credentials that a service gives out for its part of the store. Newer platforms only."""
    return Request(
        asks="give credentials for its object store",
        service=service,
        method="GET",
        path=path,
        read=StoreAccess.read,
        optional=True,
    )


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is in the store."""

    bucket: str
    key: str

    @classmethod
    def of(cls, address: str) -> Place:
        """Read ``s3://bucket/key``.

        :raises AIHubBadAnswerError: It has another form; addresses come from AIHub.
        """
        bucket, slash, key = address.removeprefix("s3://").partition("/")
        if not address.startswith("s3://") or not bucket or not slash or not key.strip("/"):
            raise AIHubBadAnswerError(
                f"AIHub says that files are at {address!r}, which is no address in its object store; ask its operators."
            )
        return cls(bucket, key)

    def below(self, path: str) -> Place:
        """Return the place of a file below this one."""
        return Place(self.bucket, f"{self.key.rstrip('/')}/{path}")

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


class Stored(NamedTuple):
    """An object in the store.

    :param etag: The MD5 of its content in hexadecimal digits, if it was sent in one part and the store does not encrypt
        it.
    :param put: When it was put, in Unix seconds by the store's clock; 0 in a list.
    """

    key: str
    size: int
    etag: str
    put: float = 0.0


class ObjectStore:
    """The store. It may be used from several threads.

    :param issue: Asks AIHub for credentials: at first, and whenever the store refuses the current ones.
    :param config: Of the connection; its time limit and TLS settings apply here, too.
    :param mask: Is called with each text that logs must not show.
    """

    def __init__(self, issue: Callable[[], StoreAccess], config: AIHubConfig, mask: Callable[[str], object]) -> None:
        self._issue = issue
        self._config = config
        self._mask = mask
        self._lock = Lock()
        self._made: Any = None
        self.access: StoreAccess = self._renewed(None)

    def _renewed(self, refused: Any) -> StoreAccess:
        """Get credentials, unless another thread has done so since a client was refused."""
        with self._lock:
            if refused is not self._made:
                return self.access
            access = self._issue()
            secrets = (access.secret_access_key, access.session_token)
            if not all((access.access_key_id, access.secret_access_key, access.endpoint)):
                raise AIHubBadAnswerError(
                    "AIHub was asked to give credentials for its object store and gave none; ask its operators whether "
                    "it has one."
                )
            for secret in (access.access_key_id, *secrets):
                if secret:
                    self._mask(secret)
            self._made = self._connected(access)
            self.access = access
            return access

    def _connected(self, access: StoreAccess) -> Any:
        try:
            from botocore.config import Config as BotoConfig

            session = _session()
        except ImportError:
            raise AIHubConfigError(
                "Files go to AIHub's object store by way of boto3, which is not installed; install "
                "airflow-provider-aihub[s3]."
            ) from None
        endpoint = access.endpoint if "://" in access.endpoint else f"http://{access.endpoint}"
        client = session.client(
            "s3",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id=access.access_key_id,
            aws_secret_access_key=access.secret_access_key,
            aws_session_token=access.session_token or None,
            verify=self._config.ca_file or self._config.verify,
            config=BotoConfig(
                connect_timeout=self._config.timeout,
                read_timeout=self._config.timeout,
                max_pool_connections=WORKERS,
                retries={"mode": "standard", "total_max_attempts": 5},
                s3={"addressing_style": "path"},
                # Stores of others do not know the newer checksums.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )
        client.meta.events.register_last("before-call.s3", _at_once)
        return client

    def ask(self, asks: str, operation: str, **given: Any) -> Any:
        """Carry out one request. If the credentials are refused, repeat it with new ones.

        :param asks: What is asked, as it stands in a sentence.
        :param operation: Name of boto3's method.
        :raises AIHubRequestError: One of its kinds.
        """
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        for again in (False, True):
            client = self._made
            try:
                return getattr(client, operation)(**given)
            except ClientError as error:
                answer = error.response
                code = str(answer.get("Error", {}).get("Code", ""))
                status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0
                if not again and (code in EXPIRED or status in REFUSED):
                    self._renewed(client)
                    continue
                raise _refusal(asks, code, status) from None
            except BotoCoreError as error:
                raise _lost(asks, error) from None
            except ResponseParserError:
                raise _no_answer(asks) from None
        raise AssertionError

    def objects(self, place: Place) -> Iterator[Stored]:
        """List the objects below a place, in the order of the keys."""
        given: dict[str, Any] = {"Bucket": place.bucket, "Prefix": f"{place.key.rstrip('/')}/"}
        while True:
            page = self.ask(f"list {place}", "list_objects_v2", **given)
            with _reading(f"list {place}"):
                found = page.get("Contents", ())
                rows = [Stored(row["Key"], row["Size"], row.get("ETag", "").strip('"')) for row in found]
                more = page["NextContinuationToken"] if page["IsTruncated"] else None
            yield from rows
            if more is None:
                return
            given["ContinuationToken"] = more

    def find(self, place: Place) -> Stored | None:
        """Return the object at a place, if there is one."""
        try:
            head = self.ask(f"show {place}", "head_object", Bucket=place.bucket, Key=place.key)
        except AIHubNotFoundError:
            return None
        put = head["LastModified"].timestamp() if "LastModified" in head else 0.0
        with _reading(f"show {place}"):
            return Stored(place.key, head["ContentLength"], head["ETag"].strip('"'), put)

    def put(self, place: Place, data: bytes) -> None:
        """Put an object."""
        answer = self.ask(f"take {place}", "put_object", Bucket=place.bucket, Key=place.key, Body=data)
        with _reading(f"take {place}"):
            # What does not say so may be a gateway, and no store.
            answer["ETag"]

    def begun(self, place: Place) -> tuple[str, dict[int, str]]:
        """Continue an upload in parts, or begin one. Return its id, and the MD5 of each part that is there."""
        where = {"Bucket": place.bucket, "Key": place.key}
        found = self.ask(f"list uploads of {place}", "list_multipart_uploads", Bucket=place.bucket, Prefix=place.key)
        ids = [upload["UploadId"] for upload in found.get("Uploads", ()) if upload["Key"] == place.key]
        if not ids:
            with _reading(f"begin {place}"):
                return self.ask(f"begin {place}", "create_multipart_upload", **where)["UploadId"], {}
        parts: dict[int, str] = {}
        given = {**where, "UploadId": ids[-1]}
        while True:
            page = self.ask(f"list the parts of {place}", "list_parts", **given)
            parts |= {part["PartNumber"]: part["ETag"].strip('"') for part in page.get("Parts", ())}
            if not page.get("IsTruncated"):
                return ids[-1], parts
            given["PartNumberMarker"] = page["NextPartNumberMarker"]

    def put_part(self, place: Place, upload: str, number: int, data: bytes) -> str:
        """Put a part of an object. Return the store's name for it."""
        given = {"Bucket": place.bucket, "Key": place.key, "UploadId": upload, "PartNumber": number, "Body": data}
        with _reading(f"take part {number} of {place}"):
            return str(self.ask(f"take part {number} of {place}", "upload_part", **given)["ETag"]).strip('"')

    def complete(self, place: Place, upload: str, parts: dict[int, str]) -> None:
        """Make an object of its parts."""
        listed = [{"PartNumber": number, "ETag": f'"{parts[number]}"'} for number in sorted(parts)]
        given = {"Bucket": place.bucket, "Key": place.key, "UploadId": upload, "MultipartUpload": {"Parts": listed}}
        with _reading(f"put the parts of {place} together"):
            self.ask(f"put the parts of {place} together", "complete_multipart_upload", **given)["ETag"]

    def pieces(self, stored: Stored, place: Place, start: int) -> Iterator[bytes]:
        """Read an object from a byte on.

        :raises AIHubNotFoundError: It is gone.
        :raises AIHubRejectedError: It has become another one.
        :raises AIHubUnavailable: It broke off.
        """
        from botocore.exceptions import BotoCoreError
        from urllib3.exceptions import HTTPError

        asks = f"give {place}"
        given: dict[str, Any] = {"Bucket": place.bucket, "Key": place.key, "IfMatch": f'"{stored.etag}"'}
        if start:
            given["Range"] = f"bytes={start}-"
        body = self.ask(asks, "get_object", **given)["Body"]
        try:
            yield from body.iter_chunks(2**18)
        except (BotoCoreError, HTTPError, OSError) as error:
            raise _lost(asks, error) from None
        finally:
            body.close()


@contextmanager
def _reading(asks: str) -> Iterator[None]:
    """Take an answer that lacks what it must have for none of the store's."""
    try:
        yield
    except KeyError:
        raise _no_answer(asks) from None


def _no_answer(asks: str) -> AIHubBadAnswerError:
    return AIHubBadAnswerError(
        f"AIHub's object store was asked to {asks} and gave something that is no answer to it; see what stands between "
        "this machine and the store.",
        service="object_store",
        asks=asks,
    )


def _at_once(params: dict[str, Any], **_: Any) -> None:
    """Send a small body with its request: to ask whether it may come (``Expect``) takes as long as to send it."""
    body = params.get("body")
    if isinstance(body, BytesIO) and body.getbuffer().nbytes <= SMALL:
        params["headers"].pop("Expect", None)


def _session() -> Any:
    """Return what a client is made by.

    :raises ImportError: ``boto3`` is not installed.
    """
    import boto3
    from botocore.session import Session

    nothing = (None, None, os.devnull, None)
    own: Any = {"profile": (None, None, None, None), "config_file": nothing, "credentials_file": nothing}
    return boto3.Session(botocore_session=Session(own))


def _refusal(asks: str, code: str, status: int) -> AIHubRequestError:
    kind: type[AIHubRequestError] = AIHubRejectedError
    advice = "ask AIHub's operators what its credentials are for"
    if status >= 500 or status == 429:
        kind, advice = AIHubUnavailable, "try again later"
    elif status == 404:
        kind, advice = AIHubNotFoundError, "see whether it is there"
    elif status == 412:
        advice = "it has become another one meanwhile, so try again"
    # The store's own words may name a key.
    return kind(
        f"AIHub's object store was asked to {asks} and said {code or 'no'} (HTTP {status}); {advice}.",
        service="object_store",
        asks=asks,
        status=status,
    )


def _lost(asks: str, error: Exception) -> AIHubUnavailable:
    return AIHubUnavailable(
        f"AIHub's object store was asked to {asks} and did not answer ({type(error).__name__}); see whether this "
        "machine reaches it, and try again later.",
        service="object_store",
        asks=asks,
    )
