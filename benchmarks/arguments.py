"""How many bytes the serialized arguments of a typical trigger take: ``python -m benchmarks.arguments WHOSE``."""

from __future__ import annotations

import json
import sys

from airflow.sdk import serde
from airflow.triggers.base import BaseTrigger


def aihub() -> BaseTrigger:
    from airflow_provider_aihub.triggers.job import JobTrigger

    return JobTrigger(
        aihub_conn_id="aihub_default", kind="training", job_id=123456, since=1780000000.123456, deadline=1780086400.5
    )


def databricks() -> BaseTrigger:
    from airflow.providers.databricks.triggers.databricks import DatabricksExecutionTrigger

    return DatabricksExecutionTrigger(
        run_id=123456,
        databricks_conn_id="databricks_default",
        run_page_url="https://example.cloud.databricks.com/#job/11/run/123456",
    )


def main(whose: str) -> int:
    classpath, given = {"aihub": aihub, "databricks": databricks}[whose]().serialize()
    return len(classpath) + len(json.dumps(serde.serialize(given)))


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))  # noqa: T201
