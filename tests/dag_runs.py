"""Real runs of DAGs: with ``dag.test()``, in an Airflow home of their own and so in a process of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from waiting import HANG

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Round:
    """Files whose DAGs are run one after the other.

    :param connection: What is behind ``aihub_default`` meanwhile.
    :param in_place: Nothing is deferred. Default: as the DAGs have it.
    :param modelarts: What is behind ``modelarts_default`` meanwhile. Default: nothing.
    """

    connection: str
    files: Sequence[Path]
    in_place: bool = False
    modelarts: str = ""


class Run(NamedTuple):
    """How a run of a DAG ended: its own state, and those of its tasks."""

    state: str
    tasks: dict[str, str]


def run_dags(home: Path, dags: Path, *rounds: Round, env: Mapping[str, str] | None = None) -> list[dict[str, Run]]:
    """Run DAGs, and return for each round the runs by DAG. An Airflow takes long to start: one serves all rounds.

    :param home: Folder for its database, ``airflow.db``.
    :param dags: The folder in which it looks for DAGs.
    """
    given = [
        {
            "connections": {"AIHUB_DEFAULT": one.connection, "MODELARTS_DEFAULT": one.modelarts},
            "files": [*map(str, one.files)],
            "in_place": one.in_place,
        }
        for one in rounds
    ]
    ended = json.loads(run_in_airflow("run_dags.py", home, dags, json.dumps(given), env=env))
    return [{dag: Run(*run) for dag, run in runs.items()} for runs in ended]


def run_in_airflow(program: str, home: Path, dags: Path, *arguments: Any, env: Mapping[str, str] | None = None) -> str:
    """Run a program of ``tests/airflow`` in an Airflow home, and return the text of the file that it writes.

    What it prints is in ``printed.txt`` of the home.
    """
    home.mkdir(exist_ok=True)
    result = home / "result.json"
    command = [sys.executable, str(ROOT / "tests" / "airflow" / program), str(result), *map(str, arguments)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
    settings = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        # There is no scheduler for whose sake a trigger would hold its event back.
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "0",
        "AIRFLOW__AIHUB__POLL_FLOOR": "0.1",
        "AIRFLOW__MODELARTS__POLL_FLOOR": "0.1",
        "NO_PROXY": "127.0.0.1,localhost",
    }
    everything = {**kept, **settings, **(env or {})}
    done = subprocess.run(command, env=everything, cwd=ROOT, capture_output=True, text=True, timeout=HANG, check=False)
    (home / "printed.txt").write_text(done.stdout + done.stderr)
    assert done.returncode == 0, done.stdout[-50000:] + done.stderr[-5000:]
    return result.read_text()
