"""Save the container of a running training job as an image, and stop the job whatever happens."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_aihub.operators.modelarts_training_job import (
    ModelArtsSaveImageOperator,
    ModelArtsStopTrainingJobOperator,
    ModelArtsTrainingJobOperator,
)
from airflow_provider_aihub.sensors.modelarts import ModelArtsSavedImageSensor


@dag(schedule=None, catchup=False, tags=["modelarts", "example"], doc_md=__doc__)
def example_modelarts_save_image() -> None:
    """Prepare a container, keep it as an image, and give the node back."""
    start = ModelArtsTrainingJobOperator(
        task_id="start",
        name="example-image",
        image="team/pytorch:2.9",
        command="echo installing; sleep 3600",
        flavor_id="modelarts.p3.large.public",
        wait_for_completion=False,
    )

    @task.sensor(poke_interval=1, timeout=3600)
    def it_runs(job_id: str) -> bool:
        """Wait until there is a container that can be saved."""
        from airflow_provider_aihub.hooks.modelarts import ModelArtsHook

        return ModelArtsHook().get_training_job(job_id).status.phase == "Running"

    save = ModelArtsSaveImageOperator(
        task_id="save",
        training_job_id=start.output["id"],
        name="pytorch-prepared",
        namespace="team",
        tag="{{ run_id | replace(':', '-') | replace('+', '-') }}",
        wait_for_completion=False,
    )
    # The operator waits itself unless it is told not to.
    saved = ModelArtsSavedImageSensor(
        task_id="saved", training_job_id=start.output["id"], poke_interval=5, timeout=3600, deferrable=True
    )
    # Where nothing was started there is no id, and the task is skipped.
    stop = ModelArtsStopTrainingJobOperator(
        task_id="stop", training_job_id="{{ ti.xcom_pull('start', key='job_id') }}", deferrable=True
    )
    # A job that runs on makes the DAG's run a failed one; without this a teardown that fails does not.
    it_runs(start.output["id"]) >> save >> saved >> stop.as_teardown(setups=start, on_failure_fail_dagrun=True)


example_modelarts_save_image()
