"""What there is for training jobs: engines, flavors, quotas; and the stages that a job goes through."""

from __future__ import annotations

from typing import Any, Literal

from ..answers import utc
from ..call import Call, Given, Route
from ..jobs.trainings import ENDED

ENGINES = (("PyTorch", "pytorch_2.1.0-cuda_12.1-py_3.10"), ("TensorFlow", "tensorflow_2.15-cuda_12.2-py_3.10"))
FLAVORS = {"modelarts.vm.cpu.2u": ("CPU", 2), "modelarts.vm.cpu.8u": ("CPU", 8), "modelarts.p3.large": ("GPU", 8)}
"""Kind and number of CPUs, by id. Jobs may name any other flavor as well: all run on this machine."""


class Asked(Given):
    flavor_type: Literal["CPU", "GPU", "Ascend"] | None = None


async def engines(_: Call) -> Any:
    items = [
        {
            "engine_id": version,
            "engine_name": name,
            "engine_version": version,
            "v1_compatible": False,
            "run_user": "1000",
            "image_info": {"cpu_image_url": "", "gpu_image_url": "", "image_version": ""},
        }
        for name, version in ENGINES
    ]
    return {"total": len(items), "items": items}


async def flavors(call: Call) -> Any:
    asked = call.query(Asked).flavor_type
    shown = [
        {
            "flavor_id": flavor,
            "flavor_name": flavor,
            "flavor_type": kind,
            "max_num": call.arts.settings.nodes,
            "billing": {"code": flavor, "unit_num": 1},
            "flavor_info": {"max_num": call.arts.settings.nodes, "cpu": {"arch": "x86", "core_num": cpus}},
            "attributes": {},
        }
        for flavor, (kind, cpus) in FLAVORS.items()
        if asked in (None, kind)
    ]
    return {"total_count": len(shown), "flavors": shown}


async def quotas(call: Call) -> Any:
    running = sum(len(row["tasks"]) for row in call.arts.store.jobs if row["phase"] == "Running")
    return {"quotas": [{"resource": "nodes", "quota": call.arts.settings.nodes, "used": running}]}


async def stages(call: Call) -> Any:
    row = call.arts.store.jobs.get(call.path("job"))
    ended = row["phase"] in ENDED
    moments = [("Creating", row["created"], row["started"]), ("Running", row["started"], row["ended"] if ended else 0)]
    shown = [
        {
            "job_id": row["id"],
            "name": name,
            "en_message": name,
            "zh_message": name,
            "start_time": utc(start / 1000),
            "end_time": utc(end / 1000) if end else "",
            "stage_order": order,
            "sub_stages": [],
        }
        for order, (name, start, end) in enumerate(moments)
        if start
    ]
    return {"total_count": 1, "running_records": [{"record_order": 0, "stages": shown}]}


ROUTES = [
    Route("V", "GET", "/v2/{project}/training-job-engines", engines),
    Route("V", "GET", "/v2/{project}/training-job-flavors", flavors),
    Route("V", "GET", "/v2/{project}/training-quotas", quotas),
    Route("V", "GET", "/v2/{project}/training-jobs/{job}/stages", stages),
]
