"""How ModelArts is spoken to: tokens, projects, workspaces, and what a refusal means."""

from __future__ import annotations

import asyncio
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from typing import Any

import pytest
from aiohttp import web
from misbehaving import NOW, Act, Server, text
from modelarts_calls import (
    JOB,
    KEYS,
    PROJECT,
    SECRET_KEY,
    USER,
    connection,
    refused,
    said,
    sent,
    with_user,
)

from airflow_provider_aihub.http.errors import RemoteJobError
from airflow_provider_aihub.http.request import Request
from airflow_provider_aihub.http.retry import RetryPolicy
from airflow_provider_aihub.modelarts import errors, notebooks, training_jobs, workflows
from airflow_provider_aihub.modelarts.client import AsyncModelArtsClient, ModelArtsClient
from airflow_provider_aihub.modelarts.config import Config
from airflow_provider_aihub.modelarts.training_jobs import TrainingJobSpec, create_training_job, get_training_job

AT = f"/v2/{PROJECT}/training-jobs/{JOB}"
JOBS = f"/v2/{PROJECT}/training-jobs"
TOKENS = "/v3/auth/tokens"
AT_NOW = {"Date": formatdate(NOW, usegmt=True)}
RUNNING = said(metadata={"id": JOB}, status={"phase": "Running"})
both_sides = pytest.mark.parametrize("side", ["blocking", "asynchronous"])


def token(value: str, expires: str | None = "2027-01-16T08:00:00.000000Z") -> Act:
    return said(201, {"X-Subject-Token": value}, token={"expires_at": expires})


def created() -> Request[str]:
    return create_training_job(TrainingJobSpec.build(name="t", image="i", command="true"))


@both_sides
async def test_a_token_is_fetched_once_and_again_after_a_401(server: Server, side: str) -> None:
    server.script |= {
        TOKENS: [token("first"), token("second")],
        AT: [RUNNING, refused(401, "ModelArts.0203"), RUNNING],
    }
    await sent(side, with_user(server), *[get_training_job(JOB)] * 2)
    assert [one.headers["X-Auth-Token"] for one in server.asked(AT)] == ["first", "first", "second"]
    login, _ = server.asked(TOKENS)
    assert login.query == "nocatalog=true"
    assert json.loads(login.body) == {
        "auth": {
            "identity": {
                "methods": ["password"],
                "password": {"user": {"name": "bob", "password": "pass<word", "domain": {"name": "acme"}}},
            },
            "scope": {"project": {"id": PROJECT}},
        }
    }


@both_sides
async def test_a_token_is_renewed_before_its_end(server: Server, side: str) -> None:
    server.script |= {TOKENS: [token("first"), token("second")], AT: [RUNNING]}
    times = iter([NOW, NOW, NOW, *[NOW + 24 * 3600 - 200] * 20])
    await sent(side, with_user(server), *[get_training_job(JOB)] * 2, clock=lambda: next(times))
    assert [one.headers["X-Auth-Token"] for one in server.asked(AT)][-1] == "second"


async def test_many_calls_log_in_once(server: Server) -> None:
    server.script |= {TOKENS: [token("first")], AT: [RUNNING]}
    async with AsyncModelArtsClient(with_user(server), clock=lambda: NOW) as client:
        await asyncio.gather(*[client.get_training_job(JOB) for _ in range(8)])
    assert len(server.asked(TOKENS)) == 1


@both_sides
@pytest.mark.parametrize("credentials", [KEYS, USER], ids=["keys", "user"])
async def test_a_project_is_found_by_its_name_once(server: Server, side: str, credentials: dict[str, str]) -> None:
    server.script |= {
        TOKENS: [token("first")],
        "/v3/projects": [said(projects=[{"id": PROJECT, "name": "cn-north-4"}])],
        AT: [RUNNING],
    }
    config = with_user(server, project_id="", **({"iam_user": ""} | credentials))
    await sent(side, config, *[get_training_job(JOB)] * 2)
    (asked,) = server.asked("/v3/projects")
    assert asked.query == "name=cn-north-4"
    assert len(server.asked(AT)) == 2
    signed = "Authorization" in asked.headers
    assert signed is (credentials is KEYS)
    if credentials is USER:
        assert json.loads(server.asked(TOKENS)[0].body)["auth"]["scope"] == {"project": {"name": "cn-north-4"}}


async def at_once(side: str, config: Config, count: int) -> list[Any]:
    """Read a job many times at once with one client; what came of each."""
    given: dict[str, Any] = {"policy": RetryPolicy(attempts=1), "clock": lambda: NOW}
    if side == "blocking":
        with ModelArtsClient(config, **given) as client, ThreadPoolExecutor(count) as pool:
            reads = [pool.submit(client.get_training_job, JOB) for _ in range(count)]
            return [read.exception() or read.result() for read in reads]
    async with AsyncModelArtsClient(config, **given) as async_client:
        return await asyncio.gather(*[async_client.get_training_job(JOB) for _ in range(count)], return_exceptions=True)


