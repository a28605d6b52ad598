"""Trainings whose command a function writes: ``@task.aihub_training``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import (
    SET_DURING_EXECUTION,
    DecoratedOperator,
    context_merge,
    determine_kwargs,
    task_decorator_factory,
)

from airflow_provider_aihub.aihub.errors import AIHubParameterError
from airflow_provider_aihub.operators.training import TrainingOperator
from airflow_provider_aihub.tasks.failures import task_failures

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, TaskDecorator

    from airflow_provider_aihub.jobs.kind import JobState


class TrainingDecoratedOperator(DecoratedOperator, TrainingOperator):
    """Run a training with the command that a function returns, and wait for its end.

    Returns what :class:`~airflow_provider_aihub.operators.training.TrainingOperator` does.

    :param python_callable: The function. It runs once for each try, before the training is created, and returns the
        command. Templates in it are rendered, as in ``@task.bash``.
    :param op_args: Positional arguments of the function.
    :param op_kwargs: Keyword arguments of the function.
    :param name: Name of the training. Default: the task's id.

    The remaining parameters are those of :class:`~airflow_provider_aihub.operators.training.TrainingOperator`, without
    ``command``.
    """

    template_fields: Sequence[str] = (*DecoratedOperator.template_fields, *TrainingOperator.template_fields)
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **DecoratedOperator.template_fields_renderers,
        **TrainingOperator.template_fields_renderers,
    }
    custom_operator_name = "@task.aihub_training"
    overwrite_rtif_after_execution = True

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            python_callable=python_callable,
            op_args=op_args,
            op_kwargs=op_kwargs,
            name=name,
            command=SET_DURING_EXECUTION,
            **kwargs,
        )

    def execute(self, context: Context) -> Any:
        """Let the function write the command, and run it.

        :raises AIHubParameterError: The function did not return a command.
        :raises AIHubError: One of its kinds, see :mod:`airflow_provider_aihub.aihub.errors`.
        """
        if self.name is None:
            self.name = self.task_id
        with task_failures(self.platform.errors):
            self.command = self._write_command(context)
        # Not that of DecoratedOperator, which in Airflow 3.0 needs what no operator has.
        return TrainingOperator.execute(self, context)

    def _write_command(self, context: Context) -> str:
        context_merge(context, self.op_kwargs)
        arguments = determine_kwargs(self.python_callable, self.op_args, context)
        command = self.python_callable(*self.op_args, **arguments)
        if not isinstance(command, str) or not command.strip():
            returned = "an empty one" if isinstance(command, str) else type(command).__name__
            raise AIHubParameterError(
                f"The function of task {self.task_id!r} must return the command that the training runs, as a text, but "
                f"it returned {returned}."
            )
        # The other fields are rendered already; what came into them must not be taken for a template again.
        rendered: str = self.render_template(command, context)
        return rendered

    def ended(self, state: JobState) -> None:
        """Let Airflow show the command: a task that resumes is a new instance, whose fields are shown as the task's."""
        self.command = state.answer.command
        super().ended(state)


def training_task(
    python_callable: Callable[..., Any] | None = None, *, multiple_outputs: bool = True, **kwargs: Any
) -> TaskDecorator:
    """Turn a function that returns a command into a task that runs it as a training on AIHub.

    In a DAG it is ``@task.aihub_training(image=..., virtual_cluster=..., project=..., ...)``.

    :param python_callable: The function.
    :param multiple_outputs: Whether each part of the training's result is an XCom of its own, too. Default: true.
    :param kwargs: Parameters of :class:`TrainingDecoratedOperator`.
    """
    return task_decorator_factory(
        python_callable=python_callable,
        # Airflow would infer it from what the function returns, which is the command.
        multiple_outputs=multiple_outputs,
        decorated_operator_class=TrainingDecoratedOperator,
        **kwargs,
    )
