"""The labelling platform: how far a label project is. Newer platforms only."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import Field

from airflow_provider_aihub.aihub.services import Service
from airflow_provider_aihub.aihub.values import check_text
from airflow_provider_aihub.http.models import Answer
from airflow_provider_aihub.http.request import Request
from airflow_provider_aihub.http.values import Number, Text


class LabelProjectStatus(StrEnum):
    """Where a label project stands, in AIHub's words."""

    PENDING = "pending"
    LOADING = "loading"
    """Its data is read."""
    READY = "ready"
    """People are labelling it."""
    FINISHED = "finished"
    FAILED = "failed"
    """Its data could not be read. It is not documented that a project ends so, nor that it can go on."""


class LabelStats(Answer):
    """Numbers of a label project; those of reviews are 0 if AIHub does not give them.

    :param total_annotations: How many things are to be labelled; ``labeled_annotations``: how many of them are.
    :param total_labels: How many labels they have.
    """

    total_annotations: Number = 0
    labeled_annotations: Number = 0
    total_labels: Number = 0
    total_reviews: Number = 0
    labeled_reviews: Number = 0
    unlabeled_reviews: Number = 0
    accepted_count: Number = 0
    rejected_count: Number = 0


class LabelProject(Answer):
    """How far a label project is.

    :param status: See :class:`LabelProjectStatus`; others may appear.
    :param name: The name from the request: AIHub's answer does not repeat it.
    :param data_exported_count: How often its labels were exported.
    :param exported_dataset_name: Name of the dataset they were exported to last. Whether it says which version is not
        documented.
    :param valid_ten_percent: Whether the first tenth was accepted; likewise the half and the whole.
    """

    status: Text
    name: str = ""
    data_exported_count: Number = 0
    exported_dataset_name: str = ""
    valid_ten_percent: bool = False
    valid_fifty_percent: bool = False
    valid_hundred_percent: bool = False
    global_stats: LabelStats = Field(default_factory=LabelStats)


def get_label_project(name: str) -> Request[LabelProject]:
    """Read how far a label project is. Newer platforms only.

    :param name: Name of the project; AIHub cannot read one by an id.
    :raises AIHubParameterError: The name is empty.
    """
    name = check_text("label_project", name, allowed="the name of a label project")

    def read(data: Any) -> LabelProject:
        return LabelProject.read(named(data, name))

    return Request(
        asks=f"read label project {name!r}",
        service=Service.LABELFREE,
        method="GET",
        path="/labelfree/api/v2/projects/global_stats",
        read=read,
        query={"project_name": name},
        optional=True,
    )


def named(data: Any, name: str) -> Any:
    """Add a project's name to an answer about it."""
    return {**data, "name": name} if isinstance(data, dict) else data
