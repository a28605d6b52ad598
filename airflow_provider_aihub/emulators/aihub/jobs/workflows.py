"""Workflow runs: the nodes of a pipeline, each a command, in the order of their dependencies."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ...clock import Clock
from ...files import Home
from ...process import Launched, birth, clean_environment, kill_left_behind, launch, simulated
from ..auth import User
from ..settings import PipelineVersion
from ..store import AIHubStore, Row

WAITING, RUNNING, SUCCEEDED, FAILED, TERMINATED = 1, 2, 3, 4, 5
ENDED = (SUCCEEDED, FAILED, TERMINATED)


class Workflows:
    """Runs what is in the table of workflow runs. Nodes take no room in a virtual cluster.

    :param token: Makes the token for a user that a node finds as ``AI_HUB_TOKEN``.
    """

    def __init__(self, store: AIHubStore, home: Home, clock: Clock, token: Callable[[User], str]) -> None:
        self._store = store
        self._home = home
        self._clock = clock
        self._token = token
        self._live: dict[tuple[int, str], Launched] = {}

    def submit(self, row: Row, nodes: list[Row]) -> Row:
        """Take a new run in and start its first nodes."""
        row = self._store.runs.add({**row, "status": RUNNING, "started_at": self._clock.ms(), "task_nodes": nodes})
        self._go_on(row)
        return row

    def stop(self, row: Row, user: User) -> None:
        """Terminate a run; one that has ended already stays as it is."""
        if row["status"] in ENDED:
            return
        self._finish(row, TERMINATED)
        self._stop_nodes(row, f"terminated by {user.name}")

    def retry(self, row: Row) -> None:
        """Run what has not succeeded again, under the same id."""
        for index, node in enumerate(row["task_nodes"]):
            if node["status"] != SUCCEEDED:
                fresh = {"status": WAITING, "message": "", "started_at": 0, "finished_at": 0}
                row["task_nodes"][index] = {**node, **fresh, "pod_name": _pod_name(node["name"])}
        self._store.runs.save(row, status=RUNNING, finished_at=0)
        self._go_on(row)

    def recover(self) -> None:
        """Settle the runs that an earlier start of the emulator left behind."""
        for row in self._store.runs:
            if row["status"] in ENDED:
                continue
            for node in row["task_nodes"]:
                if node["status"] != RUNNING:
                    continue
                if simulated(node["_command"]):
                    self._launch(row, node, since=node["started_at"] / 1000)
                    continue
                kill_left_behind(node["_pid"], node["_born"])
                node.update(status=FAILED, message="the emulator ended while this ran", finished_at=self._clock.ms())
            self._go_on(row)

    def close(self) -> None:
        for launched in self._live.values():
            launched.kill()

    def log_file(self, row: Row, node: Row) -> Path:
        return self._home.folder("logs", "runs", str(row["id"])) / f"{node['pod_name']}.log"

    def _go_on(self, row: Row) -> None:
        nodes = row["task_nodes"]
        if any(node["status"] == FAILED for node in nodes):
            self._finish(row, FAILED)
            self._stop_nodes(row, "ended, since another node failed")
            return
        done = {node["name"] for node in nodes if node["status"] == SUCCEEDED}
        if len(done) == len(nodes):
            self._finish(row, SUCCEEDED)
            return
        for node in nodes:
            if node["status"] == WAITING and done.issuperset(node["dependencies"]):
                self._launch(row, node)
        self._store.runs.save(row)

    def _launch(self, row: Row, node: Row, since: float | None = None) -> None:
        folder = self._home.folder("jobs") / f"run-{row['id']}" / node["pod_name"]
        launched = launch(
            node["_command"],
            env=partial(self._environment, row, node, folder),
            folder=folder,
            log=self._home.folder("logs") / "runs" / str(row["id"]) / f"{node['pod_name']}.log",
            clock=self._clock,
            on_exit=partial(self._exited, row, node),
            since=since,
        )
        self._live[row["id"], node["pod_name"]] = launched
        node.update(
            status=RUNNING,
            started_at=node["started_at"] or self._clock.ms(),
            _pid=launched.pid,
            _born=birth(launched.pid),
        )

    def _environment(self, row: Row, node: Row, folder: Path) -> dict[str, str]:
        return {
            **clean_environment(folder),
            "AI_HUB_TOKEN": self._token(User(row["user_id"], row["username"])),
            "AI_HUB_WORKFLOW_RUN_ID": str(row["id"]),
            "AIHUB_JOB_ID": str(row["id"]),
            "AIHUB_JOB_NAME": row["name"],
            "AIHUB_POD_NAME": node["pod_name"],
            **row.get("_envs", {}),
            **({} if node["dependencies"] else {pair["key"]: pair["value"] for pair in row["params"]}),
        }

    def _exited(self, row: Row, node: Row, code: int) -> None:
        self._live.pop((row["id"], node["pod_name"]), None)
        how = f"ended by signal {-code}" if code < 0 else f"exited with code {code}"
        node.update(
            status=FAILED if code else SUCCEEDED,
            message=node["message"] or (how if code else ""),
            finished_at=max(self._clock.ms(), node["started_at"]),
        )
        self._store.runs.save(row)
        if row["status"] not in ENDED:
            self._go_on(row)

    def _stop_nodes(self, row: Row, message: str) -> None:
        for node in row["task_nodes"]:
            launched = self._live.get((row["id"], node["pod_name"]))
            if launched:
                node["message"] = message
                launched.stop()
        self._store.runs.save(row)

    def _finish(self, row: Row, status: int) -> None:
        self._store.runs.save(row, status=status, finished_at=max(self._clock.ms(), row["started_at"]))


def new_nodes(version: PipelineVersion) -> list[Row]:
    """The nodes of a run that has yet to start."""
    return [
        {
            "name": node.name,
            "message": "",
            "status": WAITING,
            "pod_name": _pod_name(node.name),
            "started_at": 0,
            "finished_at": 0,
            "dependencies": list(node.dependencies),
            "_command": node.command,
            "_pid": 0,
            "_born": "",
        }
        for node in version.nodes
    ]


def _pod_name(node: str) -> str:
    return f"{node}-{secrets.token_hex(4)}"
