"""What importing operators costs on top of ``airflow.sdk``: ``python -m benchmarks.importing MODULE...``, in ms."""

from __future__ import annotations

import importlib
import json
import sys
import time

from airflow.sdk import BaseOperator, BaseSensorOperator  # noqa: F401 - what every DAG file has

if __name__ == "__main__":
    began = time.process_time()
    for module in sys.argv[1:]:
        importlib.import_module(module)
    print(json.dumps(1000 * (time.process_time() - began)))  # noqa: T201 - it is what the caller reads
