"""Uploading files to S3 through AIHub's relay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_aihub.operators.call import CallOperator

if TYPE_CHECKING:
    from pathlib import Path

    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath

    from airflow_provider_aihub.storage import Source


class S3RelayUploadOperator(CallOperator):
    """Upload a file, or the files below a folder, through AIHub's S3 relay.

    Returns ``{"path", "url"}`` for one object, its path for AIHub and its address over HTTP; and ``{"path", "count",
    "bytes"}`` for a folder, the path that all its objects begin with, their number and size. Files are streamed,
    whatever their size. Existing objects are replaced, so a retry leaves the same objects.

    :param local_path: File or folder: a path on the worker, or a URI such as ``s3://`` or ``gs://``, as in
        ``ObjectStoragePath``.
    :param bucket: Bucket to upload to.
    :param key: Path of the object in the bucket; for a folder, the path that is put before those of its files. If it
        ends in ``/``, the name of the file is added.
    :param archive: Whether all files are uploaded as one zip archive, which is made while it is sent. Default: false.
    :param aihub_conn_id: Connection of type ``aihub``. It must have the relay's address and its token. Default:
        ``aihub_default``.

    The remaining parameters are those of :class:`~airflow_provider_aihub.operators.call.CallOperator`.
    """

    template_fields: Sequence[str] = (*CallOperator.template_fields, "local_path", "bucket", "key", "archive")

    def __init__(
        self,
        *,
        local_path: str | Path | ObjectStoragePath,
        bucket: str,
        key: str,
        archive: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.local_path = local_path
        self.bucket = bucket
        self.key = key
        self.archive = archive

    def call(self, context: Context) -> dict[str, Any]:  # noqa: ARG002 - nothing on AIHub to show
        """Upload what is there."""
        from airflow_provider_aihub.aihub.values import check_flag, check_text
        from airflow_provider_aihub.lineage import tell_collector
        from airflow_provider_aihub.storage import find_source

        archive, bucket = check_flag("archive", self.archive), check_text("bucket", self.bucket)
        key = check_text("key", self.key, r"(?s).*[^\s/].*", "a path within the bucket")
        source = find_source("local_path", self.local_path)
        if source.is_folder and not archive:
            return self._upload_folder(source, bucket, key.rstrip("/"))
        file = source.as_archive() if archive else source.as_file()
        upload = self.hook.upload_to_relay(bucket, key + file.name if key.endswith("/") else key, file)
        self.log.info("Uploaded %d bytes to %s", file.size, upload.path)
        tell_collector(self.hook, inputs=[str(self.local_path)], outputs=[upload.path])
        return {"path": upload.path, "url": upload.url}

    def _upload_folder(self, source: Source, bucket: str, prefix: str) -> dict[str, Any]:
        from airflow_provider_aihub.http.progress import Progress
        from airflow_provider_aihub.lineage import tell_collector

        progress = Progress(f"Sending the files of {source.name!r}", source.size)
        for name, file in source.files.items():
            self.hook.upload_to_relay(bucket, f"{prefix}/{name}", file)
            progress.add(file.size)
        path = f"s3://{bucket}/{prefix}"
        self.log.info("Uploaded %d files, %d bytes, to %s", len(source.files), source.size, path)
        tell_collector(self.hook, inputs=[str(self.local_path)], outputs=[path])
        return {"path": path, "count": len(source.files), "bytes": source.size}
