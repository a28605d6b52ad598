"""Where :mod:`airflow_provider_aihub.aihub.errors` was in earlier versions."""

from __future__ import annotations

from airflow_provider_aihub.aihub.errors import *  # noqa: F403
