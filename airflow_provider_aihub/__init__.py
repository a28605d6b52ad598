"""The Apache Airflow provider for AIHub."""

from __future__ import annotations

from typing import Any

__version__ = "1.0.0"


def get_provider_info() -> dict[str, Any]:
    """Tell Airflow what this provider brings; the entry point ``apache_airflow_provider``."""
    from copy import deepcopy

    from airflow_provider_aihub.provider_info import PROVIDER_INFO

    # Airflow writes into what it is given.
    return deepcopy(PROVIDER_INFO)
