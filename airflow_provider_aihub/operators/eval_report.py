"""Reports of evaluations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_aihub.aihub.errors import AIHubAmbiguousSubmit, AIHubParameterError, AIHubUnsupportedError
from airflow_provider_aihub.lineage import HasLineage
from airflow_provider_aihub.links import ViewInAIHubLink
from airflow_provider_aihub.operators.call import CallOperator
from airflow_provider_aihub.operators.late import wait_until_shown

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_aihub.aihub.eval_platform import EvalReport, EvalReportSpec
    from airflow_provider_aihub.jobs.kind import JobState
    from airflow_provider_aihub.lineage import Lineage

LACKING = (
    "This AIHub has no evaluation platform, which newer platforms have; import a model and its predictions there with "
    "EvalImportOperator."
)
PAGE_SIZE = 100
MOST_PAGES = 100


class EvalReportOperator(CallOperator, HasLineage):
    """Report existing results about a model to AIHub.

    Returns ``{"id", "name", "run_id", "created"}``; ``created`` is false if AIHub already had the report. Newer
    platforms only.

    A report is identified by its name and its ``run_id``, a text that says what produced the results. AIHub cannot
    change a report, so one that already has this name and ``run_id`` is left as it is. By default ``run_id`` belongs to
    this task and run: a retry creates no second report, a cleared task creates a new one.

    :param name: Name of the report.
    :param eval_type: What it is about: ``"cv"``, ``"llm"``, ``"reid"`` or ``"performance"``. Default: AIHub's.
    :param datasets: The results on each dataset: a list of dicts with the fields of
        :class:`~airflow_provider_aihub.aihub.eval_platform.DatasetReportSpec`, such as ``{"dataset_name": "faces/V1",
        "metrics": {"metrics": {"accuracy": 0.97}}}``.
    :param overall_metrics: The results over all: a dict with the fields of
        :class:`~airflow_provider_aihub.aihub.eval_platform.OverallMetricsSpec`.
    :param model: Model in the model center, by name or id. Digits are read as an id.
    :param eval_run_id: AIHub's ``run_id``: the id of the workflow run that produced the results, or any other text.
    :param eval_config: How the model was evaluated: a dict in any form.
    :param performance: For ``"performance"``: a list of ``{"metric_name", "value", "unit"}``.
    :param performance_artifact_path: For ``"performance"``: where the results are.
    :param reid_config: For ``"reid"``: a dict with the fields of
        :class:`~airflow_provider_aihub.aihub.eval_platform.ReidConfigSpec`.
    :param arctern_model_group_id: For ``"cv"``, in AIHub's own form.
    :param arctern_model_name: For ``"cv"``, in AIHub's own form.
    :param user_id: Id of the user it belongs to. Default: the one the connection logs in as.
    :param public: Whether everybody may read it. Default: true.
    :param access_user_ids: Ids of users who may read a report that is not public.

    The remaining parameters are those of :class:`~airflow_provider_aihub.operators.call.CallOperator`.
    """

    template_fields: Sequence[str] = (
        *CallOperator.template_fields,
        "name",
        "eval_type",
        "datasets",
        "overall_metrics",
        "model",
        "eval_run_id",
        "eval_config",
        "performance",
        "performance_artifact_path",
        "reid_config",
        "arctern_model_group_id",
        "arctern_model_name",
        "user_id",
        "public",
        "access_user_ids",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = dict.fromkeys(
        ("datasets", "overall_metrics", "eval_config", "performance", "reid_config", "access_user_ids"), "json"
    )
    operator_extra_links = (ViewInAIHubLink(),)

    def __init__(
        self,
        *,
        name: str,
        eval_type: str | None = None,
        datasets: Sequence[Mapping[str, Any]] | None = None,
        overall_metrics: Mapping[str, Any] | None = None,
        model: str | int | None = None,
        eval_run_id: str | int | None = None,
        eval_config: Mapping[str, Any] | None = None,
        performance: Sequence[Mapping[str, Any]] | None = None,
        performance_artifact_path: str | None = None,
        reid_config: Mapping[str, Any] | None = None,
        arctern_model_group_id: int | str | None = None,
        arctern_model_name: str | None = None,
        user_id: int | str | None = None,
        public: bool | str = True,
        access_user_ids: Sequence[int | str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.eval_type = eval_type
        self.datasets = datasets
        self.overall_metrics = overall_metrics
        self.model = model
        self.eval_run_id = eval_run_id
        self.eval_config = eval_config
        self.performance = performance
        self.performance_artifact_path = performance_artifact_path
        self.reid_config = reid_config
        self.arctern_model_group_id = arctern_model_group_id
        self.arctern_model_name = arctern_model_name
        self.user_id = user_id
        self.public = public
        self.access_user_ids = access_user_ids

    def call(self, context: Context) -> dict[str, Any]:
        """Create the report, unless AIHub has it."""
        from airflow_provider_aihub.aihub.values import check_ids
        from airflow_provider_aihub.tasks.job_state import Tries

        readers = [] if self.access_user_ids is None else check_ids("access_user_ids", self.access_user_ids)
        tries = Tries.of(context)
        spec = self._spec(tries)
        try:
            report = self._find(spec) or (
                wait_until_shown(self.hook, lambda: self._find(spec)) if tries.tries_since_clear else None
            )
        except AIHubUnsupportedError:
            raise AIHubParameterError(LACKING) from None
        if report is not None:
            self.log.info("AIHub has report %d of this name and run_id already; it stays as it is", report.id)
            number, created = report.id, False
        else:
            number, created = self._create(spec), True
        self.link_to(context, number, "eval_report")
        if readers:
            self.hook.share_eval_report(number, readers)
        self._result = {"id": number, "name": spec.name, "run_id": spec.run_id, "created": created}
        return self._result

    def lineage(self, state: JobState | None, result: dict[str, Any] | None) -> Lineage:  # noqa: ARG002
        """Return the model and, once AIHub has the report, the datasets."""
        from airflow_provider_aihub.lineage import Lineage, dataset, model

        known = Lineage(job={"name": self.name, "eval_type": self.eval_type, "model": self.model})
        if result:
            known.run = {"id": result["id"], "run_id": result["run_id"]}
            if self.model is not None and not str(self.model).isdigit():
                known.inputs = model(self.hook, str(self.model))
            names = dict.fromkeys(str(one["dataset_name"]).partition("/")[0] for one in self.datasets or ())
            known.inputs += [data for name in names for data in dataset(self.hook, name)]
        return known

    def _spec(self, tries: Any) -> EvalReportSpec:
        from airflow_provider_aihub.aihub.eval_platform import EvalReportSpec
        from airflow_provider_aihub.aihub.values import check_text
        from airflow_provider_aihub.operators.model import find_model
        from airflow_provider_aihub.operators.names import known_id

        run_id = "" if self.eval_run_id is None else self.eval_run_id
        model_id = None if self.model is None else known_id("model", self.model)
        spec = EvalReportSpec.build(
            run_id=tries.marker().life.hex if run_id == "" else check_text("eval_run_id", run_id),
            name=self.name,
            type=self.eval_type,
            datasets=self.datasets,
            overall_metrics=self.overall_metrics,
            model_id=model_id,
            eval_config=self.eval_config,
            performance=self.performance,
            performance_artifact_path=self.performance_artifact_path,
            reid_config=self.reid_config,
            arctern_model_group_id=self.arctern_model_group_id,
            arctern_model_name=self.arctern_model_name,
            user_id=self.user_id,
            is_public=self.public,
        )
        if self.model is not None and model_id is None:
            spec = spec.model_copy(update={"model_id": find_model(self.hook, str(self.model)).id})
        return spec

    def _create(self, spec: EvalReportSpec) -> int:
        try:
            return self.hook.create_eval_report(spec)
        except AIHubAmbiguousSubmit as loss:
            report = wait_until_shown(self.hook, lambda: self._find(spec))
            if report is None:
                raise
            self.log.info("AIHub has taken report %d: %s", report.id, loss)
            return report.id

    def _find(self, spec: EvalReportSpec) -> EvalReport | None:
        """Return the newest report of that name and ``run_id``; ``None`` if there is none."""
        found: list[EvalReport] = []
        for number in range(1, MOST_PAGES + 1):
            page = self.hook.list_eval_reports(number, PAGE_SIZE, run_id=spec.run_id)
            found += [row for row in page.data if (row.run_id, row.name) == (spec.run_id, spec.name)]
            if not page.data or number * PAGE_SIZE >= page.total:
                break
        return max(found, key=lambda row: row.id, default=None)
