"""Executions of workflows: their steps, each a local process, one after the other; some wait for a person."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ...clock import Clock, Timer
from ...files import Home
from ...process import Launched, birth, clean_environment, kill_left_behind, launch, simulated
from ...refused import Refused
from ...store import Row
from .. import errors
from ..answers import event_time
from ..obs import Obs
from ..settings import Workflow
from ..store import ModelArtsStore

INIT, RUNNING, COMPLETED, ABNORMAL, STOPPED = "init", "running", "completed", "abnormal", "stopped"
ENDED = (COMPLETED, ABNORMAL, STOPPED)
WAIT_INPUTS, HOLD = "wait_inputs", "hold"
STOPPING, FAILED, TIMEOUT, SKIPPED, CREATE_FAILED = "stopping", "failed", "timeout", "skipped", "create_failed"
LOST = (FAILED, TIMEOUT, CREATE_FAILED)


class Executions:
    """Runs what is in the table of executions, whose rows hold their steps."""

    def __init__(self, store: ModelArtsStore, home: Home, obs: Obs, clock: Clock) -> None:
        self._store = store
        self._home = home
        self._obs = obs
        self._clock = clock
        self._live: dict[str, Launched] = {}
        self._limits: dict[str, Timer] = {}

    def submit(self, workflow: Workflow, body: Mapping[str, Any], workspace: str) -> Row:
        """Take a new execution in.

        :raises Refused: A parameter or data requirement has no value and none will come while it runs.
        """
        given = {part: body.get(part) or [] for part in ("parameters", "data_requirements")}
        row: Row = {
            "id": str(uuid.uuid4()),
            "workflow_id": workflow.id,
            "workflow_name": body.get("workflow_name") or workflow.name,
            "name": body.get("name") or f"{workflow.name}-{uuid.uuid4().hex[:8]}",
            "description": body.get("description") or "",
            "workspace_id": workspace,
            "scene_id": body.get("scene_id") or "",
            "labels": body.get("labels") or [],
            "parameters": merged(workflow.parameters, given["parameters"]),
            "data_requirements": merged(workflow.data_requirements, given["data_requirements"]),
            "policies": body.get("policies") or {},
            "status": INIT,
            "created": self._clock.now(),
            "started": 0.0,
            "ended": 0.0,
            "events": [],
            "steps": [
                {
                    **_fresh(),
                    "uuid": str(uuid.uuid4()),
                    **step.model_dump(exclude={"command"}),
                    "_command": step.command,
                }
                for step in workflow.steps
            ],
        }
        self._check_paths(row["data_requirements"])
        values = self._values(row)
        for item in [*row["parameters"], *row["data_requirements"]]:
            if item["name"] not in values and not item.get("delay"):
                raise Refused(f"{item['name']} has no value.", errors.OTHER)
        row = self._store.executions.add(row)
        self._clock.call_at(self._clock.now(), partial(self._begin, row))
        return row

    def stop(self, row: Row) -> None:
        """:raises Refused: It has ended."""
        if row["status"] in ENDED:
            raise Refused(f"The execution is {row['status']}.", errors.OTHER)
        step = _current(row)
        if step is None or row["status"] == INIT:
            self._finish(row, STOPPED)
        else:
            self._stop(row, step)

    def rerun(self, row: Row, steps: list[str]) -> None:
        """Run steps again, and those that were not completed.

        :param steps: Their names; all of them where there is none.
        :raises Refused: It has not ended, or has no such step.
        """
        if row["status"] not in ENDED:
            raise Refused(f"The execution is {row['status']}.", errors.OTHER)
        unknown = set(steps) - {step["name"] for step in row["steps"]}
        if unknown:
            raise Refused(f"The workflow has no step {', '.join(sorted(unknown))}.", errors.OTHER)
        for step in row["steps"]:
            if not steps or step["name"] in steps or step["status"] not in (COMPLETED, SKIPPED):
                step.update(_fresh())
        self._go_on_again(row)

    def fill_in(self, row: Row, body: Mapping[str, Any]) -> None:
        """Take values for parameters and data requirements.

        :raises Refused: There is nothing at a path in OBS.
        """
        filled = {part: merged(row[part], body.get(part) or []) for part in ("parameters", "data_requirements")}
        self._check_paths(filled["data_requirements"])
        self._store.executions.save(row, **filled)

    def stop_step(self, row: Row, step: Row) -> None:
        """:raises Refused: The step has ended."""
        if step["status"] in (COMPLETED, SKIPPED, STOPPED, *LOST):
            raise Refused(f"The step {step['name']} is {step['status']}.", errors.OTHER)
        self._stop(row, step)

    def retry_step(self, row: Row, step: Row) -> None:
        """:raises Refused: The step has neither failed nor been stopped."""
        if step["status"] not in (STOPPED, *LOST):
            raise Refused(f"The step {step['name']} is {step['status']}.", errors.OTHER)
        step.update(_fresh())
        self._go_on_again(row)

    def continue_step(self, row: Row, step: Row) -> None:
        """:raises Refused: The step does not wait for a person, or what it waits for is still not there."""
        if step["status"] not in (WAIT_INPUTS, HOLD):
            raise Refused(f"The step {step['name']} is {step['status']}.", errors.OTHER)
        missing = self._missing(row, step)
        if missing:
            raise Refused(f"The step {step['name']} waits for {', '.join(missing)}.", errors.OTHER)
        step["released"] = step["released"] or step["status"] == HOLD
        step["status"] = INIT
        self._go_on(row)

    def set_status(self, row: Row, status: str) -> None:
        """Put an execution into any status, known or not: for tests of what a client makes of it."""
        self._store.executions.save(row, status=status)

    def set_step_status(self, row: Row, step: Row, status: str) -> None:
        """The same for a step that does not run."""
        step["status"] = status
        self._store.executions.save(row)

    def delete(self, row: Row) -> None:
        """Forget an execution, and end it first."""
        for step in row["steps"]:
            launched = self._live.pop(step["uuid"], None)
            if launched:
                launched.kill()
            self._no_limit(step)
        row["status"] = STOPPED
        self._store.executions.remove(row)

    def recover(self) -> None:
        """Settle the executions that an earlier start of the emulator left behind."""
        for row in list(self._store.executions):
            if row["status"] in ENDED:
                continue
            for step in row["steps"]:
                if step["status"] == RUNNING and simulated(step["_command"]):
                    self._launch(row, step, since=step["started"])
                elif step["status"] in (RUNNING, STOPPING):
                    kill_left_behind(step["pid"], step["born"])
                    lost = step["status"] == RUNNING
                    step.update(status=FAILED if lost else STOPPED, ended=self._clock.now())
                    step["error"] = "the emulator ended while this ran" if lost else ""
            self._begin(row)

    def close(self) -> None:
        for launched in self._live.values():
            launched.kill()

    def log_file(self, row: Row, step: Row) -> Path:
        return self._home.folder("logs", row["id"]) / f"{step['name']}.log"

    def _begin(self, row: Row) -> None:
        if row["status"] in ENDED:
            return
        if row["status"] == INIT:
            row.update(status=RUNNING, started=self._clock.now())
        self._go_on(row)

    def _go_on_again(self, row: Row) -> None:
        row.update(status=RUNNING, ended=0.0)
        self._go_on(row)

    def _go_on(self, row: Row) -> None:
        """Start the next step, or end."""
        step = _current(row)
        if step is None:
            self._finish(row, COMPLETED)
        elif step["status"] in LOST:
            self._finish(row, ABNORMAL)
        elif step["status"] == STOPPED:
            self._finish(row, STOPPED)
        elif step["status"] == INIT and row["status"] == RUNNING:
            if self._missing(row, step):
                self._step(row, step, WAIT_INPUTS)
            elif step["hold"] and not step["released"]:
                self._step(row, step, HOLD)
            else:
                self._launch(row, step)
        self._store.executions.save(row)

    def _launch(self, row: Row, step: Row, since: float | None = None) -> None:
        if since is None:
            step["started"] = self._clock.now()
            self._step(row, step, RUNNING)
        folder = self._home.folder("jobs") / row["id"] / step["name"]
        launched = launch(
            step["_command"],
            env=partial(self._environment, row, folder),
            folder=folder,
            log=self._home.folder("logs") / row["id"] / f"{step['name']}.log",
            clock=self._clock,
            on_exit=partial(self._exited, row, step),
            since=since,
        )
        self._live[step["uuid"]] = launched
        step.update(pid=launched.pid, born=birth(launched.pid))
        if step["timeout"]:
            when = step["started"] + step["timeout"]
            self._limits[step["uuid"]] = self._clock.call_at(when, partial(self._too_long, step, launched))

    def _too_long(self, step: Row, launched: Launched) -> None:
        step["error"] = f"it has run for more than {step['timeout']:g} seconds"
        launched.stop()

    def _exited(self, row: Row, step: Row, code: int) -> None:
        self._live.pop(step["uuid"], None)
        self._no_limit(step)
        step["ended"] = self._clock.now()
        if step["status"] == STOPPING:
            status = STOPPED
        elif step["error"]:
            status = TIMEOUT
        else:
            status = FAILED if code else COMPLETED
        if status == FAILED:
            step["error"] = f"ended by signal {-code}" if code < 0 else f"exited with code {code}"
        self._step(row, step, status)
        if row["status"] not in ENDED:
            self._go_on(row)

    def _stop(self, row: Row, step: Row) -> None:
        launched = self._live.get(step["uuid"])
        if launched:
            self._step(row, step, STOPPING)
            self._store.executions.save(row)
            # Not within this call, whose answer shows it stopping.
            self._clock.call_at(self._clock.now(), launched.stop)
        else:
            step["ended"] = self._clock.now()
            self._step(row, step, STOPPED)
            self._go_on(row)

    def _no_limit(self, step: Row) -> None:
        limit = self._limits.pop(step["uuid"], None)
        if limit:
            limit.cancel()

    def _step(self, row: Row, step: Row, status: str) -> None:
        step["status"] = status
        line = f"{event_time(self._clock.now())} {step['name']}: {status}"
        step["events"].append(line)
        row["events"].append(line)

    def _finish(self, row: Row, status: str) -> None:
        row["events"].append(f"{event_time(self._clock.now())} {row['name']}: {status}")
        self._store.executions.save(row, status=status, ended=self._clock.now())

    def _missing(self, row: Row, step: Row) -> list[str]:
        """Names of what a step waits for."""
        values = self._values(row)
        late = [item for item in [*row["parameters"], *row["data_requirements"]] if item.get("delay")]
        names = [*step["waits_for"], *(i["name"] for i in late if step["name"] in (i.get("used_steps") or ()))]
        return [name for name in dict.fromkeys(names) if name not in values]

    def _values(self, row: Row) -> dict[str, str]:
        """Values by name, as text: what is in OBS is the folder here."""
        values: dict[str, str] = {}
        for item in row["parameters"]:
            value = item.get("value", item.get("default"))
            if value is not None:
                values[item["name"]] = value if isinstance(value, str) else json.dumps(value)
        for item in row["data_requirements"]:
            value = item.get("value")
            if value:
                url = value.get("obs_url")
                values[item["name"]] = str(self._obs.place(str(url))) if url else json.dumps(value)
        return values

    def _check_paths(self, requirements: Iterable[Mapping[str, Any]]) -> None:
        for item in requirements:
            url = (item.get("value") or {}).get("obs_url")
            if url:
                self._obs.existing(str(url))

    def _environment(self, row: Row, folder: Path) -> dict[str, str]:
        return {**clean_environment(folder), "MA_EXECUTION_ID": row["id"], **self._values(row)}


def merged(known: Iterable[Mapping[str, Any]], given: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Parameters or data requirements by name, the given ones over those that are known."""
    items = {item["name"]: dict(item) for item in known}
    for item in given:
        items[item["name"]] = {**items.get(item["name"], {}), **{k: v for k, v in item.items() if v is not None}}
    return list(items.values())


def _current(row: Row) -> Row | None:
    """The first step that is not done."""
    return next((step for step in row["steps"] if step["status"] not in (COMPLETED, SKIPPED)), None)


def _fresh() -> dict[str, Any]:
    """A step that has yet to run."""
    return {
        "status": INIT,
        "started": 0.0,
        "ended": 0.0,
        "pid": 0,
        "born": "",
        "error": "",
        "released": False,
        "events": [],
    }
