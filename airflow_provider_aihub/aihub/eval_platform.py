"""The evaluation platform: reports of how good a model is. Newer platforms only.

A report contains results that exist already. AIHub has no call that reads, changes or deletes a single report.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import Field

from airflow_provider_aihub.aihub.models import Page, Spec, new_id, page_of
from airflow_provider_aihub.aihub.services import Service
from airflow_provider_aihub.aihub.values import check_id, check_ids, joined_ids, page_query
from airflow_provider_aihub.http.models import Answer, nothing
from airflow_provider_aihub.http.request import Request, path
from airflow_provider_aihub.http.values import Count, Flag, JsonObject, Number, Positive, Text, Whole, Words, one_of

_RUNS = "/eval-platform/api/v1/run/"
_RUNS_V2 = "/eval-platform/api/v2/run/"


class EvalType(StrEnum):
    """What a report is about."""

    CV = "cv"
    LLM = "llm"
    REID = "reid"
    PERFORMANCE = "performance"


class DatasetReportSpec(Spec):
    """The results on one dataset.

    Paths are ``s3://...``, or the ``src_path`` of an artifact of the report's ``run_id``; which of both AIHub takes is
    not documented.

    :param metrics: The numbers: ``{"metrics": {...}, "categories": {...}}``.
    :param viz: What is drawn.
    :param sort_order: Where it stands among the report's datasets.
    """

    noun: ClassVar[str] = "report on a dataset"

    dataset_name: Text
    dataset_id: Positive | None = None
    dataset_version_id: Positive | None = None
    metrics: JsonObject | None = None
    viz: JsonObject | None = None
    prediction_artifact_path: Text | None = None
    evaled_artifact_path: Text | None = None
    ground_truth_artifact_path: Text | None = None
    metrics_artifact_path: Text | None = None
    sort_order: Count | None = None
    arctern_dataset_id: Positive | None = None
    arctern_dataset_name: Text | None = None
    arctern_metrics: JsonObject | None = None


class MetricsVizSpec(Spec):
    """What shows a metric. The names are AIHub's own."""

    noun: ClassVar[str] = "view of a metric"

    MetricVizConfigID: Positive
    MetricArtifactPath: Text


class ReidConfigSpec(Spec):
    """Which datasets a search for the same person or thing was tried on."""

    noun: ClassVar[str] = "configuration of a re-identification"

    gallery_dataset_id: Positive
    gallery_dataset_version_id: Positive | None = None
    query_dataset_id: Positive
    query_dataset_version_id: Positive | None = None
    id_dataset_id: Positive | None = None
    id_dataset_version_id: Positive | None = None
    search_result_artifact_path: Text
    metrics_viz_artifacts: list[MetricsVizSpec] = Field(default_factory=list)


class PerformanceSpec(Spec):
    """One number about how fast a model is."""

    noun: ClassVar[str] = "number of a performance"

    metric_name: Text
    value: float
    unit: Words


class SubDomainSpec(Spec):
    """The metrics of one sub-domain."""

    noun: ClassVar[str] = "part of a report"

    sub_domain_name: Text
    metrics: JsonObject


class OverallMetricsSpec(Spec):
    """The metrics over all datasets."""

    noun: ClassVar[str] = "summary of a report"

    overall: JsonObject
    overall_description: JsonObject | None = None
    sub_domain: list[SubDomainSpec] | None = None


class EvalReportSpec(Spec):
    """A report over any number of datasets.

    :param run_id: What produced the results: the id of a workflow run, or any other text that identifies it.
    :param type: See :class:`EvalType`.
    :param model_id: Id of the model in the model center.
    :param user_id: Id of the user it belongs to. Default: the one who asks.
    :param is_public: Whether everybody may read it. Default: true.
    :param eval_config: How the model was evaluated, in any form.
    :param arctern_model_group_id: For ``cv`` only, as is ``arctern_model_name``.
    :param reid_config: For ``reid`` only.
    :param performance: For ``performance`` only, as is ``performance_artifact_path``.
    """

    noun: ClassVar[str] = "report of an evaluation"

    run_id: Text
    name: Text
    datasets: list[DatasetReportSpec] = Field(default_factory=list)
    type: Annotated[EvalType, one_of(EvalType)] | None = None
    model_id: Positive | None = None
    user_id: Positive | None = None
    is_public: Flag = True
    eval_config: JsonObject | None = None
    overall_metrics: OverallMetricsSpec | None = None
    arctern_model_group_id: Positive | None = None
    arctern_model_name: Text | None = None
    reid_config: ReidConfigSpec | None = None
    performance_artifact_path: Text | None = None
    performance: list[PerformanceSpec] | None = None


