"""A ModelArts in memory, written from the facts of its API: what it creates, shows and stops."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from functools import cache, lru_cache, partial
from typing import Any, Final

from pydantic_core import from_json, to_json

from airflow_provider_aihub.http.protocol import Answer

from .server import FAILED, RUNNING, STOPPED, SUCCESS, WAITING, Answering, Called, Job, Said, Server, Switched

TRAINING, EXECUTION, IMAGE, STEPS, NOTEBOOK = (
    *("training_job", "workflow_execution", "saved_image"),
    *("workflow_step", "notebook"),
)
WORKFLOW: Final = "w1"
"""The workflow whose executions there are."""
STEP: Final = "step"
"""The one step that they have."""
SAVED: Final = "11111111-31a4-40a8-a58f-000000000000/worker-0"
"""The container that is saved as an image: an image has no other id."""
LARGEST_SEARCH: Final = 50
SKEW: Final = 15 * 60.0
"""By how many seconds the time of a signature may differ from the gateway's own."""
CHINA: Final = timezone(timedelta(hours=8))
WORDS: Final[dict[str, dict[int, str]]] = {
    TRAINING: {WAITING: "Pending", RUNNING: "Running", SUCCESS: "Completed", FAILED: "Failed", STOPPED: "Terminated"},
    EXECUTION: {WAITING: "init", RUNNING: "running", SUCCESS: "completed", FAILED: "abnormal", STOPPED: "stopped"},
    IMAGE: {WAITING: "INIT", RUNNING: "CREATING", SUCCESS: "ACTIVE", FAILED: "CREATE_FAILED"},
    STEPS: {WAITING: "init", RUNNING: "running", SUCCESS: "completed", FAILED: "failed"},
    NOTEBOOK: {WAITING: "CREATING", RUNNING: "STARTING", SUCCESS: "RUNNING", FAILED: "START_FAILED"},
    "started_notebook": {
        **{WAITING: "STOPPED", RUNNING: "STARTING", SUCCESS: "RUNNING", FAILED: "START_FAILED"},
        STOPPED: "STOPPED",
    },
}
"""What the states of each kind of job are called."""
STOPPING: Final = {TRAINING: "Terminating", EXECUTION: "stopping", "started_notebook": "STOPPING"}
MISSING: Final = {
    **{TRAINING: "ModelArts.2775", IMAGE: "ModelArts.2775", NOTEBOOK: "ModelArts.6309"},
    "started_notebook": "ModelArts.6309",
    **{EXECUTION: "ModelArts.7511", STEPS: "ModelArts.7511"},
}
"""The codes for one that does not exist."""
EXISTS: Final = "ModelArts.2751"
PATH: Final = re.compile(
    r"/v2/p/(?P<things>training-jobs|training-job-searches|workflows/(?P<workflow>[^/]+)/executions)"
    r"(?:/(?P<id>[^/]+)(?:/(?P<part>[^/]+))?)?"
)
SAVE: Final = re.compile(r"/v2/p/training-jobs/(?P<job>[^/]+)/tasks/(?P<task>[^/]+)/save-image-job")
NOTEBOOKS: Final = re.compile(r"/v1/p/notebooks/(?P<id>[^/]+)(?:/(?P<verb>start|stop))?")
STARTED: Final = "started_notebook"
GIVEN: Final = "22222222-31a4-40a8-a58f-000000000000"
"""The notebook that is started; it is there from the beginning, and no other ModelArts has it."""


