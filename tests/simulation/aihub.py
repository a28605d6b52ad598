"""An AIHub in memory, written from the facts of its API: what it creates, shows and stops."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any, Final

from pydantic_core import from_json, to_json

from airflow_provider_aihub.http.protocol import Answer

from .server import FAILED, RUNNING, STOPPED, SUCCESS, WAITING, Called, Job, Said, Server, Switched


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of job, as the API has it.

    :param stops: Whether it can be stopped: by both dialects, by the newer one alone, or by none.
    :param signs: Which field of what is asked for is signed with the marker.
    """

    key: str
    create: str
    things: str
    stops: str = "both"
    signs: str = "description"


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
MODEL: Final = 1
"""The model that is evaluated."""
EVAL: Final = Kind(
    "model_eval",
    f"/model-center/api/v1/models/{MODEL}/eval_task",
    f"/model-center/api/v1/models/{MODEL}/tasks",
    "none",
    "task_name",
)
RUN: Final = KINDS[-1]
TEMPLATE: Final = "/workflow-center/api/v1/templates/1"
CREATES: Final = {kind.create: kind for kind in (*KINDS, EVAL)} | {f"{TEMPLATE}/run": replace(RUN, signs="name")}
THINGS: Final = {kind.things: kind for kind in (*KINDS, EVAL)}
THING: Final = re.compile(r"(?P<things>.*?)(?:/(?P<id>\d+)(?P<stop>/stop)?)?")
DEPLOYMENT: Final = Kind("deployment", "/mldp/api/v1/deployment", "/mldp/api/v1/deployment")
DEPLOYED: Final = re.compile(r"/mldp/api/v1/deployment(?:/(?P<id>\d+)(?:/(?P<verb>start|stop))?)?")
SERVICE: Final = re.compile(r"/model-center/api/v1/infer-services/(?P<id>\d+)")
SERVICES: Final = 500
"""What is added to the id of a deployment for that of its inference service."""
OTHERS: Final = {
    f"{TEMPLATE}/input-params": "params",
    "/model-center/api/v1/models/db": "model",
    "/labelfree/api/v2/projects/global_stats": "label_project",
    "/quota-schedule-management/api/v1/metrics/overview": "quota",
}
RUNS_OF_EVALS: Final = 1000
"""From here on, workflow runs are those of evaluations."""
UNTIL_RUN: Final = 3.0
"""Seconds until an evaluation has its workflow run."""
LABELS: Final = {WAITING: "pending", RUNNING: "ready", SUCCESS: "finished", FAILED: "failed", STOPPED: "failed"}
MODELS: Final = {WAITING: "init", RUNNING: "uploading", SUCCESS: "ready", FAILED: "failed", STOPPED: "failed"}


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
            case "deployed":
                return Called("read", about, partial(self._deployed, thing))
            case "service":
                return Called("read", about, partial(self._service, thing - SERVICES))
            case "start":
                return Called(what, about, partial(self._start, thing))
            case "params":
                return Called(what, about, lambda: (0, {"data": [{"input_param": "x"}]}))
            case "model":
                return Called("read", f"{about} {query}", partial(self._model, query))
            case "label_project":
                return Called("read", about, partial(self._label_project, query["project_name"]))
            case "quota":
                return Called("read", about, self._quotas)
        return Called(what, about, lambda: (-1, None, 404))

    def _id(self, kind: str, number: int) -> int | str:
        ids = {"model_eval": f"{MODEL}/{number}", "label_project": f"project-{number}", "quota": f"4/group-{number}/vc"}
        return ids.get(kind, number)

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
        job = self._new_job(kind.key, asked.get("name"), asked.get(kind.signs) or "", asked_at)
        if kind.signs == "description" and kind is not DEPLOYMENT:
            job.description = job.description[: self.weather.cut_description]
            job.name = job.name if job.name is None else job.name[: self.weather.cut_name]
        if kind.signs != "description":
            job.name, job.description = job.description.strip() if self.weather.trims else job.description, ""
        if kind is EVAL:
            # Its list is what it is read by, and its run is what is stopped.
            job.listed_at, job.shown_at = job.shown_at, job.shown_at + UNTIL_RUN
        self._copy(job, job.name)
        return 0, {"id": _number(job.id)}

    def colleagues_job(self, kind: str, number: int, name: str = "colleague's", age: float = 3600.0) -> Job:
        """Let a colleague have a job, under the id that a number gives; a deployment of its own name, which serves."""
        job = super().colleagues_job(kind, number, f"{name}-{number}" if kind == "deployment" else name, age)
        if isinstance(job, Switched):
            job.begun, job.lasts = job.created_at, 0.0
        return job

    def _deployment(self, number: int) -> Switched | None:
        job = self.shown("deployment", number)
        return job if isinstance(job, Switched) else None

    def _deployed(self, number: int) -> Said:
        job = self._deployment(number)
        return (2, None, 404) if job is None else (0, self._deployment_row(job))

    def _deployment_row(self, job: Job) -> dict[str, Any]:
        assert isinstance(job, Switched)
        service = 0 if job.begun is None else SERVICES + _number(job.id)
        return {"id": job.id, "name": job.name, "infer_service_id": service, "updated_at": f"{job.begun}"}

    def _service(self, number: int) -> Said:
        job = self._deployment(number)
        if job is None or job.begun is None:
            return 2, None, 404
        word = "online" if job.status(self._clock()) == SUCCESS else "offline"
        return 0, {"id": SERVICES + number, "status": word, "endpoint_url": "http://x"}

    def _start(self, number: int) -> Said:
        job = self._deployment(number)
        if job is None:
            return 2, None, 404
        job.start(self._clock())
        return 0, {}

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

    def _eval_row(self, job: Job) -> dict[str, Any]:
        number = _number(job.id)
        run = RUNS_OF_EVALS + number if self._clock() >= job.created_at + UNTIL_RUN else 0
        return {"id": number, "model_id": MODEL, "task_name": job.name, "workflow_run_id": run, "eval_report_id": 1}

    def _read(self, kind: Kind, job_id: int, method: str) -> Said:
        if self.dialect == "document":
            if kind.key == "dataset_version" or (kind.key == "workflow_run" and method == "GET"):
                return -1, None, 404
        elif method == "POST":
            return -1, None, 405
        job = self._of(kind, job_id)
        return (2, None, 404) if job is None else (0, self._row(job) | {"id": job_id})

    def _of(self, kind: Kind, job_id: int) -> Job | None:
        """Return the job that an id is of: a workflow run may be an evaluation's."""
        if kind is RUN and job_id > RUNS_OF_EVALS:
            return self.shown(EVAL.key, f"{MODEL}/{job_id - RUNS_OF_EVALS}")
        return self.shown(kind.key, job_id)

    def _model(self, query: dict[str, str]) -> Said:
        """Tell of the model that is evaluated, or of one that a sensor waits for."""
        if query.get("id") == str(MODEL):
            return 0, {"id": MODEL, "name": "model", "status": "ready"}
        found = (job for job in self.jobs if job.kind == "model" and job.name == query.get("name"))
        return self._told(next(found, None), MODELS)

    def _label_project(self, name: str) -> Said:
        return self._told(self.job("label_project", name), LABELS)

    def _told(self, job: Job | None, words: Mapping[int, str]) -> Said:
        """Tell of what has words for where it stands."""
        if job is None or self._clock() < job.shown_at:
            return 2, None, 404
        return 0, {"id": job.id, "name": job.name, "status": words[job.status(self._clock())]}

    def _quotas(self) -> Said:
        """Tell of the quotas: one that is used up at first, and one day is gone where its job does not end well."""
        now, rows = self._clock(), []
        for job in self.jobs:
            if job.kind == "quota" and job.status(now) != FAILED:
                group, used = str(job.id).split("/")[1], 0 if job.status(now) == SUCCESS else 3
                rows.append({"group_name": group, "used": used, "total": 4})
        return 0, {"total": 1, "data": [{"vc_id": 1, "vc_name": "vc", "high_priority": rows}]}

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
        rows_of = {"model_eval": self._eval_row, "deployment": self._deployment_row}
        row = rows_of.get(kind.key, partial(self._row, listed=True))
        rows = [row(job) for job in jobs[size * (number - 1) : size * number]]
        total = len(jobs) if self.weather.total is None else self.weather.total
        return 0, {"total": total, "page_size": size, "page_num": number, "data": rows}

    def _stop(self, kind: Kind, job_id: int) -> Said:
        if kind.stops == "none" or (kind.stops == "platform" and self.dialect == "document"):
            return -1, None, 404
        job = self._of(kind, job_id)
        if job is None:
            return 2, None, 404
        self._ask_to_stop(job)
        return 0, self._row(job)


def _number(job_id: int | str) -> int:
    return int(str(job_id).rpartition("/")[2])


@cache
def _meant(method: str, path: str) -> tuple[str, Any, int]:
    """Give what a call is, of which kind of job, and of which one."""
    if path == "/api/v1/auth/login":
        return "login", None, 0
    if path == "/dataset-mng/api/v2/dataset-versions-detail":
        return "read", None, 0
    if found := re.fullmatch(r"/dataset-mng/api/v2/datasets/(\d+)", path):
        return "dataset", None, int(found[1])
    if path in OTHERS:
        return OTHERS[path], None, 0
    if found := DEPLOYED.fullmatch(path):
        number = int(found["id"] or 0)
        what = ("create" if method == "POST" else "list") if not number else found["verb"] or "deployed"
        return what, DEPLOYMENT, number
    if found := SERVICE.fullmatch(path):
        return "service", None, int(found["id"])
    if method == "POST" and (kind := CREATES.get(path)):
        return "create", kind, 0
    found = THING.fullmatch(path)
    kind = THINGS.get(found["things"]) if found else None
    if found is None or kind is None:
        return "other", None, 0
    if not found["id"]:
        return "list", kind, 0
    return "stop" if found["stop"] else "read", kind, int(found["id"])
