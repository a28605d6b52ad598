"""Workflows of ModelArts: executions, their steps, and notifications about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow_provider_aihub.jobs.best_effort import best_effort
from airflow_provider_aihub.operators.modelarts_base import (
    ModelArtsCallOperator,
    ModelArtsJobOperator,
    as_list,
    skip_without,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_aihub.http.request import Request
    from airflow_provider_aihub.jobs.kind import JobKind, JobState, ListRequest
    from airflow_provider_aihub.lineage import Lineage
    from airflow_provider_aihub.modelarts.workflows import Inputs, WorkflowExecution
    from airflow_provider_aihub.tasks.job_state import Marker

MOST_STEPS = 100
"""Steps in the task's return value; their states are in the log and in the console as well."""


class ModelArtsWorkflowExecutionOperator(ModelArtsJobOperator):
    """Run a workflow and wait for its end; or run an execution again, or stop one.

    Returns ``{"id", "workflow_id", "execution_id", "name", "status", "duration", "steps": [{"name", "status"}]}``: the
    id is ``<workflow>/<execution>``, the duration as ModelArts gives it, the first 100 steps. A task that does not wait
    returns the id alone. A stop succeeds whichever way the execution ends, which the status tells: ``"stopped"``,
    ``"succeeded"`` or ``"failed"``. Without an id of an execution to stop, the task is skipped.

    :param workflow_id: Id of the workflow.
    :param name: Name of the execution.
    :param description: Free text; the marker is added.
    :param parameters: Parameters of the workflow: a dict, or a list in ModelArts' own form.
    :param data_requirements: Data for the run, a list in ModelArts' own form.
    :param labels: Words to find it by.
    :param scene_id: Id of the scene.
    :param workspace_id: Workspace of the execution. Default: that of the connection.
    :param use_cache: Whether results of earlier executions may be used.
    :param execution_id: Execution to act on, instead of starting one; its id, or ``<workflow>/<execution>``.
    :param action: What is done with it: ``"rerun"`` (default), or ``"stop"``. One that has ended need not be stopped.
    :param rerun_steps: Names of its steps that are run again. Default: as ModelArts chooses.
    :param on_waiting_step: What to do when a step waits for a person (``wait_inputs``, ``hold``): ``"wait"`` (default),
        with a line in the log and a link; ``"fail"``, which stops the execution unless ``cancel_on_kill`` is false; or
        ``"continue"``.
    :param waiting_step_inputs: Inputs with which steps continue, by the steps' names: a dict of ``{"parameters": ...,
        "data_requirements": ...}``.

    The remaining parameters are those of :class:`~.modelarts_base.ModelArtsJobOperator`.
    """

    kind = "workflow_execution"
    template_fields_renderers: ClassVar[dict[str, str]] = dict.fromkeys(
        ("parameters", "data_requirements", "waiting_step_inputs"), "json"
    )

    def __init__(
        self,
        *,
        workflow_id: str,
        name: str | None = None,
        description: str | None = None,
        parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        data_requirements: Sequence[Mapping[str, Any]] | None = None,
        labels: Sequence[str] | None = None,
        scene_id: str | None = None,
        workspace_id: str | None = None,
        use_cache: bool | str | None = None,
        execution_id: str | None = None,
        action: Literal["rerun", "stop"] | str = "rerun",
        rerun_steps: Sequence[str] | None = None,
        on_waiting_step: Literal["wait", "fail", "continue"] | str = "wait",
        waiting_step_inputs: Mapping[str, Mapping[str, Any]] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.workflow_id = workflow_id
        self.name = name
        self.description = description
        self.parameters = parameters
        self.data_requirements = data_requirements
        self.labels = labels
        self.scene_id = scene_id
        self.workspace_id = workspace_id
        self.use_cache = use_cache
        self.execution_id = execution_id
        self.action = action
        self.rerun_steps = rerun_steps
        self.on_waiting_step = on_waiting_step
        self.waiting_step_inputs = waiting_step_inputs

    @property
    def job_kind(self) -> JobKind:
        """An execution. If it is run again, it has no marker of this task; a waiting step may count as its end."""
        if self.action == "stop":
            return self.platform.kinds["workflow_execution_end"]
        name = self.kind if self.execution_id is None else "workflow_rerun"
        return self.platform.kinds[name if self.on_waiting_step == "wait" else f"{name}_attended"]

    @property
    def idempotent(self) -> bool:
        """Whether it is a stop, which may be asked for at any time."""
        return self.action == "stop"

    def execute(self, context: Context) -> Any:
        """Start, rerun or stop the execution. A stop without an id is skipped."""
        if self.action == "stop":
            skip_without("execution_id", self.execution_id)
        return super().execute(context)

    def create_request(self, marker: Marker) -> Request[Any]:
        """Check the parameters."""
        from airflow_provider_aihub.modelarts.errors import ModelArtsParameterError
        from airflow_provider_aihub.modelarts.values import check_text, parts_of, reading
        from airflow_provider_aihub.modelarts.workflows import (
            WorkflowExecutionSpec,
            act_on_workflow_execution,
            create_workflow_execution,
            stop_workflow_execution,
        )

        stops = check_text("action", self.action, "rerun|stop", "rerun or stop") == "stop"
        if self.execution_id is None and self.rerun_steps is not None:
            raise ModelArtsParameterError("rerun_steps are those of an execution; give its execution_id, too.")
        check_text("on_waiting_step", self.on_waiting_step, "wait|fail|continue", "wait, fail or continue")
        for step, given in _by_step(self.waiting_step_inputs).items():
            _inputs(f"waiting_step_inputs of {step}", given)
        if self.execution_id is None:
            spec = WorkflowExecutionSpec.build(
                name=self.name,
                description=marker.sign(self.description),
                parameters=as_list("parameters", self.parameters, _parameter),
                data_requirements=self.data_requirements,
                labels=self.labels,
                scene_id=self.scene_id,
                workspace_id=self.workspace_id,
                use_cache=self.use_cache,
            )
            request = create_workflow_execution(self.workflow_id, spec)
        else:
            (execution,) = parts_of("execution_id", self.execution_id, "execution")
            if stops:
                return reading(stop_workflow_execution(self.workflow_id, execution), lambda _: self._full_id(execution))
            inputs = _inputs("the execution", _given(self.parameters, self.data_requirements))
            request = act_on_workflow_execution(
                self.workflow_id, execution, "rerun", rerun_steps=self.rerun_steps, inputs=inputs
            )
        read = request.read
        return reading(request, lambda data: self._full_id(read(data).execution_id))

    def prepare_submission(self, request: Request[Any]) -> Request[Any]:
        """If the execution that is to be stopped has ended, return a request that reads it: a stop would be refused."""
        from airflow_provider_aihub.modelarts.values import parts_of, reading
        from airflow_provider_aihub.modelarts.workflows import get_workflow_execution

        if self.action != "stop":
            return request
        (execution,) = parts_of("execution_id", self.execution_id, "execution")
        look = get_workflow_execution(self.workflow_id, execution)
        ended = self.job_kind.state(execution, self.hook.send(look)).phase.terminal
        return reading(look, lambda _: self._full_id(execution)) if ended else request

    def _full_id(self, execution: str) -> str:
        return f"{self.workflow_id}/{execution}"

    def listing(self) -> ListRequest:
        """Return the request that lists the executions of the workflow. One that is run again cannot be found by a
        marker."""
        from airflow_provider_aihub.modelarts.kinds import executions_of

        if self.execution_id is not None:
            return super().listing()
        return executions_of(self.workflow_id, self.workspace_id)

    def attend(self, state: JobState) -> bool:
        """Continue the steps that wait for a person, or stop the execution, as ``on_waiting_step`` says."""
        from airflow_provider_aihub.modelarts.kinds import WAITS
        from airflow_provider_aihub.modelarts.parts import waiting_steps

        if state.status != WAITS:
            return False
        if self.on_waiting_step == "fail":
            self._give_up(state)
            return False
        for step in waiting_steps(state.answer):
            given = _by_step(self.waiting_step_inputs).get(step.step_name, {})
            self._continue(state, step.uuid, step.step_name, _inputs(step.step_name, given))
        return True

    def _give_up(self, state: JobState) -> None:
        called = self.job_kind.called(state.job_id)
        if self.options.cancel_on_kill:
            with best_effort(self.log, f"stopping {called}, which may still be running"):
                self.hook.stop_workflow_execution(self.workflow_id, state.answer.execution_id)
                self.log.info("Asked ModelArts to stop %s", called)

    def _continue(self, state: JobState, step_id: str, name: str, inputs: Inputs) -> None:
        from airflow_provider_aihub.modelarts.errors import ModelArtsAmbiguousSubmit, ModelArtsRejectedError
        from airflow_provider_aihub.modelarts.parts import waiting_steps

        run: WorkflowExecution = state.answer
        try:
            self.hook.act_on_workflow_step(self.workflow_id, run.execution_id, step_id, "continue", inputs)
        except (ModelArtsRejectedError, ModelArtsAmbiguousSubmit):
            # The step may have been continued already, by this call or by somebody else.
            now = self.patiently(lambda: self.hook.get_workflow_execution(self.workflow_id, run.execution_id))
            if any(step.uuid == step_id for step in waiting_steps(now)):
                raise
        self.log.info("Let step %s of %s go on, which waited for a person", name, self.job_kind.called(state.job_id))

    def lineage(self, state: JobState | None, result: dict[str, Any] | None) -> Lineage:  # noqa: ARG002
        """Return which workflow runs. Its parameters are left out, since they may hold secrets."""
        from airflow_provider_aihub.lineage import Lineage

        known = Lineage(job={"workflow_id": self.workflow_id})
        if state is not None:
            known.run = {"id": state.job_id, "status": str(state.phase), "steps": _steps(state.answer)}
        return known

    def result(self, state: JobState) -> dict[str, Any]:
        """Return the execution's ids, name and duration, and how its steps ended."""
        run: WorkflowExecution = state.answer
        return {
            "id": state.job_id,
            "workflow_id": run.workflow_id,
            "execution_id": run.execution_id,
            "name": run.name,
            "status": str(self.platform.kinds[self.kind].phases[state.status]),
            "duration": run.duration,
            "steps": _steps(run),
        }


class ModelArtsStepExecutionActionOperator(ModelArtsCallOperator):
    """Stop or retry a step of a workflow execution, or continue a step that waits for a person.

    Returns ``{"id", "name", "status"}`` of the step.

    :param workflow_id: Id of the workflow.
    :param execution_id: Id of the execution, or ``<workflow>/<execution>``.
    :param step: Name of the step.
    :param step_execution_id: Its id, instead of the name.
    :param action: ``"stop"``, ``"retry"`` or ``"continue"``.
    :param parameters: Parameters with which it continues: a dict, or a list in ModelArts' own form.
    :param data_requirements: Data with which it continues, a list in ModelArts' own form.

    The remaining parameters are those of :class:`~.modelarts_base.ModelArtsCallOperator`.
    """

    template_fields_renderers: ClassVar[dict[str, str]] = {"parameters": "json", "data_requirements": "json"}

    def __init__(
        self,
        *,
        workflow_id: str,
        execution_id: str,
        action: Literal["stop", "retry", "continue"],
        step: str | None = None,
        step_execution_id: str | None = None,
        parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        data_requirements: Sequence[Mapping[str, Any]] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.workflow_id = workflow_id
        self.execution_id = execution_id
        self.step = step
        self.step_execution_id = step_execution_id
        self.action = action
        self.parameters = parameters
        self.data_requirements = data_requirements

    def call(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """Act on the step."""
        from airflow_provider_aihub.modelarts.errors import ModelArtsParameterError
        from airflow_provider_aihub.modelarts.values import parts_of

        if (self.step is None) == (self.step_execution_id is None):
            raise ModelArtsParameterError("Either step or step_execution_id must be given, to say which step.")
        (execution,) = parts_of("execution_id", self.execution_id, "execution")
        inputs = _inputs("the step", _given(self.parameters, self.data_requirements))
        step_id = self.step_execution_id
        if step_id is None:
            steps = self.hook.get_workflow_execution(self.workflow_id, execution).steps_execution
            named = [step.uuid for step in steps if step.step_name == self.step]
            if not named:
                names = ", ".join(step.step_name for step in steps) or "no steps"
                raise ModelArtsParameterError(f"step is {self.step!r}, but execution {execution} has {names}.")
            step_id = named[-1]
        step = self.hook.act_on_workflow_step(self.workflow_id, execution, step_id, self.action, inputs)
        return {"id": step_id, "name": step.step_name or self.step, "status": step.status}


class ModelArtsWorkflowSubscriptionOperator(ModelArtsCallOperator):
    """Subscribe topics to notifications about the executions of a workflow, or delete a subscription.

    Returns ``{"id"}`` of the subscription.

    :param workflow_id: Id of the workflow.
    :param action: ``"create"`` (default) or ``"delete"``.
    :param topic_urns: To create: URNs of the topics.
    :param events: To create: ``<step, or * for all>:<states>``, such as ``*:failed,completed``.
    :param entity: To create: what it is about, in ModelArts' own word.
    :param subscription_id: To delete: its id. If it does not exist, the task succeeds; without an id it is skipped.

    The remaining parameters are those of :class:`~.modelarts_base.ModelArtsCallOperator`.
    """

    def __init__(
        self,
        *,
        workflow_id: str,
        action: Literal["create", "delete"] | str = "create",
        topic_urns: Sequence[str] | None = None,
        events: Sequence[str] | None = None,
        entity: str | None = None,
        subscription_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.workflow_id = workflow_id
        self.action = action
        self.topic_urns = topic_urns
        self.events = events
        self.entity = entity
        self.subscription_id = subscription_id

    def call(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """Create the subscription, or delete it."""
        from airflow_provider_aihub.modelarts.values import check_text
        from airflow_provider_aihub.modelarts.workflows import SubscriptionSpec

        if check_text("action", self.action, "create|delete", "create or delete") == "delete":
            skip_without("subscription_id", self.subscription_id)
            self.hook.delete_workflow_subscription(self.workflow_id, str(self.subscription_id))
            return {"id": self.subscription_id}
        spec = SubscriptionSpec.build(topic_urns=self.topic_urns, events=self.events, entity=self.entity)
        return {"id": self.hook.create_workflow_subscription(self.workflow_id, spec).subscription_id}


def _given(parameters: Any, data_requirements: Any) -> dict[str, Any]:
    return {"parameters": parameters, "data_requirements": data_requirements}


def _by_step(given: Any) -> Mapping[str, Any]:
    from airflow_provider_aihub.http.values import shown
    from airflow_provider_aihub.modelarts.errors import ModelArtsParameterError

    if given is not None and not isinstance(given, Mapping):
        raise ModelArtsParameterError(f"waiting_step_inputs must be a dict of steps, not {shown(given)}.")
    return given or {}


def _inputs(what: str, given: Any) -> Inputs:
    from airflow_provider_aihub.http.values import shown
    from airflow_provider_aihub.modelarts.errors import ModelArtsParameterError
    from airflow_provider_aihub.modelarts.workflows import Inputs

    if not isinstance(given, Mapping):
        raise ModelArtsParameterError(
            f'{what} must be a dict of "parameters" and "data_requirements", not {shown(given)}.'
        )
    parameters = as_list(f"{what}: parameters", given.get("parameters"), _parameter)
    return Inputs.build(**{**given, "parameters": parameters})


def _parameter(name: str, value: Any) -> dict[str, Any]:
    return {"name": name, "value": value}


def _steps(run: WorkflowExecution) -> list[dict[str, str]]:
    return [{"name": step.step_name, "status": step.status} for step in run.steps_execution[:MOST_STEPS]]
