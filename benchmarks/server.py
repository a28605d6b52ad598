"""A quick server for the benchmarks: AIHub or ModelArts, with lists or without, Databricks, a bare endpoint, all alike.

``python -m benchmarks.server`` prints its port and serves until its input ends. It is a bare protocol on asyncio, so
that it has time left when the one who is measured has none.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

RUNNING, SUCCEEDED = 2, 3
LONGEST_BODY = 4096
"""Bytes of a request's body that are kept."""


def marker(number: int) -> str:
    """Give what a job's description ends with, as that of a task's own job does."""
    return f"[airflow:{number:016x}.{number:08x}]"


def training(number: int, status: int = RUNNING) -> dict[str, Any]:
    """Give a training as a newer AIHub shows it, with every field filled."""
    return {
        "id": number,
        "framework": "PyTorchJob",
        "name": f"resnet50-{number}",
        "description": f"nightly training of the detector {marker(number)}",
        "command": "cd /workspace && torchrun --nproc_per_node 8 train.py --epochs 90 --batch-size 256 --lr 0.1",
        "image": "registry.local/research/pytorch:2.4-cuda12",
        "virtual_cluster": {
            "id": 3,
            "name": "vc-a800",
            "gpu_type": "A800",
            "label": "a800",
            "sku": {"cpu": 12, "gpu": 1, "memory": 120},
        },
        "sku_cnt": 8,
        "enable_ssh": False,
        "envs": [{"key": "EPOCHS", "value": "90"}, {"key": "DATA", "value": "/data/imagenet"}],
        "storages": [
            {
                "id": 1,
                "name": "datasets",
                "path": "/data",
                "server_path": "/export/data",
                "server_host": "10.0.0.9",
                "server_type": "nfs",
                "permission": "r",
                "description": "",
            }
        ],
        "instances": 2,
        "created_at": 1780000000000 + number,
        "username": "research",
        "user_id": 7,
        "namespace": "research",
        "res_name": f"resnet50-{number}-x7k2p",
        "status": status,
        "use_ib_network": True,
        "always_pull_image": False,
        "shm": 64,
        "category": {"id": 1, "name": "training"},
        "project": {"id": 5, "name": "detector", "description": ""},
        "avg_gpu_util": 91.5,
        "finished_at": 0,
        "started_at": 1780000009000 + number,
        "estimate_run_time": 36000,
        "is_vip": False,
        "cluster_partition": "a800",
        "preempt_policy": 0,
        "vip_node_names": [],
        "stop_op_user": {"id": 0, "name": ""},
        "use_new_log": True,
        "is_quota_schedule": False,
        "notify_type": 1,
        "enable_sys_admin": False,
    }


def training_job(number: int, phase: str = "Running") -> dict[str, Any]:
    """Give a training job as ModelArts shows it, with what it was created with."""
    obs = {"obs": {"obs_url": f"/research/resnet50/{number}/"}}
    return {
        "kind": "job",
        "metadata": {
            "id": f"2cd88daa-31a4-40a8-a58f-{number:012d}",
            "name": f"resnet50-{number}",
            "description": f"nightly training of the detector {marker(number)}",
            "create_time": 1780000000000 + number,
            "workspace_id": "0",
            "ai_project": "default-ai-project",
            "user_name": "research",
            "annotations": {"job_template": "Template DL", "key_task": "worker"},
            "tags": [],
        },
        "status": {
            "phase": phase,
            "secondary_phase": phase,
            "duration": 9000,
            "start_time": 1780000009000 + number,
            "is_hanged": False,
            "retry_count": 0,
            "node_count_metrics": [[1780000009000 + number, 2], [1780000069000 + number, 2]],
            "tasks": ["worker-0", "worker-1"],
            "task_ips": [{"task": "worker-0", "ip": "10.0.0.7"}, {"task": "worker-1", "ip": "10.0.0.8"}],
            "task_statuses": [{"task": "worker-0", "exit_code": None, "message": ""}],
            "running_records": [{"start_at": 1780000009, "start_type": "init_or_rescheduled", "end_reason": ""}],
        },
        "algorithm": {
            "code_dir": "/research/code/",
            "boot_file": "/research/code/train.py",
            "command": "cd /workspace && torchrun --nproc_per_node 8 train.py --epochs 90 --batch-size 256 --lr 0.1",
            "parameters": [{"name": "epochs", "value": "90"}, {"name": "lr", "value": "0.1"}],
            "policies": {},
            "inputs": [{"name": "data_url", "access_method": "parameter", "remote": obs, "local_dir": "/home/data"}],
            "outputs": [{"name": "train_url", "access_method": "parameter", "remote": obs, "local_dir": "/home/out"}],
            "engine": {"engine_id": "pytorch", "engine_name": "PyTorch", "engine_version": "2.1", "image_url": ""},
            "environments": {"EPOCHS": "90", "DATA": "/home/data"},
        },
        "spec": {
            "resource": {
                "policy": "regular",
                "flavor_id": "modelarts.vm.gpu.a800",
                "flavor_name": "Computing GPU(A800) instance",
                "node_count": 2,
                "flavor_detail": {
                    "flavor_type": "GPU",
                    "billing": {"code": "modelarts.vm.gpu.a800", "unit_num": 1},
                    "flavor_info": {
                        "cpu": {"arch": "x86", "core_num": 96},
                        "gpu": {"unit_num": 8, "product_name": "NVIDIA-A800", "memory": "80GB"},
                        "memory": {"size": 960, "unit": "GB"},
                    },
                },
            },
            "log_export_path": {"obs_url": "/research/logs/", "host_path": ""},
            "volumes": [],
            "schedule_policy": {"priority": 2, "preemptible": False},
        },
    }


