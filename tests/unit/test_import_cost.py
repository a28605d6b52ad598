"""What a DAG file pays for importing the operators and sensors: nothing that is heavy."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "airflow_provider_aihub"
PUBLIC = [
    f"airflow_provider_aihub.{folder}.{file.stem}"
    for folder in ("operators", "sensors")
    for file in (PACKAGE / folder).glob("*.py")
    # What is about AIHub and no base of others.
    if file.stem not in ("__init__", "base", "call", "cluster_job", "late", "names")
    and not file.stem.startswith("modelarts")
]
"""The modules that DAG files import."""
HEAVY = ("aiohttp", "requests", "requests_toolbelt", "pandas", "numpy", "duckdb", "yarl", "urllib3")
SCRIPT = """
import importlib, json, sys
import airflow.sdk
from airflow.sdk import BaseOperator, BaseSensorOperator
before = set(sys.modules)
for module in json.loads(sys.argv[1]):
    importlib.import_module(module)
print(json.dumps(sorted(set(sys.modules) - before)))
"""
OLDER_SCRIPT = SCRIPT.replace(
    "import airflow.sdk\nfrom airflow.sdk import BaseOperator, BaseSensorOperator",
    """
import airflow.models
import airflow.sensors.base
""",
)


def test_nothing_heavy_is_imported_with_the_operators_and_sensors() -> None:
    try:
        import airflow.sdk  # noqa: F401
    except ImportError:
        script = OLDER_SCRIPT
    else:
        script = SCRIPT
    assert len(PUBLIC) >= 19
    done = subprocess.run(
        [sys.executable, "-c", script, json.dumps(PUBLIC)],
        stdout=subprocess.PIPE,
        cwd=PACKAGE.parent,
        check=True,
        text=True,
    )
    imported = json.loads(done.stdout.splitlines()[-1])
    assert set(PUBLIC) <= set(imported)
    assert not {module.partition(".")[0] for module in imported} & set(HEAVY)
    # Models take their time; they are imported where a task runs.
    own = {module for module in imported if module.startswith("airflow_provider_aihub.")}
    assert "airflow_provider_aihub.aihub.models" not in own
    assert "airflow_provider_aihub.aihub.config" not in own
    assert "airflow_provider_aihub.http.exchange" not in own
    # How Airflow divides itself into modules is not ours.
    assert len([module for module in imported if not module.startswith("airflow.sdk.")]) - len(PUBLIC) < 37