class ModelArts(Server):
    """One ModelArts, which is spoken to with ``"keys"``, and so with signatures, or as a ``"user"``, with tokens."""

    def _understood(self, method: str, path: str, query: dict[str, str], body: bytes | None) -> Called:
        what, kind, thing = _meant(method, path)
        asked = from_json(body) if body and what != "stop" else {}
        about = f"{method} {path}"
        match what:
            case "login":
                return Called(what, about, lambda: (201, {"token": {}}, {"X-Subject-Token": self._token}))
            case "create":
                return Called(what, about, partial(self._create, kind, asked, self._clock()))
            case "read":
                return Called(what, about, partial(self._read, kind, thing))
            case "search":
                name = next((one["value"][0] for one in asked["filters"] if one["key"] == "name"), None)
                about = f"{about} {name} {asked['offset']}"
                return Called("list", about, partial(self._search, name, asked["offset"], asked["limit"]))
            case "list":
                offset, limit = int(query["offset"]), int(query["limit"])
                return Called(what, f"{about} {offset}", partial(self._executions, offset, limit))
            case "stop":
                return Called(what, about, partial(self._stop, kind, thing))
            case "start":
                return Called("create", about, partial(self._start, thing))
            case "events":
                return Called(what, about, lambda: (200, {"total": 0, "events": []}))
        return Called(what, about, lambda: _no(404, "APIGW.0101", "no such API"))

    def _id(self, kind: str, number: int) -> str:
        # No other ModelArts has one of its ids.
        id_ = f"{self.first_number:08x}-31a4-40a8-a58f-{number:012x}"
        ids = {EXECUTION: f"{WORKFLOW}/{id_}", STEPS: f"{WORKFLOW}/{id_}/{STEP}", IMAGE: SAVED}
        return ids.get(kind, id_)

    def colleagues_job(self, kind: str, number: int, name: str = "colleagues", age: float = 3600.0) -> Job:
        """Let a colleague have a job, under the id that a number gives; of a training job, its name ends with it."""
        job = super().colleagues_job(kind, number, f"{name}-{number}" if kind == TRAINING else name, age)
        if kind == IMAGE:
            # Of another container: what a colleague saves later hides what a task has saved.
            job.id = f"{self._id(TRAINING, number)}/worker-0"
        return job

    @property
    def _token(self) -> str:
        return f"token-{self.first_number}"

    def _refused_credential(self, headers: Mapping[str, str]) -> Said | None:
        if self.dialect == "user":
            taken = headers.get("X-Auth-Token") == self._token
        else:
            taken = abs(_signed_at(headers["X-Sdk-Date"]) - self._clock() - self._ahead) <= SKEW
        return None if taken else _no(401, "APIGW.0301", "Incorrect IAM authentication information")

    def _refusal(self, code: int) -> Said:
        # A refusal with HTTP 200 is not one that is documented, so it leaves open what was done.
        if code == 8:
            return _no(400, EXISTS, "the name is taken")
        return _no(200, f"ModelArts.{code:04d}", "something went wrong")

    def _failing(self, status: int) -> Said:
        return _no(status, "APIGW.0202", "backend unavailable")

    def _said(self, status: int, payload: Any, headers: Mapping[str, str] | None = None) -> Answer:
        return Answer(status, {**self._dated(), **(headers or {})}, to_json(payload))

    def _spoil(self, how: str, handle: Callable[[], Said]) -> Answering:
        """Spoil a call: what stands before ModelArts may have sent it twice, or a colleague have taken the name."""
        if how == "sent twice":
            first = handle()
            yield 0.0
            return self._said(*(handle() if self._named_alike() else first))
        if how == "name taken":
            first, taken = handle(), self.jobs[-1]
            if taken.kind in (IMAGE, STARTED):
                yield 0.0
                return self._said(*first)
            taken.owner, taken.description, taken.described = "colleague", "of a colleague", "of a colleague"
            taken.lasts = 10.0**6
            yield 0.0
            return self._said(*handle())
        return (yield from super()._spoil(how, handle))

    def _named_alike(self) -> bool:
        """Whether no two jobs of the newest one's kind have the same name."""
        return bool(self.jobs) and self.jobs[-1].kind == TRAINING

    # The calls

    def _create(self, kind: str, asked: dict[str, Any], asked_at: float) -> Said:
        given = asked["metadata"] if kind == TRAINING else asked
        name = given.get("name")
        if kind == TRAINING and any(job.name == name for job in self.jobs):
            return _no(400, EXISTS, f"there is a training job of the name {name} already")
        job = self._new_job(kind, name, given.get("description") or "", asked_at)
        job.description = job.description[: self.weather.cut_description]
        self._copy(job, f"{name}-copy" if kind == TRAINING else name)
        row = self._row(job)
        if kind == EXECUTION:
            del row["status"]
        job.listed_at = job.shown_at if kind == IMAGE else job.listed_at
        return 201, row

    def _row(self, job: Job, *, listed: bool = False) -> dict[str, Any]:
        status = self._shown_status(job, listed=listed)
        stopping = job.stop_asked and (status < SUCCESS or (isinstance(job, Switched) and status != STOPPED))
        word = STOPPING[job.kind] if stopping else WORDS[job.kind][status]
        created = job.created_at + self._ahead
        named = {"name": job.name, "description": job.description}
        if job.kind in (NOTEBOOK, STARTED):
            return {**named, "id": job.id, "status": word}
        if job.kind == IMAGE:
            return {**named, "namespace": "n", "tag": "t", "status": word, "create_time": int(created * 1000)}
        if job.kind == STEPS:
            return {
                "execution_id": str(job.id).split("/")[1],
                "status": WORDS[EXECUTION][status],
                "steps_execution": [{"step_name": STEP, "status": word}],
            }
        if job.kind == EXECUTION:
            return {
                **named,
                "execution_id": str(job.id).rpartition("/")[2],
                "status": word,
                "created_at": datetime.fromtimestamp(created, CHINA).isoformat(timespec="microseconds"),
                "workspace_id": "0",
                "steps_execution": None,
                "duration": 11852428,
            }
        return {
            "kind": "job",
            "metadata": {**named, "id": job.id, "create_time": int(created * 1000), "workspace_id": "0"},
            "status": {"phase": word, "start_time": 0, "duration": 0, "tasks": ["worker-0"]},
        }

    def begin(self, kind: str) -> None:
        """Have what a job of a kind takes."""
        if kind == STARTED:
            job = self._new_job(kind, NOTEBOOK, "", self._clock())
            job.id = GIVEN

    def _start(self, job_id: str) -> Said:
        job = self.shown(STARTED, job_id)
        if not isinstance(job, Switched):
            return _no(400, MISSING[NOTEBOOK], "it does not exist")
        began = job.start(self._clock())
        return (200, self._row(job)) if began else _no(400, "ModelArts.6305", "it is running")

    def _read(self, kind: str, job_id: str) -> Said:
        job = self.shown(kind, job_id)
        if job is None and kind == EXECUTION:
            job = self.shown(STEPS, f"{job_id}/{STEP}")
        return _no(400, MISSING[kind], "it does not exist") if job is None else (200, self._row(job))

    def _search(self, name: str | None, offset: int, limit: int) -> Said:
        jobs = self._listed(TRAINING, name)
        size = min(limit, LARGEST_SEARCH, self.weather.page)
        begin = offset if self.weather.rows_count else offset * size
        total = len(jobs) if self.weather.total is None else self.weather.total
        rows = [self._row(job, listed=True) for job in jobs[begin : begin + size]]
        return 200, {"total": total, "count": total, "limit": size, "offset": offset, "items": rows}

    def _executions(self, offset: int, limit: int) -> Said:
        jobs = self._listed(EXECUTION, None)
        rows = [self._row(job, listed=True) for job in jobs[offset : offset + min(limit, self.weather.page)]]
        total = len(jobs) if self.weather.total is None else self.weather.total
        return 200, {"total": total, "count": len(rows), "items": rows}

    def _stop(self, kind: str, job_id: str) -> Said:
        job = self.shown(kind, job_id)
        if job is None:
            return _no(400, MISSING[kind], "it does not exist")
        if isinstance(job, Switched):
            if job.begun is None or job.status(self._clock()) == STOPPED or job.stop_asked is not None:
                return _no(400, "ModelArts.6307", "it has stopped")
            self._ask_to_stop(job)
            return 200, self._row(job)
        too_late = job.over(self._clock()) or (kind == TRAINING and job.stop_asked is not None)
        self._ask_to_stop(job)
        if too_late:
            code = (409, "ModelArts.2796") if kind == TRAINING else (400, "ModelArts.0104")
            return _no(*code, "it cannot be stopped now")
        # What is being stopped does not succeed any more.
        job.lasts = max(job.lasts, (job.stopped_at or 0.0) - job.created_at + 1.0)
        return (202 if kind == TRAINING else 201), self._row(job)


