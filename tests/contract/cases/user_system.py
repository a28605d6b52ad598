from __future__ import annotations

from airflow_provider_aihub.aihub.services import Service

from .case import NO_CREDENTIAL, Case, ok

CASES = (
    Case(
        id="login",
        source="D",
        service=Service.USER_SYSTEM,
        method="POST",
        route="/api/v1/auth/login",
        call="login",
        args=("admin", "pass wörd"),
        path="/api/v1/auth/login",
        body={"username": "admin", "password": "pass wörd"},
        credential=NO_CREDENTIAL,
        answer=ok({"id": 1, "token": "e30.e30.c2ln"}),
        reads={"id": 1, "token": "e30.e30.c2ln"},
        vital=("token",),
        real=lambda world: (world.aihub.username, world.aihub.password),
    ),
)
