"""What importing operators costs on top of ``airflow.sdk``: ``python -m benchmarks.importing MODULE...``, in ms."""

from __future__ import annotations

import importlib
import json
import sys
import time

from airflow.sdk import BaseOperator, BaseSensorOperator  # noqa: F401 - what every DAG file has


def main(*modules: str) -> float:
    began = time.process_time()
    for module in modules:
        importlib.import_module(module)
    return 1000 * (time.process_time() - began)


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))  # noqa: T201 - it is what the caller reads
