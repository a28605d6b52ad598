"""Run trainings whose commands are written by a function, one for each learning rate."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import dag, task


@dag(schedule=None, catchup=False, tags=["aihub", "example"], doc_md=__doc__)
def example_training_decorator() -> None:
    """Prepare once, then train with every learning rate."""
    # The project's name will do where AIHub lists its projects.
    cluster = {"image": "registry.local/pytorch:2.9", "virtual_cluster": "vc-cpu", "project": 2}

    @task.aihub_training(**cluster, name="prepare-{{ run_id }}", deferrable=True)
    def prepare(epochs: int) -> str:
        """Return the command that AIHub runs."""
        return f"echo preparing for {epochs} epochs"

    @task.aihub_training(**cluster, deferrable=True)
    def train(learning_rate: float, epochs: int) -> str:
        """Return one command for each learning rate."""
        return f"echo training for {epochs} epochs with learning rate {learning_rate}"

    prepare(epochs=3) >> train.partial(epochs=3).expand(learning_rate=[0.1, 0.01])


example_training_decorator()
