"""Notebooks of ModelArts: started and stopped."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_aihub.operators.modelarts_base import ModelArtsJobOperator, skip_without

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_aihub.http.request import Request
    from airflow_provider_aihub.jobs.kind import JobKind, JobState
    from airflow_provider_aihub.modelarts.notebooks import Notebook
    from airflow_provider_aihub.tasks.job_state import Marker


class _NotebookOperator(ModelArtsJobOperator):
    """Start or stop a notebook, and wait until that is done.

    Returns ``{"id", "name", "status", "lease"}``: the status in ModelArts' word, the lease in milliseconds.
    """

    kind = "notebook"
    idempotent = True

    def __init__(self, *, notebook_id: str | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.notebook_id = notebook_id

    def result(self, state: JobState) -> dict[str, Any]:
        """Return the notebook's state. Its address is left out, since whoever has it can open the notebook."""
        notebook: Notebook = state.answer
        return {
            "id": notebook.id,
            "name": notebook.name,
            "status": notebook.status,
            "lease": notebook.lease.duration,
        }


class ModelArtsStartNotebookOperator(_NotebookOperator):
    """Start a notebook and wait until it runs. If it already runs, the task succeeds.

    Returns ``{"id", "name", "status", "lease"}``, the lease in milliseconds. When the task is killed meanwhile, the
    notebook is stopped, unless ``cancel_on_kill`` is false.

    :param notebook_id: Id of the notebook.
    :param duration: How long it shall run, as ``timedelta`` or in milliseconds, 1 to 72 hours. If it already runs, its
        lease is renewed. Default: ModelArts' own.
    :param lease_type: ``"timing"``, ModelArts' default, or ``"idle"``: the time starts again whenever it is used.

    The remaining parameters are those of :class:`~.modelarts_base.ModelArtsJobOperator`.
    """

    shared = True

    def __init__(
        self,
        *,
        notebook_id: str,
        duration: int | str | timedelta | None = None,
        lease_type: Literal["timing", "idle"] | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(notebook_id=notebook_id, **kwargs)
        self.duration = duration
        self.lease_type = lease_type

    @property
    def job_kind(self) -> JobKind:
        """A notebook that is to run, and that somebody may stop instead."""
        return self.platform.kinds["started_notebook"]

    def create_request(self, marker: Marker) -> Request[Any]:  # noqa: ARG002 - nothing is created
        """Check the parameters."""
        from airflow_provider_aihub.modelarts.notebooks import start_notebook
        from airflow_provider_aihub.modelarts.values import reading
        from airflow_provider_aihub.tasks.job_state import Tries

        notebook_id = str(self.notebook_id)
        if self._context is not None and Tries.of(self._context).tried:
            # An earlier try may have started it.
            self.started_id = notebook_id
        return reading(start_notebook(notebook_id, self.duration, self.lease_type), lambda _: notebook_id)

    def prepare_submission(self, request: Request[Any]) -> Request[Any]:
        """Renew the lease of a notebook that already runs: starting it would not change the lease."""
        self.started_id = str(self.notebook_id)
        if self.duration is not None:
            notebook_id = str(self.notebook_id)
            if self.hook.get_notebook(notebook_id).status.upper() == "RUNNING":
                self.hook.renew_notebook_lease(notebook_id, self.duration, self.lease_type)
        return request


class ModelArtsStopNotebookOperator(_NotebookOperator):
    """Stop a notebook and wait until it has stopped. If it has already stopped, the task succeeds.

    Returns ``{"id", "name", "status", "lease"}``. Without an id the task is skipped, so it can be a teardown.

    :param notebook_id: Id of the notebook.

    The remaining parameters are those of :class:`~.modelarts_base.ModelArtsJobOperator`.
    """

    def __init__(self, *, notebook_id: str | None, **kwargs: Any) -> None:
        # A stop cannot be cancelled.
        super().__init__(notebook_id=notebook_id, **{"cancel_on_kill": False, **kwargs})

    @property
    def job_kind(self) -> JobKind:
        """A notebook that is to stop."""
        return self.platform.kinds["stopped_notebook"]

    def execute(self, context: Context) -> Any:
        """Stop the notebook."""
        skip_without("notebook_id", self.notebook_id)
        return super().execute(context)

    def create_request(self, marker: Marker) -> Request[Any]:  # noqa: ARG002 - nothing is created
        """Check the id."""
        from airflow_provider_aihub.modelarts.notebooks import stop_notebook
        from airflow_provider_aihub.modelarts.values import reading

        notebook_id = str(self.notebook_id)
        return reading(stop_notebook(notebook_id), lambda _: notebook_id)
