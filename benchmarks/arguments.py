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


if __name__ == "__main__":
    classpath, given = {"aihub": aihub, "databricks": databricks}[sys.argv[1]]().serialize()
    print(json.dumps(len(classpath) + len(json.dumps(serde.serialize(given)))))  # noqa: T201
