"""DAGs as Airflow's scheduler and UI have them: written as JSON and read again, without their code."""

from __future__ import annotations

import json
from typing import Any

try:
    from airflow.serialization.serialized_objects import DagSerialization
except ImportError:
    from airflow.serialization.serialized_objects import SerializedDAG as DagSerialization


def round_trip(dag: Any) -> Any:
    """Write a DAG and read it again."""
    return DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag))))
