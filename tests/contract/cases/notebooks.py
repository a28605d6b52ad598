from __future__ import annotations

from typing import Any

from airflow_provider_aihub.aihub.notebooks import NotebookChanges, NotebookSpec
from airflow_provider_aihub.aihub.services import Service

from .case import newer, ok

PREFIX = "/notebook-management/api/v1"
IMAGE = {"id": 1, "name": "jupyter", "uri": "registry/jupyter:1", "app_type": 1, "hardware_type": 1}
STORAGE = {
    "id": 1,
    "name": "datasets",
    "path": "/data",
    "server_path": "/data",
    "server_host": "10.0.0.3",
    "server_type": "nfs",
    "permission": "rw",
    "description": "",
}
NOTEBOOK: dict[str, Any] = {
    "id": 1,
    "image": IMAGE,
    "sku_cnt": 1,
    "envs": [{"key": "x", "value": "y"}],
    "storages": [STORAGE],
    "shm": 2,
    "hardware_type": 1,
    "app_type": 1,
    "status": 3,
    "namespace": "n",
    "pod": "p",
    "notebook_url": "http://x/1",
    "vscode_url": "http://x/2",
    "created_at": 1,
    "creator": {"id": 1, "name": "me"},
    "vnc_web_url": "",
    "vnc_svr_addr": "",
    "vnc_resolution": "",
    "ssh_info": "",
}
WHAT: dict[str, Any] = {"image_id": 1, "sku_cnt": "2", "envs": {"x": "y"}, "storage_ids": [1], "shm": 2}
SENT = {"image_id": 1, "sku_cnt": 2, "envs": [{"key": "x", "value": "y"}], "storage_ids": [1], "shm": 2}

case = newer(Service.NOTEBOOK_MANAGEMENT, PREFIX)

CASES = (
    case(
        "list_notebook_images",
        "GET",
        "/images",
        args=("notebook", 2),
        query="app_type=1&hardware_type=2",
        answer=ok({"data": [IMAGE]}),
        reads={"0.id": 1, "0.name": "jupyter", "0.uri": "registry/jupyter:1", "0.app_type": 1},
        list_key="data",
        real=lambda world: (1, 2),
    ),
    case(
        "get_notebook_defaults",
        "GET",
        "/configs",
        answer=ok(
            {
                "cpu_notebook_default_params": {"image": IMAGE, "sku_cnt": 1, "storages": []},
                "gpu_notebook_default_params": {"image": {**IMAGE, "id": 2}, "sku_cnt": 1, "storages": []},
                "vnc_svr_default_params": {"image": {**IMAGE, "id": 3}, "sku_cnt": 1, "storages": []},
            }
        ),
        reads={
            "cpu_notebook_default_params.image.id": 1,
            "cpu_notebook_default_params.sku_cnt": 1,
            "gpu_notebook_default_params.image.id": 2,
            "vnc_svr_default_params.image.id": 3,
        },
        real=lambda world: (),
    ),
    case(
        "list_notebooks",
        "GET",
        "/notebooks",
        args=(1, "cpu"),
        query="app_type=1&hardware_type=1",
        answer=ok({"data": [NOTEBOOK]}),
        reads={"0.id": 1, "0.status": 3, "0.image.name": "jupyter"},
        vital=("data.0.id", "data.0.status"),
        list_key="data",
        real=lambda world: (1, 1),
    ),
    case(
        "create_notebook",
        "POST",
        "/notebooks",
        args=(NotebookSpec.build(app_type="vnc_ssh", hardware_type="gpu", resolution="1920x1080", **WHAT),),
        body={**SENT, "app_type": 2, "hardware_type": 2, "resolution": "1920x1080"},
        answer=ok({"id": 1}),
        reads={"": 1},
        vital=("id",),
        real=lambda world: (NotebookSpec.build(app_type=1, hardware_type=1, **WHAT),),
    ),
    case(
        "get_notebook",
        "GET",
        "/notebooks/{id}",
        args=("1",),
        query="id=1",
        answer=ok(NOTEBOOK),
        reads={
            "id": 1,
            "status": 3,
            "app_type": 1,
            "pod": "p",
            "notebook_url": "http://x/1",
            "storages.0.name": "datasets",
            "creator.name": "me",
        },
        vital=("id", "status"),
        real=lambda world: (world.notebook,),
    ),
    case(
        "edit_notebook",
        "PUT",
        "/notebooks/{id}",
        args=("1", NotebookChanges.build(**WHAT)),
        body={"id": 1, **SENT},
        answer=ok({}),
        reads={"": None},
        real=lambda world: (world.notebook, NotebookChanges.build(image_id=1)),
    ),
    case(
        "delete_notebook",
        "DELETE",
        "/notebooks/{id}",
        args=("1",),
        query="id=1",
        answer=ok({}),
        reads={"": None},
        real=lambda world: (world.new_notebook(),),
    ),
    *(
        case(
            f"{verb}_notebook",
            "POST",
            f"/notebooks/{{id}}/{verb}",
            args=("1",),
            body={"id": 1},
            answer=ok({}),
            reads={"": None},
            real=lambda world: (world.notebook,),
        )
        for verb in ("start", "stop")
    ),
)
