"""A tiny Forge over real HTTP: its jobs stand as a test says."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import Any

from http_servers import Answered, Asked

PAGE = 8
"""Jobs on a page of its list at most."""


class ForgeServer:
    """Answers what it is asked.

    :param phase: The phase of new jobs.
    """

    def __init__(self, phase: str = "hot") -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self.phase = phase
        self.url = ""
        self.lost = 0
        """How many create calls do their work and lose their answer."""
        self.asked: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __call__(self, request: Asked) -> Answered | None:
        if request.path == "/v3/tokens":
            lasts = {"issued": time.time(), "expires": time.time() + 3600}
            return Answered.of(201, lasts, X_Subject_Token="token-1")
        if request.headers.get("X-Token") != "token-1":
            return Answered.of(401, {"error_code": "FORGE.1", "error_msg": "who are you?"})
        answer = self.answer(request.method, request.path, request.query, request.json)
        return None if answer is None else Answered.of(*answer)

    def end(self, phase: str, *, log: str = "", why: str | None = None) -> None:
        """Let all jobs that go on come to their ends."""
        for job in self.jobs.values():
            if job["phase"] in ("queued", "hot"):
                job.update(phase=phase, log=log, why=why, finished=time.time())

    def answer(self, method: str, path: str, query: dict[str, str], body: dict[str, Any]) -> tuple[int, Any] | None:
        """Answer a request; ``None`` for an answer that is lost."""
        with self._lock:
            match [method, *path.strip("/").split("/")]:
                case ["POST", "jobs"]:
                    self.asked["create"] += 1
                    if any(job["name"] == body["name"] for job in self.jobs.values()):
                        return 400, {"error_code": "FORGE.NAME", "error_msg": "there is one of that name"}
                    job_id = f"j-{len(self.jobs):03x}"
                    given = {"description": body["description"], "created": time.time(), "started": time.time()}
                    new = {"id": job_id, "name": body["name"], "phase": self.phase, "finished": None, "why": None}
                    self.jobs[job_id] = new | given | {"log": ""}
                    if self.lost:
                        self.lost -= 1
                        return None
                    return 201, {"id": job_id}
                case ["GET", "jobs"]:
                    self.asked["list"] += 1
                    return 200, self._page(query)
                case ["GET", "jobs", job_id] if job_id in self.jobs:
                    self.asked["read"] += 1
                    return 200, self.jobs[job_id]
                case ["POST", "jobs", job_id, "end"] if job_id in self.jobs:
                    self.asked["stop"] += 1
                    if self.jobs[job_id]["phase"] in ("queued", "hot"):
                        self.jobs[job_id].update(phase="cold", finished=time.time())
                    return 200, {}
        return 400, {"error_code": "FORGE.404", "error_msg": "no such job"}

    def _page(self, query: dict[str, str]) -> dict[str, Any]:
        """Return a part of the list, the newest first; the cursor of the next is a word."""
        jobs = [job for job in reversed(self.jobs.values()) if query.get("name", "") in job["name"]]
        begin = int(query.get("cursor", "at 0").removeprefix("at "))
        end = begin + min(int(query["size"]), PAGE)
        return {"jobs": jobs[begin:end], "next": f"at {end}" if end < len(jobs) else None}