POD = {"id": 1, "name": "resnet50-master-0", "status": "Running", "node_name": "gpu-17", "use_new_log": True}


def success(data: Any) -> bytes:
    return json.dumps({"code": 0, "msg": "success", "data": data}).encode()


def databricks_run(number: int, *, done: bool = False) -> bytes:
    """Give a run of a Databricks job that goes on, or is done, about as long as a training is."""
    state = {"life_cycle_state": "RUNNING", "state_message": "In run", "user_cancelled_or_timedout": False}
    if done:
        state |= {"life_cycle_state": "TERMINATED", "result_state": "SUCCESS"}
    said = {
        "job_id": 11,
        "run_id": number,
        "run_page_url": f"http://127.0.0.1/#job/11/run/{number}",
        "state": state,
        "tasks": [
            {
                "run_id": number + 1,
                "task_key": "train",
                "state": {"life_cycle_state": "RUNNING", "state_message": "In run"},
                "spark_python_task": {"python_file": "dbfs:/train.py", "parameters": ["--epochs", "90"] * 12},
                "new_cluster": {"spark_version": "15.4.x-gpu-ml", "node_type_id": "g5.xlarge", "num_workers": 8},
            }
        ],
        "start_time": 1780000000000,
        "creator_user_name": "research@example.com",
        "run_name": f"resnet50-{number}",
        "run_type": "JOB_RUN",
        "format": "MULTI_TASK",
    }
    return json.dumps(said).encode()


RUN, DONE_RUN = databricks_run(11), databricks_run(11, done=True)


class Hub:
    """What the server knows.

    :param jobs: How many trainings there are; their ids count from 1, and all of them run.
    :param lists: Whether it lists them, as newer AIHubs do.
    """

    def __init__(self, jobs: int, *, lists: bool) -> None:
        self.jobs = jobs
        self.lists = lists
        self.counts: Counter[str] = Counter()
        self.rows = [json.dumps(self.shown(number)) for number in range(jobs, 0, -1)]
        """Newest first."""
        self.run = RUN
        self.largest_page = 10_000
        self.broken_lists = False

    def shown(self, number: int, status: int = RUNNING) -> dict[str, Any]:
        """Give a job as it is shown."""
        return training(number, status)

    def hide(self, number: int) -> None:
        """Leave a training out of the lists, as if it were somebody else's."""
        self.rows[self.jobs - number] = ""

    def end(self, number: int, status: int) -> None:
        """Let a training end."""
        self.rows[self.jobs - number] = json.dumps(self.shown(number, status))

    def begin_all(self) -> None:
        """Let all run again."""
        self.rows = [json.dumps(self.shown(number)) for number in range(self.jobs, 0, -1)]

    def end_all(self) -> None:
        """Let all end."""
        for number in range(1, self.jobs + 1):
            self.end(number, SUCCEEDED)
        self.run = DONE_RUN

    def answer(self, method: str, target: str, body: bytes = b"") -> tuple[int, bytes]:  # noqa: ARG002 - of no use here
        parts = urlsplit(target)
        last = parts.path.rpartition("/")[2]
        if parts.path == "/counts":
            said = json.dumps(self.counts).encode()
            self.counts.clear()
            return 200, said
        if parts.path in ("/end", "/begin"):
            self.end_all() if parts.path == "/end" else self.begin_all()
            return 200, b"{}"
        if parts.path == "/api/v1/auth/login":
            self.counts["logins"] += 1
            return 200, success({"id": 7, "token": "a.b.c"})
        if parts.path.endswith("/pods"):
            self.counts["asides"] += 1
            return 200, success({"total": 1, "page_size": 9999, "page_num": 1, "data": [POD]})
        self.counts["requests"] += 1
        if last == "trainings" and method == "GET":
            return self.page(parts.query)
        if last == "import_result":
            return 200, success({"id": 1})
        if parts.path.endswith("/jobs/runs/get"):
            # Which one is asked for stands in a body, which is dropped.
            return 200, self.run
        if last.isdigit() and 0 < int(last) <= self.jobs:
            self.counts["singles"] += 1
            row = self.rows[self.jobs - int(last)]
            return 200, f'{{"code": 0, "msg": "success", "data": {row or json.dumps(training(int(last)))}}}'.encode()
        return 404, b"404 page not found"

    def page(self, query: str) -> tuple[int, bytes]:
        if self.broken_lists:
            return 500, b"something is wrong"
        if not self.lists:
            return 404, b"404 page not found"
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        size, number = min(int(asked["page_size"]), self.largest_page), int(asked["page_num"])
        self.counts["pages"] += 1
        listed = [row for row in self.rows if row]
        rows = ", ".join(listed[(number - 1) * size : number * size])
        head = f'"total": {len(listed)}, "page_size": {size}, "page_num": {number}'
        return 200, f'{{"code": 0, "msg": "success", "data": {{{head}, "data": [{rows}]}}}}'.encode()


