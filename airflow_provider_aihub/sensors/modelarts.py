"""Waiting for what runs on ModelArts, whoever started it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_aihub.sensors.modelarts_base import ModelArtsJobSensor

if TYPE_CHECKING:
    from airflow_provider_aihub.jobs.kind import JobKind


class ModelArtsTrainingJobSensor(ModelArtsJobSensor):
    """Wait for a training job to succeed. Returns ``{"id", "status"}``.

    :param training_job_id: Id of the training job.

    The remaining parameters are those of :class:`~.modelarts_base.ModelArtsJobSensor`.
    """

    kind = "training_job"
    job_field = "training_job_id"

    def __init__(self, *, training_job_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.training_job_id = training_job_id


class ModelArtsWorkflowExecutionSensor(ModelArtsJobSensor):
    """Wait for an execution of a workflow to succeed. Returns ``{"id", "status"}``, the id ``<workflow>/<execution>``.

    While a step waits for a person, the sensor waits, too, and the log says so.

    :param workflow_id: Id of the workflow.
    :param execution_id: Id of the execution, or ``<workflow>/<execution>``.

    The remaining parameters are those of :class:`~.modelarts_base.ModelArtsJobSensor`.
    """

    kind = "workflow_execution"
    parts = 2
    job_field = "execution_id"

    def __init__(self, *, workflow_id: str, execution_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.workflow_id = workflow_id
        self.execution_id = execution_id

    def _reference(self) -> str:
        return f"{self.workflow_id}/{self.execution_id}"


class ModelArtsWorkflowStepSensor(ModelArtsWorkflowExecutionSensor):
    """Wait for a step of a workflow execution to succeed. Returns ``{"id", "status"}``.

    A step that is not there yet is waited for until the execution has ended.

    :param step: Name of the step.

    The remaining parameters are those of :class:`ModelArtsWorkflowExecutionSensor`.
    """

    kind = "workflow_step"
    parts = 3

    def __init__(self, *, step: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.step = step

    def _reference(self) -> str:
        return f"{super()._reference()}/{self.step}"


class ModelArtsNotebookSensor(ModelArtsJobSensor):
    """Wait for a notebook to run, or to have stopped. Returns ``{"id", "status"}``.

    :param notebook_id: Id of the notebook.
    :param until: ``"running"`` (default) or ``"stopped"``.

    The remaining parameters are those of :class:`~.modelarts_base.ModelArtsJobSensor`.
    """

    kind = "notebook"
    job_field = "notebook_id"

    def __init__(
        self, *, notebook_id: str, until: Literal["running", "stopped"] | str = "running", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.notebook_id = notebook_id
        self.until = until

    @property
    def job_kind(self) -> JobKind:
        """A notebook that is to run, or to stop.

        :raises ModelArtsParameterError: ``until`` is neither.
        """
        from airflow_provider_aihub.modelarts.values import check_text

        check_text("until", self.until, "running|stopped", "running or stopped")
        return self.platform.kinds["stopped_notebook" if self.until == "stopped" else "notebook"]


class ModelArtsSavedImageSensor(ModelArtsJobSensor):
    """Wait until a container of a training job is saved as an image that can be used. Returns ``{"id", "status"}``.

    :param training_job_id: Id of the training job.
    :param task: Which of its tasks. Default: ``worker-0``.

    The remaining parameters are those of :class:`~.modelarts_base.ModelArtsJobSensor`.
    """

    kind = "saved_image"
    parts = 2
    job_field = "training_job_id"

    def __init__(self, *, training_job_id: str, task: str = "worker-0", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.training_job_id = training_job_id
        self.task = task

    def _reference(self) -> str:
        return f"{self.training_job_id}/{self.task}"
