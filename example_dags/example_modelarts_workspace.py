"""Set quotas of a workspace of ModelArts, and make an app for those who call its services."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_aihub.operators.modelarts_app import ModelArtsCreateAppOperator
from airflow_provider_aihub.operators.modelarts_workspace import ModelArtsWorkspaceQuotaOperator

VARIABLE = "example_modelarts_app_secret"


@dag(schedule=None, catchup=False, tags=["modelarts", "example"], doc_md=__doc__)
def example_modelarts_workspace() -> None:
    """Bound what the default workspace uses, and keep the app's secret in a variable for as long as it is used."""
    set_quotas = ModelArtsWorkspaceQuotaOperator(
        task_id="set_quotas", quotas={"trainJob.quantity": 100, "notebook.quantity": 10}
    )
    create_app = ModelArtsCreateAppOperator(
        task_id="create_app",
        app_name="example",
        # Its name has Airflow mask the value wherever it shows variables.
        secret_variable=VARIABLE,
        app_remark="Made by an example",
    )

    @task
    def delete_app(app_id: str) -> int:
        """Delete the app, and forget its secret; return how long that was."""
        import json

        from airflow.providers.common.compat.sdk import Variable

        from airflow_provider_aihub.hooks.modelarts import ModelArtsHook

        # Here others would call a service with it.
        secret = json.loads(Variable.get(VARIABLE))["app_secret"]
        ModelArtsHook().delete_app(app_id)
        Variable.delete(VARIABLE)
        return len(secret)

    set_quotas >> create_app >> delete_app(create_app.output["id"])


example_modelarts_workspace()
