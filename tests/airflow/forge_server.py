"""A tiny Forge over real HTTP: its jobs stand as a test says."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

PAGE = 8
"""Jobs on a page of its list at most."""


class ForgeServer:
    """Serves until it is closed.

    :param phase: The phase of new jobs.
    """

    def __init__(self, phase: str = "hot") -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self.phase = phase
        self.lost = 0
        """How many create calls do their work and lose their answer."""
        self.asked: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"forge": self}))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

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


class _Handler(BaseHTTPRequestHandler):
    forge: ForgeServer
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(size) or b"{}")
        parts = urlsplit(self.path)
        headers = {}
        if parts.path == "/v3/tokens":
            status, said = 201, {"issued": time.time(), "expires": time.time() + 3600}
            headers["X-Subject-Token"] = "token-1"
        elif self.headers.get("X-Token") != "token-1":
            status, said = 401, {"error_code": "FORGE.1", "error_msg": "who are you?"}
        else:
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            answer = self.forge.answer(self.command, parts.path, query, body)
            if answer is None:
                self.close_connection = True
                return
            status, said = answer
        content = json.dumps(said).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = _serve  # noqa: N815 - names of the standard library's

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
