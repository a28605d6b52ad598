"""Each call as it goes over the wire, byte for byte where that is defined, and what is read from its answer."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from cases import CASES, Case
from cases.case import Part, encoded
from transports import Sent, Transport


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_is_sent_and_read(case: Case, transport: Transport) -> None:
    result, sent = transport.ask(case, encoded(case.answer))
    case.check(result)
    *before, last = sent
    # Only the document's way of reading a run is not the first that is tried.
    assert [one.method for one in before] == (["GET"] if case.id == "get_workflow_run-post" else [])
    assert (last.service, last.method, last.path, last.query) == (case.service, case.method, case.path, case.query)
    check_headers(case, last)
    if case.form is not None:
        assert last.body == form_body(case.form, last.headers["content-type"])
    elif case.body is not None:
        assert json.loads(last.body) == case.body
    else:
        assert last.body == b""


def form_body(parts: Sequence[Part], content_type: str) -> bytes:
    """A multipart form as browsers send it: names and file names in UTF-8."""
    boundary = content_type.partition("boundary=")[2].encode()
    body = b""
    for part in parts:
        head = f'--{boundary.decode()}\r\nContent-Disposition: form-data; name="{part.name}"'
        if part.filename is not None:
            head += f'; filename="{part.filename}"\r\nContent-Type: application/octet-stream'
        body += head.encode() + b"\r\n\r\n" + part.content + b"\r\n"
    return body + b"--" + boundary + b"--\r\n"


def check_headers(case: Case, sent: Sent) -> None:
    for name in ("Authorization", "Token"):
        assert sent.headers.get(name.lower()) == case.credential.get(name)
    assert sent.headers["accept"] == "application/json"
    content_type = sent.headers.get("content-type", "")
    if case.form is not None:
        assert content_type.startswith("multipart/form-data; boundary=")
        assert sent.headers["content-length"] == str(len(sent.body))
    elif case.body is not None:
        assert content_type == "application/json"
