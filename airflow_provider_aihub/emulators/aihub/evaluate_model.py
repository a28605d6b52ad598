"""The node of the pipeline ``evaluate-model``: look at a model, and report to AIHub how large it is.

A program of its own, which knows what an evaluation's node finds in its environment and nothing else.
"""

# ruff: noqa: T201, S310 - what a job prints is its log; the address is the emulator's own
from __future__ import annotations

import json
import os
from typing import Any
from urllib.request import Request, urlopen


def ask(path: str, body: Any = None) -> Any:
    """The ``data`` of what AIHub answers."""
    headers = {"Authorization": f"Bearer {os.environ['AI_HUB_TOKEN']}", "Content-Type": "application/json"}
    sent = None if body is None else json.dumps(body).encode()
    with urlopen(Request(os.environ["AIHUB_URL"] + path, sent, headers)) as answer:
        said = json.load(answer)
    if said["code"]:
        raise SystemExit(said["msg"])
    return said["data"]


def main() -> None:
    model = ask(f"/model-center/api/v1/models/db?id={os.environ['AIHUB_MODEL_ID']}")
    if model["status"] != "ready":
        raise SystemExit(f"The model {model['name']} is {model['status']}.")
    size = {"files": model["object_cnt"], "bytes": model["data_size"]}
    report = {
        "run_id": os.environ["AI_HUB_WORKFLOW_RUN_ID"],
        "name": os.environ.get("REPORT_NAME") or f"size of {model['name']}",
        "model_id": model["id"],
        "datasets": [{"dataset_name": os.environ.get("DATASET_NAME") or "none", "metrics": {"metrics": size}}],
        "overall_metrics": {"overall": size},
    }
    print(f"report {ask('/eval-platform/api/v2/run/', report)['id']}: {size}")


if __name__ == "__main__":
    main()
