from __future__ import annotations

from airflow_provider_aihub.aihub.services import Service

from .case import RELAY, Case, Part, file

CASES = (
    Case(
        id="upload_to_relay",
        source="D",
        service=Service.S3_RELAY,
        method="POST",
        route="/upload",
        call="upload_to_relay",
        args=("bucket", "a folder/数.zip", file("local.zip", b"--abc\r\n")),
        path="/upload",
        query="bucket=bucket&key=a+folder%2F%E6%95%B0.zip",
        form=(Part("file", b"--abc\r\n", "local.zip"),),
        credential=RELAY,
        answer={"code": 0, "data": {"path": "s3://xxx", "url": "http://xxx"}},
        reads={"path": "s3://xxx", "url": "http://xxx"},
        vital=("path",),
        real=lambda _: ("contract", "a folder/数.zip", file("local.zip", b"abc")),
    ),
)
