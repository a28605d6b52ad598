"""Trainings: they wait for room in their virtual cluster, run as local processes, and end."""

from __future__ import annotations

import bisect
import logging
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from ...clock import Clock
from ...files import Home
from ...process import Launched, birth, clean_environment, kill_left_behind, launch, simulated
from ..auth import User
from ..settings import Cluster
from ..store import AIHubStore, Row

log = logging.getLogger(__name__)

WAITING, RUNNING, SUCCEEDED, FAILED, STOPPED = 1, 2, 3, 4, 5
ENDED = (SUCCEEDED, FAILED, STOPPED)
KILL = 2
"""``preempt_policy``: end low-priority quota tasks to make room."""

VIP, HIGH, NORMAL, LOW = range(4)
"""Who goes first: VIP trainings, quota tasks of high priority, trainings, quota tasks of low priority."""


@dataclass(slots=True)
class _Live:
    row: Row
    pods: list[Row]
    launched: dict[int, Launched] = field(default_factory=dict)
    codes: dict[int, int] = field(default_factory=dict)


class Trainings:
    """Runs what is in the table of trainings. Quota tasks run here too, as the trainings behind them."""

    def __init__(self, store: AIHubStore, home: Home, clock: Clock, clusters: tuple[Cluster, ...]) -> None:
        self._store = store
        self._home = home
        self._clock = clock
        self._clusters = {cluster.id: cluster for cluster in clusters}
        self._free = {cluster.id: cluster.capacity for cluster in clusters}
        self._queues: dict[int, list[tuple[int, int]]] = {cluster.id: [] for cluster in clusters}
        self._live: dict[int, _Live] = {}

    def submit(self, row: Row) -> Row:
        """Take a new training in and start it as soon as it fits.

        :param row: All fields of a training but its id, status, names and times; ``_rank`` says who goes first.
        """
        with self._store.together():
            row = self._store.trainings.add(row)
            name = f"{'mpi' if row['framework'].startswith('Mpi') else 'pytorch'}-{row['id']}"
            pods = [self._new_pod(row, name, rank) for rank in range(row["instances"])]
            self._store.trainings.save(row, res_name=name, _pods=[pod["id"] for pod in pods])
            self._enqueue(row)
            self._schedule(row["virtual_cluster"]["id"])
        return row

    def stop(self, row: Row, user: User, reason: str = "") -> None:
        """End a training on behalf of a user; one that has ended already stays as it is."""
        if row["status"] in ENDED or row["_stopping"]:
            return
        text = reason or f"stopped by {user.name}"
        changes: dict[str, Any] = {"_stopping": True, "stop_op_user": {"id": user.id, "name": user.name}}
        self._store.trainings.save(row, **changes)
        live = self._live.get(row["id"])
        for pod in self.pods(row):
            self._event(pod, text)
        if live is None:
            self._end(row, STOPPED)
            return
        for launched in list(live.launched.values()):
            launched.stop()

    def recover(self) -> None:
        """Go on where an earlier start of the emulator ended: waiting trainings wait again, plain sleeps sleep on,
        and those whose process is gone have failed."""
        for row in self._store.trainings:
            if row["status"] == WAITING:
                self._enqueue(row)
            elif row["status"] == RUNNING and simulated(row["command"]) and not row["_stopping"]:
                self._run(row, since=row["started_at"] / 1000)
            elif row["status"] == RUNNING:
                for pod in self.pods(row):
                    kill_left_behind(pod["_pid"], pod["_born"])
                    self._say(pod, "the emulator ended while this ran; its processes are gone")
                self._end(row, STOPPED if row["_stopping"] else FAILED)
        for cluster in self._queues:
            self._schedule(cluster)

    def close(self) -> None:
        """End every process. The trainings stay as they are, for :meth:`recover` to settle."""
        for live in self._live.values():
            for launched in live.launched.values():
                launched.kill()

    def pods(self, row: Row) -> list[Row]:
        return [self._store.pods.get(pod) for pod in row["_pods"]]

    def running_on(self, cluster: int) -> list[tuple[Row, Row]]:
        """Each pod that runs on a cluster, with its training."""
        return [
            (live.row, pod)
            for live in self._live.values()
            for pod in live.pods
            if live.row["virtual_cluster"]["id"] == cluster and pod["status"] == "Running"
        ]

    def log_file(self, row: Row, pod: Row) -> Path:
        return self._home.folder("logs", "trainings", str(row["id"])) / f"{pod['name']}.log"

    def _new_pod(self, row: Row, name: str, rank: int) -> Row:
        cluster = self._clusters[row["virtual_cluster"]["id"]]
        nodes = row["vip_node_names"] or cluster.nodes
        node = nodes[(row["id"] + rank) % len(nodes)]
        return self._store.pods.add(
            {
                "namespace": row["namespace"],
                "name": f"{name}-{'worker' if rank else 'master'}-{max(rank - 1, 0)}",
                "status": "Pending",
                "created_at": row["created_at"],
                "started_at": 0,
                "finished_at": 0,
                "host_ip": cluster.address(node) if node in cluster.nodes else "10.255.0.1",
                "node_name": node,
                "ssh_port": 0,
                "ssh_info": "",
                "use_new_log": True,
                "_training": row["id"],
                "_rank": rank,
                "_pid": 0,
                "_born": "",
                "_events": [[row["created_at"], "created"]],
            }
        )

    def _enqueue(self, row: Row) -> None:
        cluster = self._clusters.get(row["virtual_cluster"]["id"])
        if cluster is None:
            self._refuse(row, f"this emulator has no virtual cluster {row['virtual_cluster']['id']} any more")
        elif _skus(row) > cluster.capacity:
            for pod in self.pods(row):
                self._event(pod, f"waits: {_skus(row)} SKUs asked, {cluster.name} has {cluster.capacity} in all")
        else:
            bisect.insort(self._queues[cluster.id], (row["_rank"], row["id"]))

    def _refuse(self, row: Row, text: str) -> None:
        for pod in self.pods(row):
            self._say(pod, text)
        self._end(row, FAILED)

    def _schedule(self, cluster: int) -> None:
        # Strictly in order: nobody overtakes the first one that does not fit yet, so a large job is not starved.
        queue = self._queues.get(cluster, [])
        while queue:
            row = self._store.trainings.get(queue[0][1])
            if row["status"] == WAITING:
                missing = _skus(row) - self._free[cluster]
                if missing > 0:
                    self._preempt(row, missing)
                    return
                queue.pop(0)
                self._run(row)
            else:
                queue.pop(0)

    def _preempt(self, row: Row, missing: int) -> None:
        if row["_rank"] != VIP or row["preempt_policy"] != KILL:
            return
        low = [
            live.row
            for live in reversed(self._live.values())
            if live.row["_rank"] == LOW and live.row["virtual_cluster"]["id"] == row["virtual_cluster"]["id"]
        ]
        missing -= sum(_skus(victim) for victim in low if victim["_stopping"])
        victims = [victim for victim in low if not victim["_stopping"]]
        if missing <= 0 or sum(map(_skus, victims)) < missing:
            return
        for victim in victims:
            if missing > 0:
                missing -= _skus(victim)
                user = User(row["user_id"], row["username"])
                # Not within this call: a plain sleep ends at once and would have the queue looked at twice.
                self._clock.call_at(
                    self._clock.now(), partial(self.stop, victim, user, f"preempted by VIP training {row['id']}")
                )

    def _run(self, row: Row, since: float | None = None) -> None:
        cluster = row["virtual_cluster"]["id"]
        self._free[cluster] = self._free.get(cluster, 0) - _skus(row)
        live = self._live[row["id"]] = _Live(row, self.pods(row))
        now = self._clock.ms()
        with self._store.together():
            self._store.trainings.save(row, status=RUNNING, started_at=row["started_at"] or now)
            for pod in live.pods:
                self._launch(live, pod, now, since)

    def _launch(self, live: _Live, pod: Row, now: int, since: float | None) -> None:
        row = live.row
        folder = self._home.folder("jobs") / str(row["id"]) / pod["name"]
        launched = launch(
            row["command"],
            env=partial(_environment, row, pod, folder),
            folder=folder,
            log=self._home.folder("logs") / "trainings" / str(row["id"]) / f"{pod['name']}.log",
            clock=self._clock,
            on_exit=partial(self._exited, live, pod),
            since=since,
        )
        live.launched[pod["id"]] = launched
        pod["_events"].append([now, f"started on {pod['node_name']}"])
        self._store.pods.save(
            pod, status="Running", started_at=pod["started_at"] or now, _pid=launched.pid, _born=birth(launched.pid)
        )

    def _exited(self, live: _Live, pod: Row, code: int) -> None:
        live.codes[pod["id"]] = code
        if live.row["_stopping"] or (code < 0 and any(live.codes.values()) and len(live.codes) > 1):
            status = "Deleted"
        else:
            status = "Failed" if code else "Succeeded"
        how = f"ended by signal {-code}" if code < 0 else f"exited with code {code}"
        pod["_events"].append([self._clock.ms(), how])
        self._store.pods.save(pod, status=status, finished_at=max(self._clock.ms(), pod["started_at"]))
        if len(live.codes) == len(live.pods):
            del self._live[live.row["id"]]
            self._free[live.row["virtual_cluster"]["id"]] += _skus(live.row)
            failed = any(live.codes.values())
            self._end(live.row, STOPPED if live.row["_stopping"] else FAILED if failed else SUCCEEDED)
            self._schedule(live.row["virtual_cluster"]["id"])
        elif code and sum(map(bool, live.codes.values())) == 1:
            # A distributed training is lost with its first pod.
            for number, launched in list(live.launched.items()):
                if number not in live.codes:
                    launched.stop()

    def _end(self, row: Row, status: int) -> None:
        now = max(self._clock.ms(), row["started_at"])
        self._store.trainings.save(row, status=status, finished_at=now)
        for pod in self.pods(row):
            if pod["status"] in ("Pending", "Running"):
                self._store.pods.save(pod, status="Deleted" if status == STOPPED else "Failed", finished_at=now)

    def _event(self, pod: Row, text: str) -> None:
        pod["_events"].append([self._clock.ms(), text])
        self._store.pods.save(pod)

    def _say(self, pod: Row, text: str) -> None:
        self._event(pod, text)
        with self.log_file(self._store.trainings.get(pod["_training"]), pod).open("a") as file:
            file.write(f"[aihub-emulator] {text}\n")


def _skus(row: Row) -> int:
    count: int = row["sku_cnt"] * row["instances"]
    return count


def _environment(row: Row, pod: Row, folder: Path) -> dict[str, str]:
    return {
        **clean_environment(folder),
        "AIHUB_JOB_ID": str(row["id"]),
        "AIHUB_JOB_NAME": row["name"],
        "AIHUB_POD_NAME": pod["name"],
        "RANK": str(pod["_rank"]),
        "LOCAL_RANK": "0",
        "WORLD_SIZE": str(row["instances"]),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(20000 + row["id"] % 10000),
        **{pair["key"]: pair["value"] for pair in row["envs"] or ()},
    }
