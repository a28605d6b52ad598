"""What all sensors for ModelArts are built on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_aihub.operators.modelarts_base import ModelArtsTask
from airflow_provider_aihub.tasks.job_sensor import RemoteJobSensor

if TYPE_CHECKING:
    from airflow_provider_aihub.jobs.kind import JobState


class ModelArtsJobSensor(ModelArtsTask, RemoteJobSensor):
    """Wait for something on ModelArts to succeed.

    :param modelarts_conn_id: Connection of type ``modelarts``. Default: ``modelarts_default``.

    The remaining parameters are those of :class:`~airflow_provider_aihub.tasks.job_sensor.RemoteJobSensor`.
    """

    template_fields: Sequence[str] = ("modelarts_conn_id", *RemoteJobSensor.template_fields)
    ui_color = "#fff0ee"

    parts: ClassVar[int] = 1
    """How many parts an id has."""

    def __init__(self, *, modelarts_conn_id: str = "modelarts_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.modelarts_conn_id = modelarts_conn_id

    def result(self, state: JobState) -> dict[str, Any]:
        """Return the id and how it has ended."""
        # What came from an operator may have been an id of all parts already.
        return {"id": "/".join(str(state.job_id).split("/")[-self.parts :]), "status": str(state.phase)}