class EvalRunSpec(Spec):
    """A report in the form that came before :class:`EvalReportSpec`; which fields are needed depends on the type.

    :param run_id: As in :class:`EvalReportSpec`.
    :param client_type: ``workflow`` or ``sdk``; what AIHub does with it is not documented.
    :param user_id: Id of the user it belongs to; 0 for the one who asks.
    :param dataset_id: For ``llm``, as are ``dataset_version_id`` and ``evaled_artifact_path``.
    :param report: For ``llm`` and ``performance``.
    :param ground_truth_artifact_path: For ``cv``.
    :param metrics_artifact_path: For ``cv`` and ``reid``.
    :param model_id: For ``reid`` and ``performance``.
    :param reid_config: For ``reid``.
    :param infer_service_id: For ``performance``, as are ``name``, ``performance_artifact_path`` and ``eval_config``.
    """

    noun: ClassVar[str] = "report of an evaluation"

    run_id: Text
    type: Annotated[EvalType, one_of(EvalType)]
    is_public: Flag = True
    client_type: Text = "sdk"
    user_id: Count = 0
    name: Text | None = None
    model_id: Positive | None = None
    infer_service_id: Positive | None = None
    dataset_id: Positive | None = None
    dataset_version_id: Positive | None = None
    prediction_artifact_path: Text | None = None
    evaled_artifact_path: Text | None = None
    ground_truth_artifact_path: Text | None = None
    metrics_artifact_path: Text | None = None
    performance_artifact_path: Text | None = None
    report: JsonObject | None = None
    eval_config: JsonObject | None = None
    reid_config: ReidConfigSpec | None = None


class EvalReport(Answer):
    """A report as AIHub lists it.

    :param status: AIHub's own word; ``created``, ``running`` and ``completed`` were seen, what else there is and what
        they mean is not documented.
    :param run_id: What produced the results.
    :param metrics_summary: The numbers, as they were sent or made of what was sent; likewise the other summaries.
    :param multi_datasets: The datasets of a report over several, in AIHub's own form.
    :param created_at: Unix milliseconds; likewise ``updated_at``.
    """

    id: Whole
    name: str = ""
    description: str = ""
    type: str = ""
    user_id: Number = 0
    user_name: str = ""
    model_id: Number = 0
    model_name: str = ""
    dataset_id: Number = 0
    dataset_version_id: Number = 0
    dataset_name: str = ""
    status: str = ""
    run_id: str = ""
    prediction_artifact_path: str = ""
    evaled_artifact_path: str = ""
    ground_truth_artifact_path: str = ""
    dataset_summary: dict[str, Any] = Field(default_factory=dict)
    metrics_summary: dict[str, Any] = Field(default_factory=dict)
    viz_summary: dict[str, Any] = Field(default_factory=dict)
    eval_config: dict[str, Any] = Field(default_factory=dict)
    is_public: bool = False
    multi_datasets: list[Any] = Field(default_factory=list)
    created_at: Number = 0
    updated_at: Number = 0


def create_eval_report(spec: EvalReportSpec) -> Request[int]:
    """Report results and return the id of the report. Newer platforms only."""
    return Request(
        asks=f"take the report {spec.name!r} of an evaluation",
        service=Service.EVAL_PLATFORM,
        method="POST",
        path=_RUNS_V2,
        read=new_id,
        json=spec.body(),
        creates=True,
        optional=True,
    )


def create_eval_run(spec: EvalRunSpec) -> Request[int]:
    """Report results in the form that came before :func:`create_eval_report` and return the id of the report. Newer
    platforms only.
    """
    return Request(
        asks=f"take the report of run {spec.run_id!r} of an evaluation",
        service=Service.EVAL_PLATFORM,
        method="POST",
        path=_RUNS,
        read=lambda data: new_id(data.get("eval_run") if isinstance(data, dict) else None),
        json=spec.body(),
        creates=True,
        optional=True,
    )


def list_eval_reports(
    page: int = 1,
    page_size: int = 20,
    name: str | None = None,
    run_id: str | None = None,
    type: str | None = None,
    status: str | None = None,
    user_id: int | str | None = None,
    model_ids: Sequence[int | str] | None = None,
    dataset_ids: Sequence[int | str] | None = None,
    dataset_version_ids: Sequence[int | str] | None = None,
) -> Request[Page[EvalReport]]:
    """List reports. Newer platforms only.

    :param name: Only those of this name. Whether a part of the name also matches is not documented.
    :param run_id: Only those of what produced the results.
    :param type: Only those of this type, see :class:`EvalType`.
    :param status: Only those in this status.
    :param user_id: Only those of this user.
    :param model_ids: Only those about these models; likewise ``dataset_ids`` and ``dataset_version_ids``.
    :raises AIHubParameterError: A number is not a whole number of at least 1.
    """
    return Request(
        asks="list reports of evaluations",
        service=Service.EVAL_PLATFORM,
        method="GET",
        path=_RUNS,
        read=page_of(EvalReport),
        query=page_query(
            page,
            page_size,
            {"user_id": user_id},
            name=name,
            run_id=run_id,
            type=type,
            status=status,
            model_ids=joined_ids("model_ids", model_ids),
            dataset_ids=joined_ids("dataset_ids", dataset_ids),
            dataset_version_ids=joined_ids("dataset_version_ids", dataset_version_ids),
        ),
        optional=True,
    )


def share_eval_report(report_id: int | str, user_ids: Sequence[int | str]) -> Request[None]:
    """Let users read a report that is not public. Newer platforms only.

    :raises AIHubParameterError: An id is not a whole number of at least 1.
    """
    number = check_id("report_id", report_id)
    return Request(
        asks=f"let users read report {number} of an evaluation",
        service=Service.EVAL_PLATFORM,
        method="POST",
        path=path("/eval-platform/api/v1/run/{}/permissions", number),
        read=nothing,
        json={"user_ids": check_ids("user_ids", user_ids)},
        optional=True,
    )
