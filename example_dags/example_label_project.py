"""Wait until people have labelled a project and its labels are exported. Newer platforms only."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_aihub.sensors.label_project import LabelProjectSensor


@dag(schedule=None, catchup=False, tags=["aihub", "example"], doc_md=__doc__)
def example_label_project() -> None:
    """Go on with the labels once they are there."""

    @task
    def use_labels(dataset: str) -> None:
        """Stand for a training."""
        print(f"The labels are in the dataset {dataset}")  # noqa: T201

    wait = LabelProjectSensor(
        task_id="wait",
        label_project="example",
        exported=True,
        poke_interval=600,
        timeout=30 * 24 * 3600,
        deferrable=True,
    )
    use_labels(wait.output["exported_dataset_name"])  # type: ignore[arg-type]


example_label_project()
