"""A small ModelArts for tests of operators: it knows what was asked, and each look at a thing shows its next state."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from http_servers import Answered, Asked, answering

PROJECT = "0123456789abcdef0123456789abcdef"
Thing = dict[str, Any]


class Refusal(Exception):
    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code


@dataclass
class SmallModelArts:
    """``phases`` are those that each new job goes through, a look at it after the other; the last one stays."""

    url: str = ""
    phases: list[str] = field(default_factory=lambda: ["Pending", "Running", "Completed"])
    jobs: dict[str, Thing] = field(default_factory=dict)
    more: Thing = field(default_factory=dict)
    executions: dict[str, Thing] = field(default_factory=dict)
    notebook: Thing = field(default_factory=lambda: {"id": "n-1", "name": "lab", "status": "STOPPED", "url": "secret"})
    images: dict[str, Thing] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    quotas: list[Thing] = field(default_factory=list)
    apps: list[Thing] = field(default_factory=list)
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    logs: str = ""
    full_size: int = 0
    lose: int = 0
    """How many answers of create calls get lost after they have done their work."""
    taken: bool = False
    """Whether create calls are refused with 2751 although they have done their work."""

    def count(self, method: str, end: str) -> int:
        return sum(asked == method and path.endswith(end) for asked, path, _ in self.asked)

    def bodies(self, method: str, end: str) -> list[Any]:
        return [body for asked, path, body in self.asked if asked == method and path.endswith(end)]

    def __call__(self, request: Asked) -> Answered:
        try:
            return Answered.of(*self.answer(request.method, request.path, request.query, request.json))
        except Refusal as refusal:
            return Answered.of(refusal.status, {"error_code": refusal.code, "error_msg": "no"})

    def answer(self, method: str, path: str, query: Thing, body: Any) -> tuple[int, Any]:
        self.asked.append((method, path, body))
        for pattern, serve in ROUTES:
            if found := re.fullmatch(pattern, f"{method} {path}"):
                return serve(self, body, query, **found.groupdict())
        raise Refusal(404, "APIGW.0101")

    def create(self, things: dict[str, Thing], thing_id: str, thing: Thing) -> tuple[int, Thing]:
        things[thing_id] = thing
        if self.taken:
            raise Refusal(400, "ModelArts.2751")
        if self.lose:
            self.lose -= 1
            raise ConnectionError
        return 201, thing

    def job(self, job: str) -> Thing:
        if job not in self.jobs:
            raise Refusal(400, "ModelArts.2775")
        return self.jobs[job]


def _create_job(world: SmallModelArts, body: Any, query: Thing) -> tuple[int, Any]:
    number = len(world.jobs) + 1
    metadata = {**body["metadata"], "id": f"job-{number}", "create_time": round(1000 * time.time())}
    status = {"phase": "Creating", "tasks": ["worker-0"], "node_count_metrics": None, **world.more}
    job = {**body, "metadata": metadata, "status": status, "ahead": list(world.phases)}
    return world.create(world.jobs, f"job-{number}", job)


def _read_job(world: SmallModelArts, body: Any, query: Thing, job: str) -> tuple[int, Any]:
    found = world.job(job)
    if found["ahead"]:
        found["status"] = {**found["status"], "phase": found["ahead"].pop(0)}
    return 200, found


def _search(world: SmallModelArts, body: Any, query: Thing) -> tuple[int, Any]:
    names = [word for one in body["filters"] if one["key"] == "name" for word in one["value"]]
    jobs = [job for job in reversed(world.jobs.values()) if all(word in job["metadata"]["name"] for word in names)]
    begin = body["offset"] * body["limit"]
    return 200, {"total": 99, "count": len(jobs), "items": jobs[begin : begin + body["limit"]]}


def _terminate(world: SmallModelArts, body: Any, query: Thing, job: str) -> tuple[int, Any]:
    found = world.job(job)
    if found["status"]["phase"] not in ("Creating", "Pending", "Running"):
        raise Refusal(409, "ModelArts.2796")
    found["status"], found["ahead"] = {**found["status"], "phase": "Terminating"}, ["Terminating", "Terminated"]
    return 202, found


def _delete_job(world: SmallModelArts, body: Any, query: Thing, job: str) -> tuple[int, Any]:
    world.job(job)
    del world.jobs[job]
    return 202, ""


def _preview(world: SmallModelArts, body: Any, query: Thing, job: str, task: str) -> tuple[int, Any]:
    size = len(world.logs.encode())
    full = world.full_size or size
    return (200, {"content": world.logs, "current_size": size, "full_size": full}) if size else (204, None)


def _events(world: SmallModelArts, body: Any, query: Thing, job: str) -> tuple[int, Any]:
    return 200, {"total": 1, "events": [{"time": "", "level": "Error", "message": "the node is out of memory"}]}


def _change_tags(world: SmallModelArts, body: Any, query: Thing, job: str, verb: str) -> tuple[int, Any]:
    for tag in body["tags"]:
        world.tags.pop(tag["key"], None)
        if verb == "create":
            world.tags[tag["key"]] = tag["value"]
    return 204, None


def _read_tags(world: SmallModelArts, body: Any, query: Thing, job: str) -> tuple[int, Any]:
    return 200, {"tags": [{"key": key, "value": value} for key, value in world.tags.items()]}


def _save_image(world: SmallModelArts, body: Any, query: Thing, job: str, task: str) -> tuple[int, Any]:
    return world.create(world.images, f"{job}/{task}", {**body, "status": "INIT", "ahead": ["CREATING", "ACTIVE"]})


def _read_image(world: SmallModelArts, body: Any, query: Thing, job: str, task: str) -> tuple[int, Any]:
    image = world.images.get(f"{job}/{task}")
    if image is None:
        raise Refusal(400, "ModelArts.2775")
    image["status"] = image["ahead"].pop(0) if image["ahead"] else image["status"]
    return 200, image


def _step(name: str, status: str) -> Thing:
    return {"uuid": f"uuid-{name}", "step_name": name, "status": status, "instance_id": "{}", "error_info": None}


def _start_execution(world: SmallModelArts, body: Any, query: Thing, workflow: str) -> tuple[int, Any]:
    number = len(world.executions) + 1
    known = {**body, "execution_id": f"e-{number}", "workflow_id": workflow, "steps_execution": None}
    steps = [_step("prepare", "completed"), _step("review", "wait_inputs" if world.more.get("waits") else "completed")]
    now = datetime.now(timezone(timedelta(hours=8))).isoformat(timespec="microseconds").replace("+", "789+")
    begun = {"status": "running", "created_at": now, "steps_execution": steps}
    world.create(world.executions, f"e-{number}", known | begun)
    return 201, known


def _execution(world: SmallModelArts, execution: str) -> Thing:
    if execution not in world.executions:
        raise Refusal(400, "ModelArts.7511")
    return world.executions[execution]


def _read_execution(world: SmallModelArts, body: Any, query: Thing, workflow: str, execution: str) -> tuple[int, Any]:
    found = _execution(world, execution)
    if found["status"] == "running" and all(step["status"] == "completed" for step in found["steps_execution"]):
        found["status"] = "completed"
        return 200, {**found, "status": "running"}
    return 200, found


def _list_executions(world: SmallModelArts, body: Any, query: Thing, workflow: str) -> tuple[int, Any]:
    found = list(reversed(world.executions.values()))
    begin = int(query["offset"])
    return 200, {"total": len(found), "items": found[begin : begin + int(query["limit"])]}


def _act(world: SmallModelArts, body: Any, query: Thing, workflow: str, execution: str) -> tuple[int, Any]:
    found = _execution(world, execution)
    found["status"] = "stopped" if body["action_name"] == "stop" else "running"
    return 201, found


def _act_on_step(
    world: SmallModelArts, body: Any, query: Thing, workflow: str, execution: str, step: str
) -> tuple[int, Any]:
    (found,) = [one for one in _execution(world, execution)["steps_execution"] if one["uuid"] == step]
    if body["action_name"] == "continue" and found["status"] != "wait_inputs":
        raise Refusal(400, "ModelArts.7000")
    found["status"] = "completed"
    return 201, found


def _subscribe(world: SmallModelArts, body: Any, query: Thing, workflow: str) -> tuple[int, Any]:
    return 201, {**body, "subscription_id": "s-1", "created_at": ""}


def _unsubscribe(world: SmallModelArts, body: Any, query: Thing, workflow: str, sub: str) -> tuple[int, Any]:
    return 204, None


def _start_notebook(world: SmallModelArts, body: Any, query: Thing) -> tuple[int, Any]:
    if world.notebook["status"] == "RUNNING":
        raise Refusal(400, "ModelArts.6305")
    duration = int(query.get("duration", 3600000))
    world.notebook |= {"status": "STARTING", "ahead": ["STARTING", "RUNNING"], "lease": {"duration": duration}}
    return 200, world.notebook


def _stop_notebook(world: SmallModelArts, body: Any, query: Thing) -> tuple[int, Any]:
    if world.notebook["status"] == "STOPPED":
        raise Refusal(400, "ModelArts.6307")
    world.notebook |= {"status": "STOPPING", "ahead": ["STOPPING", "STOPPED"]}
    return 200, world.notebook


def _read_notebook(world: SmallModelArts, body: Any, query: Thing) -> tuple[int, Any]:
    ahead = world.notebook.get("ahead")
    if ahead:
        world.notebook["status"] = ahead.pop(0)
    return 200, world.notebook


def _renew(world: SmallModelArts, body: Any, query: Thing) -> tuple[int, Any]:
    world.notebook["lease"] = body
    return 200, body


def _quotas(world: SmallModelArts, body: Any, query: Thing, workspace: str) -> tuple[int, Any]:
    for one in (body or {}).get("quotas", ()):
        (known,) = [quota for quota in world.quotas if quota["resource"] == one["resource"]]
        known["quota"] = one["quota"]
    return 200, {"quotas": world.quotas}


def _create_app(world: SmallModelArts, body: Any, query: Thing) -> tuple[int, Any]:
    app = {**body, "app_id": "a-1", "app_key": "key-secret", "app_secret": "app-secret", "app_codes": ["code-secret"]}
    world.apps.append(app)
    return 200, {"app": app}


def _delete_app(world: SmallModelArts, body: Any, query: Thing, app: str) -> tuple[int, Any]:
    world.apps.clear()
    return 200, {}


_V1, _V2 = f"/v1/{PROJECT}", f"/v2/{PROJECT}"
_JOB, _TASK = rf"{_V2}/training-jobs/(?P<job>[^/]+)", r"tasks/(?P<task>[^/]+)"
_TAGS = rf"{_V2}/modelarts-training-job/(?P<job>[^/]+)/tags"
_FLOW = rf"{_V2}/workflows/(?P<workflow>[^/]+)"
_EXECUTION = rf"{_FLOW}/executions/(?P<execution>[^/]+)"
ROUTES: list[tuple[str, Callable[..., tuple[int, Any]]]] = [
    (rf"POST {_V2}/training-jobs", _create_job),
    (rf"POST {_V2}/training-job-searches", _search),
    (rf"GET {_JOB}", _read_job),
    (rf"DELETE {_JOB}", _delete_job),
    (rf"POST {_JOB}/actions", _terminate),
    (rf"GET {_JOB}/events", _events),
    (rf"GET {_JOB}/{_TASK}/logs/preview", _preview),
    (rf"POST {_JOB}/{_TASK}/save-image-job", _save_image),
    (rf"GET {_JOB}/{_TASK}/save-image-job", _read_image),
    (rf"(POST|DELETE) {_TAGS}/(?P<verb>create|delete)", _change_tags),
    (rf"GET {_TAGS}", _read_tags),
    (rf"POST {_FLOW}/executions", _start_execution),
    (rf"GET {_FLOW}/executions", _list_executions),
    (rf"GET {_EXECUTION}", _read_execution),
    (rf"POST {_EXECUTION}/actions", _act),
    (rf"POST {_EXECUTION}/step-executions/(?P<step>[^/]+)/actions", _act_on_step),
    (rf"POST {_FLOW}/subscriptions", _subscribe),
    (rf"DELETE {_FLOW}/subscriptions/(?P<sub>[^/]+)", _unsubscribe),
    (rf"GET {_V1}/notebooks/n-1", _read_notebook),
    (rf"POST {_V1}/notebooks/n-1/start", _start_notebook),
    (rf"POST {_V1}/notebooks/n-1/stop", _stop_notebook),
    (rf"PATCH {_V1}/notebooks/n-1/lease", _renew),
    (rf"(GET|PUT) {_V1}/workspaces/(?P<workspace>[^/]+)/quotas", _quotas),
    (rf"POST {_V1}/app-auth/apps", _create_app),
    (rf"DELETE {_V1}/app-auth/apps/(?P<app>[^/]+)", _delete_app),
]


@contextmanager
def serving() -> Iterator[SmallModelArts]:
    world = SmallModelArts()
    with answering(world) as world.url:
        yield world
