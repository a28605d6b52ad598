"""Where :mod:`airflow_provider_aihub.emulators.aihub` was in earlier versions."""

from __future__ import annotations

from airflow_provider_aihub.emulators.aihub import *  # noqa: F403
from airflow_provider_aihub.emulators.aihub import __all__ as __all__
