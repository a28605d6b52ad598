"""What the tests of ModelArts share: a connection to a scripted server, and calls over both clients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web
from misbehaving import NOW, Act, Server

from airflow_provider_aihub.http.request import Request
from airflow_provider_aihub.http.retry import RetryPolicy
from airflow_provider_aihub.modelarts.client import AsyncModelArtsClient, ModelArtsClient
from airflow_provider_aihub.modelarts.config import Config

PROJECT = "0123456789abcdef0123456789abcdef"
ACCESS_KEY, SECRET_KEY = "AKEXAMPLE0000000TEST", "SKexample/0000000000000000000000000TEST+"
JOB = "2cd88daa-31a4-40a8-a58f-d186b0e93e4f"
USER = {"iam_user": "bob", "iam_password": "pass<word", "account": "acme"}
KEYS = {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY}


def said(status: int = 200, headers: Mapping[str, str] | None = None, /, **body: Any) -> Act:
    async def act(_: web.Request) -> web.StreamResponse:
        return web.json_response(body, status=status, headers=headers)

    return act


def refused(status: int, code: str, words: str = "no") -> Act:
    return said(status, error_code=code, error_msg=words)


def connection(server: Server, **changes: Any) -> Config:
    addresses = {"modelarts": server.url, "iam": server.url}
    known = {"addresses": addresses, "project_id": PROJECT, "region": "cn-north-4", **KEYS}
    return Config(**(known | changes))


def with_user(server: Server, **changes: Any) -> Config:
    return connection(server, **{"access_key": "", "secret_key": "", **USER, **changes})


async def sent(side: str, config: Config, *requests: Request[Any], attempts: int = 1, **clock: Any) -> Any:
    """Send requests one after the other with one client, and give what came of the last one."""
    policy, came = RetryPolicy(attempts=attempts, first_pause=0), None
    given = {"policy": policy, "clock": lambda: NOW, **clock}
    if side == "blocking":
        with ModelArtsClient(config, **given) as client:
            for request in requests:
                came = client.send(request)
        return came
    async with AsyncModelArtsClient(config, **given) as client:
        for request in requests:
            came = await client.send(request)
    return came
