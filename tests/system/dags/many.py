"""As many trainings at once as a run is told to have."""

from __future__ import annotations

from airflow.sdk import DAG, get_current_context, task

from airflow_provider_aihub.operators.training import TrainingOperator

with DAG("many", schedule=None, max_active_tasks=10_000):

    @task
    def names() -> list[str]:
        return [f"job-{number}" for number in range(get_current_context()["dag_run"].conf["count"])]

    TrainingOperator.partial(
        task_id="train",
        aihub_conn_id="{{ dag_run.conf['conn'] }}",
        # They do not all end in the same moment.
        command="sleep {{ dag_run.conf['seconds'] + ti.map_index }}",
        image="any",
        virtual_cluster=1,
        project=1,
        deferrable=True,
    ).expand(name=names())