def _no(status: int, code: str, words: str) -> Said:
    return status, {"error_code": code, "error_msg": words}


@lru_cache(10_000)
def _signed_at(date: str) -> float:
    return datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()


@cache
def _meant(method: str, path: str) -> tuple[str, str, str]:
    """Give what a call is, of which kind of job, and of which one."""
    if path == "/v3/auth/tokens":
        return "login", "", ""
    if saved := SAVE.fullmatch(path):
        return ("create" if method == "POST" else "read"), IMAGE, f"{saved['job']}/{saved['task']}"
    if notebook := NOTEBOOKS.fullmatch(path):
        whats = {"start": "start", "stop": "stop", None: "read"}
        return whats[notebook["verb"]], STARTED if notebook["id"] == GIVEN else NOTEBOOK, notebook["id"]
    found = PATH.fullmatch(path)
    if found is None or found["workflow"] not in (None, WORKFLOW):
        return "other", "", ""
    if found["things"] == "training-job-searches":
        return "search", TRAINING, ""
    kind = EXECUTION if found["workflow"] else TRAINING
    if not found["id"]:
        return ("create" if method == "POST" else "list"), kind, ""
    thing = f"{WORKFLOW}/{found['id']}" if found["workflow"] else found["id"]
    what = {None: "read", "actions": "stop", "events": "events"}.get(found["part"], "other")
    return what, kind, thing
