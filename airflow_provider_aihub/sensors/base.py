"""What all sensors for AIHub are built on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_provider_aihub.operators.base import AIHubTask
from airflow_provider_aihub.tasks.job_sensor import RemoteJobSensor


class JobSensor(AIHubTask, RemoteJobSensor):
    """Wait for a job on AIHub to succeed.

    :param aihub_conn_id: Connection of type ``aihub``. Default: ``aihub_default``.

    The remaining parameters are those of :class:`~airflow_provider_aihub.tasks.job_sensor.RemoteJobSensor`.
    """

    template_fields: Sequence[str] = ("aihub_conn_id", *RemoteJobSensor.template_fields)
    ui_color = "#e8f0ff"

    def __init__(self, *, aihub_conn_id: str = "aihub_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.aihub_conn_id = aihub_conn_id
