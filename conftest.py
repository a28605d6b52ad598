"""What all tests have."""

from __future__ import annotations

pytest_plugins = ["airflow_provider_aihub.testing", "pytester"]
