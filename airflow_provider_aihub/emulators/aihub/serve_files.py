"""What a deployment runs that names no command: it says that it is well, and which files its model has.

A program of its own, which knows what a deployment's container finds in its environment and nothing else.
"""

from __future__ import annotations

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Files(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        folder = Path(os.environ["MODEL_PATH"])
        files = {str(path.relative_to(folder)): path.stat().st_size for path in folder.rglob("*") if path.is_file()}
        body = json.dumps({"status": "ok", "files": files}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Files).serve_forever()
