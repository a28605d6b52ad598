"""A quick server for the benchmarks: AIHub, with lists or without, Databricks, and a bare endpoint, all alike.

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
        self.rows = [json.dumps(training(number)) for number in range(jobs, 0, -1)]
        """Newest first."""
        self.run = RUN
        self.largest_page = 10_000
        self.broken_lists = False

    def hide(self, number: int) -> None:
        """Leave a training out of the lists, as if it were somebody else's."""
        self.rows[self.jobs - number] = ""

    def end(self, number: int, status: int) -> None:
        """Let a training end."""
        self.rows[self.jobs - number] = json.dumps(training(number, status))

    def end_all(self) -> None:
        """Let all end."""
        for number in range(1, self.jobs + 1):
            self.end(number, SUCCEEDED)
        self.run = DONE_RUN

    def answer(self, method: str, target: str) -> tuple[int, bytes]:
        parts = urlsplit(target)
        last = parts.path.rpartition("/")[2]
        if parts.path == "/counts":
            said = json.dumps(self.counts).encode()
            self.counts.clear()
            return 200, said
        if parts.path == "/end":
            self.end_all()
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


class Http(asyncio.Protocol):
    """One connection: just as much of HTTP as is needed; bodies are counted and dropped."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._head = b""
        self._left = 0
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
                data = data[taken:]
                if not self._left:
                    self._then()
                continue
            self._head += data
            head, end, data = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            self._head = b""
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
        status, body = self._hub.answer(method, target)
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
    hub = Hub(int(sys.argv[1]), lists=sys.argv[2] == "lists")
    asyncio.run(serve(lambda: Http(hub)))
