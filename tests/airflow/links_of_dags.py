"""Run every DAG of a file with ``dag.test()``, and write the links that Airflow then shows for each task instance.

A program, not a module of tests: Airflow reads its home when it is imported, so it needs a process of its own.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from airflow.utils.db import initdb
from one_api import build_api_once
from serialized import round_trip

try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:
    from airflow.models.dagbag import DagBag


def main(result: Path, file: str) -> None:
    """Run the DAGs and write their links: ``{task_id[map_index]: {name: address}}``."""
    initdb()
    build_api_once()
    links = {}
    bag = DagBag(dag_folder=file)
    if bag.import_errors:
        raise ImportError(f"{bag.import_errors}")
    for dag in bag.dags.values():
        run = dag.test()
        shown = round_trip(dag)
        for ti in run.get_task_instances():
            task = shown.get_task(ti.task_id)
            links[f"{ti.task_id}[{ti.map_index}]"] = {
                name: task.get_extra_links(ti, name) for name in sorted(task.extra_links)
            }
    result.write_text(json.dumps(links))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
