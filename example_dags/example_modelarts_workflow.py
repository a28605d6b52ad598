"""Run a workflow on ModelArts two of whose steps wait for a person, who is told of how it ends.

The workflow is ``train-and-wait`` of the emulated ModelArts: its step ``label`` waits for labels, its step ``release``
for somebody's consent.
"""

from __future__ import annotations

from airflow.providers.common.compat.sdk import dag

from airflow_provider_aihub.operators.modelarts_workflow import (
    ModelArtsWorkflowExecutionOperator,
    ModelArtsWorkflowSubscriptionOperator,
)

WORKFLOW = "5c6f0f5d-5b53-4ea8-8f5e-40ab4bd0a7f3"
LABELS = {"name": "labels", "type": "obs", "value": {"obs_url": "obs://examples/labels/"}}


@dag(schedule=None, catchup=False, tags=["modelarts", "example"], doc_md=__doc__)
def example_modelarts_workflow() -> None:
    """Let the steps go on with the labels that are there, and tell a topic of what comes of it."""
    tell = ModelArtsWorkflowSubscriptionOperator(
        task_id="tell",
        workflow_id=WORKFLOW,
        topic_urns=["urn:smn:cn-north-4:0123456789abcdef0123456789abcdef:examples"],
        events=["*:failed,completed"],
    )
    run = ModelArtsWorkflowExecutionOperator(
        task_id="run",
        workflow_id=WORKFLOW,
        name="example",
        parameters={"epochs": 5},
        on_waiting_step="continue",
        waiting_step_inputs={"label": {"data_requirements": [LABELS]}},
        deferrable=True,
    )
    tell_no_more = ModelArtsWorkflowSubscriptionOperator(
        task_id="tell_no_more", workflow_id=WORKFLOW, action="delete", subscription_id=tell.output["id"]
    )
    tell >> run >> tell_no_more.as_teardown(setups=tell)


example_modelarts_workflow()
