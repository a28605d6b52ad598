"""Follow a workflow on ModelArts step by step, and let a step go on that waits for its inputs.

The workflow is ``train-and-wait`` of the emulated ModelArts: its step ``label`` waits for labels, its step ``release``
for somebody's consent.
"""

from __future__ import annotations

from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_aihub.operators.modelarts_workflow import (
    ModelArtsStepExecutionActionOperator,
    ModelArtsWorkflowExecutionOperator,
)
from airflow_provider_aihub.sensors.modelarts import (
    ModelArtsWorkflowExecutionSensor,
    ModelArtsWorkflowStepSensor,
)

WORKFLOW = "5c6f0f5d-5b53-4ea8-8f5e-40ab4bd0a7f3"
LABELS = {"name": "labels", "type": "obs", "value": {"obs_url": "obs://examples/labels/"}}


@dag(schedule=None, catchup=False, tags=["modelarts", "example"], doc_md=__doc__)
def example_modelarts_workflow_steps() -> None:
    """Make the labels when the model is there, and hand them to the step that waits for them."""
    start = ModelArtsWorkflowExecutionOperator(
        task_id="start", workflow_id=WORKFLOW, name="example-steps", wait_for_completion=False
    )
    # An id of two parts, <workflow>/<execution>, which will do wherever an execution is wanted.
    execution = start.output["id"]
    trained = ModelArtsWorkflowStepSensor(
        task_id="trained", workflow_id=WORKFLOW, execution_id=execution, step="train", poke_interval=2, deferrable=True
    )

    @task.sensor(poke_interval=1, timeout=3600)
    def it_waits(execution: str, step: str) -> bool:
        """Wait until a step asks for what it lacks."""
        from airflow_provider_aihub.hooks.modelarts import ModelArtsHook

        steps = ModelArtsHook().get_workflow_execution(*execution.split("/")).steps_execution
        return {one.step_name: one.status for one in steps}.get(step) in ("wait_inputs", "hold")

    label = ModelArtsStepExecutionActionOperator(
        task_id="label",
        workflow_id=WORKFLOW,
        execution_id=execution,
        step="label",
        action="continue",
        data_requirements=[LABELS],
    )
    release = ModelArtsStepExecutionActionOperator(
        task_id="release", workflow_id=WORKFLOW, execution_id=execution, step="release", action="continue"
    )
    done = ModelArtsWorkflowExecutionSensor(
        task_id="done", workflow_id=WORKFLOW, execution_id=execution, poke_interval=5, timeout=3600, deferrable=True
    )
    labels_wanted = it_waits.override(task_id="labels_wanted")(execution, "label")
    consent_wanted = it_waits.override(task_id="consent_wanted")(execution, "release")
    trained >> labels_wanted >> label >> consent_wanted >> release >> done


example_modelarts_workflow_steps()
