"""``python -m airflow_provider_aihub.emulators.aihub``, as in earlier versions."""

from __future__ import annotations

from airflow_provider_aihub.emulators.aihub.__main__ import main

if __name__ == "__main__":
    main()
