"""Training jobs, their logs, events, images and tags."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...store import Row
from .. import errors
from ..answers import Answer
from ..call import Call, Route, window
from ..jobs.trainings import ENDED
from .training_requests import (
    Action,
    BatchDelete,
    Change,
    EventsAsked,
    Filter,
    NewImage,
    NewJob,
    Search,
    Tags,
)

LARGEST_PREVIEW = 5 << 20
"""Bytes of a log that are shown."""
LINK_LIFETIME = 300
"""Seconds for which a link to a log opens it."""


async def create(call: Call) -> Any:
    given = call.body(NewJob)
    arts = call.arts
    workspace = arts.workspace(given.metadata.workspace_id, writing=True)
    _check_quota(call, workspace.id)
    body = given.model_dump(exclude_unset=True)
    body["metadata"] = {**body["metadata"], "workspace_id": workspace.id}
    return show(call, arts.trainings.submit(body, call.user.name))


async def get(call: Call) -> Any:
    return show(call, _job(call))


async def search(call: Call) -> Any:
    asked = call.body(Search)
    if asked.sort_by not in (None, "", "create_time"):
        raise errors.wrong_sort(f"Jobs cannot be sorted by {asked.sort_by}.")
    tests = [_test(item) for item in asked.filters or ()]
    shown = call.arts.clock.ms() - int(call.arts.settings.lag * 1000)
    rows = [row for row in call.arts.store.jobs if row["created"] <= shown]
    if asked.workspace_id:
        rows = [row for row in rows if _workspace(row) == asked.workspace_id]
    found = [row for row in rows if all(test(row) for test in tests)]
    if asked.order != "asc":
        found.reverse()
    # The offset counts pages.
    page = window(found, asked.offset * asked.limit, asked.limit)
    return {
        "total": len(rows),
        "count": len(found),
        "limit": asked.limit,
        "offset": asked.offset,
        "sort_by": asked.sort_by or "create_time",
        "order": asked.order or "desc",
        "group_by": "",
        "workspace_id": asked.workspace_id or "0",
        "ai_project": "default-ai-project",
        "items": [show(call, row) for row in page],
    }


async def act(call: Call) -> Any:
    row = _job(call)
    call.body(Action)
    call.arts.trainings.terminate(row, f"terminated by {call.user.name}")
    return show(call, row)


async def change(call: Call) -> Any:
    row = _job(call)
    given = call.body(Change)
    if given.description is not None:
        row["metadata"]["description"] = given.description
    if given.spec:
        changed = given.spec.model_dump(exclude_none=True, include={"notification", "schedule_policy"})
        row["spec"] = {**(row.get("spec") or {}), **changed}
    call.arts.store.jobs.save(row)


async def delete(call: Call) -> Any:
    call.arts.trainings.delete(_job(call))
    return ""


async def delete_many(call: Call) -> Any:
    rows = [call.arts.store.jobs.get(item.metadata.id) for item in call.body(BatchDelete).jobs]
    if len({_workspace(row) for row in rows}) > 1:
        raise call.refused("The jobs must be of one workspace.")
    for row in {row["id"]: row for row in rows}.values():
        call.arts.trainings.delete(row)
    return {"response": [{"id": row["id"], "status": "success"} for row in rows]}


async def events(call: Call) -> Any:
    asked = call.query(EventsAsked)
    found = [event for event in _job(call)["events"] if asked.level in (None, event["level"])]
    if asked.order == "desc":
        found.reverse()
    shown = window(found, asked.offset, asked.limit)
    return {"total": len(found), "count": len(shown), "limit": asked.limit, "offset": asked.offset, "events": shown}


async def preview_log(call: Call) -> Any:
    row, task = _task(call)
    file = call.arts.trainings.log_file(row, task)
    if not file.exists():
        return _not_ready(row)
    size = file.stat().st_size
    with file.open("rb") as log:
        log.seek(max(0, size - LARGEST_PREVIEW))
        shown = log.read(LARGEST_PREVIEW)
    return {"content": shown.decode(errors="replace"), "current_size": len(shown), "full_size": size}


async def log_url(call: Call) -> Any:
    row, task = _task(call)
    file = call.arts.trainings.log_file(row, task)
    if not file.exists() and not row["started"]:
        return _not_ready(row)
    file.touch()
    return {"obs_url": call.link(file, LINK_LIFETIME)}


async def metrics(call: Call) -> Any:
    row, _ = _task(call)
    if not row["started"]:
        return Answer(None, 204)
    # It measures nothing: -1 stands for that.
    ended = row["ended"] or call.arts.clock.ms()
    minutes = max(1, min(60, (ended - row["started"]) // 60_000))
    names = ("cpuUsage", "memUsage", "npuUtil", "npuMemUsage", "gpuUtil", "gpuMemUsage")
    return {"metrics": [{"metric": name, "value": [-1.0] * minutes} for name in names]}


async def save_image(call: Call) -> Any:
    row, task = _task(call)
    given = call.body(NewImage)
    fields = given.model_dump(include={"name", "namespace", "tag", "description"})
    return show_image(call.arts.notebooks.save_image(f"{row['id']}/{task}", fields))


async def get_image(call: Call) -> Any:
    row, task = _task(call)
    return show_image(call.arts.notebooks.image(f"{row['id']}/{task}"))


async def add_tags(call: Call) -> Any:
    row = _job(call)
    tags = {**row["tags"], **{tag.key: tag.value or "" for tag in call.body(Tags).tags}}
    if len(tags) > 20:
        raise call.refused("A training job has at most 20 tags.")
    call.arts.store.jobs.save(row, tags=tags)


async def remove_tags(call: Call) -> Any:
    row = _job(call)
    keys = {tag.key for tag in call.body(Tags).tags}
    call.arts.store.jobs.save(row, tags={key: value for key, value in row["tags"].items() if key not in keys})


async def list_tags(call: Call) -> Any:
    return {"tags": [{"key": key, "value": value} for key, value in _job(call)["tags"].items()]}


def show(call: Call, row: Row) -> Row:
    """A job as it is told of: what it was created with, and how it stands."""
    end = row["ended"] if row["phase"] in ENDED else call.arts.clock.ms()
    spec = dict(row.get("spec") or {})
    nodes = len(row["tasks"])
    if spec.get("resource"):
        name = spec["resource"].get("flavor_id") or ""
        detail = {"flavor_type": "CPU", "billing": {"code": name, "unit_num": 1}}
        spec["resource"] = {"policy": "regular", "flavor_name": name, **spec["resource"], "flavor_detail": detail}
    ended = [task for task in row["tasks"] if task["code"] is not None]
    status = {
        "phase": row["phase"],
        "secondary_phase": row["secondary_phase"],
        "duration": max(0, end - row["started"]) if row["started"] else 0,
        "start_time": row["started"],
        "node_count_metrics": [[row["started"], nodes], [end, nodes]] if row["started"] else None,
        "tasks": [task["name"] for task in row["tasks"]],
        "running_records": row["records"],
    }
    if ended:
        status["task_statuses"] = [
            {
                "task": task["name"],
                "exit_code": task["code"],
                "message": f"exited with code {task['code']}" if task["code"] else "",
            }
            for task in ended
        ]
    return {
        "kind": row["kind"],
        "metadata": {
            "id": row["id"],
            "description": "",
            **row["metadata"],
            "create_time": row["created"],
            "user_name": row["user"],
            "ai_project": "default-ai-project",
        },
        "status": status,
        "algorithm": row.get("algorithm") or {},
        "spec": spec,
    }


def show_image(row: Row) -> Row:
    shown = {name: row[name] for name in ("name", "namespace", "tag", "description", "status", "message")}
    return {**shown, "create_time": row["created"]}


def _job(call: Call) -> Row:
    return call.arts.store.jobs.get(call.path("job"))


def _task(call: Call) -> tuple[Row, str]:
    row, name = _job(call), call.path("task")
    if name not in [task["name"] for task in row["tasks"]]:
        raise call.refused(f"The job has no task {name}.")
    return row, name


def _not_ready(row: Row) -> Answer:
    if row["started"]:
        # A plain sleep of the emulator writes nothing.
        return Answer({"content": "", "current_size": 0, "full_size": 0})
    return Answer(None, 204)


def _name(row: Row) -> str:
    return str(row["metadata"]["name"])


def _workspace(row: Row) -> str:
    return str(row["metadata"]["workspace_id"])


def _check_quota(call: Call, workspace: str) -> None:
    limit, _ = call.arts.quota(workspace, "trainJob.quantity")
    if limit >= 0 and sum(_workspace(row) == workspace for row in call.arts.store.jobs) >= limit:
        raise errors.beyond_quota(f"The workspace has its {limit} training jobs.")


FIELDS: dict[str, Callable[[Row], str]] = {
    "name": _name,
    "phase": lambda row: str(row["phase"]),
    "create_time": lambda row: str(row["created"]),
    "user_name": lambda row: str(row["user"]),
}


def _test(item: Filter) -> Callable[[Row], bool]:
    """Whether a job is one of those that a filter asks for."""
    field, values = FIELDS.get(item.key), item.value
    if field is None:
        raise errors.wrong_filter(f"Jobs cannot be filtered by {item.key}.")
    match item.operator:
        case "like":
            return lambda row: any(value in field(row) for value in values)
        case "in":
            return lambda row: field(row) in values
        case "not":
            return lambda row: field(row) not in values
        case "between":
            if len(values) != 2 or not all(value.isdecimal() for value in values) or item.key != "create_time":
                raise errors.wrong_filter("between takes two moments in milliseconds, for create_time.")
            low, high = map(int, values)
            return lambda row: low <= row["created"] <= high
    raise errors.wrong_filter(f"There is no operator {item.operator}.")


JOBS = "/v2/{project}/training-jobs"
TASK = f"{JOBS}/{{job}}/tasks/{{task}}"
ROUTES = [
    Route("S", "POST", JOBS, create, 201),
    Route("V", "POST", f"{JOBS}/batch-delete", delete_many),
    Route("S", "GET", f"{JOBS}/{{job}}", get),
    Route("V", "PUT", f"{JOBS}/{{job}}", change),
    Route("V", "DELETE", f"{JOBS}/{{job}}", delete, 202),
    Route("V", "POST", "/v2/{project}/training-job-searches", search),
    Route("V", "POST", f"{JOBS}/{{job}}/actions", act, 202),
    Route("V", "GET", f"{JOBS}/{{job}}/events", events),
    Route("V", "GET", f"{TASK}/logs/preview", preview_log),
    Route("D", "GET", f"{TASK}/logs/url", log_url),
    Route("V", "GET", f"{JOBS}/{{job}}/metrics/{{task}}", metrics),
    Route("S", "POST", f"{TASK}/save-image-job", save_image, 201),
    Route("V", "GET", f"{TASK}/save-image-job", get_image),
    *(
        Route(source, method, f"{kind}/{{job}}/tags{path}", handler, status)
        # The manual's example spells it in the second way, or in the third.
        for kind in (
            "/v2/{project}/modelarts-training-job",
            "/v2/{project}/modelarts-trainJob",
            "/{project}/modelarts-trainJob",
        )
        for source, method, path, handler, status in [
            ("V", "POST", "/create", add_tags, 204),
            ("S", "DELETE", "/delete", remove_tags, 204),
            ("V", "GET", "", list_tags, 200),
        ]
    ),
]