@both_sides
@pytest.mark.parametrize("credentials", [KEYS, USER], ids=["keys", "user"])
async def test_many_first_requests_find_the_project_once(
    server: Server, side: str, credentials: dict[str, str]
) -> None:
    found = said(projects=[{"id": PROJECT, "name": "cn-north-4"}])

    async def slowly(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.2)
        return await found(request)

    server.script |= {TOKENS: [token("first")], "/v3/projects": [slowly], AT: [RUNNING]}
    config = with_user(server, project_id="", **({"iam_user": ""} | credentials))
    came = await at_once(side, config, 8)
    assert [job.metadata.id for job in came] == [JOB] * 8
    assert len(server.asked("/v3/projects")) == 1
    assert len(server.asked(AT)) == 8


@both_sides
async def test_that_a_project_cannot_be_found_is_shared(server: Server, side: str) -> None:
    async def slowly(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.3)
        return web.json_response({"error": {"code": 403, "message": "no"}}, status=403)

    server.script["/v3/projects"] = [slowly]
    config = connection(server, project_id="")
    came = await at_once(side, config, 8)
    assert {type(one) for one in came} == {errors.ModelArtsRejectedError}
    assert len(server.asked("/v3/projects")) == 1
    # What was wrong may have been mended since.
    server.script["/v3/projects"] = [said(projects=[{"id": PROJECT}])]
    server.script[AT] = [RUNNING]
    await sent(side, config, get_training_job(JOB))


@both_sides
async def test_without_exactly_one_project_a_person_is_asked(server: Server, side: str) -> None:
    server.script["/v3/projects"] = [said(projects=[])]
    with pytest.raises(
        errors.ModelArtsConfigError, match=r"'cn-north-4' and knows 0 .* 'region' .*fill in 'project_id'"
    ):
        await sent(side, connection(server, project_id=""), get_training_job(JOB))
    assert server.asked(AT) == []


@both_sides
async def test_the_workspace_is_the_connections(server: Server, side: str) -> None:
    workspace, lists = "f" * 32, f"/v2/{PROJECT}/workflows/w-1/executions"
    server.script |= {
        JOBS: [said(201, metadata={"id": JOB})],
        lists: [said(items=None)],
        f"/v2/{PROJECT}/training-job-searches": [said(items=[])],
    }
    config = connection(server, workspace_id=workspace)
    search = training_jobs.search_training_jobs()
    await sent(side, config, created(), search, workflows.list_workflow_executions("w-1"))
    create, searched, listed = server.seen
    assert json.loads(create.body)["metadata"]["workspace_id"] == workspace
    assert json.loads(searched.body)["workspace_id"] == workspace
    assert f"workspace_id={workspace}" in listed.query


@both_sides
@pytest.mark.parametrize(
    ("act", "request_", "kind", "words"),
    [
        (
            refused(400, "ModelArts.2775", "gone"),
            get_training_job(JOB),
            errors.ModelArtsNotFoundError,
            f"ModelArts was asked to read training job {JOB} (GET URL{AT}) and answered HTTP 400 with code "
            'ModelArts.2775: "gone"; check the ids given.',
        ),
        (refused(400, "ModelArts.2755"), created(), errors.ModelArtsRejectedError, "check the algorithm given"),
        (refused(400, "ModelArts.2751"), created(), errors.ModelArtsExistsError, "choose another name"),
        (refused(201, "ModelArts.0118"), created(), errors.ModelArtsAmbiguousSubmit, "look on ModelArts before"),
        (refused(500, "ModelArts.0010"), created(), errors.ModelArtsAmbiguousSubmit, "look on ModelArts before"),
        (text("", 202), created(), errors.ModelArtsAmbiguousSubmit, "the answer has no metadata.id"),
        (refused(200, "ModelArts.7"), get_training_job(JOB), errors.ModelArtsRejectedError, "code ModelArts.7"),
        (refused(403, "ModelArts.2785"), created(), errors.ModelArtsRejectedError, "grant ModelArts an agency"),
        (
            said(401, AT_NOW, error_code="APIGW.0301"),
            created(),
            errors.ModelArtsAuthError,
            "check login (access key) and password",
        ),
        (refused(429, "APIGW.0308"), created(), errors.ModelArtsUnavailable, "ask again later, or less often"),
        (refused(404, "APIGW.0101"), get_training_job(JOB), errors.ModelArtsRejectedError, "APIGW.0101"),
        (text("<p>hi</p>"), get_training_job(JOB), errors.ModelArtsBadAnswerError, "no ModelArts answer"),
        (
            said(metadata={"id": "another"}, status={"phase": "Running"}),
            get_training_job(JOB),
            errors.ModelArtsBadAnswerError,
            "metadata.id is another",
        ),
    ],
)
async def test_what_goes_wrong_is_an_error_of_its_kind(
    server: Server, side: str, act: Act, request_: Request[Any], kind: type[RemoteJobError], words: str
) -> None:
    server.script |= {AT: [act], JOBS: [act]}
    with pytest.raises(RemoteJobError) as caught:
        await sent(side, connection(server), request_)
    assert type(caught.value) is kind
    assert words.replace("URL", server.url) in str(caught.value)
    assert len(server.seen) == 1


