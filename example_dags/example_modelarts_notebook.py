"""Start a notebook of ModelArts for the tasks that need it, and stop it when they are done."""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_aihub.operators.modelarts_notebook import (
    ModelArtsStartNotebookOperator,
    ModelArtsStopNotebookOperator,
)
from airflow_provider_aihub.sensors.modelarts import ModelArtsNotebookSensor

NOTEBOOK = "6fa459ea-ee8a-4ca4-894e-db77e160355e"


@dag(schedule=None, catchup=False, tags=["modelarts", "example"], doc_md=__doc__)
def example_modelarts_notebook() -> None:
    """Keep a notebook up while one task needs it, for two hours at most."""

    @task
    def use_it() -> None:
        """Stand for the tasks that need it."""

    start = ModelArtsStartNotebookOperator(
        task_id="start", notebook_id=NOTEBOOK, duration=timedelta(hours=2), wait_for_completion=False
    )
    # The operator waits itself unless it is told not to.
    up = ModelArtsNotebookSensor(task_id="up", notebook_id=NOTEBOOK, poke_interval=5, timeout=600, deferrable=True)
    stop = ModelArtsStopNotebookOperator(task_id="stop", notebook_id=NOTEBOOK, deferrable=True)
    start >> up >> use_it() >> stop.as_teardown(setups=start, on_failure_fail_dagrun=True)


example_modelarts_notebook()
