"""An AIHub in memory, written from the facts of its API: what it creates, shows and stops."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Final

from pydantic_core import from_json, to_json

from airflow_provider_aihub.http.protocol import Answer

from .server import Called, Job, Said, Server


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of job, as the API has it.

    :param stops: Whether it can be stopped: by both dialects, by the newer one alone, or by none.
    """

    key: str
    create: str
    things: str
    stops: str = "both"


KINDS: Final = (
    Kind("training", "/model-training-platform/api/v1/trainings", "/model-training-platform/api/v1/trainings"),
    Kind("quota_task", "/quota-schedule-management/api/v1/tasks", "/quota-schedule-management/api/v1/tasks"),
    Kind("search", "/data-warehouse/api/v1/searches", "/data-warehouse/api/v1/searches", "none"),
    Kind(
        "dataset_version",
        "/dataset-mng/api/v2/dataset-versions-upload",
        "/dataset-mng/api/v2/dataset-versions",
        "none",
    ),
    Kind("workflow_run", "/workflow-center/api/v1/runs", "/workflow-center/api/v1/runs", "platform"),
)
CREATES: Final = {kind.create: kind for kind in KINDS}
THINGS: Final = {kind.things: kind for kind in KINDS}
THING: Final = re.compile(r"(?P<things>.*?)(?:/(?P<id>\d+)(?P<stop>/stop)?)?")


class AIHub(Server):
    """One AIHub, of the dialect ``"platform"`` or ``"document"``."""

    def _understood(self, method: str, path: str, query: dict[str, str], body: bytes | None) -> Called:
        what, kind, thing = _meant(method, path)
        about = f"{method} {path} {query.get('name')} {query.get('page_num')}"
        match what:
            case "login":
                return Called(what, about, lambda: (0, {"id": 7, "token": self._token}))
            case "create":
                return Called(what, about, partial(self._create, kind, from_json(body or b"{}"), self._clock()))
            case "read" if kind is None:
                return Called(what, about, partial(self._by_name, query["name"]))
            case "read":
                return Called(what, about, partial(self._read, kind, thing, method))
            case "list":
                return Called(what, about, partial(self._list, kind, query))
            case "stop":
                return Called(what, about, partial(self._stop, kind, thing))
            case "dataset":
                return Called(what, about, partial(self._dataset, thing))
        return Called(what, about, lambda: (-1, None, 404))

    def _id(self, kind: str, number: int) -> int:
        return number

    @property
    def _token(self) -> str:
        return f"e30.e30.{self.first_number}"

    def _refused_credential(self, headers: Mapping[str, str]) -> Said | None:
        return None if headers.get("Authorization") == f"Bearer {self._token}" else (-2, None, 401)

    def _refusal(self, code: int) -> Said:
        return code, None, 200, "something went wrong"

    def _failing(self, status: int) -> Said:
        return -2, None, status

    def _said(self, code: int, data: Any, status: int = 200, msg: str = "") -> Answer:
        if status in (404, 405) and code == -1:
            return Answer(status, self._dated(), b"404 page not found")
        return Answer(status, self._dated(), to_json({"code": code, "msg": msg, "data": data}))

    # The calls

    def _create(self, kind: Kind, asked: dict[str, Any], asked_at: float) -> Said:
        job = self._new_job(kind.key, asked.get("name"), asked.get("description") or "", asked_at)
        return 0, {"id": job.id}

    def _row(self, job: Job, *, listed: bool = False) -> dict[str, Any]:
        row = {
            **({} if job.name is None else {"name": job.name}),
            "description": job.description,
            "id": job.id,
            "status": self._shown_status(job, listed=listed),
            "created_at": int((job.created_at + self._ahead) * 1000),
            "user_id": 7 if job.owner == "task" else 8,
        }
        if job.kind == "search":
            row |= {"type": 3, "results": [{"image_url": "http://x/1.jpg"}], "result_url": "http://x/1.csv"}
        if job.kind == "dataset_version":
            row |= {"version": job.version, "dataset_id": 1, "data_size": 1, "data_count": 1}
        if job.kind == "workflow_run":
            row |= {"task_nodes": [], "duration": 1, "pipeline_id": 1, "pipeline_version_id": 1}
        return row

    def _read(self, kind: Kind, job_id: int, method: str) -> Said:
        if self.dialect == "document":
            if kind.key == "dataset_version" or (kind.key == "workflow_run" and method == "GET"):
                return -1, None, 404
        elif method == "POST":
            return -1, None, 405
        job = self.shown(kind.key, job_id)
        return (2, None, 404) if job is None else (0, self._row(job))

    def _by_name(self, name: str) -> Said:
        number = name.rpartition("/V")[2]
        for job in self.jobs:
            if job.kind == "dataset_version" and str(job.version) == number and self._clock() >= job.shown_at:
                return 0, self._row(job)
        return 2, None, 404

    def _dataset(self, dataset_id: int) -> Said:
        return (-1, None, 404) if self.dialect == "document" else (0, {"id": dataset_id, "name": "digits"})

    def _list(self, kind: Kind, query: dict[str, str]) -> Said:
        if self.dialect == "document":
            return -1, None, 404
        jobs = self._listed(kind.key, query.get("name"))
        size, number = min(int(query["page_size"]), self.weather.page), int(query["page_num"])
        rows = [self._row(job, listed=True) for job in jobs[size * (number - 1) : size * number]]
        total = len(jobs) if self.weather.total is None else self.weather.total
        return 0, {"total": total, "page_size": size, "page_num": number, "data": rows}

    def _stop(self, kind: Kind, job_id: int) -> Said:
        if kind.stops == "none" or (kind.stops == "platform" and self.dialect == "document"):
            return -1, None, 404
        job = self.shown(kind.key, job_id)
        if job is None:
            return 2, None, 404
        self._ask_to_stop(job)
        return 0, self._row(job)


@cache
def _meant(method: str, path: str) -> tuple[str, Any, int]:
    """Give what a call is, of which kind of job, and of which one."""
    if path == "/api/v1/auth/login":
        return "login", None, 0
    if path == "/dataset-mng/api/v2/dataset-versions-detail":
        return "read", None, 0
    if found := re.fullmatch(r"/dataset-mng/api/v2/datasets/(\d+)", path):
        return "dataset", None, int(found[1])
    if method == "POST" and (kind := CREATES.get(path)):
        return "create", kind, 0
    found = THING.fullmatch(path)
    kind = THINGS.get(found["things"]) if found else None
    if found is None or kind is None:
        return "other", None, 0
    if not found["id"]:
        return "list", kind, 0
    return "stop" if found["stop"] else "read", kind, int(found["id"])