@both_sides
@pytest.mark.parametrize(
    ("code", "path", "request_"),
    [
        ("2796", AT + "/actions", training_jobs.terminate_training_job(JOB)),
        ("2775", AT, training_jobs.delete_training_job(JOB)),
        ("6305", f"/v1/{PROJECT}/notebooks/n-1/start", notebooks.start_notebook("n-1")),
        ("6306", f"/v1/{PROJECT}/notebooks/n-1/start", notebooks.start_notebook("n-1")),
        ("6307", f"/v1/{PROJECT}/notebooks/n-1/stop", notebooks.stop_notebook("n-1")),
        ("6308", f"/v1/{PROJECT}/notebooks/n-1/stop", notebooks.stop_notebook("n-1")),
    ],
)
async def test_what_is_so_already_is_no_failure(
    server: Server, side: str, code: str, path: str, request_: Request[Any]
) -> None:
    server.script[path] = [refused(409 if code == "2796" else 400, f"ModelArts.{code}")]
    assert await sent(side, connection(server), request_) is None


@both_sides
async def test_a_create_call_that_was_not_taken_is_sent_again(server: Server, side: str) -> None:
    server.script[JOBS] = [refused(429, "ModelArts.2799"), said(201, metadata={"id": JOB})]
    assert await sent(side, connection(server), created(), attempts=3) == JOB


@both_sides
async def test_a_log_that_is_not_there_yet(server: Server, side: str) -> None:
    server.script[AT + "/tasks/worker-0/logs/preview"] = [text("", 204)]
    preview = await sent(side, connection(server), training_jobs.get_training_job_log(JOB, "worker-0"))
    assert (preview.content, preview.full_size) == ("", 0)


@both_sides
async def test_no_secret_leaves(server: Server, side: str, caplog: pytest.LogCaptureFixture) -> None:
    async def echo(request: web.Request) -> web.StreamResponse:
        own = f"{SECRET_KEY} tempo+rary" if "Authorization" in request.headers else "pass<word"
        words = f"{own} {request.headers.get('Authorization')} {request.headers.get('X-Auth-Token')}"
        return web.json_response({"error_code": "X.1", "error_msg": words}, status=400)

    caplog.set_level(logging.DEBUG)
    server.script |= {AT: [echo], TOKENS: [token("first-token-of-all")]}
    for config in (connection(server, security_token="tempo+rary"), with_user(server)):
        with pytest.raises(errors.ModelArtsRejectedError) as caught:
            await sent(side, config, get_training_job(JOB))
        signature = server.seen[-1].headers.get("Authorization", "").rpartition("=")[2]
        told = f"{caught.value} {caught.value!r} {config!r} {caplog.text}"
        assert "***" in told
        for secret in (SECRET_KEY, "tempo+rary", "pass<word", "first-token-of-all", signature):
            assert not secret or secret not in told


@pytest.mark.parametrize(
    ("given", "advice"),
    [
        ({"iam_user": "bob", "iam_password": "p"}, "fill in 'account'."),
        ({"account": "home"}, "fill in 'iam_user' and 'iam_password'."),
        ({}, "fill in login and password"),
    ],
)
def test_what_is_missing_of_an_iam_user_is_named(given: dict[str, str], advice: str) -> None:
    config = Config.from_connection(host="http://127.0.0.1:9", extra={"project_id": PROJECT, **given})
    with ModelArtsClient(config) as client, pytest.raises(errors.ModelArtsConfigError, match=advice):
        client.send(get_training_job(JOB))


def test_iam_is_to_be_named_where_modelarts_is_no_region_s_own() -> None:
    given = {"host": "http://127.0.0.1:9", "login": "AK", "password": "SK"}
    config = Config.from_connection(**given, extra={"region": "own"})
    with (
        ModelArtsClient(config) as client,
        pytest.raises(errors.ModelArtsConfigError, match=r"fill in 'iam_url' or 'project_id'\.$"),
    ):
        client.send(get_training_job(JOB))
