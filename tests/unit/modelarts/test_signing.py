"""Signatures: the two vectors on which the vendor's own signer and an independent one agree, and what is signed."""

from __future__ import annotations

import hashlib
from email.utils import formatdate

import pytest
from misbehaving import NOW, Server
from modelarts_calls import ACCESS_KEY, JOB, PROJECT, SECRET_KEY, connection, said, sent

from airflow_provider_aihub.modelarts import signing, workflows
from airflow_provider_aihub.modelarts.errors import ModelArtsAuthError
from airflow_provider_aihub.modelarts.training_jobs import (
    TrainingJobSpec,
    create_training_job,
    get_training_job,
    terminate_training_job,
)

DATE = "20240102T030405Z"
HEADERS = {
    "Content-Type": "application/json",
    "Host": "127.0.0.1:8123",
    "X-Project-Id": PROJECT,
    "X-Sdk-Date": DATE,
}


@pytest.mark.parametrize(
    ("method", "url", "body", "digest", "signature"),
    [
        (
            "POST",
            f"/v2/{PROJECT}/training-jobs/{JOB}/actions",
            b'{"action_type":"terminate"}',
            "4f183e87b73622528304c776d90f0d1af7b2c15a35cc183089b63777efa3af30",
            "1fa4aac36a2b4ac4e03d3969941e7426e0bf67918bf8aa51a7ca76a93da5719a",
        ),
        (
            "GET",
            f"/v2/{PROJECT}/workflows/w%201/executions?sort_by=create_time&limit=10&labels=a%20b%2C~c%2Fd",
            None,
            "ee2d637187fce02ceb359fc31bceed14189baabdfcc87dc769602c542d644cf2",
            "ce89233287554e9f96c31106fa040a823a9c451b33d8aabe77222dbe54c7f2d9",
        ),
    ],
)
def test_the_vectors(method: str, url: str, body: bytes | None, digest: str, signature: str) -> None:
    form = signing.canonical(method, f"http://127.0.0.1:8123{url}", HEADERS, body)
    assert hashlib.sha256(form.encode()).hexdigest() == digest
    assert signing.signature(form, DATE, SECRET_KEY) == signature
    assert signing.authorization(ACCESS_KEY, HEADERS, signature) == (
        f"SDK-HMAC-SHA256 Access={ACCESS_KEY}, SignedHeaders=content-type;host;x-project-id;x-sdk-date, "
        f"Signature={signature}"
    )


def test_the_same_query_in_another_form_has_the_same_signature() -> None:
    plain = signing.canonical("GET", "http://h/p?b=&a=x%20y&a=%E4%B8%AD", {}, None)
    assert plain == signing.canonical("GET", "http://h/p/?a=%e4%b8%ad&a=x+y&b", {}, None).replace("/p//", "/p/")
    assert plain.split("\n")[1:3] == ["/p/", "a=x%20y&a=%E4%B8%AD&b="]


def test_the_date_is_in_utc() -> None:
    assert signing.date_of(1704164645.9) == DATE


@pytest.mark.parametrize("side", ["blocking", "asynchronous"])
@pytest.mark.parametrize("token", ["", "temporary"])
async def test_what_arrives_is_what_was_signed(server: Server, side: str, token: str) -> None:
    at = f"/v2/{PROJECT}/training-jobs/{JOB}/actions"
    lists = f"/v2/{PROJECT}/workflows/w-1/executions"
    server.script |= {at: [said(202)], lists: [said(items=[], total=0)]}
    config = connection(server, security_token=token)
    requests = terminate_training_job(JOB), workflows.list_workflow_executions("w-1", labels="a b,~c/d")
    await sent(side, config, *requests)
    assert len(server.seen) == 2
    for one in server.seen:
        names = ["content-type", "host", "x-project-id", "x-sdk-date", *(["x-security-token"] if token else [])]
        assert one.headers["Host"] == server.url.removeprefix("http://")
        assert one.headers.get("X-Security-Token", "") == token
        url = f"{server.url}{one.path}" + (f"?{one.query}" if one.query else "")
        headers = {name: one.headers[name] for name in names}
        signed = signing.signature(
            signing.canonical(one.method, url, headers, one.body), headers["x-sdk-date"], SECRET_KEY
        )
        assert one.headers["Authorization"] == signing.authorization(ACCESS_KEY, headers, signed)


@pytest.mark.parametrize("side", ["blocking", "asynchronous"])
async def test_the_time_is_the_servers(server: Server, side: str) -> None:
    late = {"Date": "Fri, 15 Jan 2027 09:00:00 GMT"}
    server.script[f"/v2/{PROJECT}/training-jobs/{JOB}"] = [
        said(200, late, metadata={"id": JOB}, status={"phase": "Running"})
    ]
    await sent(side, connection(server), get_training_job(JOB), get_training_job(JOB))
    assert [one.headers["X-Sdk-Date"] for one in server.seen] == [signing.date_of(NOW), "20270115T090000Z"]


@pytest.mark.parametrize("side", ["blocking", "asynchronous"])
async def test_where_this_clock_is_off_the_first_call_is_signed_anew(server: Server, side: str) -> None:
    at, late = f"/v2/{PROJECT}/training-jobs", {"Date": "Fri, 15 Jan 2027 09:00:00 GMT"}
    server.script[at] = [said(401, late, error_code="APIGW.0301"), said(201, late, metadata={"id": JOB})]
    create = create_training_job(TrainingJobSpec.build(name="t", image="i", command="true"))
    assert await sent(side, connection(server), create) == JOB
    assert [one.headers["X-Sdk-Date"] for one in server.seen] == [signing.date_of(NOW), "20270115T090000Z"]


@pytest.mark.parametrize("side", ["blocking", "asynchronous"])
async def test_a_signature_of_the_right_time_that_is_refused_is_refused(server: Server, side: str) -> None:
    at, right = f"/v2/{PROJECT}/training-jobs/{JOB}", {"Date": formatdate(NOW, usegmt=True)}
    server.script[at] = [said(401, right, error_code="APIGW.0301")]
    with pytest.raises(ModelArtsAuthError):
        await sent(side, connection(server), get_training_job(JOB))
    assert len(server.seen) == 1
