"""Evaluations of models that AIHub carries out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_aihub.aihub.errors import AIHubParameterError, AIHubUnsupportedError
from airflow_provider_aihub.operators.base import JobOperator

if TYPE_CHECKING:
    from airflow_provider_aihub.aihub.model_center import ModelRecord
    from airflow_provider_aihub.aihub.model_tasks import ModelEval
    from airflow_provider_aihub.http.request import Request
    from airflow_provider_aihub.jobs.kind import JobState, ListRequest
    from airflow_provider_aihub.lineage import Lineage
    from airflow_provider_aihub.tasks.job_state import Marker


class ModelEvalOperator(JobOperator):
    """Have AIHub evaluate a model, and wait for the end of the workflow run that does it.

    Returns ``{"id", "model_id", "task_id", "name", "status", "workflow_run_id", "eval_report_id", "duration", "nodes":
    [{"name", "status"}]}``. The id is ``<model>/<task>``. ``eval_report_id`` is 0 if AIHub shows no report. Otherwise
    it is probably an id such as :class:`~airflow_provider_aihub.operators.eval_report.EvalReportOperator` returns;
    AIHub does not document it. Newer platforms only.

    AIHub shows which workflow run carries out an evaluation, and the task waits for the end of that run. Until there is
    one, the evaluation counts as waiting. AIHub does not document its words for the status of an evaluation, so they
    are ignored. AIHub accepts no description for an evaluation, so a marker of about fifty characters is added to its
    name; by it the task finds its own evaluation.

    :param model: Name of the model, or its id. Digits are read as an id.
    :param name: Name of the evaluation.
    :param template: Workflow template that evaluates, by name or id.
    :param template_params: Input parameters of the template, a dict. Numbers and booleans become text. A parameter that
        the template does not have is refused.
    :param infer_service_id: Id of the inference service that is asked.
    :param eval_method: AIHub's own word. Default: ``"service"``, the only one known.
    :param eval_type: AIHub's own word; the possible ones are not documented.
    :param eval_config: A dict in any form.
    :param virtual_cluster: Virtual cluster on which it runs, by name or id.
    :param stream_logs: Whether the logs of the nodes are copied to the task's log while they run, deferred or not, each
        line once. Default: false.

    The remaining parameters are those of :class:`~airflow_provider_aihub.operators.base.JobOperator`. When the task is
    killed, the workflow run of the evaluation is stopped; AIHub can stop nothing else of it.
    """

    kind = "model_eval"
    template_fields: Sequence[str] = (
        *JobOperator.template_fields,
        "model",
        "name",
        "template",
        "template_params",
        "infer_service_id",
        "eval_method",
        "eval_type",
        "eval_config",
        "virtual_cluster",
        "stream_logs",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"template_params": "json", "eval_config": "json"}

    def __init__(
        self,
        *,
        model: str | int,
        name: str,
        template: str | int | None = None,
        template_params: Mapping[str, Any] | None = None,
        infer_service_id: int | str | None = None,
        eval_method: str | None = None,
        eval_type: str | None = None,
        eval_config: Mapping[str, Any] | None = None,
        virtual_cluster: str | int | None = None,
        stream_logs: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.name = name
        self.template = template
        self.template_params = template_params
        self.infer_service_id = infer_service_id
        self.eval_method = eval_method
        self.eval_type = eval_type
        self.eval_config = eval_config
        self.virtual_cluster = virtual_cluster
        self.stream_logs = stream_logs
        self._record: ModelRecord | None = None

    def create_request(self, marker: Marker) -> Request[Any]:
        """Check the parameters and find the model, and ids for names."""
        from airflow_provider_aihub.aihub.model_tasks import ModelEvalSpec, create_model_eval_task, key_of
        from airflow_provider_aihub.aihub.values import check_text
        from airflow_provider_aihub.operators.model import find_model
        from airflow_provider_aihub.operators.names import known_id

        number = known_id("model", self.model)
        template, cluster = self.template, self.virtual_cluster
        spec = ModelEvalSpec.build(
            task_name=marker.sign(check_text("name", self.name)),
            eval_method=self.eval_method,
            eval_type=self.eval_type,
            infer_service_id=self.infer_service_id,
            # Names are looked up only once all else is known to be right.
            workflow_tmp_id=None if template is None else known_id("template", template) or 1,
            eval_config=self.eval_config,
            params=self.template_params,
            virtual_cluster_id=None if cluster is None else known_id("virtual_cluster", cluster) or 1,
        )
        record = self._record = find_model(self.hook, str(self.model) if number is None else number)
        request = create_model_eval_task(record.id, spec.model_copy(update=self._ids_by_name(spec.params or {})))
        return replace(request, read=lambda data: key_of(record.id, request.read(data)))  # type: ignore[arg-type, return-value]

    def _ids_by_name(self, params: Mapping[str, str]) -> dict[str, int]:
        from airflow_provider_aihub.aihub.tag_system import ModuleType
        from airflow_provider_aihub.operators.names import check_template_params, template_id, virtual_cluster_id
        from airflow_provider_aihub.operators.workflow_template import LACKING

        found = {}
        if self.template is not None:
            try:
                found["workflow_tmp_id"] = template_id(self.hook, self.template)
                check_template_params(self.hook, found["workflow_tmp_id"], params)
            except AIHubUnsupportedError:
                raise AIHubParameterError(LACKING) from None
        if self.virtual_cluster is not None:
            found["virtual_cluster_id"] = virtual_cluster_id(self.hook, self.virtual_cluster, ModuleType.WORKFLOW)
        return found

    def listing(self) -> ListRequest:
        """Return what lists the evaluations of the model."""
        from airflow_provider_aihub.aihub.kinds import model_evals_of

        return super().listing() if self._record is None else model_evals_of(self._record.id)

    def ended(self, state: JobState) -> None:
        """Log how it ended, and link to the workflow run."""
        super().ended(state)
        found: ModelEval = state.answer
        if found.run is not None:
            self.link_to(self._context, found.run.id, "workflow_run")

    def lineage(self, state: JobState | None, result: dict[str, Any] | None) -> Lineage:
        """Return the model. The parameters are left out, since they may hold secrets."""
        from airflow_provider_aihub.lineage import Lineage, model

        known = Lineage(job={"model": self.model, "template": self.template})
        if state is not None:
            found: ModelEval = state.answer
            known.run = {"id": found.key, "status": str(state.phase), "workflow_run_id": found.task.workflow_run_id}
            known.inputs = model(self.hook, found.task.model_name)
        if result:
            known.run |= {"eval_report_id": result["eval_report_id"]}
        return known

    def result(self, state: JobState) -> dict[str, Any]:
        """Return the ids of the evaluation and of what belongs to it, and how its nodes ended."""
        from airflow_provider_aihub.operators.workflow import run_summary

        found: ModelEval = state.answer
        if found.task.eval_report_id < 1:
            # The evaluation was read before its workflow run, which may have created the report in between.
            found = self.patiently(lambda: self.hook.send(self.job_kind.read(state.job_id)))
        return {
            "id": found.key,
            "model_id": found.task.model_id,
            "task_id": found.task.id,
            "name": str(self.name),
            "status": str(state.phase),
            "workflow_run_id": found.task.workflow_run_id,
            "eval_report_id": found.task.eval_report_id,
            **(run_summary(found.run) if found.run else {}),
        }
