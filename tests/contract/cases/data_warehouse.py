from __future__ import annotations

from typing import Any

from airflow_provider_aihub.aihub.data_warehouse import SearchSpec
from airflow_provider_aihub.aihub.services import Service

from .case import Case, ok, page

SEARCHES = "/data-warehouse/api/v1/searches"
SEARCH: dict[str, Any] = {
    "id": 1,
    "type": 1,
    "name": "",
    "description": "",
    "sql": "",
    "feature_lib_id": 1,
    "feature_lib_name": "",
    "images": [{"url": "", "box": [1, 1, 1, 1]}],
    "keywords": "",
    "top_k": 1,
    "status": 1,
    "message": "",
    "result_url": "",
    "results": [{"image_url": "", "label": "", "score": 1, "box": [1, 1, 1, 1]}],
    "created_at": 1,
    "username": "",
}
SQL = "select object_name from meta where width>1000"
IMAGE = {"url": "http://10.0.0.9/car.jpg", "box": [1, 2, 3.5, 4]}


def create(kind: str, body: dict[str, Any], **spec: Any) -> Case:
    return Case(
        id=f"create_search-{kind}",
        source="D",
        service=Service.DATA_WAREHOUSE,
        method="POST",
        route=SEARCHES,
        call="create_search",
        args=(SearchSpec.build(**spec),),
        path=SEARCHES,
        body=body,
        answer=ok({"id": 1}),
        reads={"": 1},
        vital=("id",),
        real=lambda _: (SearchSpec.build(**spec),),
    )


CASES = (
    create("sql", {"type": 1, "name": "search-001", "sql": SQL}, name="search-001", sql=SQL),
    create(
        "images",
        {
            "type": 2,
            "name": "这样的",
            "description": "like this",
            "feature_lib_id": 7,
            "images": [IMAGE],
            "top_k": 2,
        },
        name="这样的",
        description="like this",
        images=[IMAGE],
        feature_lib_id=7,
        top_k=2,
    ),
    create(
        "keywords",
        {"type": 3, "name": "s", "feature_lib_id": 7, "keywords": "red car", "top_k": 2},
        name="s",
        keywords="red car",
        feature_lib_id="7",
        top_k=2,
    ),
    Case(
        id="get_search",
        source="D",
        service=Service.DATA_WAREHOUSE,
        method="GET",
        route=f"{SEARCHES}/{{id}}",
        call="get_search",
        args=(1,),
        path=f"{SEARCHES}/1",
        answer=ok(SEARCH),
        reads={
            "id": 1,
            "type": 1,
            "status": 1,
            "result_url": "",
            "images.0.box": [1, 1, 1, 1],
            "results.0.score": 1.0,
            "results.0.box": [1.0, 1.0, 1.0, 1.0],
            "created_at": 1,
        },
        vital=("id", "status"),
        real=lambda world: (world.image_search,),
    ),
    Case(
        id="list_searches",
        source="P",
        service=Service.DATA_WAREHOUSE,
        method="GET",
        route=SEARCHES,
        call="list_searches",
        kwargs={"page": 2, "page_size": 50, "name": "a b&c", "status": 3, "user_id": "4"},
        path=SEARCHES,
        query="page_size=50&page_num=2&status=3&user_id=4&name=a+b%26c",
        answer=page({**SEARCH, "results": None, "images": None}, number=2),
        reads={"total": 1, "page_size": 20, "page_num": 2, "data.0.status": 1, "data.0.results": []},
        vital=("data.0.id", "data.0.status"),
        list_key="data",
        real=lambda world: (1, 20, "image", 3, world.user_id),
    ),
)
