from __future__ import annotations

from airflow_provider_aihub.aihub.services import Service

from .case import NO_CREDENTIAL, Case, ok, page

USER = {
    "id": 1,
    "username": "ann",
    "nickname": "Ann",
    "email": "ann@aihub.example",
    "roles": None,
    "status": 1,
    "tags": None,
    "created_at": 1,
}
READ = {"username": "ann", "nickname": "Ann", "email": "ann@aihub.example", "status": 1}

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
    Case(
        id="list_users",
        source="P",
        service=Service.USER_SYSTEM,
        method="GET",
        route="/api/v1/users",
        call="list_users",
        args=(2, 5, "a/b"),
        path="/api/v1/users",
        query="page_size=5&page_num=2&search_key=a%2Fb",
        answer=page(USER, number=2),
        reads={"total": 1, "data.0.id": 1, **{f"data.0.{name}": value for name, value in READ.items()}},
        vital=("data.0.id",),
        list_key="data",
        real=lambda world: (1, 20, world.aihub.username),
    ),
    Case(
        id="get_user",
        source="P",
        service=Service.USER_SYSTEM,
        method="GET",
        route="/api/v1/users/{id}",
        call="get_user",
        args=("1",),
        path="/api/v1/users/1",
        answer=ok(USER),
        reads={"id": 1, **READ},
        vital=("id",),
        real=lambda world: (world.user_id,),
    ),
    Case(
        id="search_users",
        source="P",
        service=Service.USER_SYSTEM,
        method="POST",
        route="/api/v1/search-users",
        call="search_users",
        kwargs={"username": "a", "nickname": "b", "email": "c", "user_ids": ["1", 2], "status": "disabled"},
        path="/api/v1/search-users",
        body={
            **{"page_size": 20, "page_num": 1, "username": "a", "nickname": "b", "email": "c"},
            **{"user_ids": [1, 2], "status": 2},
        },
        answer=page(USER),
        reads={"total": 1, "data.0.id": 1, **{f"data.0.{name}": value for name, value in READ.items()}},
        vital=("data.0.id",),
        list_key="data",
        real=lambda world: (1, 20, world.aihub.username),
    ),
)
