"""Run every DAG of the files given with ``dag.test()``, in an Airflow home of its own; write what became of them.

See ``tests/dag_runs.py``.

A program, not a module of tests: Airflow reads its home when it is imported, so it needs a process of its own.
"""

from __future__ import annotations

import json
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from airflow.utils.db import initdb
from one_api import build_api_once
from packaging.version import Version

try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:
    from airflow.models.dagbag import DagBag


Runs = dict[str, tuple[str, dict[str, str]]]
"""For each DAG the state of its run and those of its tasks."""


def main(result: Path, rounds: list[dict[str, Any]]) -> None:
    """Run rounds of DAGs, and write the list of their :data:`Runs`."""
    initdb()
    build_api_once()
    result.write_text(json.dumps([run(**given) for given in rounds]))


def run(connections: dict[str, str], files: list[str], in_place: bool) -> Runs:
    """Run the DAGs of some files, one after the other."""
    for conn_id, connection in connections.items():
        os.environ.pop(f"AIRFLOW_CONN_{conn_id}", None)
        if connection:
            os.environ[f"AIRFLOW_CONN_{conn_id}"] = connection
    airflow = Version(version("apache-airflow"))
    runs: Runs = {}
    for file in files:
        os.environ["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"] = bundle_of(file)
        bag = DagBag(dag_folder=file)
        if bag.import_errors:
            raise ImportError(f"{bag.import_errors}")
        # Airflow before 3.1 leaves it to others to let the database know the assets, without which there are no events.
        if airflow < Version("3"):
            bag.sync_to_db()
        elif airflow < Version("3.1"):
            from airflow.dag_processing.bundles.manager import DagBundlesManager

            DagBundlesManager().sync_bundles_to_db()
            bag.sync_to_db("dags-folder", None)
        for dag_id, dag in bag.dags.items():
            if in_place:
                for task in dag.tasks:
                    task.deferrable = False
            ended = dag.test()
            runs[dag_id] = str(ended.state), {ti.task_id: str(ti.state) for ti in ended.get_task_instances()}
    return runs


def bundle_of(file: str) -> str:
    """Return the one bundle that there is for ``dag.test()`` as JSON: it reads all files of it before each run."""
    local = "airflow.dag_processing.bundles.local.LocalDagBundle"
    return json.dumps([{"name": "dags-folder", "classpath": local, "kwargs": {"path": file}}])


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
