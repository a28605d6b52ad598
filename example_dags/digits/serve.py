"""Name the digit on an image that is sent; a deployment on AIHub runs this, see digits_end_to_end.py.

It goes to AIHub with the model, so it needs nothing beside it: a POST of a PGM file (8x8 pixels, 16 greys) to any path
is answered ``{"digit": 7}``, a GET of any path says that it is well.
"""

from __future__ import annotations

import json
import os
import pickle
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

# It was registered by this DAG, out of a folder that only its jobs write to.
MODEL = pickle.loads(Path(__file__).with_name("model.pkl").read_bytes())  # noqa: S301


class Digits(BaseHTTPRequestHandler):
    """Answers one request."""

    def do_GET(self) -> None:
        """Say that the model is there."""
        self._answer({"model": type(MODEL).__name__})

    def do_POST(self) -> None:
        """Name the digit on an image."""
        image = self.rfile.read(int(self.headers["Content-Length"]))
        greys = np.frombuffer(image[-64:], dtype=np.uint8) / 16
        self._answer({"digit": int(MODEL.predict([greys])[0])})

    def _answer(self, said: dict[str, Any]) -> None:
        body = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    ThreadingHTTPServer((os.environ.get("HOST", "127.0.0.1"), int(os.environ["PORT"])), Digits).serve_forever()
