"""Runs of workflow templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_aihub.aihub.errors import AIHubParameterError, AIHubUnsupportedError
from airflow_provider_aihub.operators.base import JobOperator

if TYPE_CHECKING:
    from airflow_provider_aihub.aihub.workflow_center import WorkflowRun
    from airflow_provider_aihub.http.request import Request
    from airflow_provider_aihub.jobs.kind import JobState
    from airflow_provider_aihub.lineage import Lineage
    from airflow_provider_aihub.tasks.job_state import Marker

LACKING = (
    "This AIHub has no workflow templates, which newer platforms have; run a pipeline there with WorkflowRunOperator."
)


class WorkflowTemplateRunOperator(JobOperator):
    """Run a workflow template and wait for the end of the workflow run.

    Returns ``{"id", "name", "status", "duration", "nodes": [{"name", "status"}]}``, as
    :class:`~airflow_provider_aihub.operators.workflow.WorkflowRunOperator` does. Newer platforms only.

    AIHub accepts no description for such a run, so a marker of about fifty characters is added to its name; by it the
    task finds its own run. The id in AIHub's answer is taken to be that of the workflow run, as AIHub's own client
    does.

    :param name: Name of the run.
    :param template: Template to run, by name or id. Digits are read as an id.
    :param virtual_cluster: Virtual cluster on which all of its nodes run, by name or id.
    :param template_params: Input parameters of the template, a dict. Numbers and booleans become text. A parameter that
        the template does not have is refused.
    :param stream_logs: Whether the logs of its nodes are copied to the task's log while it runs, deferred or not, each
        line once. Default: false.

    The remaining parameters are those of :class:`~airflow_provider_aihub.operators.base.JobOperator`.
    """

    kind = "template_run"
    template_fields: Sequence[str] = (
        *JobOperator.template_fields,
        "name",
        "template",
        "virtual_cluster",
        "template_params",
        "stream_logs",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"template_params": "json"}

    def __init__(
        self,
        *,
        name: str,
        template: str | int,
        virtual_cluster: str | int,
        template_params: Mapping[str, Any] | None = None,
        stream_logs: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.template = template
        self.virtual_cluster = virtual_cluster
        self.template_params = template_params
        self.stream_logs = stream_logs

    def create_request(self, marker: Marker) -> Request[int]:
        """Check the parameters and find ids for names."""
        from airflow_provider_aihub.aihub.tag_system import ModuleType
        from airflow_provider_aihub.aihub.templates import TemplateRunSpec, run_template
        from airflow_provider_aihub.aihub.values import check_text
        from airflow_provider_aihub.operators.names import (
            check_template_params,
            known_id,
            template_id,
            virtual_cluster_id,
        )

        known_id("template", self.template)
        spec = TemplateRunSpec.build(
            name=marker.sign(check_text("name", self.name)),
            params=self.template_params,
            # Names are looked up only once all else is known to be right.
            virtual_cluster_id=known_id("virtual_cluster", self.virtual_cluster) or 1,
        )
        try:
            number = template_id(self.hook, self.template)
            check_template_params(self.hook, number, spec.params)
        except AIHubUnsupportedError:
            raise AIHubParameterError(LACKING) from None
        cluster_id = virtual_cluster_id(self.hook, self.virtual_cluster, ModuleType.WORKFLOW)
        return run_template(number, spec.model_copy(update={"virtual_cluster_id": cluster_id}))

    def lineage(self, state: JobState | None, result: dict[str, Any] | None) -> Lineage:  # noqa: ARG002
        """Return which template runs. Its parameters are left out, since they may hold secrets."""
        from airflow_provider_aihub.operators.workflow import run_lineage

        return run_lineage(state, {"template": self.template})

    def result(self, state: JobState) -> dict[str, Any]:
        """Return the run's id, name and duration, and how its nodes ended."""
        from airflow_provider_aihub.operators.workflow import run_summary

        run: WorkflowRun = state.answer
        return {"id": run.id, "name": str(self.name), "status": str(state.phase), **run_summary(run)}
