"""For programs that run DAGs with ``dag.test()``: its API for tasks, built once."""

from __future__ import annotations

from functools import cache


def build_api_once() -> None:
    """Let ``dag.test()`` keep its API for tasks, as it does by itself from Airflow 3.3 on.

    Airflow 3.0 to 3.2 build it anew for every run of a task, which takes a processor seconds.
    """
    try:
        from airflow.sdk.execution_time import supervisor
    except ImportError:
        return
    if not hasattr(supervisor.in_process_api_server, "cache_info"):
        supervisor.in_process_api_server = cache(supervisor.in_process_api_server)
