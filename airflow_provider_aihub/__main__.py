"""``python -m airflow_provider_aihub check``."""

from __future__ import annotations

import sys

from airflow_provider_aihub.doctor.command import main

if __name__ == "__main__":
    sys.exit(main())
