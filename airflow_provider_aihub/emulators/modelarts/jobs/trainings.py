"""Training jobs: they wait for room, run as local processes, one for each node, and end."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from ...clock import Clock
from ...files import Home
from ...process import Launched, birth, kill_left_behind, launch, simulated
from ...refused import Refused
from ...store import Row
from .. import errors
from ..answers import utc
from ..obs import Obs
from ..settings import Algorithm, Settings
from ..store import ModelArtsStore
from .command import Prepared, environment, place_code, prepare

CREATING, PENDING, RUNNING, TERMINATING = "Creating", "Pending", "Running", "Terminating"
COMPLETED, FAILED, TERMINATED, ABNORMAL = "Completed", "Failed", "Terminated", "Abnormal"
STOPPABLE = (CREATING, PENDING, RUNNING)
ENDED = (COMPLETED, FAILED, TERMINATED, ABNORMAL)
SECONDARY = {PENDING: "Queuing", ABNORMAL: "Lost"}
"""``secondary_phase`` where it is not the phase itself."""


@dataclass(slots=True)
class _Live:
    row: Row
    launched: dict[str, Launched] = field(default_factory=dict)
    codes: dict[str, int] = field(default_factory=dict)


class Trainings:
    """Runs what is in the table of training jobs.

    A row holds what the job was created with (``kind``, ``metadata``, ``algorithm``, ``spec``), ``phase`` and the
    emulator's own.
    """

    def __init__(self, store: ModelArtsStore, home: Home, obs: Obs, clock: Clock, settings: Settings) -> None:
        self._store = store
        self._home = home
        self._obs = obs
        self._clock = clock
        self._settings = settings
        self._free = settings.nodes
        self._queue: list[Row] = []
        self._live: dict[str, _Live] = {}
        self._names = {_name(row): row["id"] for row in store.jobs}

    def submit(self, body: Mapping[str, Any], user: str) -> Row:
        """Take a new job in.

        :raises Refused: There is one of its name in its workspace (2751), its algorithm is unknown (2755), or something
            that it needs is not there.
        """
        name = _name(body)
        if name in self._names:
            raise errors.duplicate_name(name[1])
        algorithm = body.get("algorithm") or {}
        prepared = prepare(algorithm, self._known(algorithm), self._obs, self._home.folder("datasets"))
        now = self._clock.ms()
        spec = body.get("spec") or {}
        nodes = (spec.get("resource") or {}).get("node_count", 1)
        logs = (spec.get("log_export_path") or {}).get("obs_url")
        if logs:
            self._obs.place(logs)
        row = {
            "id": str(uuid.uuid4()),
            **{part: body[part] for part in ("kind", "metadata", "algorithm", "spec") if part in body},
            "phase": CREATING,
            "secondary_phase": CREATING,
            "created": now,
            "started": 0,
            "ended": 0,
            "user": user,
            "tags": {},
            "tasks": [{"name": f"worker-{rank}", "pid": 0, "born": "", "code": None} for rank in range(nodes)],
            "records": [],
            "events": [],
            "prepared": [prepared.command, prepared.environment, str(prepared.code or "")],
        }
        with self._store.together():
            row = self._store.jobs.add(row)
            self._names[name] = row["id"]
            self._tell(row, "Info", "the job was created")
        self._clock.call_at(self._clock.now() + self._settings.creating, partial(self._enqueue, row))
        return row

    def terminate(self, row: Row, reason: str) -> None:
        """:raises Refused: The job is not in a phase in which it can be terminated (2796)."""
        if row["phase"] not in STOPPABLE:
            raise errors.cannot_terminate(row["phase"])
        self._tell(row, "Info", reason)
        self._phase(row, TERMINATING)
        # Not within this call, whose answer shows it terminating.
        self._clock.call_at(self._clock.now(), partial(self._stop, row))

    def delete(self, row: Row) -> None:
        """Forget a job and whatever there is of it, and end it first."""
        live = self._live.pop(row["id"], None)
        if live is not None:
            for launched in live.launched.values():
                launched.kill()
            self._free += len(row["tasks"])
        row["phase"] = TERMINATED
        self._store.jobs.remove(row)
        del self._names[_name(row)]
        shutil.rmtree(self._home.path / "jobs" / row["id"], ignore_errors=True)
        shutil.rmtree(self._home.path / "logs" / row["id"], ignore_errors=True)
        self._schedule()

    def set_phase(self, row: Row, phase: str) -> None:
        """Put a job that does not run into any phase, known or not: for tests of what a client makes of it."""
        self._phase(row, phase)

    def recover(self) -> None:
        """Go on where an earlier start of the emulator ended: waiting jobs wait again, plain sleeps sleep on, and
        those whose process is gone are ``Abnormal``."""
        for row in list(self._store.jobs):
            if row["phase"] in (CREATING, PENDING):
                self._enqueue(row, schedule=False)
            elif row["phase"] == RUNNING and simulated(row["prepared"][0]):
                self._run(row, since=row["started"] / 1000)
            elif row["phase"] in (RUNNING, TERMINATING):
                for task in row["tasks"]:
                    kill_left_behind(task["pid"], task["born"])
                if row["phase"] == RUNNING:
                    self._tell(row, "Error", "the emulator ended while the job ran; its processes are gone")
                self._end(row, ABNORMAL if row["phase"] == RUNNING else TERMINATED)
        self._schedule()

    def close(self) -> None:
        """End every process. The jobs stay as they are, for :meth:`recover` to settle."""
        for live in self._live.values():
            for launched in live.launched.values():
                launched.kill()

    def log_file(self, row: Row, task: str) -> Path:
        return self._home.folder("logs", row["id"]) / f"modelarts-job-{row['id']}-{task}.log"

    def _known(self, algorithm: Mapping[str, Any]) -> Algorithm | None:
        by_id, by_subscription = algorithm.get("id"), algorithm.get("subscription_id")
        if not by_id and not by_subscription:
            return None
        version = algorithm.get("item_version_id")
        for known in self._settings.algorithms:
            if (by_id and known.id == by_id) or (
                by_subscription and (known.subscription_id, known.item_version_id) == (by_subscription, version)
            ):
                return known
        raise errors.no_algorithm(str(by_id or by_subscription))

    def _enqueue(self, row: Row, *, schedule: bool = True) -> None:
        if row["phase"] not in (CREATING, PENDING):
            return
        self._phase(row, PENDING)
        if len(row["tasks"]) > self._settings.nodes:
            self._tell(row, "Warning", f"waits: {len(row['tasks'])} nodes asked, there are {self._settings.nodes}")
        self._queue.append(row)
        if schedule:
            self._schedule()

    def _schedule(self) -> None:
        if not self._free:
            return
        # Strictly in order, so that a large job is not starved; one that never fits holds nobody up.
        self._queue = [row for row in self._queue if row["phase"] == PENDING]
        fitting = [row for row in self._queue if len(row["tasks"]) <= self._settings.nodes]
        for row in fitting:
            if len(row["tasks"]) > self._free:
                return
            self._queue.remove(row)
            self._run(row)

    def _run(self, row: Row, since: float | None = None) -> None:
        self._free -= len(row["tasks"])
        live = self._live[row["id"]] = _Live(row)
        now = self._clock.ms()
        if since is None:
            row["started"] = now
            row["records"].append({"start_at": now // 1000, "start_type": "init_or_rescheduled"})
            self._tell(row, "Info", "the job runs")
        text, variables, code = row["prepared"]
        prepared = Prepared(text, variables, Path(code) if code else None)
        folder = self._home.folder("jobs") / row["id"]
        if not simulated(text):
            place_code(prepared, folder)
        with self._store.together():
            self._phase(row, RUNNING)
            for rank, task in enumerate(row["tasks"]):
                place = folder / task["name"]
                launched = launch(
                    text,
                    env=partial(environment, prepared, place, rank, len(row["tasks"])),
                    folder=place,
                    log=self._home.folder("logs") / row["id"] / f"modelarts-job-{row['id']}-{task['name']}.log",
                    clock=self._clock,
                    on_exit=partial(self._exited, live, task),
                    since=since,
                )
                live.launched[task["name"]] = launched
                task.update(pid=launched.pid, born=birth(launched.pid))
            self._store.jobs.save(row)
        self._stop_in_time(row)

    def _stop(self, row: Row) -> None:
        live = self._live.get(row["id"])
        if live is None:
            self._end(row, TERMINATED)
            return
        for launched in list(live.launched.values()):
            launched.stop()

    def _stop_in_time(self, row: Row) -> None:
        limit = (row.get("spec") or {}).get("auto_stop")
        if not limit:
            return

        def stop() -> None:
            if row["phase"] == RUNNING:
                self.terminate(row, f"auto_stop: the job has run for {limit['duration']} hours")

        self._clock.call_at(row["started"] / 1000 + limit["duration"] * 3600, stop)

    def _exited(self, live: _Live, task: Row, code: int) -> None:
        row = live.row
        live.codes[task["name"]] = code
        # A shell tells of a signal in this way, too.
        task["code"] = code if code >= 0 else 128 - code
        how = f"ended by signal {-code}" if code < 0 else f"exited with code {code}"
        self._tell(row, "Error" if code and row["phase"] != TERMINATING else "Info", f"{task['name']} {how}")
        if len(live.codes) == len(row["tasks"]):
            del self._live[row["id"]]
            self._free += len(row["tasks"])
            failed = any(live.codes.values())
            self._end(row, TERMINATED if row["phase"] == TERMINATING else FAILED if failed else COMPLETED)
            self._schedule()
        elif code and sum(map(bool, live.codes.values())) == 1:
            # A distributed job is lost with its first node.
            row["first_lost"] = task["name"]
            for name, launched in list(live.launched.items()):
                if name not in live.codes:
                    launched.stop()

    def _end(self, row: Row, phase: str) -> None:
        if row["phase"] in ENDED:
            return
        now = max(self._clock.ms(), row["started"])
        if row["records"] and "end_at" not in row["records"][-1]:
            lost = row.get("first_lost") or next((task["name"] for task in row["tasks"] if task["code"]), "")
            ended: dict[str, Any] = {"end_at": now // 1000}
            if phase != COMPLETED:
                code = next((task["code"] for task in row["tasks"] if task["name"] == lost), None)
                ended["end_reason"] = (
                    f"{lost} has ended with code {code}" if phase == FAILED else f"the job was {phase}"
                )
                ended["end_related_task"] = lost
            row["records"][-1].update(ended)
        row["ended"] = now
        self._tell(row, "Error" if phase in (FAILED, ABNORMAL) else "Info", f"the job is {phase}")
        self._phase(row, phase)
        self._export_logs(row)

    def _export_logs(self, row: Row) -> None:
        url = ((row.get("spec") or {}).get("log_export_path") or {}).get("obs_url")
        if not url:
            return
        for task in row["tasks"]:
            file = self.log_file(row, task["name"])
            if file.exists():
                try:
                    shutil.copyfile(file, self._obs.folder(url) / file.name)
                except (OSError, Refused) as error:
                    self._tell(row, "Warning", f"the log was not copied: {error}")

    def _phase(self, row: Row, phase: str) -> None:
        self._store.jobs.save(row, phase=phase, secondary_phase=SECONDARY.get(phase, phase))

    def _tell(self, row: Row, level: str, message: str) -> None:
        time = utc(self._clock.now())
        row["events"].append({"time": time, "level": level, "message": message, "source": "emulator"})
        self._store.jobs.save(row)


def _name(job: Mapping[str, Any]) -> tuple[str, str]:
    """What no two jobs have in common: workspace and name."""
    return job["metadata"]["workspace_id"], job["metadata"]["name"]
