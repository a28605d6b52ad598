"""Run every DAG of the files given with ``dag.test()``, in an Airflow home of its own; write what became of them.

A program, not a module of tests: Airflow reads its home when it is imported, so it needs a process of its own.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path

from airflow.utils.db import initdb
from one_api import build_api_once
from packaging.version import Version

try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:
    from airflow.models.dagbag import DagBag


def main(waiting: str, result: Path, files: list[str]) -> None:
    """Run the DAGs and write their task states: ``{dag_id: {task_id: state}}``; beside it, those of the runs.

    :param waiting: ``in place`` to have nothing deferred.
    """
    airflow = Version(version("apache-airflow"))
    initdb()
    build_api_once()
    states: dict[str, dict[str, str]] = {}
    runs: dict[str, str] = {}
    for file in files:
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
            if waiting == "in place":
                for task in dag.tasks:
                    task.deferrable = False
            run = dag.test()
            runs[dag_id] = str(run.state)
            states[dag_id] = {ti.task_id: str(ti.state) for ti in run.get_task_instances()}
    result.write_text(json.dumps(states))
    result.with_name("runs.json").write_text(json.dumps(runs))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