PHASES = {RUNNING: "Running", SUCCEEDED: "Completed"}


class Arts(Hub):
    """ModelArts: what it is asked for stands in the body. Its jobs are those of a hub."""

    def __init__(self, jobs: int, *, lists: bool) -> None:
        super().__init__(jobs, lists=lists)
        self.largest_page = 50

    def shown(self, number: int, status: int = RUNNING) -> dict[str, Any]:
        return training_job(number, PHASES[status])

    def answer(self, method: str, target: str, body: bytes = b"") -> tuple[int, bytes]:
        path = urlsplit(target).path
        if "/training-job" not in path:
            return super().answer(method, target)
        self.counts["requests"] += 1
        if path.endswith("/training-job-searches"):
            return self.search(json.loads(body))
        self.counts["singles"] += 1
        number = int(path.rpartition("-")[2])
        return 200, (self.rows[self.jobs - number] or json.dumps(self.shown(number))).encode()

    def search(self, asked: dict[str, Any]) -> tuple[int, bytes]:
        if not self.lists:
            return 404, b'{"error_code": "APIGW.0101", "error_msg": "The API does not exist"}'
        self.counts["pages"] += 1
        size, offset = min(asked["limit"], self.largest_page), asked["offset"]
        listed = [row for row in self.rows if row]
        head = f'"total": {len(listed)}, "count": {len(listed)}, "limit": {size}, "offset": {offset}'
        # The offset counts pages.
        return 200, f'{{{head}, "items": [{", ".join(listed[offset * size : (offset + 1) * size])}]}}'.encode()


class Http(asyncio.Protocol):
    """One connection: just as much of HTTP as is needed; of long bodies the beginning is kept."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._head = b""
        self._left = 0
        self._body = b""
        self.headers: dict[str, str] = {}
        """Those of the last request, by their names in small letters."""
        self._then: Callable[[], None] = lambda: None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._hub.counts["connections"] += 1

    def data_received(self, data: bytes) -> None:
        while data:
            if self._left:
                taken = min(self._left, len(data))
                self._left -= taken
                self._body += data[: min(taken, LONGEST_BODY - len(self._body))]
                data = data[taken:]
                if not self._left:
                    self._then()
                continue
            self._head += data
            head, end, data = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            self._head = self._body = b""
            self._begin(head.decode("latin-1"))

    def _begin(self, head: str) -> None:
        first, *lines = head.split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self.headers = headers
        if headers.get("expect"):
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._left = int(headers.get("content-length", 0))
        self._then = lambda: self.reply(method, target)
        if not self._left:
            self._then()

    def reply(self, method: str, target: str) -> None:
        status, body = self._hub.answer(method, target, self._body)
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)


async def serve(connection: Callable[[], Http]) -> None:
    """Print the port and serve until the input ends.

    :param connection: Makes what answers on one connection.
    """
    server = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - it is what the caller reads
    await asyncio.to_thread(sys.stdin.read)
    server.close()


if __name__ == "__main__":
    hub = {"aihub": Hub, "modelarts": Arts}[sys.argv[3]](int(sys.argv[1]), lists=sys.argv[2] == "lists")
    asyncio.run(serve(lambda: Http(hub)))
