"""Deployments: a model's files are fetched and served by a process, whose service is online once it is well."""

from __future__ import annotations

import asyncio
import secrets
import shlex
import shutil
import socket
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from ...clock import Clock
from ...files import Home
from ...process import Launched, birth, clean_environment, kill_left_behind, launch
from ..object_store import ObjectStore, StoreError
from ..store import AIHubStore, Row
from .models import READY, Models

STOPPED, STARTING, RUNNING, FAILED = 0, 1, 2, 3
"""The numbers that this emulator gives the status of a deployment; AIHub's are not documented."""
ONLINE, OFFLINE = "online", "offline"
SERVE_FILES = f"exec python {shlex.quote(str(Path(__file__).parents[1] / 'serve_files.py'))}"
PAUSE = 0.05
"""Seconds between two looks at whether a process is well."""
SOON = 5.0
"""Seconds for which such a look may take."""


class Deployments:
    """Serves what is in the table of deployments. They take no room in a virtual cluster."""

    def __init__(
        self,
        store: AIHubStore,
        home: Home,
        clock: Clock,
        objects: ObjectStore,
        models: Models,
        pool: Executor,
    ) -> None:
        self._store = store
        self._home = home
        self._clock = clock
        self._objects = objects
        self._models = models
        self._pool = pool
        self._live: dict[int, Launched] = {}
        self._starting: dict[int, asyncio.Task[None]] = {}

    def start(self, row: Row) -> None:
        """Begin to start a deployment; one that starts or runs stays as it is."""
        if row["status"] in (STARTING, RUNNING):
            return
        self._save(row, STARTING, version=row["version"] + 1)
        task = self._starting[row["id"]] = asyncio.get_running_loop().create_task(self._run(row))
        task.add_done_callback(partial(self._started, row["id"]))

    def stop(self, row: Row) -> None:
        """Take a deployment off the net."""
        if task := self._starting.pop(row["id"], None):
            task.cancel()
        if launched := self._live.pop(row["id"], None):
            launched.stop()
        self._save(row, STOPPED, _pid=0)
        self._offline(row)

    def recover(self) -> None:
        """Stop what an earlier start of the emulator left behind: its object store is gone."""
        for row in self._store.deployments:
            if row["status"] in (STARTING, RUNNING):
                kill_left_behind(row["_pid"], row["_born"])
                self._save(row, FAILED, _pid=0)
                self._offline(row)

    async def close(self) -> None:
        tasks = list(self._starting.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        loop = asyncio.get_running_loop()
        for launched in self._live.values():
            await loop.run_in_executor(None, launched.kill)

    def log_file(self, row: Row) -> Path:
        return self._home.folder("logs", "deployments") / f"{row['id']}.log"

    def pod_name(self, row: Row) -> str:
        return f"deployment-{row['id']}-{row['version']}"

    def _started(self, number: int, task: asyncio.Task[None]) -> None:
        # It may have been stopped and started again meanwhile.
        if self._starting.get(number) is task:
            del self._starting[number]

    async def _run(self, row: Row) -> None:
        folder = self._home.folder("deployments") / f"{row['id']}-{row['version']}"
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._pool, self._load, row, folder / "model")
        except StoreError as trouble:
            self._tell(row, str(trouble))
            self._save(row, FAILED)
            return
        port = _free_port()
        launched = launch(
            row["command_args"] or SERVE_FILES,
            env=partial(self._environment, row, folder, port),
            folder=folder,
            log=self.log_file(row),
            clock=self._clock,
            on_exit=partial(self._exited, row, row["version"]),
        )
        self._live[row["id"]] = launched
        self._save(row, STARTING, _pid=launched.pid, _born=birth(launched.pid))
        url = f"http://127.0.0.1:{port}"
        while not await loop.run_in_executor(self._pool, _is_well, f"{url}/{row['health_check_path'].lstrip('/')}"):
            if row["id"] not in self._live:
                return
            await asyncio.sleep(PAUSE)
        self._online(row, url)

    def _load(self, row: Row, target: Path) -> None:
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        if not row["model_id"]:
            return
        model = self._store.models.get(row["model_id"])
        if model["status"] != READY:
            raise StoreError(f"The model {model['name']} is {model['status']}.")
        place = self._models.place(model)
        for stored in self._objects.sheet(f"{place}/files.csv", f"{place}/files/"):
            self._objects.fetch(stored, target / stored.path)

    def _environment(self, row: Row, folder: Path, port: int) -> dict[str, str]:
        return {
            **clean_environment(folder),
            **row["envs"],
            "MODEL_PATH": str(folder / "model"),
            "PORT": str(port),
        }

    def _online(self, row: Row, url: str) -> None:
        now = self._clock.ms()
        if row["infer_service_id"]:
            service = self._store.infer_services.get(row["infer_service_id"])
        else:
            service = self._store.infer_services.add(
                {
                    "model_id": row["model_id"],
                    "user_id": row["user_id"],
                    "user_name": row["user_name"],
                    "name": row["name"],
                    "created_at": now,
                    "api_key": f"sk-{secrets.token_hex(16)}",
                    "health_check_path": row["health_check_path"],
                    **dict.fromkeys(("os_info", "device_info", "infer_engine_type", "infer_engine_info"), ""),
                    "driver_version": "",
                }
            )
        self._store.infer_services.save(service, status=ONLINE, endpoint_url=url, updated_at=now)
        self._save(row, RUNNING, infer_service_id=service["id"], api_host=url)

    def _offline(self, row: Row) -> None:
        if row["infer_service_id"]:
            service = self._store.infer_services.get(row["infer_service_id"])
            self._store.infer_services.save(service, status=OFFLINE, updated_at=self._clock.ms())

    def _exited(self, row: Row, version: int, code: int) -> None:
        if row["version"] != version or self._live.pop(row["id"], None) is None:
            # It was stopped, and perhaps started again.
            return
        self._tell(row, f"the process ended by itself, with code {code}")
        self._save(row, FAILED, _pid=0)
        self._offline(row)

    def _tell(self, row: Row, line: str) -> None:
        with self.log_file(row).open("a") as log:
            log.write(f"{line}\n")

    def _save(self, row: Row, status: int, **changes: object) -> None:
        self._store.deployments.save(row, status=status, _updated_at=self._clock.ms(), **changes)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _is_well(url: str) -> bool:
    try:
        with urlopen(url, timeout=SOON) as answer:  # noqa: S310 - the address is one of this machine
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False
