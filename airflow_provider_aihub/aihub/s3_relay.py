"""The S3 relay: puts a file into object storage on somebody's behalf."""

from __future__ import annotations

from airflow_provider_aihub.aihub.models import Upload
from airflow_provider_aihub.aihub.services import Auth, Service
from airflow_provider_aihub.aihub.values import check_text
from airflow_provider_aihub.http.request import File, Form, Request


def upload_to_relay(bucket: str, key: str, file: File) -> Request[Upload]:
    """Upload a file. A second upload leaves the same object, so the call may be repeated.

    :param bucket: Bucket of the object.
    :param key: Path of the object in the bucket.
    :raises AIHubParameterError: The bucket or the key is empty.
    """
    bucket, key = check_text("bucket", bucket), check_text("key", key)
    return Request(
        asks=f"put {file.name!r} at s3://{bucket}/{key}",
        service=Service.S3_RELAY,
        method="POST",
        path="/upload",
        read=Upload.read,
        query={"bucket": bucket, "key": key},
        form=Form(fields={}, files={"file": file}),
        auth=Auth.RELAY,
    )
